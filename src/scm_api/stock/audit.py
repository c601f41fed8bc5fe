"""Proof that the derived rows are what the ledger says, by adding up the whole ledger."""

from dataclasses import dataclass

from scm_api.core.tx import Tx

_BALANCES = """
with flow as (
  select item_id, to_location_id as location_id, lot_id, to_status as status, quantity
  from stock_movement where organization_id = $1
  union all
  select item_id, from_location_id, lot_id, from_status, -quantity
  from stock_movement where organization_id = $1
), held as (
  select f.item_id, f.location_id,
         coalesce(f.lot_id, '00000000-0000-0000-0000-000000000000') as lot_key,
         f.status, sum(f.quantity) as on_hand
  from flow f
  join location l on l.organization_id = $1 and l.id = f.location_id and l.warehouse_id is not null
  group by 1, 2, 3, 4
)
select coalesce(h.item_id, b.item_id) as item_id, coalesce(h.location_id, b.location_id) as place,
       coalesce(h.on_hand, 0) as ledger, coalesce(b.on_hand, 0) as derived
from held h
full join (select * from stock_balance where organization_id = $1) b
  on (b.item_id, b.location_id, b.lot_key, b.status)
   = (h.item_id, h.location_id, h.lot_key, h.status)
where coalesce(h.on_hand, 0) <> coalesce(b.on_hand, 0)
   or (coalesce(b.on_hand, 0) < 0 and not b.is_negative_allowed)
"""
_POSITIONS = """
with flow as (
  select m.item_id, l.warehouse_id, l.kind, m.to_status as status, m.quantity, m.value
  from stock_movement m
  join location l on l.organization_id = $1 and l.id = m.to_location_id
  where m.organization_id = $1 and l.warehouse_id is not null
  union all
  select m.item_id, l.warehouse_id, l.kind, m.from_status, -m.quantity, -m.value
  from stock_movement m
  join location l on l.organization_id = $1 and l.id = m.from_location_id
  where m.organization_id = $1 and l.warehouse_id is not null
), held as (
  select item_id, warehouse_id,
         coalesce(sum(quantity) filter (where kind <> 'transit'), 0) as on_hand,
         coalesce(sum(quantity) filter (where kind <> 'transit' and status = 'unrestricted'), 0)
           as unrestricted,
         coalesce(sum(quantity) filter (where kind = 'transit'), 0) as in_transit,
         sum(value) as value
  from flow group by 1, 2
)
select coalesce(h.item_id, p.item_id) as item_id,
       coalesce(h.warehouse_id, p.warehouse_id) as place,
       format('%s units worth %s', coalesce(h.on_hand, 0), coalesce(h.value, 0)) as ledger,
       format('%s units worth %s', coalesce(p.on_hand, 0), coalesce(p.value, 0)) as derived
from held h
full join (select * from stock_position where organization_id = $1) p
  on (p.item_id, p.warehouse_id) = (h.item_id, h.warehouse_id)
where (coalesce(h.on_hand, 0), coalesce(h.unrestricted, 0), coalesce(h.in_transit, 0),
       coalesce(h.value, 0))
   is distinct from (coalesce(p.on_hand, 0), coalesce(p.unrestricted, 0),
                     coalesce(p.in_transit, 0), coalesce(p.value, 0))
   or p.reserved > greatest(p.unrestricted, 0)
"""
_WORTHLESS = """
select item_id, warehouse_id as place, format('%s units', on_hand + in_transit) as ledger,
       format('worth %s', value) as derived
from stock_position
where organization_id = $1 and (on_hand + in_transit = 0 and value <> 0
       or on_hand + in_transit > 0 and value < 0)
  and not exists (
    select from stock_balance b where b.organization_id = $1
      and b.item_id = stock_position.item_id and b.is_negative_allowed)
"""


@dataclass(frozen=True)
class Finding:
    """One contradiction between the ledger and what was derived from it."""

    check: str
    item_id: str
    place: str
    ledger: str
    derived: str


async def audit(tx: Tx) -> list[Finding]:
    """All contradictions of an organization's stock; empty when everything adds up."""
    found = []
    for check, sql in (
        ("balance = sum of movements", _BALANCES),
        ("position = sum of movements, in quantity and value", _POSITIONS),
        ("a value only with a quantity, and never below zero", _WORTHLESS),
    ):
        for row in await tx.fetch(sql, tx.organization_id):
            found.append(
                Finding(
                    check,
                    str(row["item_id"]),
                    str(row["place"]),
                    str(row["ledger"]),
                    str(row["derived"]),
                )
            )
    return found
