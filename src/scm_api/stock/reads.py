"""SQL that reads stock: positions, balances, the ledger, arrivals, and stock at any instant."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy import (
    ARRAY,
    Select,
    Uuid,
    and_,
    cast,
    column,
    func,
    literal,
    or_,
    select,
    union_all,
)
from sqlalchemy.orm import aliased

from scm_api.core import pages
from scm_api.core.db import Base
from scm_api.core.pages import PageOf, PageParams
from scm_api.core.tx import Tx
from scm_api.items.models import Category, Item
from scm_api.items.policy import key_of
from scm_api.stock.models import (
    InboundSupply,
    Lot,
    StockBalance,
    StockDocument,
    StockMovement,
    StockPosition,
)
from scm_api.stock.schemas import AsOfFilter, BalanceFilter, LedgerFilter, PositionFilter
from scm_api.warehouses.models import Location, Warehouse


def _is_item(text: str) -> Any:
    """Matches an item by its SKU or its UUID."""
    try:
        return Item.id == UUID(text)
    except ValueError:
        return Item.sku_key == key_of(text)


def _is_warehouse(table: Any, text: str) -> Any:
    """Matches a warehouse by its code or its UUID."""
    try:
        return table.id == UUID(text)
    except ValueError:
        return func.lower(table.code) == text.lower()


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


def _narrowed(statement: Select[Any], item: str | None, warehouse: str | None) -> Select[Any]:
    if item is not None:
        statement = statement.where(_is_item(item))
    if warehouse is not None:
        statement = statement.where(_is_warehouse(Warehouse, warehouse))
    return statement


def _positions(tx: Tx) -> Select[Any]:
    open_supply = (
        select(func.coalesce(func.sum(InboundSupply.quantity), 0))
        .where(
            InboundSupply.organization_id == tx.organization_id,
            InboundSupply.item_id == StockPosition.item_id,
            InboundSupply.warehouse_id == StockPosition.warehouse_id,
        )
        .scalar_subquery()
    )
    next_due = (
        select(func.min(InboundSupply.due_on))
        .where(
            InboundSupply.organization_id == tx.organization_id,
            InboundSupply.item_id == StockPosition.item_id,
            InboundSupply.warehouse_id == StockPosition.warehouse_id,
        )
        .scalar_subquery()
    )
    statement = select(
        *StockPosition.__table__.columns,
        open_supply.label("on_order"),
        next_due.label("next_arrival_on"),
    ).where(StockPosition.organization_id == tx.organization_id)
    return _item_and_warehouse(tx, statement, StockPosition)


async def list_positions(tx: Tx, wanted: PositionFilter) -> PageOf:
    """Positions by SKU and warehouse."""
    statement = _narrowed(_positions(tx), wanted.item, wanted.warehouse)
    if wanted.category is not None:
        statement = statement.join(
            Category, and_(Category.id == Item.category_id, *_in(tx, Category))
        ).where(func.lower(Category.code) == wanted.category.lower())
    if wanted.is_in_stock is not None:
        in_stock = StockPosition.on_hand > 0
        statement = statement.where(in_stock if wanted.is_in_stock else ~in_stock)
    order = [(Item.sku, False), (Warehouse.code, False), (Item.id, False)]
    return await pages.page(tx, statement, wanted, order)


async def positions_of(
    tx: Tx, item_id: UUID | None, pairs: Sequence[tuple[UUID, UUID]] | None = None
) -> Sequence[Any]:
    """The positions of an item in all warehouses, or of (item, warehouse) pairs."""
    statement: Select[Any] = _positions(tx)
    if item_id is not None:
        statement = statement.where(StockPosition.item_id == item_id)
    if pairs is not None:
        columns = [cast([pair[end] for pair in pairs], ARRAY(Uuid)) for end in (0, 1)]
        names = (column("item_id", Uuid), column("warehouse_id", Uuid))
        given = func.unnest(*columns).table_valued(*names).render_derived()
        statement = statement.join(
            given,
            and_(
                StockPosition.item_id == given.c.item_id,
                StockPosition.warehouse_id == given.c.warehouse_id,
            ),
        )
    rows: Sequence[Any] = (await tx.session.execute(statement.order_by(Warehouse.code))).all()
    return rows


async def list_balances(tx: Tx, wanted: BalanceFilter) -> PageOf:
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
    statement = _narrowed(
        _item_and_warehouse(tx, statement, StockBalance), wanted.item, wanted.warehouse
    )
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


async def list_ledger(tx: Tx, wanted: LedgerFilter) -> PageOf:
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
    if wanted.item is not None:
        statement = statement.where(_is_item(wanted.item))
    if wanted.warehouse is not None:
        ends = [
            _is_warehouse(warehouse, wanted.warehouse)
            for warehouse in (from_warehouse, to_warehouse)
        ]
        statement = statement.where(or_(*ends))
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


async def list_as_of(tx: Tx, wanted: AsOfFilter) -> PageOf:
    """Quantity and value per item and warehouse at an instant: the sum of the ledger up to it."""
    item_id = select(Item.id).where(*_in(tx, Item), _is_item(wanted.item or ""))
    place = aliased(Location)

    def end(location: Any, sign: int) -> Select[Any]:
        statement: Any = (
            select(
                StockMovement.item_id,
                place.warehouse_id,
                place.kind,
                (literal(sign) * StockMovement.quantity).label("quantity"),
                (literal(sign) * StockMovement.value).label("value"),
            )
            .join(place, and_(place.id == location, *_in(tx, place)))
            .where(
                StockMovement.organization_id == tx.organization_id,
                StockMovement.occurred_at <= wanted.as_of,
                place.warehouse_id.is_not(None),
            )
        )
        if wanted.item is not None:
            statement = statement.where(StockMovement.item_id == item_id.scalar_subquery())
        selected: Select[Any] = statement
        return selected

    flow = union_all(
        end(StockMovement.to_location_id, 1), end(StockMovement.from_location_id, -1)
    ).subquery()
    in_transit = flow.c.kind == "transit"
    summed = (
        select(
            flow.c.item_id,
            flow.c.warehouse_id,
            func.coalesce(func.sum(flow.c.quantity).filter(~in_transit), 0).label("on_hand"),
            func.coalesce(func.sum(flow.c.quantity).filter(in_transit), 0).label("in_transit"),
            func.sum(flow.c.value).label("value"),
        )
        .group_by(flow.c.item_id, flow.c.warehouse_id)
        .subquery()
    )
    statement: Select[Any] = select(*summed.c)
    statement = _narrowed(
        _item_and_warehouse(tx, statement.select_from(summed), summed.c), None, wanted.warehouse
    )
    order = [(Item.sku, False), (Warehouse.code, False), (Item.id, False)]
    return await pages.page(tx, statement, wanted, order)


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
            where w.organization_id = $1 group by w.id, w.code, w.name order by w.code
            """,
            tx.organization_id,
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
        where w.organization_id = $1 group by w.id, w.code, w.name order by w.code
        """,
        tx.organization_id,
        as_of,
    )
