"""Receipts as callers read them."""

from collections.abc import Mapping
from typing import Any

import asyncpg

from scm_api.core.schemas import ItemLink, Link
from scm_api.core.tx import Tx
from scm_api.receipts import repository
from scm_api.receipts.models import Receipt
from scm_api.receipts.schemas import OrderLink, ReceiptLineRead, ReceiptRead, ReceiptSummary
from scm_api.suppliers.models import Supplier


async def read(tx: Tx, receipt: Receipt) -> ReceiptRead:
    """A receipt with its lines: two statements."""
    own = await repository.own_sums(tx, [receipt])
    head = summary(*await repository.with_names(tx, receipt), own.get(receipt.id))
    lines = await repository.lines_of(tx, receipt.id)
    return ReceiptRead(**vars(head), lines=[_line(row) for row in lines])


def summary(
    receipt: Receipt,
    order_number: str | None,
    supplier: Supplier | None,
    own: Mapping[str, Any] | None = None,
) -> ReceiptSummary:
    """A receipt without its lines; `own` are the sums of the caller's part of it instead."""
    columns = {column.name: getattr(receipt, column.name) for column in receipt.__table__.columns}
    order = None
    if receipt.order_id is not None and order_number is not None:
        order = OrderLink(id=receipt.order_id, number=order_number)
    link = None if supplier is None else Link.model_validate(supplier)
    return ReceiptSummary.model_validate(
        {**columns, **(own or {}), "order": order, "supplier": link}
    )


def _line(row: asyncpg.Record) -> ReceiptLineRead:
    warehouse = Link(id=row["warehouse_id"], code=row["warehouse_code"], name=row["warehouse_name"])
    return ReceiptLineRead.model_validate(
        dict(row)
        | {
            "item": ItemLink(id=row["item_id"], sku=row["sku"], name=row["item_name"]),
            "warehouse": warehouse,
        }
    )
