-- Posting to the ledger: one call, one round trip, a number of statements that does not depend on
-- the number of lines. Rows are locked in key order, positions before balances, so that crossing
-- documents wait for each other and never deadlock. If any line cannot be served nothing is written
-- and the rows returned say which lines and why (on_hand is then what the whole warehouse has
-- available); otherwise there is one row a line with its value and the position's new on hand.

-- One end of a line inside our walls: what one balance gains or loses by it.
create type stock_end as (
  line_no int, item_id uuid, location_id uuid, warehouse_id uuid, lot_key uuid, status text,
  is_transit boolean, change numeric, may_be_negative boolean, expected numeric
);

create function stock_post(
  organization uuid, document uuid, document_type text, external_ref text, reason text,
  reference_type text, reference_id uuid, reference text, reversal_of uuid,
  occurred timestamptz, recorded timestamptz, principal uuid,
  -- One entry a line. A place is a location and its warehouse, null for the outside world.
  items uuid[], lots uuid[], quantities numeric[],
  from_locations uuid[], from_warehouses uuid[], from_statuses text[], from_transits boolean[],
  to_locations uuid[], to_warehouses uuid[], to_statuses text[], to_transits boolean[],
  -- Whether the balance at either end may go below zero.
  from_negatives boolean[], to_negatives boolean[],
  unit_costs numeric[],  -- cost of what enters from outside; null = the position's average
  line_values numeric[],  -- a value fixed beforehand (reversals); null = compute it
  expecteds numeric[]  -- on hand the caller believes in, per line; null = do not compare
)
returns table (line_no int, problem text, available numeric, value numeric, on_hand numeric)
language plpgsql
-- Arrays of one line make a plan of their own look cheaper each time, and planning takes longer than
-- posting: keep the plan.
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  no_lot constant uuid := '00000000-0000-0000-0000-000000000000';
  ends stock_end[];
