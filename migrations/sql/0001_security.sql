-- Tenancy and grants. scm_owner owns the tables; scm_app has DML and sees one organization.
-- FORCE binds the owner too; only what the process itself needs is open to 'app.system'.
do $$
declare
  name text;
  mine text := 'nullif(current_setting(''app.organization_id'', true), '''')::uuid';
  is_system text := 'current_setting(''app.system'', true) = ''on''';
  seen_by_system text[] := array['api_key', 'job', 'event', 'event_consumer', 'idempotency_key'];
  append_only text[] := array['event', 'stock_movement', 'stock_document', 'shortage',
                             'purchase_order_revision'];
  rule text;
begin
  grant usage on schema public to scm_app;
  grant select, insert, update, delete on all tables in schema public to scm_app;
  grant usage, select on all sequences in schema public to scm_app;
  revoke insert, update, delete on feed_offset, alembic_version from scm_app;
  revoke delete on organization from scm_app;
  foreach name in array append_only loop
    execute format('revoke update, delete on %I from scm_app', name);
  end loop;

  for name in
    select c.relname from pg_class c
    join pg_attribute a on a.attrelid = c.oid and a.attname = 'organization_id'
    where c.relkind = 'r' and c.relnamespace = 'public'::regnamespace
  loop
    rule := format('organization_id = %s', mine);
    if name = any (seen_by_system) then
      rule := format('%s or %s', rule, is_system);
    end if;
    execute format('alter table %I enable row level security', name);
    execute format('alter table %I force row level security', name);
    execute format('create policy tenant on %I using (%s) with check (%s)', name, rule, rule);
  end loop;
  alter table organization enable row level security;
  alter table organization force row level security;
  execute format('create policy tenant on organization using (id = %s or %s) with check (%s)',
                 mine, is_system, is_system);
end $$;
