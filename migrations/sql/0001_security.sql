-- Tenancy and grants. Tables are owned by scm_owner; scm_app has DML and sees one organization.
-- FORCE binds the owner too; only what the process itself needs is open to 'app.system'.
do $$
declare
  t record;
  own text := 'organization_id = nullif(current_setting(''app.organization_id'', true), '''')::uuid';
  sys text := 'current_setting(''app.system'', true) = ''on''';
  seen_by_system text[] := array['api_key', 'job', 'event', 'event_consumer', 'idempotency_key'];
  append_only text[] := array[
    'event', 'stock_movement', 'stock_document', 'lead_time_observation', 'shortage'
  ];
  rule text;
begin
  grant usage on schema public to scm_app;
  for t in
    select c.relname as name from pg_class c
    join pg_attribute a on a.attrelid = c.oid and a.attname = 'organization_id'
    where c.relkind = 'r' and c.relnamespace = 'public'::regnamespace
  loop
    rule := case when t.name = any (seen_by_system) then own || ' or ' || sys else own end;
    execute format('alter table %I enable row level security', t.name);
    execute format('alter table %I force row level security', t.name);
    execute format('create policy tenant on %I using (%s) with check (%s)', t.name, rule, rule);
    execute format('grant select, insert, update, delete on %I to scm_app', t.name);
    if t.name = any (append_only) then
      execute format('revoke update, delete on %I from scm_app', t.name);
    end if;
  end loop;
  alter table organization enable row level security;
  alter table organization force row level security;
  execute format(
    'create policy tenant on organization using (id = %s or %s) with check (%s)',
    'nullif(current_setting(''app.organization_id'', true), '''')::uuid', sys, sys);
  grant select, insert, update on organization to scm_app;
  grant select on feed_offset to scm_app;
  grant select, insert, update, delete on all tables in schema public to scm_app;
  for t in select unnest(append_only) as name loop
    if to_regclass(t.name) is not null then
      execute format('revoke update, delete on %I from scm_app', t.name);
    end if;
  end loop;
  revoke insert, update, delete on feed_offset, alembic_version from scm_app;
  grant usage, select on all sequences in schema public to scm_app;
end $$;
