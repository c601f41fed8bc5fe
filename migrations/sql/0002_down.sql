-- Back to what 0001 left.
do $$
declare
  one record;
begin
  for one in
    select p.polname, c.relname from pg_policy p join pg_class c on c.oid = p.polrelid
    where p.polname like 'limited\_%' and c.relnamespace = 'public'::regnamespace
  loop
    execute format('drop policy %I on %I', one.polname, one.relname);
  end loop;
  for one in
    select t.tgname, c.relname from pg_trigger t join pg_class c on c.oid = t.tgrelid
    where t.tgname like 'audit\_%' and not t.tgisinternal
  loop
    execute format('drop trigger %I on %I', one.tgname, one.relname);
  end loop;
end $$;

drop trigger limited_move on item;
drop trigger limited_move on category;
drop function limit_table(text, text, text), limits_expression(text), limited_move(),
  confined_categories(), confined_warehouses();
do $$
declare
  one record;
begin
  for one in select oid::regprocedure as name from pg_proc
             where proname like 'audit\_%' and pronamespace = 'public'::regnamespace loop
    execute format('drop function %s', one.name);
  end loop;
end $$;
drop type audit_actor;
create or replace function feed_after_restore() returns void language plpgsql as
$$ begin
  update feed_offset
  set value = greatest(value, coalesce((select max(tx_order) from event), 0) + 1);
end $$;
drop trigger closed_period on stock_document;
drop function reset_sandbox(uuid), refuse_closed_period(), fiscal_period_code(date, int),
  next_numbers(uuid, text, text, bigint, timestamptz), number_text(text, bigint, date),
  number_floor(uuid, text, text, text, date);
alter table number_series
  drop column pattern, drop column restarts, drop column day, drop column version;
drop policy tenant on organization_group;
drop policy tenant on user_account;
drop policy tenant on organization;
create policy tenant on organization
  using (id = nullif(current_setting('app.organization_id', true), '')::uuid
         or current_setting('app.system', true) = 'on')
  with check (current_setting('app.system', true) = 'on');
alter table api_key
  drop column warehouse_ids, drop column category_ids, drop column amount_limit,
  drop column roles, drop column user_id, drop column maker_ids, drop column is_test,
  drop column previous_sha256,
  drop column previous_expires_at, drop column rotated_at, drop column version,
  drop column updated_at;
alter table event drop column user_id;
update api_key set permissions = array_replace(permissions, 'costs:read', 'stock:value')
where 'costs:read' = any (permissions);
alter table organization
  drop column group_id, drop column is_sandbox, drop column language, drop column work_week,
  drop column fiscal_year_start_month, drop column allows_negative_stock,
  drop column over_delivery_percent, drop column under_delivery_percent,
  drop column version, drop column updated_at, drop column sandbox_reset_at;
drop index if exists ix_job_open;
drop table if exists rate_window;
drop table audit_seal, audit_entry, fiscal_period, holiday, duty_rule, membership, role,
  access_log, oidc_flow, user_identity, known_device, login_throttle, one_time_link, session_token,
  user_session, user_credential, user_account, organization_group;
revoke all on all tables in schema public from scm_limited;
revoke all on all sequences in schema public from scm_limited;
revoke all on schema public from scm_limited;
revoke execute on function find_items(text[], text[]) from scm_limited;
