"""Use cases that read stock, and how their rows become answers."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg

from scm_api.core.pages import PageOf
from scm_api.core.schemas import ItemLink, Link
from scm_api.core.tx import Tx
from scm_api.items import categories
from scm_api.items import service as items
from scm_api.stock import policy, reads
from scm_api.stock.ledger import PostedDocument
from scm_api.stock.policy import Figures
from scm_api.stock.reads import Scope
from scm_api.stock.schemas import (
    ArrivalRead,
    AsOfFilter,
    BalanceFilter,
    BalanceRead,
    InboundFilter,
    LedgerEntry,
    LedgerFilter,
    MovementLineRead,
    MovementPosted,
    MovementRead,
    PlaceRead,
    PositionFilter,
    PositionRead,
    PostedLineRead,
    ProjectionDay,
    ProjectionRead,
    StatusReason,
    StockAsOf,
    ValuationLine,
    ValuationRead,
)
from scm_api.warehouses import service as warehouses


def _links(row: Any) -> dict[str, Any]:
    return {
        "item": ItemLink(id=row["item_id"], sku=row["sku"], name=row["item_name"]),
        "warehouse": Link(
            id=row["warehouse_id"], code=row["warehouse_code"], name=row["warehouse_name"]
        ),
    }


async def _scope(
    tx: Tx, item: str | None, warehouse: str | None, category: str | None = None
) -> Scope:
    """What the filters of a list name. Raises `Invalid` for a key that names nothing."""
    return Scope(
        await items.filter_id(tx, item),
        await warehouses.filter_id(tx, warehouse),
        await categories.filter_id(tx, category),
    )


def posted_read(posted: PostedDocument, reversal_of: UUID | None = None) -> MovementPosted:
    """What a posting answers."""
    return MovementPosted(
        id=posted.id,
        type=posted.type,
        occurred_at=posted.occurred_at,
        recorded_at=posted.recorded_at,
        reversal_of=reversal_of,
        lines=[
            PostedLineRead(line_no=line.line_no, value=line.value, on_hand_after=line.on_hand_after)
            for line in posted.lines
        ],
    )


def document_read(header: asyncpg.Record, lines: Sequence[asyncpg.Record]) -> MovementRead:
    """A document with its lines."""
    return MovementRead(**dict(header), lines=[MovementLineRead(**_line(row)) for row in lines])


def _line(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "line_no": row["line_no"],
        "item": ItemLink(id=row["item_id"], sku=row["sku"], name=row["name"]),
        "quantity": row["quantity"],
        "unit": row["base_unit"],
        "value": row["value"],
        "source": PlaceRead(
            kind=row["from_kind"],
            warehouse=row["from_warehouse"],
            location=row["from_code"] if row["from_warehouse"] else None,
            status=row["from_status"],
        ),
        "destination": PlaceRead(
            kind=row["to_kind"],
            warehouse=row["to_warehouse"],
            location=row["to_code"] if row["to_warehouse"] else None,
            status=row["to_status"],
        ),
        "lot": row["lot_code"],
    }


async def list_ledger(tx: Tx, wanted: LedgerFilter) -> tuple[PageOf, list[LedgerEntry]]:
    """Lines of the ledger, newest first."""
    page = await reads.list_ledger(tx, wanted, await _scope(tx, wanted.item, wanted.warehouse))
    entries = []
    for row in page.rows:
        values = row._mapping
        names = ("document_id", "type", "reference", "occurred_at", "recorded_at")
        entries.append(LedgerEntry(**_line(values), **{name: values[name] for name in names}))
    return page, entries


def position_read(tx: Tx, row: Mapping[str, Any]) -> PositionRead:
    """A position with its status and the reasons for it."""
    available = row["unrestricted"] - row["reserved"]
    arrival = row["next_arrival_on"]
    quantity = row["on_hand"] + row["in_transit"]
    today = today_at(tx, row["time_zone"])
    status, reasons = policy.judge(
        Figures(
            available=available,
            on_order=row["on_order"],
            daily_demand=row["daily_demand"],
            safety_stock=row["safety_stock"],
            reorder_point=row["reorder_point"],
            order_up_to=row["order_up_to"],
            days_to_next_arrival=None if arrival is None else max((arrival - today).days, 0),
        )
    )
    return PositionRead(
        **_links(row),
        on_hand=row["on_hand"],
        unrestricted=row["unrestricted"],
        reserved=row["reserved"],
        available=available,
        in_transit=row["in_transit"],
        on_order=row["on_order"],
        next_arrival_on=arrival,
        value=row["value"],
        average_cost=round(row["value"] / quantity, 6) if quantity > 0 else None,
        daily_demand=row["daily_demand"],
        safety_stock=row["safety_stock"],
        reorder_point=row["reorder_point"],
        order_up_to=row["order_up_to"],
        days_of_cover=policy.days_of_cover(available, row["daily_demand"]),
        stock_status=status,
        reasons=[StatusReason(code=r.code, params=r.params) for r in reasons],
        last_movement_at=row["last_occurred_at"],
    )


def today_at(tx: Tx, time_zone: str) -> date:
    """The business date in a warehouse's time zone."""
    return tx.now.astimezone(ZoneInfo(time_zone)).date()


