-- What a principal confined to warehouses or item categories sees and writes. Its transactions run as
-- scm_limited, with `app.warehouses` and `app.categories` set to '*' or a list; only for that role do
-- these policies exist. A read shows what lies inside. A write sees whole documents, so that no
-- decision is taken on half of one, and is refused where it would touch a row outside.
create function in_warehouses(warehouse uuid) returns boolean language sql stable as $$
  select current_setting('app.warehouses') = '*'
      or coalesce(warehouse = any (current_setting('app.warehouses')::uuid[]), false)
$$;

create function in_categories(category uuid) returns boolean language sql stable as $$
  select current_setting('app.categories') = '*'
      or coalesce(category = any (current_setting('app.categories')::uuid[]), false)
$$;

create function item_in_limits(organization uuid, item uuid) returns boolean
language sql stable as $$
  select current_setting('app.categories') = '*' or item is null or exists (
    select from item i
    where i.organization_id = organization and i.id = item and in_categories(i.category_id))
$$;

-- `reads` is what a row must fulfil to be seen, `writes` what it must to be made or changed.
create function limit_table(name text, reads text, writes text) returns void
language plpgsql as $$
declare
  is_write constant text := 'current_setting(''transaction_read_only'') = ''off''';
begin
  execute format('create policy limited_read on %I as restrictive for select to scm_limited
                  using (%s or (%s))', name, is_write, reads);
  execute format('create policy limited_insert on %I as restrictive for insert to scm_limited
                  with check (%s)', name, writes);
  execute format('create policy limited_update on %I as restrictive for update to scm_limited
                  using (true) with check (%s)', name, writes);
  execute format('create policy limited_delete on %I as restrictive for delete to scm_limited
                  using (%s)', name, writes);
end $$;

do $$
declare
  one record;
  rule text;
  of_item constant text := 'item_in_limits(organization_id, item_id)';
  of_line constant text := 'in_warehouses(l.warehouse_id) and item_in_limits(l.organization_id, l.item_id)';
begin
  for one in
    select c.relname::text as name,
           bool_or(a.attname = 'item_id') as has_item,
           bool_or(a.attname = 'warehouse_id') as has_warehouse
    from pg_class c
    join pg_attribute a on a.attrelid = c.oid and a.attname in ('item_id', 'warehouse_id')
    where c.relkind = 'r' and c.relnamespace = 'public'::regnamespace
      and c.relname not in ('item_search', 'location', 'stock_movement', 'replenishment_policy')
    group by 1
  loop
    rule := concat_ws(' and ', case when one.has_item then of_item end,
      case when one.has_warehouse then
        '(warehouse_id is null or in_warehouses(warehouse_id))' end);
    perform limit_table(one.name, rule, rule);
  end loop;

  perform limit_table('item', 'in_categories(category_id)', 'in_categories(category_id)');
  -- Everybody may know the places there are; to change them is another thing.
  perform limit_table('warehouse', 'true', 'in_warehouses(id)');
  perform limit_table('location', 'true', 'in_warehouses(warehouse_id)');
  perform limit_table('stock_movement',
    'item_in_limits(organization_id, item_id) and exists (
       select from location l where l.organization_id = stock_movement.organization_id
         and l.id in (from_location_id, to_location_id) and in_warehouses(l.warehouse_id))',
    -- Both ends inside our walls must be the caller's.
    'item_in_limits(organization_id, item_id) and not exists (
       select from location l where l.organization_id = stock_movement.organization_id
         and l.id in (from_location_id, to_location_id) and l.warehouse_id is not null
         and not in_warehouses(l.warehouse_id))');
  perform limit_table('stock_document',
    'exists (select from stock_movement m where m.organization_id = stock_document.organization_id
               and m.document_id = stock_document.id)', 'true');
  -- A policy of a wider scope would bind warehouses and items outside.
  perform limit_table('replenishment_policy',
    'item_in_limits(organization_id, item_id)
     and (warehouse_id is null or in_warehouses(warehouse_id))
     and (category_id is null or in_categories(category_id))',
    '(current_setting(''app.warehouses'') = ''*'' or in_warehouses(warehouse_id))
     and (current_setting(''app.categories'') = ''*'' or in_categories(category_id)
          or item_id is not null and item_in_limits(organization_id, item_id))');
  perform limit_table('purchase_order',
    format('exists (select from purchase_order_line l
              where l.organization_id = purchase_order.organization_id
                and l.order_id = purchase_order.id and %s)', of_line),
    -- Lines come after their header, so a header without any is being made.
    format('not exists (select from purchase_order_line l
              where l.organization_id = purchase_order.organization_id
                and l.order_id = purchase_order.id)
            or exists (select from purchase_order_line l
              where l.organization_id = purchase_order.organization_id
                and l.order_id = purchase_order.id and %s)', of_line));
  perform limit_table('purchase_order_schedule',
    'exists (select from purchase_order_line l
       where l.organization_id = purchase_order_schedule.organization_id
         and l.id = purchase_order_schedule.line_id)', 'true');
  perform limit_table('purchase_order_revision',
    'exists (select from purchase_order o
       where o.organization_id = purchase_order_revision.organization_id
         and o.id = purchase_order_revision.order_id)', 'true');
  perform limit_table('receipt',
    'exists (select from receipt_line l where l.organization_id = receipt.organization_id
               and l.receipt_id = receipt.id)', 'true');
  -- The feed and the trail tell about everything: whoever is confined reads neither.
  perform limit_table('event', 'false', 'true');
  perform limit_table('audit_entry', 'false', 'true');
  -- Of background work one sees one's own.
  perform limit_table('job', 'principal->>''id'' = current_setting(''app.principal'')', 'true');
end $$;