begin
  select array_agg(e) into ends from (
    select row(l.n, l.item, l.from_location, l.from_warehouse, coalesce(l.lot, no_lot),
               l.from_status, l.from_transit, -l.quantity, l.negative,
               l.expected)::stock_end as e
    from unnest(items, lots, quantities, from_locations, from_warehouses, from_statuses,
                from_transits, from_negatives, expecteds) with ordinality
         as l(item, lot, quantity, from_location, from_warehouse, from_status, from_transit,
              negative, expected, n)
    where l.from_warehouse is not null
    union all
    select row(l.n, l.item, l.to_location, l.to_warehouse, coalesce(l.lot, no_lot), l.to_status,
               l.to_transit, l.quantity, l.negative,
               case when l.from_warehouse is null then l.expected end)::stock_end
    from unnest(items, lots, quantities, from_warehouses, to_locations, to_warehouses,
                to_statuses, to_transits, to_negatives, expecteds) with ordinality
         as l(item, lot, quantity, from_warehouse, to_location, to_warehouse, to_status,
              to_transit, negative, expected, n)
    where l.to_warehouse is not null
  ) both_ends;

  insert into stock_position (organization_id, item_id, warehouse_id, updated_at)
  select distinct organization, e.item_id, e.warehouse_id, recorded
  from unnest(ends) e
  where (e.change > 0 or e.may_be_negative) and not exists (
    select from stock_position p where p.organization_id = organization
      and p.item_id = e.item_id and p.warehouse_id = e.warehouse_id)
  order by e.item_id, e.warehouse_id
  on conflict do nothing;

  insert into stock_balance (organization_id, item_id, location_id, lot_key, status, warehouse_id,
                             on_hand, is_negative_allowed, last_occurred_at, updated_at)
  select distinct on (e.item_id, e.location_id, e.lot_key, e.status)
         organization, e.item_id, e.location_id, e.lot_key, e.status, e.warehouse_id,
         0, e.may_be_negative, '-infinity'::timestamptz, recorded
  from unnest(ends) e
  where (e.change > 0 or e.may_be_negative) and not exists (
    select from stock_balance b where b.organization_id = organization
      and b.item_id = e.item_id and b.location_id = e.location_id and b.lot_key = e.lot_key
      and b.status = e.status)
  order by e.item_id, e.location_id, e.lot_key, e.status
  on conflict do nothing;

  perform from stock_position p
  where p.organization_id = organization
    and (p.item_id, p.warehouse_id) in (select e.item_id, e.warehouse_id from unnest(ends) e)
  order by p.item_id, p.warehouse_id for update;

  perform from stock_balance b
  where b.organization_id = organization
    and (b.item_id, b.location_id, b.lot_key, b.status) in (
      select e.item_id, e.location_id, e.lot_key, e.status from unnest(ends) e)
  order by b.item_id, b.location_id, b.lot_key, b.status for update;

  -- Everything is locked: what holds now holds until the commit.
  return query
  with asked as (
    select e.*,
      sum(e.change) over balance as balance_change,
      coalesce(sum(e.change) filter (where e.status = 'unrestricted' and not e.is_transit)
        over position, 0) as free_change
    from unnest(ends) e
    window balance as (partition by e.item_id, e.location_id, e.lot_key, e.status),
           position as (partition by e.item_id, e.warehouse_id)
  ), judged as (
    select a.line_no,
      case
        when a.expected is not null and a.expected <> coalesce(b.on_hand, 0) then 'quantity_changed'
        when a.change > 0 or a.may_be_negative then null
        when coalesce(b.on_hand, 0) + a.balance_change < 0 then 'exceeds_on_hand'
        when a.status = 'unrestricted' and not a.is_transit and a.free_change < 0
             and coalesce(s.unrestricted - s.reserved, 0) + a.free_change < 0
          then 'exceeds_available'
        when occurred < b.last_occurred_at
             and stock_lowest_since(organization, a.item_id, a.location_id, a.lot_key, a.status,
                                    occurred, b.on_hand) + a.balance_change < 0
          then 'exceeds_later_stock'
      end as problem,
      case
        when (a.expected is null or a.expected = coalesce(b.on_hand, 0))
             and a.status = 'unrestricted' and not a.is_transit
          then least(coalesce(b.on_hand, 0), coalesce(s.unrestricted - s.reserved, 0))
        else coalesce(b.on_hand, 0)
      end as available,
      coalesce(s.unrestricted - s.reserved, 0) as position_available
    from asked a
    left join stock_position s on s.organization_id = organization and s.item_id = a.item_id
                         and s.warehouse_id = a.warehouse_id
    left join stock_balance b on b.organization_id = organization and b.item_id = a.item_id
                             and b.location_id = a.location_id and b.lot_key = a.lot_key
                             and b.status = a.status
  )
  select j.line_no, j.problem, j.available, null::numeric, j.position_available
  from judged j where j.problem is not null order by j.line_no;
  if found then
    return;
  end if;

  insert into stock_document (organization_id, id, external_ref, type, reason, reference_type,
                              reference_id, reference, reversal_of, occurred_at, recorded_at,
                              line_count, principal_id)
  values (organization, document, external_ref, document_type, reason, reference_type, reference_id,
          reference, reversal_of, occurred, recorded, cardinality(items), principal);

  with line as (
    select l.*,
      -- Moves inside one position change no value; everything else enters, leaves, or both.
      l.from_warehouse is not null and l.from_warehouse is distinct from l.to_warehouse as leaves,
      l.to_warehouse is not null and l.from_warehouse is distinct from l.to_warehouse as enters
    from unnest(items, lots, quantities, from_locations, from_warehouses, from_statuses,
                from_transits, to_locations, to_warehouses, to_statuses, to_transits, unit_costs,
                line_values) with ordinality
         as l(item_id, lot_id, quantity, from_location, from_warehouse, from_status, from_transit,
              to_location, to_warehouse, to_status, to_transit, unit_cost, line_value, line_no)
  ), costed as (
    select l.*, p.value as stock_value, p.on_hand + p.in_transit as stock_quantity,
      case when p.on_hand + p.in_transit > 0 then p.value / (p.on_hand + p.in_transit)
           else p.last_unit_cost end as average,
      p.last_unit_cost,
      sum(l.quantity) filter (where l.leaves) over (
        partition by l.item_id, l.from_warehouse order by l.line_no) as taken,
      sum(l.quantity) filter (where l.enters) over (
        partition by l.item_id, l.to_warehouse order by l.line_no) as entered,
      -- A reversal takes out what it brought in, where that much quantity and value is still there.
      sum(l.quantity) over source < p.on_hand + p.in_transit
        and sum(l.line_value) over source <= p.value as can_take_back
    from line l
    left join stock_position p on p.organization_id = organization and p.item_id = l.item_id
                              and p.warehouse_id = coalesce(l.from_warehouse, l.to_warehouse)
    window source as (partition by l.item_id, l.from_warehouse, l.leaves)
  ), valued as (
    select c.*, coalesce(
      case when not c.leaves or c.can_take_back then c.line_value end,
      case
        when c.leaves then
          -- Moving average, by cumulative shares: rounding never adds up to more than there is, and
          -- who takes the last unit takes the last cent.
          stock_share(c.taken, c.stock_quantity, c.stock_value, c.last_unit_cost)
          - stock_share(c.taken - c.quantity, c.stock_quantity, c.stock_value, c.last_unit_cost)
        when c.enters and c.from_warehouse is null then
          -- What fills stock that is below zero is worth what that was taken out for; only what is
          -- left of the line enters at its cost.
          stock_fill(c.entered, c.stock_quantity, c.stock_value)
          - stock_fill(c.entered - c.quantity, c.stock_quantity, c.stock_value)
          + round(coalesce(c.unit_cost, c.average, 0) * (
              c.quantity - greatest(0, least(c.entered, -c.stock_quantity)
                                       - greatest(least(c.entered - c.quantity,
                                                        -c.stock_quantity), 0))), 4)
        else round(c.quantity * coalesce(c.average, 0), 4)
      end) as value
    from costed c
  ), ledger as (
    insert into stock_movement (organization_id, document_id, line_no, item_id, lot_id,
                                from_location_id, to_location_id, from_status, to_status, quantity,
                                value, occurred_at, recorded_at)
    select organization, document, v.line_no, v.item_id, v.lot_id, v.from_location, v.to_location,
           v.from_status, v.to_status, v.quantity, v.value, occurred, recorded
    from valued v order by v.line_no
  ), balances as (
    update stock_balance b
    set on_hand = b.on_hand + d.change, updated_at = recorded,
        -- Stock that is below zero may come up step by step, whatever the rule is by now.
        is_negative_allowed = d.may_be_negative or b.on_hand + d.change < 0,
        last_occurred_at = greatest(b.last_occurred_at, occurred)
    from (
      select e.item_id, e.location_id, e.lot_key, e.status, sum(e.change) as change,
             bool_or(e.may_be_negative) as may_be_negative
      from unnest(ends) e group by 1, 2, 3, 4
    ) d
    where b.organization_id = organization and b.item_id = d.item_id
      and b.location_id = d.location_id and b.lot_key = d.lot_key and b.status = d.status
  ), moved as (
    select v.item_id, v.from_warehouse as warehouse_id, -v.quantity as change,
           v.from_status as status, v.from_transit as is_transit,
           case when v.leaves then -v.value else 0 end as value, false as enters, 0 as cost
    from valued v where v.from_warehouse is not null
    union all
    select v.item_id, v.to_warehouse, v.quantity, v.to_status, v.to_transit,
           case when v.enters then v.value else 0 end, v.enters,
           coalesce(v.unit_cost * v.quantity, v.value)
    from valued v where v.to_warehouse is not null
  )
  update stock_position p
  set on_hand = p.on_hand + c.on_hand, unrestricted = p.unrestricted + c.unrestricted,
      in_transit = p.in_transit + c.in_transit, value = p.value + c.value,
      last_unit_cost = coalesce(round(c.entered_value / c.entered_quantity, 6), p.last_unit_cost),
      last_occurred_at = greatest(p.last_occurred_at, occurred), updated_at = recorded
  from (
    select m.item_id, m.warehouse_id, sum(m.value) as value,
           coalesce(sum(m.change) filter (where not m.is_transit), 0) as on_hand,
           coalesce(sum(m.change) filter (where m.status = 'unrestricted' and not m.is_transit), 0)
             as unrestricted,
           coalesce(sum(m.change) filter (where m.is_transit), 0) as in_transit,
           sum(m.cost) filter (where m.enters) as entered_value,
           sum(m.change) filter (where m.enters) as entered_quantity
    from moved m group by m.item_id, m.warehouse_id
  ) c
  where p.organization_id = organization and p.item_id = c.item_id
    and p.warehouse_id = c.warehouse_id;

  return query
  select m.line_no, null::text, null::numeric, m.value, p.on_hand
  from unnest(items, from_warehouses, to_warehouses) with ordinality
       as l(item_id, from_warehouse, to_warehouse, line_no)
  join stock_movement m on m.organization_id = organization and m.document_id = document
                       and m.line_no = l.line_no
  join stock_position p on p.organization_id = organization and p.item_id = l.item_id
                       and p.warehouse_id = coalesce(l.to_warehouse, l.from_warehouse)
  order by l.line_no;
