-- Emptying a sandbox. The application may not delete what is append-only; this function of the owner
-- may, for the organization of the transaction and only if that is a sandbox. It takes away every row
-- but those of the tables named here: settings, people, keys and what keeps the process honest.
alter table organization add column sandbox_reset_at timestamptz;
select audit_install('organization', 'id');

create function reset_sandbox(target uuid) returns bigint
language plpgsql security definer set search_path = public, pg_temp as $$
declare
  kept constant text[] := array['alert_rule', 'api_key', 'duty_rule', 'event_consumer', 'holiday',
                                'membership', 'number_series', 'rate_window', 'role'];
  deletions text;
  removed bigint;
begin
  if target is distinct from nullif(current_setting('app.organization_id', true), '')::uuid
     or not exists (select from organization o where o.id = target and o.is_sandbox) then
    raise insufficient_privilege using message = 'not a sandbox of this transaction';
  end if;
  -- Whoever raises alerts, imports or seals is let end first, so that nothing of it is left over. What
  -- is posted meanwhile breaks a foreign key or a circle of waiting: the caller tries again.
  perform pg_advisory_xact_lock(hashtextextended(kind || target, 0))
  from unnest(array['alerts:', 'items:', 'seal:']) kind;
  -- One statement: foreign keys are checked at its end, so that no order of tables matters.
  select string_agg(format('%I as (delete from %I where organization_id = $1%s returning 1)',
      'of_' || c.relname, c.relname,
      case c.relname
        -- The ends of the outside world are part of what an organization is.
        when 'location' then ' and warehouse_id is not null'
        when 'job' then ' and kind <> ''sandbox.reset'''
        when 'idempotency_key' then ' and path <> ''/v1/sandbox/reset'''
        else '' end), ', ')
    || ' select ' || string_agg(format('(select count(*) from %I)', 'of_' || c.relname), ' + ')
  into deletions
  from pg_class c
  join pg_attribute a on a.attrelid = c.oid and a.attname = 'organization_id'
  where c.relkind = 'r' and c.relnamespace = 'public'::regnamespace and c.relname <> all (kept);
  execute 'with ' || deletions into removed using target;
  update number_series set last = 0, day = null where organization_id = target;
  return removed;
end $$;
revoke all on function reset_sandbox(uuid) from public;
grant execute on function reset_sandbox(uuid) to scm_app;
