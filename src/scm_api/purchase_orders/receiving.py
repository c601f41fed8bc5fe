"""What receipts do to orders: arrived quantities, under the order's lock."""

from collections.abc import Container, Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from scm_api.core.tx import Tx
from scm_api.purchase_orders.document import Line
from scm_api.purchase_orders.saving import Order, lock, lock_by_id, save, settle


@dataclass(frozen=True)
class Delivery:
    """A quantity in base units that arrived on (or goes back from) a line."""

    line: Line
    quantity: Decimal
    is_final: bool = False


async def lock_for_receipt(tx: Tx, key: str) -> Order:
    """The order, locked so that receipts of it come one after the other.

    Raises `NotFound`, `IllegalTransition`.
    """
    return await lock(tx, key, "receive")


async def lock_for_reversal(tx: Tx, order_id: UUID) -> Order:
    """The order of a receipt that is taken back, locked; any state. Raises `NotFound`."""
    return await lock_by_id(tx, order_id)


async def deliver(tx: Tx, order: Order, deliveries: Sequence[Delivery]) -> None:
    """Record what arrived on a locked order: statuses and inbound follow, and the order closes when
    nothing more is expected. The tolerance has been checked under the same lock."""
    for delivery in deliveries:
        delivery.line.received_quantity += delivery.quantity
        delivery.line.is_final_delivery |= delivery.is_final
    await settle(tx, order, {}, lines=_lines(deliveries))


async def take_back(
    tx: Tx,
    order: Order,
    deliveries: Sequence[Delivery],
    reason: str,
    *,
    still_final: Container[UUID] = (),
) -> None:
    """Undo recorded deliveries; a completed order opens again if something is missing now. Of a
    line in `still_final` another delivery, which stays, said that it was the last."""
    for delivery in deliveries:
        delivery.line.received_quantity -= delivery.quantity
        if delivery.is_final:
            delivery.line.is_final_delivery &= delivery.line.id in still_final
    if order.header.close_reason in (None, "completed"):
        await settle(tx, order, {}, lines=_lines(deliveries), reason=reason)
    else:
        await save(tx, order, {}, lines=_lines(deliveries))


def _lines(deliveries: Sequence[Delivery]) -> list[Line]:
    return list({delivery.line.id: delivery.line for delivery in deliveries}.values())