end $$;

-- The value of the first `taken` units of a stock at its moving average; beyond what there is
-- (where negative stock is allowed) units cost what the last ones did.
create function stock_share(taken numeric, quantity numeric, value numeric, last_cost numeric)
returns numeric language sql immutable as $$
  select case
    when taken <= 0 then 0
    when quantity <= 0 then round(taken * last_cost, 4)
    when taken < quantity then round(greatest(value, 0) * taken / quantity, 4)
    else greatest(value, 0) + round((taken - quantity) * last_cost, 4)
  end
$$;

-- The value of the first `entered` units that fill a stock below zero.
create function stock_fill(entered numeric, quantity numeric, value numeric)
returns numeric language sql immutable as $$
  select case
    when quantity >= 0 or entered <= 0 then 0
    when entered < -quantity then round(greatest(-value, 0) * entered / -quantity, 4)
    else greatest(-value, 0)
  end
$$;

-- The lowest on hand of a balance at any instant from `since` on, given what it is now. Movements at
-- one instant count together. Only a posting dated before the newest movement asks this.
create function stock_lowest_since(
  organization uuid, item uuid, location uuid, lot_key uuid, status text, since timestamptz,
  now_on_hand numeric
) returns numeric language sql stable as $$
  with later as (
    select m.occurred_at, sum(m.change) as change from (
      select occurred_at, quantity as change from stock_movement
      where organization_id = organization and item_id = item and to_location_id = location
        and occurred_at > since and to_status = status
        and coalesce(lot_id, '00000000-0000-0000-0000-000000000000') = lot_key
      union all
      select occurred_at, -quantity from stock_movement
      where organization_id = organization and item_id = item and from_location_id = location
        and occurred_at > since and from_status = status
        and coalesce(lot_id, '00000000-0000-0000-0000-000000000000') = lot_key
    ) m group by 1
  )
  select least(now_on_hand, (
    select min(before) from (
      select now_on_hand - sum(change) over (order by occurred_at desc) as before from later
    ) running
  ))
$$;
