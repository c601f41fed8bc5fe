-- What a principal confined to warehouses or item categories sees and writes. Its transactions run as
-- scm_limited, with `app.warehouses` and `app.categories` set to '*' or a list; only for that role do
-- these policies exist. It sees what lies inside. While `app.sees` is 'whole', as it is in a write, it
-- sees whole documents, so that no decision is taken on half of one, and is refused (42501) where it
-- would make or change a row outside.

-- The ids it keeps to; null: all of them.
create function confined_warehouses() returns uuid[] language sql stable parallel safe
return nullif(current_setting('app.warehouses'), '*')::uuid[];

create function confined_categories() returns uuid[] language sql stable parallel safe
return nullif(current_setting('app.categories'), '*')::uuid[];

-- Policies are written as text: what stands in `(select ...)` is computed once a statement, and one
-- expression lets the planner choose between looking a row up and hashing all of them.
-- `{wh:x}` says that warehouse x lies inside, `{cat:x}` a category, `{item:t.x}` an item of table t.
create function limits_expression(given text) returns text language sql immutable as $$
  select regexp_replace(regexp_replace(regexp_replace(given,
    '\{item:(\w+)\.(\w+)\}',
    '((select confined_categories()) is null or \1.\2 is null or exists (
        select from item i_ where i_.organization_id = \1.organization_id and i_.id = \1.\2
          and i_.category_id = any ((select confined_categories())::uuid[])))', 'g'),
    '\{wh:([\w.]+)\}',
    '((select confined_warehouses()) is null
      or \1 = any ((select confined_warehouses())::uuid[]))', 'g'),
    '\{cat:([\w.]+)\}',
    '((select confined_categories()) is null
      or \1 = any ((select confined_categories())::uuid[]))', 'g')
$$;

-- `reads` is what a row must fulfil to be seen, `writes` what it must to be made or changed.
create function limit_table(name text, reads text, writes text) returns void
language plpgsql as $$
declare
  is_whole constant text := '(select current_setting(''app.sees'', true) = ''whole'')';
