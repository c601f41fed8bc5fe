"""All SQL of purchase orders. Whoever changes an order or its lines holds its header's lock."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

import asyncpg
from pydantic_core import to_json
from sqlalchemy import exists, func, select
from sqlalchemy.exc import IntegrityError

from scm_api.core import pages
from scm_api.core.errors import Duplicate
from scm_api.core.ids import uuid7
from scm_api.core.pages import PageOf, PageParams
from scm_api.core.tx import Tx
from scm_api.purchase_orders.document import Line, Schedule
from scm_api.purchase_orders.models import (
    PurchaseOrder,
    PurchaseOrderLine,
    PurchaseOrderRevision,
)
from scm_api.purchase_orders.read_schemas import PurchaseOrderFilter
from scm_api.suppliers.models import Supplier


async def find(
    tx: Tx,
    *,
    id: UUID | None = None,
    number: str | None = None,
    ref: str | None = None,
    lock: bool = False,
) -> PurchaseOrder | None:
    """The header with this id, number or external reference, locked if it is to be changed."""
    statement = select(PurchaseOrder).where(PurchaseOrder.organization_id == tx.organization_id)
    if id is not None:
        statement = statement.where(PurchaseOrder.id == id)
    elif number is not None:
        statement = statement.where(func.lower(PurchaseOrder.number) == func.lower(number))
    else:
        statement = statement.where(PurchaseOrder.external_ref == ref)
    if lock:
        statement = statement.with_for_update(of=PurchaseOrder)
    # What the session remembers may be older than the lock.
    options = {"populate_existing": lock}
    return (await tx.session.execute(statement, execution_options=options)).scalar_one_or_none()


@dataclass(frozen=True)
class Company:
    """What orders need to know of the organization: its currency, its date now, and how exact
    deliveries must be where a line does not say."""

    base_currency: str
    today: date
    over_delivery_percent: Decimal
    under_delivery_percent: Decimal


async def organization(tx: Tx) -> Company:
    """The organization as it is now."""
    row = await tx.fetchrow(
        """
        select base_currency, ($2::timestamptz at time zone time_zone)::date as today,
               over_delivery_percent, under_delivery_percent
        from organization where id = $1
        """,
        tx.organization_id,
        tx.now,
    )
    assert row is not None
    return Company(**row)


async def insert_orders(tx: Tx, orders: Sequence[PurchaseOrder]) -> None:
    """Insert headers in one statement. Raises `Duplicate` for a used external reference."""
    tx.session.add_all(orders)
    try:
        await tx.session.flush()
    except IntegrityError as error:
        cause = error.orig.__cause__ if error.orig else None
        if getattr(cause, "constraint_name", None) == "uq_purchase_order_external_ref":
            named = ", ".join(o.external_ref for o in orders if o.external_ref)
            raise Duplicate(kind="purchase order", field="external_ref", value=named) from error
        raise


async def insert_lines(tx: Tx, lines: Sequence[Line]) -> None:
    """Insert lines with their schedules: two statements, whatever their number."""
    await tx.execute(
        """
        insert into purchase_order_line
        select * from jsonb_populate_recordset(null::purchase_order_line, $1::text::jsonb)
        """,
        _as_json(lines),
    )
    await _insert_schedules(tx, lines)


async def _insert_schedules(tx: Tx, lines: Sequence[Line]) -> None:
    schedules = [schedule for line in lines for schedule in line.schedules]
    await tx.execute(
        """
        insert into purchase_order_schedule
        select * from jsonb_populate_recordset(null::purchase_order_schedule, $1::text::jsonb)
        """,
        _as_json(schedules),
    )


def _as_json(rows: Sequence[Line] | Sequence[Schedule]) -> str:
    # One JSON argument keeps the columns named; Decimals travel as exact strings.
    plain = [{name: v for name, v in vars(row).items() if name != "schedules"} for row in rows]
    return to_json(plain).decode()


async def delete_lines(tx: Tx, order_id: UUID) -> None:
    """Delete the lines of a draft; their schedules go with them."""
    await tx.execute(
        "delete from purchase_order_line where organization_id = $1 and order_id = $2",
        tx.organization_id,
        order_id,
    )


async def update_lines(tx: Tx, lines: Sequence[Line]) -> None:
    """Write what may change on lines: quantities, price, tolerances and flags."""
    await tx.execute(
        """
        update purchase_order_line l
        set unit_quantity = r.unit_quantity, quantity = r.quantity, unit_price = r.unit_price,
            over_delivery_percent = r.over_delivery_percent,
            under_delivery_percent = r.under_delivery_percent,
            is_unlimited_overdelivery = r.is_unlimited_overdelivery,
            received_quantity = r.received_quantity, is_final_delivery = r.is_final_delivery,
            is_closed = r.is_closed
        from jsonb_populate_recordset(null::purchase_order_line, $2::text::jsonb) r
        where l.organization_id = $1 and l.id = r.id
        """,
        tx.organization_id,
        _as_json(lines),
    )


async def replace_schedules(tx: Tx, lines: Sequence[Line]) -> None:
    """Make the stored schedules of lines what they are in memory."""
    await tx.execute(
        "delete from purchase_order_schedule where organization_id = $1 and line_id = any($2)",
        tx.organization_id,
        [line.id for line in lines],
    )
    await _insert_schedules(tx, lines)


async def lines_of(tx: Tx, order_id: UUID) -> list[Line]:
    """The lines of an order with their schedules, both by number."""
    return await lines_of_all(tx, [order_id])


async def lines_of_all(tx: Tx, order_ids: Sequence[UUID]) -> list[Line]:
    """The lines of orders with their schedules, by order and number."""
    rows = await tx.fetch(
        """
        select * from purchase_order_line
        where organization_id = $1 and order_id = any($2) order by order_id, line_no
        """,
        tx.organization_id,
        list(order_ids),
    )
    lines = {row["id"]: Line(**row) for row in rows}
    schedules = await tx.fetch(
        """
        select * from purchase_order_schedule
        where organization_id = $1 and line_id = any($2) order by line_id, schedule_no
        """,
        tx.organization_id,
        list(lines),
    )
    for row in schedules:
        lines[row["line_id"]].schedules.append(Schedule(**row))
    return list(lines.values())


async def names(
    tx: Tx, item_ids: Collection[UUID], warehouse_ids: Collection[UUID]
) -> dict[UUID, asyncpg.Record]:
    """Code, name and base unit of items and warehouses, by id."""
    rows = await tx.fetch(
        """
        select id, sku as code, name, base_unit from item
        where organization_id = $1 and id = any($2)
        union all
        select id, code, name, null from warehouse where organization_id = $1 and id = any($3)
        """,
        tx.organization_id,
        list(item_ids),
        list(warehouse_ids),
    )
    return {row["id"]: row for row in rows}


async def list_orders(
    tx: Tx,
    wanted: PurchaseOrderFilter,
    *,
    supplier_id: UUID | None,
    item_id: UUID | None,
    warehouse_id: UUID | None,
) -> PageOf:
    """(order, supplier) rows; the filters by other resources are already looked up."""
    order, line = PurchaseOrder, PurchaseOrderLine
    statement = (
        select(order, Supplier)
        .join(
            Supplier,
            (Supplier.organization_id == order.organization_id)
            & (Supplier.id == order.supplier_id),
        )
        .where(order.organization_id == tx.organization_id)
    )
    if wanted.status:
        statement = statement.where(order.status.in_(wanted.status))
    if wanted.receipt_status:
        statement = statement.where(order.receipt_status.in_(wanted.receipt_status))
    if wanted.confirmation_status:
        statement = statement.where(order.confirmation_status.in_(wanted.confirmation_status))
    if wanted.is_on_hold is not None:
        statement = statement.where(order.is_on_hold == wanted.is_on_hold)
    if wanted.next_due_on_gte is not None:
        statement = statement.where(order.next_due_on >= wanted.next_due_on_gte)
    if wanted.next_due_on_lte is not None:
        statement = statement.where(order.next_due_on <= wanted.next_due_on_lte)
    if wanted.q:
        number = func.lower(order.number)
        statement = statement.where(number.startswith(wanted.q.lower(), autoescape=True))
    if supplier_id is not None:
        statement = statement.where(order.supplier_id == supplier_id)
    has_line = [line.organization_id == order.organization_id, line.order_id == order.id]
    if item_id is not None:
        has_line.append(line.item_id == item_id)
    if warehouse_id is not None:
        has_line.append(line.warehouse_id == warehouse_id)
    if len(has_line) > 2:
        statement = statement.where(exists().where(*has_line))
    if wanted.updated_since is None:
        return await pages.page(tx, statement, wanted, [(order.id, True)])
    statement = statement.where(order.updated_at >= wanted.updated_since)
    return await pages.page(tx, statement, wanted, [(order.updated_at, False), (order.id, False)])


async def insert_revision(
    tx: Tx, order: PurchaseOrder, reason: str, changes: list[dict[str, Any]]
) -> None:
    """Keep what the order's current revision changed."""
    tx.session.add(
        PurchaseOrderRevision(
            organization_id=tx.organization_id,
            id=uuid7(),
            order_id=order.id,
            revision=order.revision,
            reason=reason,
            changes=changes,
            principal_id=tx.principal.id,
            principal_name=tx.principal.name,
            created_at=tx.now,
        )
    )
    await tx.session.flush()


