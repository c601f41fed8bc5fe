-- Tenancy and grants of what this revision made, by the rule of the first.
do $$
declare
  one record;
  mine constant text := 'nullif(current_setting(''app.organization_id'', true), '''')::uuid';
  is_system constant text := 'current_setting(''app.system'', true) = ''on''';
  member constant text := format('exists (select from membership m where m.user_id = %%s
                                            and m.organization_id = %s)', mine);
  -- Rows of these belong to people or to the process; no organization sees them but as said here.
  rule text;
begin
  for one in
    select c.relname as name, exists (
             select from pg_attribute a
             where a.attrelid = c.oid and a.attname = 'organization_id') as is_tenant
    from pg_class c
    where c.relkind = 'r' and c.relnamespace = 'public'::regnamespace and not c.relrowsecurity
      and c.relname not in ('alembic_version', 'feed_offset')
      and c.relname not like 'pgqueuer%'
  loop
    rule := case
      -- What an organization does is no matter of the process: it knows people, keys and rules.
      when one.name in ('fiscal_period', 'holiday') then format('organization_id = %s', mine)
      when one.is_tenant then format('organization_id = %s or %s', mine, is_system)
      when one.name = 'organization_group' then
        format('%s or id = (select o.group_id from organization o where o.id = %s)',
               is_system, mine)
      when one.name = 'user_account' then
        format('%s or %s', is_system, format(member, 'user_account.id'))
      when one.name = 'access_log' then
        format('%s or about_organization_id = %s', is_system, mine)
      else is_system
    end;
    execute format('alter table %I enable row level security', one.name);
    execute format('alter table %I force row level security', one.name);
    execute format('create policy tenant on %I using (%s) with check (%s)', one.name, rule,
      case one.name when 'user_account' then is_system when 'organization_group' then is_system
      else rule end);
    execute format('grant select, insert, update, delete on %I to scm_app', one.name);
  end loop;
  -- An organization changes its own settings.
  drop policy tenant on organization;
  execute format('create policy tenant on organization using (id = %s or %s)
                  with check (id = %s or %s)', mine, is_system, mine, is_system);
  revoke update, delete on audit_entry, audit_seal from scm_app;
  grant usage, select on all sequences in schema public to scm_app;

  -- The role of confined principals: what scm_app may, under more policies.
  for one in
    select c.relname as name,
           has_table_privilege('scm_app', c.oid, 'insert') as may_insert,
           has_table_privilege('scm_app', c.oid, 'update') as may_update,
           has_table_privilege('scm_app', c.oid, 'delete') as may_delete
    from pg_class c where c.relkind = 'r' and c.relnamespace = 'public'::regnamespace
  loop
    execute format('grant %s on %I to scm_limited',
      concat_ws(', ', 'select', case when one.may_insert then 'insert' end,
                case when one.may_update then 'update' end,
                case when one.may_delete then 'delete' end), one.name);
  end loop;
  grant usage on schema public to scm_limited;
  grant usage, select on all sequences in schema public to scm_limited;
  grant execute on function find_items(text[], text[]) to scm_limited;
end $$;
