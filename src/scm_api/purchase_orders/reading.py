"""Orders as callers read them."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

import asyncpg

from scm_api.core.schemas import ItemLink, Link, Money
from scm_api.core.tx import Tx
from scm_api.purchase_orders import policy, repository
from scm_api.purchase_orders.currencies import round_amount
from scm_api.purchase_orders.document import Line
from scm_api.purchase_orders.models import PurchaseOrder
from scm_api.purchase_orders.read_schemas import (
    LineRead,
    PurchaseOrderRead,
    PurchaseOrderSummary,
    RevisionRead,
    ScheduleRead,
    WarningRead,
)
from scm_api.suppliers import service as suppliers
from scm_api.suppliers.models import Supplier


async def read(tx: Tx, header: PurchaseOrder) -> PurchaseOrderRead:
    """An order with its lines, schedules and warnings: four statements."""
    supplier = await suppliers.get(tx, str(header.supplier_id))
    lines = await repository.lines_of(tx, header.id)
    names = await repository.names(
        tx, {line.item_id for line in lines}, {line.warehouse_id for line in lines}
    )
    own = _own_part(tx, header, lines) if len(lines) < header.line_count else {}
    numbers = {line.line_no for line in lines}
    warnings = [WarningRead(**w) for w in header.warnings if w["line_no"] in numbers]
    if supplier.status == "on_watch":
        warnings.insert(0, WarningRead(code="supplier_on_watch", params={"code": supplier.code}))
    return PurchaseOrderRead(
        **vars(summary(tx, header, supplier, own)),
        warnings=warnings,
        lines=[_line(line, names, header.status == "issued") for line in lines],
    )


async def own_parts(tx: Tx, headers: Sequence[PurchaseOrder]) -> dict[UUID, dict[str, Any]]:
    """What a confined caller reads in the headers of orders that are not all his, by order: sums
    and states of his lines. Empty, and no statement, for everybody else."""
    if not tx.principal.limits.confines:
        return {}
    lines: dict[UUID, list[Line]] = {header.id: [] for header in headers}
    for line in await repository.lines_of_all(tx, list(lines)):
        lines[line.order_id].append(line)
    return {
        header.id: _own_part(tx, header, lines[header.id])
        for header in headers
        if len(lines[header.id]) < header.line_count
    }


def _own_part(tx: Tx, header: PurchaseOrder, lines: Sequence[Line]) -> dict[str, Any]:
    allowed = policy.allowed_actions(header, tx.principal.may)
    return {
        "amount": policy.order_amount(lines, header.currency),
        "line_count": len(lines),
        "receipt_status": policy.receipt_status(lines),
        "confirmation_status": policy.confirmation_status(lines),
        "next_due_on": policy.next_due_on(lines) if header.status == "issued" else None,
        # Anything but a receipt binds the lines of others too.
        "allowed_actions": [name for name in allowed if name == "receive"],
    }


def summary(
    tx: Tx, header: PurchaseOrder, supplier: Supplier, own: Mapping[str, Any] | None = None
) -> PurchaseOrderSummary:
    """An order without its lines; `own` is what the caller's part of it says instead."""
    columns = {column.name: getattr(header, column.name) for column in header.__table__.columns}
    allowed = policy.allowed_actions(header, tx.principal.may)
    columns |= {"allowed_actions": allowed, **(own or {})}
    amount = round_amount(columns["amount"], header.currency)
    return PurchaseOrderSummary.model_validate(
        columns
        | {
            "supplier": Link.model_validate(supplier),
            "amount": Money(amount=amount, currency=header.currency),
        }
    )


async def shown_revisions(tx: Tx, rows: Sequence[Any]) -> list[RevisionRead]:
    """Revisions of one order with the changes of its lines that the caller sees."""
    revisions = [RevisionRead.model_validate(row[0]) for row in rows]
    if not revisions or not tx.principal.limits.confines:
        return revisions
    numbers = {line.line_no for line in await repository.lines_of(tx, rows[0][0].order_id)}
    for revision in revisions:
        revision.changes = [c for c in revision.changes if _line_no(c.path) in {None, *numbers}]
    return revisions


def _line_no(path: str) -> int | None:
    _, first, *rest = path.split("/")
    return int(rest[0]) if first == "lines" else None


def _line(line: Line, names: dict[UUID, asyncpg.Record], is_issued: bool) -> LineRead:
    item, warehouse = names[line.item_id], names[line.warehouse_id]
    still = {s.id: quantity for s, quantity in policy.open_schedules(line)} if is_issued else {}
    columns = {name: value for name, value in vars(line).items() if name != "schedules"}
    return LineRead.model_validate(
        columns
        | {
            "item": ItemLink(id=line.item_id, sku=item["code"], name=item["name"]),
            "warehouse": Link(id=warehouse["id"], code=warehouse["code"], name=warehouse["name"]),
            "base_unit": item["base_unit"],
            "status": policy.line_status(line),
            "receipt_status": policy.line_receipt_status(line),
            "confirmation_status": policy.line_confirmation_status(line),
            "open_quantity": policy.open_quantity(line) if is_issued else Decimal(0),
            "amount": policy.line_amount(line),
            "schedules": [
                ScheduleRead.model_validate(
                    vars(schedule) | {"open_quantity": still.get(schedule.id, Decimal(0))}
                )
                for schedule in line.schedules
            ],
        }
    )