async def list_revisions(tx: Tx, order_id: UUID, wanted: PageParams) -> PageOf:
    """The revisions of an order, latest first."""
    revision = PurchaseOrderRevision
    statement = select(revision).where(
        revision.organization_id == tx.organization_id, revision.order_id == order_id
    )
    return await pages.page(tx, statement, wanted, [(revision.revision, True)])


async def terms(
    tx: Tx, lines: Sequence[tuple[UUID, UUID, Decimal, date]]
) -> list[asyncpg.Record | None]:
    """The supplier's terms and price for (supplier, item, base quantity, day) lines, in order; None
    where the supplier does not sell the item. One statement for the lines of any number of orders.
    """
    rows = await tx.fetch(
        """
        select k.place, l.supplier_sku, l.minimum_quantity, l.order_multiple, l.maximum_quantity,
               p.unit_price, p.price_per, p.currency
        from unnest($2::uuid[], $3::uuid[], $4::numeric[], $5::date[]) with ordinality
             as k(supplier_id, item_id, quantity, day, place)
        join supplier_item l on l.organization_id = $1 and l.supplier_id = k.supplier_id
                            and l.item_id = k.item_id and l.is_active
        left join lateral (
          select s.unit_price, s.price_per, s.currency from supplier_price s
          where s.organization_id = $1 and s.supplier_item_id = l.id
            and s.minimum_quantity <= k.quantity
            and s.valid_from <= k.day and (s.valid_to is null or s.valid_to >= k.day)
          order by s.minimum_quantity desc limit 1
        ) p on true
        """,
        tx.organization_id,
        *(list(column) for column in zip(*lines, strict=True)),
    )
    found = {row["place"] - 1: row for row in rows}
    return [found.get(place) for place in range(len(lines))]
