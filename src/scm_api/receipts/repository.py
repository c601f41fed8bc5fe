"""All SQL of receipts. Whoever posts or reverses against an order holds the order's lock first."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import asyncpg
from pydantic_core import to_json
from sqlalchemy import exists, func, or_, select
from sqlalchemy.exc import IntegrityError

from scm_api.core import pages
from scm_api.core.errors import Duplicate
from scm_api.core.pages import PageOf
from scm_api.core.tx import Tx
from scm_api.purchase_orders.models import PurchaseOrder
from scm_api.receipts.models import Receipt, ReceiptLine
from scm_api.receipts.schemas import ReceiptFilter
from scm_api.suppliers.models import Supplier


async def find(
    tx: Tx,
    *,
    id: UUID | None = None,
    number: str | None = None,
    ref: str | None = None,
    lock: bool = False,
) -> Receipt | None:
    """The receipt with this id, number or external reference, locked if it is to be changed."""
    statement = select(Receipt).where(Receipt.organization_id == tx.organization_id)
    if id is not None:
        statement = statement.where(Receipt.id == id)
    elif number is not None:
        statement = statement.where(func.lower(Receipt.number) == func.lower(number))
    else:
        statement = statement.where(Receipt.external_ref == ref)
    if lock:
        statement = statement.with_for_update()
    options = {"populate_existing": lock}
    return (await tx.session.execute(statement, execution_options=options)).scalar_one_or_none()


async def locations(tx: Tx, places: Sequence[tuple[UUID, str | None]]) -> list[UUID | None]:
    """The active locations that (warehouse, code) pairs name, in order; without a code the
    warehouse's default. None where there is none."""
    rows = await tx.fetch(
        """
        select k.place, l.id
        from unnest($2::uuid[], $3::text[]) with ordinality as k(warehouse_id, code, place)
        join location l on l.organization_id = $1 and l.warehouse_id = k.warehouse_id
                       and l.is_active
                       and case when k.code is null then l.is_default
                                else lower(l.code) = lower(k.code) end
        """,
        tx.organization_id,
        [warehouse_id for warehouse_id, _ in places],
        [code for _, code in places],
    )
    found = {row["place"] - 1: row["id"] for row in rows}
    return [found.get(place) for place in range(len(places))]


async def insert(tx: Tx, receipt: Receipt, lines: Sequence[dict[str, Any]]) -> None:
    """Insert a receipt and its lines (all columns): two statements. Raises `Duplicate`."""
    tx.session.add(receipt)
    try:
        await tx.session.flush()
    except IntegrityError as error:
        cause = error.orig.__cause__ if error.orig else None
        if getattr(cause, "constraint_name", None) == "uq_receipt_external_ref":
            raise Duplicate(
                kind="receipt", field="external_ref", value=receipt.external_ref
            ) from error
        raise
    await tx.execute(
        """
        insert into receipt_line
        select * from jsonb_populate_recordset(null::receipt_line, $1::text::jsonb)
        """,
        to_json(lines).decode(),
    )


async def lines_of(tx: Tx, receipt_id: UUID) -> list[asyncpg.Record]:
    """The lines of a receipt with the names of what they concern."""
    return await tx.fetch(
        """
        select l.*, i.sku, i.name as item_name, i.base_unit, w.code as warehouse_code,
               w.name as warehouse_name, p.code as location, o.line_no as order_line_no,
               lot.code as lot, lot.expires_on
        from receipt_line l
        join item i on i.organization_id = l.organization_id and i.id = l.item_id
        join warehouse w on w.organization_id = l.organization_id and w.id = l.warehouse_id
        join location p on p.organization_id = l.organization_id and p.id = l.location_id
        left join purchase_order_line o on o.organization_id = l.organization_id
                                       and o.id = l.order_line_id
        left join lot on lot.organization_id = l.organization_id and lot.id = l.lot_id
        where l.organization_id = $1 and l.receipt_id = $2
        order by l.line_no
        """,
        tx.organization_id,
        receipt_id,
    )