async def list_positions(tx: Tx, wanted: PositionFilter) -> tuple[PageOf, list[PositionRead]]:
    """Positions by SKU and warehouse."""
    scope = await _scope(tx, wanted.item, wanted.warehouse, wanted.category)
    page = await reads.list_positions(tx, wanted, scope)
    return page, [position_read(tx, row) for row in page.rows]


async def positions(tx: Tx, pairs: Sequence[tuple[UUID, UUID]]) -> list[PositionRead]:
    """The positions of (item, warehouse) pairs; pairs never stocked nor planned are absent."""
    rows = await reads.positions_at(tx, pairs)
    return [position_read(tx, row) for row in rows]


async def item_positions(tx: Tx, key: str) -> list[PositionRead]:
    """An item's position in every warehouse that ever held or planned it. Raises `NotFound`."""
    rows = await reads.positions_of(tx, await items.identify(tx, key))
    return [position_read(tx, row) for row in rows]


async def list_balances(tx: Tx, wanted: BalanceFilter) -> tuple[PageOf, list[BalanceRead]]:
    """Balances by SKU, warehouse, location, status and lot."""
    page = await reads.list_balances(tx, wanted, await _scope(tx, wanted.item, wanted.warehouse))
    return page, [
        BalanceRead(
            **_links(row._mapping),
            location=row.location_code,
            lot=row.lot_code,
            expires_on=row.expires_on,
            status=row.status,
            on_hand=row.on_hand,
        )
        for row in page.rows
    ]


async def list_as_of(tx: Tx, wanted: AsOfFilter) -> tuple[PageOf, list[StockAsOf]]:
    """Stock at an instant."""
    page = await reads.list_as_of(tx, wanted, await _scope(tx, wanted.item, wanted.warehouse))
    return page, [
        StockAsOf(
            **_links(row),
            on_hand=row["on_hand"],
            in_transit=row["in_transit"],
            value=row["value"],
        )
        for row in page.rows
    ]


async def list_inbound(tx: Tx, key: str, wanted: InboundFilter) -> tuple[PageOf, list[ArrivalRead]]:
    """What a warehouse will receive. Raises `NotFound`."""
    warehouse = await warehouses.get(tx, key)
    page = await reads.list_inbound(tx, warehouse.id, wanted, wanted.from_on, wanted.to_on)
    return page, [
        ArrivalRead(
            **_links(row._mapping),
            due_on=row.due_on,
            quantity=row.quantity,
            is_confirmed=row.is_confirmed,
            source_type=row.source_type,
            source_id=row.source_id,
            source_number=row.source_number,
        )
        for row in page.rows
    ]


async def project(tx: Tx, item_key: str, warehouse_key: str, days: int) -> ProjectionRead:
    """Availability of one position for each of the coming days. Raises `NotFound`."""
    item = await items.get(tx, item_key)
    warehouse = await warehouses.get(tx, warehouse_key)
    found = await reads.positions_at(tx, [(item.id, warehouse.id)])
    available = found[0]["unrestricted"] - found[0]["reserved"] if found else Decimal(0)
    demand = (found[0]["daily_demand"] if found else None) or Decimal(0)
    today = today_at(tx, warehouse.time_zone)
    due: dict[date, Decimal] = {}
    overdue = Decimal(0)
    for row in await reads.arrivals(tx, item.id, warehouse.id):
        if row["due_on"] < today:
            overdue += row["quantity"]
        else:
            due[row["due_on"]] = row["quantity"]
    calendar = [today + timedelta(days=n) for n in range(days)]
    arriving = [due.get(day, Decimal(0)) for day in calendar]
    arriving[0] += overdue
    levels, stock_out = policy.project(available, demand, arriving)
    return ProjectionRead(
        item=ItemLink(id=item.id, sku=item.sku, name=item.name),
        warehouse=Link(id=warehouse.id, code=warehouse.code, name=warehouse.name),
        available_now=available,
        overdue=overdue,
        stockout_on=None if stock_out is None else calendar[stock_out],
        days=[
            ProjectionDay(on=day, arriving=arrived, demand=demand, available=level)
            for day, arrived, level in zip(calendar, arriving, levels, strict=True)
        ],
    )


async def valuation(tx: Tx, as_of: datetime | None) -> ValuationRead:
    """Stock value by warehouse, now or at an instant."""
    rows = await reads.valuation(tx, as_of)
    currency = await tx.fetchval(
        "select base_currency from organization where id = $1", tx.organization_id
    )
    return ValuationRead(
        as_of=(as_of or tx.now).astimezone(UTC),
        currency=currency,
        total=sum((row["value"] for row in rows), Decimal(0)),
        warehouses=[
            ValuationLine(
                warehouse=Link(id=row["id"], code=row["code"], name=row["name"]),
                value=row["value"],
                item_count=row["items"],
            )
            for row in rows
        ],
    )