begin
  execute format('create policy limited_read on %I as restrictive for select to scm_limited
                  using (%s or (%s))', name, is_whole, limits_expression(reads));
  execute format('create policy limited_insert on %I as restrictive for insert to scm_limited
                  with check (%s)', name, limits_expression(writes));
  execute format('create policy limited_update on %I as restrictive for update to scm_limited
                  using (true) with check (%s)', name, limits_expression(writes));
  execute format('create policy limited_delete on %I as restrictive for delete to scm_limited
                  using (%s)', name, limits_expression(writes));
end $$;

do $$
declare
  one record;
  rule text;
  of_line constant text := '{wh:l.warehouse_id} and {item:l.item_id}';
  -- Some line of an order lies inside, whatever is seen at the moment.
  of_order constant text := 'exists (select from purchase_order_line l
    where l.organization_id = %1$s.organization_id and l.order_id = %1$s.%2$s and '
    || of_line || ')';
begin
  for one in
    select c.relname::text as name,
           bool_or(a.attname = 'item_id') as has_item,
           bool_or(a.attname = 'warehouse_id') as has_warehouse
    from pg_class c
    join pg_attribute a on a.attrelid = c.oid and a.attname in ('item_id', 'warehouse_id')
    where c.relkind = 'r' and c.relnamespace = 'public'::regnamespace
      and c.relname not in ('location', 'stock_movement', 'replenishment_policy', 'alert',
                            'lead_time_observation')
    group by 1
  loop
    rule := concat_ws(' and ',
      case when one.has_item then format('{item:%s.item_id}', one.name) end,
      case when one.has_warehouse then '{wh:warehouse_id}' end);
    perform limit_table(one.name, rule, rule);
  end loop;

  perform limit_table('item', '{cat:category_id}', '{cat:category_id}');
  -- Everybody may know the places and categories there are; to change them is another thing.
  perform limit_table('warehouse', 'true', '{wh:id}');
  perform limit_table('location', 'true', '{wh:warehouse_id}');
  perform limit_table('category', 'true', '{cat:id} or {cat:parent_id}');
  -- Rules and policies of a wider scope bind warehouses and items outside.
  perform limit_table('alert_rule', 'true', 'false');
  perform limit_table('replenishment_policy',
    '{item:replenishment_policy.item_id} and (warehouse_id is null or {wh:warehouse_id})
     and (category_id is null or {cat:category_id})',
    '{wh:warehouse_id} and {item:replenishment_policy.item_id}
     and (item_id is not null or {cat:category_id})');

  perform limit_table('stock_movement',
    '{item:stock_movement.item_id} and ((select confined_warehouses()) is null or exists (
       select from location l where l.organization_id = stock_movement.organization_id
         and l.id = from_location_id
         and l.warehouse_id = any ((select confined_warehouses())::uuid[])) or exists (
       select from location l where l.organization_id = stock_movement.organization_id
         and l.id = to_location_id
         and l.warehouse_id = any ((select confined_warehouses())::uuid[])))',
    -- Both ends inside our walls must be the caller's.
    '{item:stock_movement.item_id} and not exists (
       select from location l where l.organization_id = stock_movement.organization_id
         and l.id in (from_location_id, to_location_id) and l.warehouse_id is not null
         and not {wh:l.warehouse_id})');
  -- Of a document one sees what has a visible line. Lines come after their header, so a header may
  -- be made without any; who may change it is known by what changes with it.
  perform limit_table('stock_document',
    'exists (select from stock_movement m where m.organization_id = stock_document.organization_id
               and m.document_id = stock_document.id)', 'true');
  perform limit_table('receipt',
    'exists (select from receipt_line l where l.organization_id = receipt.organization_id
               and l.receipt_id = receipt.id)',
    'not exists (select from receipt_line l where l.organization_id = receipt.organization_id
                   and l.receipt_id = receipt.id and not (' || of_line || '))');
  perform limit_table('purchase_order', format(of_order, 'purchase_order', 'id'),
    'not exists (select from purchase_order_line l
       where l.organization_id = purchase_order.organization_id
         and l.order_id = purchase_order.id)
     or ' || format(of_order, 'purchase_order', 'id'));
  perform limit_table('purchase_order_revision',
    format(of_order, 'purchase_order_revision', 'order_id'),
    format(of_order, 'purchase_order_revision', 'order_id'));
  rule := 'exists (select from purchase_order_line l
    where l.organization_id = purchase_order_schedule.organization_id
      and l.id = purchase_order_schedule.line_id and ' || of_line || ')';
  perform limit_table('purchase_order_schedule', rule, rule);
  -- What a delivery taught about a supplier shows the order it came by.
  rule := '{item:lead_time_observation.item_id} and (purchase_order_line_id is null or exists (
    select from purchase_order_line l
    where l.organization_id = lead_time_observation.organization_id
      and l.id = purchase_order_line_id and ' || of_line || '))';
  perform limit_table('lead_time_observation', rule, rule);
  rule := 'exists (select from supplier_item l
    where l.organization_id = supplier_price.organization_id
      and l.id = supplier_price.supplier_item_id and {item:l.item_id})';
  perform limit_table('supplier_price', rule, rule);
  -- An alert is about an item in a warehouse, a line of an order, or a whole order, whose amount it
  -- tells.
  rule := '{item:alert.item_id} and (warehouse_id is null or {wh:warehouse_id})
    and (order_id is null or case when order_line_id is not null then
      exists (select from purchase_order_line l
        where l.organization_id = alert.organization_id and l.id = alert.order_line_id
          and ' || of_line || ')
      else (select count(*) from purchase_order_line l
        where l.organization_id = alert.organization_id and l.order_id = alert.order_id
          and ' || of_line || ')
        = (select o.line_count from purchase_order o
        where o.organization_id = alert.organization_id and o.id = alert.order_id) end)';
  perform limit_table('alert', rule, rule);

  -- The feed and the trail tell about everything: whoever is confined reads neither.
  perform limit_table('event', 'false', 'true');
  perform limit_table('audit_entry', 'false', 'true');
  -- Of background work one sees one's own, and of plans also those that considered something of his.
  rule := 'principal->>''id'' = (select current_setting(''app.principal''))';
  perform limit_table('job', rule, rule);
  rule := 'exists (select from job j where j.organization_id = replenishment_plan.organization_id
    and j.id = replenishment_plan.job_id
    and j.principal->>''id'' = (select current_setting(''app.principal'')))';
  perform limit_table('replenishment_plan',
    rule || ' or exists (select from replenishment_plan_line l
      where l.organization_id = replenishment_plan.organization_id
        and l.plan_id = replenishment_plan.id)', rule);
end $$;

-- A policy judges the new row only; what lies outside must not be moved inside, and so be taken over.
-- The argument names the column with the category that has to be the caller's before.
create function limited_move() returns trigger language plpgsql as $$
begin
  if confined_categories() is not null
     and ((to_jsonb(old)->>tg_argv[0])::uuid = any (confined_categories())) is not true then
    raise insufficient_privilege using message = format(
      'old row violates row-level security policy for table "%s"', tg_table_name);
  end if;
  return new;
end $$;

create trigger limited_move before update on item for each row
when (current_user = 'scm_limited' and old.category_id is distinct from new.category_id)
execute function limited_move('category_id');
create trigger limited_move before update on category for each row
when (current_user = 'scm_limited' and old.parent_id is distinct from new.parent_id)
execute function limited_move('id');
