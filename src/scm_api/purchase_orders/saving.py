"""Locking an order for a change, and writing it back with all that follows from its lines."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from scm_api.core import documents, limits
from scm_api.core.documents import Key
from scm_api.core.errors import IllegalTransition, NotFound
from scm_api.core.http import Versions, check_version
from scm_api.core.tx import Tx
from scm_api.purchase_orders import policy, repository
from scm_api.purchase_orders.document import Line
from scm_api.purchase_orders.events import (
    NAMED_AT_MOST,
    OrderCancelled,
    OrderClosed,
    OrderEvent,
    OrderReopened,
)
from scm_api.purchase_orders.models import PurchaseOrder
from scm_api.stock import service as stock
from scm_api.stock.ledger import Inbound

SOURCE = "purchase_order"


@dataclass
class Order:
    """A locked header with its lines."""

    header: PurchaseOrder
    lines: list[Line]

    def line(self, line_no: int) -> Line | None:
        return next((line for line in self.lines if line.line_no == line_no), None)


async def lock(
    tx: Tx,
    key: str,
    action: str,
    if_match: Versions | None = None,
    version: int | None = None,
    *,
    version_required: bool = False,
) -> Order:
    """The order locked for an action, with its lines.

    Goods may be received by whoever keeps some of the order; any other action binds all of its
    lines, so all must lie within the caller's limits. Raises `NotFound`, `OutsideLimits`,
    `VersionMismatch`, `PreconditionRequired`, `IllegalTransition`.
    """
    async with limits.own_part(tx):
        header = await repository.find(
            tx, **Key.parse(key, natural="number").arguments("number"), lock=True
        )
    if header is None:
        raise NotFound(kind="purchase order", reference=key)
    lines = await repository.lines_of(tx, header.id)
    if action != "receive":
        await limits.require_inside(
            tx,
            warehouses=(line.warehouse_id for line in lines),
            items=(line.item_id for line in lines),
        )
    check_version(header.version, if_match, version, required=version_required)
    if policy.transition(header, action) is None:
        raise refusal(tx, header, action)
    return Order(header, lines)


async def lock_by_id(tx: Tx, order_id: UUID) -> Order:
    """The order locked, whatever its state."""
    header = await repository.find(tx, id=order_id, lock=True)
    if header is None:
        raise NotFound(kind="purchase order", reference=str(order_id))
    return Order(header, await repository.lines_of(tx, header.id))


def refusal(tx: Tx, header: PurchaseOrder, action: str) -> IllegalTransition:
    """The problem of an action that is not possible now, with those that are for this caller."""
    state = f"{header.status} (on hold)" if header.is_on_hold else header.status
    return IllegalTransition(
        kind="purchase order",
        reference=header.number,
        state=state,
        action=action,
        allowed=policy.allowed_actions(header, tx.principal.may),
    )


async def save(
    tx: Tx,
    order: Order,
    values: dict[str, Any],
    *,
    lines: Sequence[Line] = (),
    schedules: Sequence[Line] = (),
    unique: tuple[str, ...] = (),
) -> None:
    """Write header values, changed lines and lines with changed schedules, and what follows: sums,
    statuses, and the inbound supply that planning sees."""
    header = order.header
    was, now = header.status, values.get("status", header.status)
    if lines:
        await repository.update_lines(tx, lines)
    if schedules:
        await repository.replace_schedules(tx, schedules)
    currency = values.get("currency", header.currency)
    derived = {
        "amount": policy.order_amount(order.lines, currency),
        "line_count": len(order.lines),
        "receipt_status": policy.receipt_status(order.lines),
        "confirmation_status": policy.confirmation_status(order.lines),
        "next_due_on": policy.next_due_on(order.lines) if now == "issued" else None,
    }
    await documents.write(tx, header, derived | values, kind="purchase order", unique=unique)
    if "issued" in (was, now):
        await _expect(tx, order)


async def _expect(tx: Tx, order: Order) -> None:
    header = order.header
    rows = [
        Inbound(
            source_line_id=schedule.id,
            source_number=header.number,
            item_id=line.item_id,
            warehouse_id=line.warehouse_id,
            due_on=schedule.due_on,
            quantity=quantity,
            is_confirmed=schedule.confirmation in ("confirmed", "changed"),
        )
        for line in order.lines
        if header.status == "issued"
        for schedule, quantity in policy.open_schedules(line)
    ]
    await stock.expect(tx, SOURCE, header.id, rows)


async def settle(
    tx: Tx,
    order: Order,
    values: dict[str, Any],
    *,
    reason: str = "",
    lines: Sequence[Line] = (),
    schedules: Sequence[Line] = (),
) -> None:
    """Save an order, closed if nothing more is expected and open again if something is."""
    was = order.header.status
    status, close_reason = policy.outcome(order.lines)
    if was in ("issued", "closed") and status != was:
        values = values | {
            "status": status,
            "close_reason": close_reason,
            "closed_at": None if status == "issued" else tx.now,
        }
    await save(tx, order, values, lines=lines, schedules=schedules)
    if order.header.status == was:
        return
    if status == "closed":
        assert close_reason is not None
        tx.emit(event(OrderClosed, order, close_reason=close_reason, reason=reason))
    elif status == "cancelled":
        tx.emit(event(OrderCancelled, order, reason=reason))
    else:
        tx.emit(event(OrderReopened, order, reason=reason))


def event(kind: type[OrderEvent], order: Order, **more: Any) -> OrderEvent:
    """An event about an order, naming the positions its lines concern."""
    header = order.header
    pairs = sorted({(str(line.item_id), str(line.warehouse_id)) for line in order.lines})
    is_many = len(pairs) > NAMED_AT_MOST
    return kind(
        header.id,
        number=header.number,
        supplier_id=str(header.supplier_id),
        status=header.status,
        item_warehouses=[] if is_many else pairs,
        is_many=is_many,
        **more,
    )
