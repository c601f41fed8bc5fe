"""Orders as callers read them."""

from decimal import Decimal
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
    warnings = [WarningRead(**warning) for warning in header.warnings]
    if supplier.status == "on_watch":
        warnings.insert(0, WarningRead(code="supplier_on_watch", params={"code": supplier.code}))
    return PurchaseOrderRead(
        **vars(summary(header, supplier)),
        warnings=warnings,
        lines=[_line(line, names, header.status == "issued") for line in lines],
    )


def summary(header: PurchaseOrder, supplier: Supplier) -> PurchaseOrderSummary:
    """An order without its lines."""
    amount = round_amount(header.amount, header.currency)
    columns = {column.name: getattr(header, column.name) for column in header.__table__.columns}
    return PurchaseOrderSummary.model_validate(
        columns
        | {
            "supplier": Link.model_validate(supplier),
            "allowed_actions": policy.allowed_actions(header),
            "amount": Money(amount=amount, currency=header.currency),
        }
    )


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