async def own_sums(tx: Tx, receipts: Sequence[Receipt]) -> dict[UUID, dict[str, Any]]:
    """Number and value of the lines that a confined caller sees, by receipt. Empty, and no
    statement, for everybody else."""
    if not tx.principal.limits.confines:
        return {}
    rows = await tx.fetch(
        """
        select l.receipt_id, count(*) as line_count, sum(m.value) as value
        from receipt r
        join receipt_line l on l.organization_id = r.organization_id and l.receipt_id = r.id
        join stock_movement m on m.organization_id = r.organization_id
                             and m.document_id = r.stock_document_id and m.line_no = l.line_no
        where r.organization_id = $1 and r.id = any($2)
        group by l.receipt_id
        """,
        tx.organization_id,
        [receipt.id for receipt in receipts],
    )
    return {r["receipt_id"]: {"line_count": r["line_count"], "value": r["value"]} for r in rows}


async def final_without(tx: Tx, receipt: Receipt) -> set[UUID]:
    """The order lines of which a posted receipt other than this one was the final delivery."""
    rows = await tx.fetch(
        """
        select distinct l.order_line_id
        from receipt r
        join receipt_line l on l.organization_id = r.organization_id and l.receipt_id = r.id
        where r.organization_id = $1 and r.order_id = $2 and r.id <> $3
          and r.status = 'posted' and l.is_final_delivery
        """,
        tx.organization_id,
        receipt.order_id,
        receipt.id,
    )
    return {row["order_line_id"] for row in rows}


def _rows(tx: Tx):  # type: ignore[no-untyped-def]
    return (
        select(Receipt, PurchaseOrder.number, Supplier)
        .outerjoin(
            PurchaseOrder,
            (PurchaseOrder.organization_id == Receipt.organization_id)
            & (PurchaseOrder.id == Receipt.order_id),
        )
        .outerjoin(
            Supplier,
            (Supplier.organization_id == Receipt.organization_id)
            & (Supplier.id == Receipt.supplier_id),
        )
        .where(Receipt.organization_id == tx.organization_id)
    )


async def with_names(tx: Tx, receipt: Receipt) -> tuple[Receipt, str | None, Supplier | None]:
    """A receipt with its order's number and its supplier."""
    row = (await tx.session.execute(_rows(tx).where(Receipt.id == receipt.id))).one()
    return row[0], row[1], row[2]


async def list_receipts(
    tx: Tx,
    wanted: ReceiptFilter,
    *,
    order_id: UUID | None,
    supplier_id: UUID | None,
    item_id: UUID | None,
) -> PageOf:
    """(receipt, order number, supplier) rows; filters by other resources are already looked up."""
    statement = _rows(tx)
    if order_id is not None:
        statement = statement.where(Receipt.order_id == order_id)
    if supplier_id is not None:
        statement = statement.where(Receipt.supplier_id == supplier_id)
    if item_id is not None:
        statement = statement.where(
            exists().where(
                ReceiptLine.organization_id == Receipt.organization_id,
                ReceiptLine.receipt_id == Receipt.id,
                ReceiptLine.item_id == item_id,
            )
        )
    if wanted.status:
        statement = statement.where(Receipt.status.in_(wanted.status))
    if wanted.occurred_at_gte is not None:
        statement = statement.where(Receipt.occurred_at >= wanted.occurred_at_gte)
    if wanted.occurred_at_lt is not None:
        statement = statement.where(Receipt.occurred_at < wanted.occurred_at_lt)
    if wanted.q:
        start = wanted.q.lower()
        statement = statement.where(
            or_(
                func.lower(Receipt.number).startswith(start, autoescape=True),
                func.lower(Receipt.delivery_note).startswith(start, autoescape=True),
            )
        )
    if wanted.updated_since is None:
        return await pages.page(tx, statement, wanted, [(Receipt.id, True)])
    statement = statement.where(Receipt.updated_at >= wanted.updated_since)
    order = [(Receipt.updated_at, False), (Receipt.id, False)]
    return await pages.page(tx, statement, wanted, order)
