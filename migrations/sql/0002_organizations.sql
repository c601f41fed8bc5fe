-- Numbers by the organization's own rules, and periods that are closed.

-- The rule stands in the row that is locked to take a number: nobody numbers by an old rule.
alter table number_series
  add column pattern varchar(64),  -- such as PO-{yyyy}-{n:5}; null: the built-in one
  add column restarts varchar(8) not null default 'never',
  add column day date,  -- the organization's date of the latest number
  add column version integer not null default 1,
  add constraint ck_number_series_restarts check (restarts in ('never', 'year', 'month', 'day'));

-- A number as a pattern writes it.
create function number_text(pattern text, n bigint, day date) returns text
language sql immutable parallel safe as $$
  select regexp_replace(
    replace(replace(replace(replace(pattern, '{yyyy}', to_char(day, 'YYYY')),
      '{yy}', to_char(day, 'YY')), '{mm}', to_char(day, 'MM')), '{dd}', to_char(day, 'DD')),
    '\{n(:\d+)?\}',
    lpad(n::text, greatest(length(n::text),
      coalesce(substring(pattern from '\{n:(\d+)\}')::int, 1)), '0'))
$$;

-- The highest n that documents of a kind (the name of their table) already have in the period that a
-- day lies in: whatever rules came before, what comes after it is free.
create function number_floor(
  organization uuid, kind text, pattern text, restarts text, day date
) returns bigint language plpgsql stable as $$
declare
  form text := replace(lower(pattern), '.', '\.');
  highest bigint;
begin
  -- Dates that the period does not fix may have been any.
  if restarts in ('year', 'month', 'day') then
    form := replace(replace(form, '{yyyy}', to_char(day, 'YYYY')), '{yy}', to_char(day, 'YY'));
  end if;
  if restarts in ('month', 'day') then
    form := replace(form, '{mm}', to_char(day, 'MM'));
  end if;
  if restarts = 'day' then
    form := replace(form, '{dd}', to_char(day, 'DD'));
  end if;
  form := replace(regexp_replace(form, '\{(yy|mm|dd)\}', '\d\d', 'g'), '{yyyy}', '\d\d\d\d');
  form := '^' || regexp_replace(form, '\{n(:\d+)?\}', '(\d{1,12})') || '$';
  execute format(
    'select max(substring(lower(number) from $2)::bigint) from %I
     where organization_id = $1 and lower(number) ~ $2', kind)
  into highest using organization, form;
  return coalesce(highest, 0);
end $$;

-- The next numbers of a series, gapless: the row stays locked until the transaction ends, and one that
-- rolls back gives its numbers back. A period never begins twice, though clocks may differ.
create function next_numbers(
  organization uuid, kind text, built_in text, count bigint, at timestamptz
) returns text[] language plpgsql
set plan_cache_mode = force_generic_plan  -- planning takes longer than numbering
as $$
#variable_conflict use_column
declare
  given number_series;
  passed bigint;
begin
  if count < 1 then
    return '{}';
  end if;
  insert into number_series as s (organization_id, kind, last, day)
  select organization, kind, count, (at at time zone o.time_zone)::date
  from organization o where o.id = organization
  on conflict (organization_id, kind) do update
    set day = greatest(s.day, excluded.day),
        last = excluded.last + case
          when s.restarts = 'never' then s.last
          when date_trunc(s.restarts, excluded.day) > date_trunc(s.restarts, s.day) then 0
          else s.last end
  returning * into given;
  if given.pattern is not null and given.last = count then
    passed := number_floor(organization, kind, given.pattern, given.restarts, given.day);
    if passed > 0 then
      update number_series s set last = s.last + passed
      where s.organization_id = organization and s.kind = given.kind
      returning * into given;
    end if;
  end if;
  if count = 1 then
    return array[number_text(coalesce(given.pattern, built_in), given.last, given.day)];
  end if;
  return array(
    select number_text(coalesce(given.pattern, built_in), n, given.day)
    from generate_series(given.last - count + 1, given.last) n order by n);
end $$;

-- The fiscal period of a day: 2026-P01 is the first month of the year that begins in 2026.
create function fiscal_period_code(day date, first_month int) returns text
language sql immutable parallel safe as $$
  select to_char(months / 12, 'FM0000') || '-P' || to_char(months % 12 + 1, 'FM00')
  from (select extract(year from day)::int * 12 + extract(month from day)::int - first_month) m(months)
$$;

-- Nothing is posted on or before the last day of the latest closed period. Postings hold the lock of
-- the books together, closing holds it alone; what is read after the lock is what has been closed.
create function refuse_closed_period() returns trigger language plpgsql as $$
declare
  found record;
begin
  perform pg_advisory_xact_lock_shared(hashtextextended('books of ' || new.organization_id, 0));
  select (new.occurred_at at time zone o.time_zone)::date as day, o.fiscal_year_start_month,
         (select p.ends_on from fiscal_period p
          where p.organization_id = o.id and p.closed_at is not null
          order by p.starts_on desc limit 1) as closed_through
  into found from organization o where o.id = new.organization_id;
  if found.day <= found.closed_through then
    raise exception 'the period is closed' using errcode = 'SCM01',
      detail = fiscal_period_code(found.day, found.fiscal_year_start_month);
  end if;
  return new;
end $$;
create trigger closed_period before insert on stock_document
for each row execute function refuse_closed_period();
