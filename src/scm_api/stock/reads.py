"""SQL that reads stock: positions, balances, the ledger, arrivals, and stock at any instant."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy import (
    Select,
    and_,
    func,
    or_,
    select,
)
from sqlalchemy.orm import aliased

from scm_api.core import pages
from scm_api.core.db import Base
from scm_api.core.pages import Conditions, PageOf, PageParams, sql_page
from scm_api.core.tx import Tx
from scm_api.items.models import Item
from scm_api.stock.models import (
    InboundSupply,
    Lot,
    StockBalance,
    StockDocument,
    StockMovement,
)
from scm_api.stock.schemas import AsOfFilter, BalanceFilter, LedgerFilter, PositionFilter
from scm_api.warehouses.models import Location, Warehouse


@dataclass(frozen=True)
class Scope:
    """Which item, warehouse and category a list keeps to; None means all."""

    item_id: UUID | None = None
    warehouse_id: UUID | None = None
    category_id: UUID | None = None


def _in(tx: Tx, *tables: type[Base]) -> list[Any]:
    return [table.organization_id == tx.organization_id for table in tables]  # type: ignore[attr-defined]


def _item_and_warehouse(tx: Tx, statement: Select[Any], owner: Any) -> Select[Any]:
    """Join the item and the warehouse of `owner` and select what names them."""
    return (
        statement.join(Item, and_(Item.id == owner.item_id, *_in(tx, Item)))
        .join(Warehouse, and_(Warehouse.id == owner.warehouse_id, *_in(tx, Warehouse)))
        .add_columns(
            Item.sku,
            Item.name.label("item_name"),
            Warehouse.code.label("warehouse_code"),
            Warehouse.name.label("warehouse_name"),
            Warehouse.time_zone,
        )
    )


def _narrowed(statement: Select[Any], scope: Scope) -> Select[Any]:
    if scope.item_id is not None:
        statement = statement.where(Item.id == scope.item_id)
    if scope.warehouse_id is not None:
        statement = statement.where(Warehouse.id == scope.warehouse_id)
    return statement


_POSITION_COLUMNS = """
p.item_id, p.warehouse_id, p.on_hand, p.unrestricted, p.reserved, p.in_transit, p.value,
p.last_occurred_at, p.daily_demand, p.safety_stock, p.reorder_point, p.order_up_to,
i.sku, i.name as item_name, w.code as warehouse_code, w.name as warehouse_name, w.time_zone,
coalesce(s.on_order, 0.0000) as on_order, s.next_arrival_on
"""
_POSITIONS = """
stock_position p
join item i on i.organization_id = $1 and i.id = p.item_id
join warehouse w on w.organization_id = $1 and w.id = p.warehouse_id
left join lateral (
  select sum(quantity) as on_order, min(due_on) as next_arrival_on from inbound_supply
  where organization_id = $1 and item_id = p.item_id and warehouse_id = p.warehouse_id
) s on true
"""


def _of_organization(tx: Tx, column: str) -> Conditions:
    conditions = Conditions()
    conditions.add(f"{column} = {{}}", tx.organization_id)
    return conditions


def _narrow(conditions: Conditions, scope: Scope) -> None:
    for column, value in (
        ("i.id", scope.item_id),
        ("w.id", scope.warehouse_id),
        ("i.category_id", scope.category_id),
    ):
        if value is not None:
            conditions.add(f"{column} = {{}}", value)


async def list_positions(tx: Tx, wanted: PositionFilter, scope: Scope) -> PageOf:
    """Positions by SKU and warehouse."""
    conditions = _of_organization(tx, "p.organization_id")
    _narrow(conditions, scope)
    if wanted.is_in_stock is not None:
        conditions.add("(p.on_hand > 0) = {}", wanted.is_in_stock)
    order = [("i.sku", str), ("w.code", str), ("i.id", UUID)]
    return await sql_page(tx, _POSITION_COLUMNS, _POSITIONS, conditions, wanted, order)


async def positions_of(tx: Tx, item_id: UUID) -> list[asyncpg.Record]:
    """The positions of an item in all warehouses."""
    return await tx.fetch(
        f"select {_POSITION_COLUMNS} from {_POSITIONS} "
        "where p.organization_id = $1 and p.item_id = $2 order by w.code",
        tx.organization_id,
        item_id,
    )


async def positions_at(tx: Tx, pairs: Sequence[tuple[UUID, UUID]]) -> list[asyncpg.Record]:
    """The positions of (item, warehouse) pairs."""
    return await tx.fetch(
        f"select {_POSITION_COLUMNS} from unnest($2::uuid[], $3::uuid[]) as wanted(item, place), "
        f"{_POSITIONS} where p.organization_id = $1 and p.item_id = wanted.item "
        "and p.warehouse_id = wanted.place order by i.sku, w.code",
        tx.organization_id,
        [pair[0] for pair in pairs],
        [pair[1] for pair in pairs],
    )


async def list_balances(tx: Tx, wanted: BalanceFilter, scope: Scope) -> PageOf:
    """Balances that are not empty, by SKU, warehouse and location."""
    statement: Select[Any] = (
        select(
            *StockBalance.__table__.columns,
            Location.code.label("location_code"),
            Lot.code.label("lot_code"),
            Lot.expires_on,
        )
        .join(Location, and_(Location.id == StockBalance.location_id, *_in(tx, Location)))
        .outerjoin(Lot, and_(Lot.id == StockBalance.lot_key, *_in(tx, Lot)))
        .where(StockBalance.organization_id == tx.organization_id, StockBalance.on_hand != 0)
    )
    statement = _narrowed(_item_and_warehouse(tx, statement, StockBalance), scope)
    if wanted.location is not None:
        statement = statement.where(func.lower(Location.code) == wanted.location.lower())
    if wanted.status is not None:
        statement = statement.where(StockBalance.status == wanted.status)
    order = [
        (Item.sku, False),
        (Warehouse.code, False),
        (Location.code, False),
        (StockBalance.status, False),
        (StockBalance.lot_key, False),
    ]
    return await pages.page(tx, statement, wanted, order)


async def list_ledger(tx: Tx, wanted: LedgerFilter, scope: Scope) -> PageOf:
    """Lines of the ledger, newest first."""
    source, target = aliased(Location), aliased(Location)
    from_warehouse, to_warehouse = aliased(Warehouse), aliased(Warehouse)
    statement = (
        select(
            StockMovement.document_id,
            StockMovement.line_no,
            StockMovement.item_id,
            StockMovement.quantity,
            StockMovement.value,
            StockMovement.from_status,
            StockMovement.to_status,
            StockMovement.recorded_at,
            StockDocument.type,
            StockDocument.reference,
            Item.sku,
            Item.name,
            Item.base_unit,
            source.code.label("from_code"),
            source.kind.label("from_kind"),
            target.code.label("to_code"),
            target.kind.label("to_kind"),
            from_warehouse.code.label("from_warehouse"),
            to_warehouse.code.label("to_warehouse"),
            Lot.code.label("lot_code"),
        )
        .join(
            StockDocument,
            and_(StockDocument.id == StockMovement.document_id, *_in(tx, StockDocument)),
        )
        .join(Item, and_(Item.id == StockMovement.item_id, *_in(tx, Item)))
        .join(source, and_(source.id == StockMovement.from_location_id, *_in(tx, source)))
        .join(target, and_(target.id == StockMovement.to_location_id, *_in(tx, target)))
        .outerjoin(
            from_warehouse,
            and_(from_warehouse.id == source.warehouse_id, *_in(tx, from_warehouse)),
        )
        .outerjoin(
            to_warehouse, and_(to_warehouse.id == target.warehouse_id, *_in(tx, to_warehouse))
        )
        .outerjoin(Lot, and_(Lot.id == StockMovement.lot_id, *_in(tx, Lot)))
        .where(StockMovement.organization_id == tx.organization_id)
    )
    if scope.item_id is not None:
        statement = statement.where(StockMovement.item_id == scope.item_id)
    if scope.warehouse_id is not None:
        ends = (source.warehouse_id, target.warehouse_id)
        statement = statement.where(or_(*(end == scope.warehouse_id for end in ends)))
    if wanted.type:
        statement = statement.where(StockDocument.type.in_(wanted.type))
    if wanted.occurred_at_gte is not None:
        statement = statement.where(StockMovement.occurred_at >= wanted.occurred_at_gte)
    if wanted.occurred_at_lt is not None:
        statement = statement.where(StockMovement.occurred_at < wanted.occurred_at_lt)
    order = [
        (StockMovement.occurred_at, True),
        (StockMovement.document_id, True),
        (StockMovement.line_no, True),
    ]
    return await pages.page(tx, statement, wanted, order)


_AS_OF_COLUMNS = """
h.item_id, h.warehouse_id, h.on_hand, h.in_transit, h.value,
i.sku, i.name as item_name, w.code as warehouse_code, w.name as warehouse_name
"""
_AS_OF = """
(
  select f.item_id, l.warehouse_id, sum(f.value) as value,
         coalesce(sum(f.quantity) filter (where l.kind <> 'transit'), 0) as on_hand,
         coalesce(sum(f.quantity) filter (where l.kind = 'transit'), 0) as in_transit
  from (
    select item_id, to_location_id as location_id, quantity, value from stock_movement
    where organization_id = $1 and occurred_at <= $2 {of_item}
    union all
    select item_id, from_location_id, -quantity, -value from stock_movement
    where organization_id = $1 and occurred_at <= $2 {of_item}
  ) f
  join location l on l.organization_id = $1 and l.id = f.location_id and l.warehouse_id is not null
  group by f.item_id, l.warehouse_id
) h
join item i on i.organization_id = $1 and i.id = h.item_id
join warehouse w on w.organization_id = $1 and w.id = h.warehouse_id
"""


async def list_as_of(tx: Tx, wanted: AsOfFilter, scope: Scope) -> PageOf:
    """Quantity and value per item and warehouse at an instant: the sum of the ledger up to it."""
    conditions = Conditions()
    conditions.add("{} = $1", tx.organization_id)
    conditions.add("{} = $2", wanted.as_of)
    of_item = ""
    if scope.item_id is not None:
        # Inside the sum: one item's movements are found by index, not by adding up all.
        conditions.add("h.item_id = {}", scope.item_id)
        of_item = "and item_id = $3"
    if tx.principal.limits.warehouses is not None:
        # A transfer is seen from both its ends, of which only one may be the caller's.
        conditions.add("h.warehouse_id = any({})", list(tx.principal.limits.warehouses))
    _narrow(conditions, Scope(warehouse_id=scope.warehouse_id))
    order = [("i.sku", str), ("w.code", str), ("i.id", UUID)]
    source = _AS_OF.format(of_item=of_item)
    return await sql_page(tx, _AS_OF_COLUMNS, source, conditions, wanted, order)


async def list_inbound(
    tx: Tx, warehouse_id: UUID, wanted: PageParams, first: date | None, last: date | None
) -> PageOf:
    """Arrivals of a warehouse, earliest first."""
    statement = select(*InboundSupply.__table__.columns).where(
        InboundSupply.organization_id == tx.organization_id,
        InboundSupply.warehouse_id == warehouse_id,
    )
    statement = _item_and_warehouse(tx, statement, InboundSupply)
    if first is not None:
        statement = statement.where(InboundSupply.due_on >= first)
    if last is not None:
        statement = statement.where(InboundSupply.due_on <= last)
    order = [(InboundSupply.due_on, False), (InboundSupply.source_line_id, False)]
    return await pages.page(tx, statement, wanted, order)


async def arrivals(tx: Tx, item_id: UUID, warehouse_id: UUID) -> list[asyncpg.Record]:
    """Open quantities of one position by due date."""
    return await tx.fetch(
        """
        select due_on, sum(quantity) as quantity from inbound_supply
        where organization_id = $1 and item_id = $2 and warehouse_id = $3
        group by due_on order by due_on
        """,
        tx.organization_id,
        item_id,
        warehouse_id,
    )


async def valuation(tx: Tx, as_of: datetime | None) -> list[asyncpg.Record]:
    """Value and number of stocked items per warehouse, now or at an instant (from the ledger)."""
    if as_of is None:
        return await tx.fetch(
            """
            select w.id, w.code, w.name, coalesce(sum(p.value), 0) as value,
                   count(*) filter (where p.on_hand + p.in_transit <> 0) as items
            from warehouse w
            left join stock_position p on p.organization_id = w.organization_id
                                      and p.warehouse_id = w.id
            where w.organization_id = $1 and ($2::uuid[] is null or w.id = any($2))
            group by w.id, w.code, w.name order by w.code
            """,
            tx.organization_id,
            tx.principal.limits.warehouses,
        )
    return await tx.fetch(
        """
        with flow as (
          select l.warehouse_id, m.item_id, m.quantity, m.value from stock_movement m
          join location l on l.organization_id = m.organization_id and l.id = m.to_location_id
          where m.organization_id = $1 and m.occurred_at <= $2 and l.warehouse_id is not null
          union all
          select l.warehouse_id, m.item_id, -m.quantity, -m.value from stock_movement m
          join location l on l.organization_id = m.organization_id and l.id = m.from_location_id
          where m.organization_id = $1 and m.occurred_at <= $2 and l.warehouse_id is not null
        ), held as (
          select warehouse_id, item_id, sum(quantity) as quantity, sum(value) as value
          from flow group by warehouse_id, item_id
        )
        select w.id, w.code, w.name, coalesce(sum(h.value), 0) as value,
               count(*) filter (where h.quantity <> 0) as items
        from warehouse w left join held h on h.warehouse_id = w.id
        where w.organization_id = $1 and ($3::uuid[] is null or w.id = any($3))
        group by w.id, w.code, w.name order by w.code
        """,
        tx.organization_id,
        as_of,
        tx.principal.limits.warehouses,
    )
