"""Use cases of purchase orders, and the door through which other rooms reach them."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from pydantic_core import to_jsonable_python

from scm_api.core import numbers
from scm_api.core.documents import Key
from scm_api.core.errors import FieldError, Invalid, NotFound, unknown_filter
from scm_api.core.http import Versions
from scm_api.core.pages import PageOf, PageParams
from scm_api.core.tx import Tx
from scm_api.items import service as items
from scm_api.purchase_orders import drafting, policy, repository
from scm_api.purchase_orders.confirming import confirm as confirm
from scm_api.purchase_orders.deciding import decide
from scm_api.purchase_orders.document import Line as Line
from scm_api.purchase_orders.errors import SupplierBlocked
from scm_api.purchase_orders.events import (
    OrderApproved,
    OrderCancelled,
    OrderChanged,
    OrderClosed,
    OrderCreated,
    OrderEvent,
    OrderHeld,
    OrderIssued,
    OrderReleased,
    OrderReopened,
    OrderUnapproved,
)
from scm_api.purchase_orders.models import PurchaseOrder
from scm_api.purchase_orders.read_schemas import PurchaseOrderFilter
from scm_api.purchase_orders.reading import own_parts as own_parts
from scm_api.purchase_orders.reading import read as read
from scm_api.purchase_orders.reading import shown_revisions as shown_revisions
from scm_api.purchase_orders.reading import summary as summary
from scm_api.purchase_orders.receiving import Delivery as Delivery
from scm_api.purchase_orders.receiving import deliver as deliver
from scm_api.purchase_orders.receiving import lock_for_receipt as lock_for_receipt
from scm_api.purchase_orders.receiving import lock_for_reversal as lock_for_reversal
from scm_api.purchase_orders.receiving import take_back as take_back
from scm_api.purchase_orders.revising import revise as revise
from scm_api.purchase_orders.saving import Order as Order
from scm_api.purchase_orders.saving import event, lock, save
from scm_api.purchase_orders.schemas import (
    OrderAction,
    PurchaseOrderCreate,
    PurchaseOrderPatch,
    ReasonedAction,
)
from scm_api.suppliers import service as suppliers
from scm_api.warehouses import service as warehouses


async def create(tx: Tx, body: PurchaseOrderCreate) -> PurchaseOrder:
    """Create a draft with its lines. Raises `Invalid`, `Duplicate`."""
    return (await _create(tx, [body], [""]))[0]


async def create_many(tx: Tx, bodies: Sequence[PurchaseOrderCreate]) -> list[PurchaseOrder]:
    """Create drafts, all or none, in a number of statements that grows neither with orders nor with
    lines. Errors point at `/orders/0/...`. Raises `Invalid`, `Duplicate`."""
    if not bodies:
        return []
    return await _create(tx, bodies, [f"/orders/{place}" for place in range(len(bodies))])


async def _create(
    tx: Tx, bodies: Sequence[PurchaseOrderCreate], places: Sequence[str]
) -> list[PurchaseOrder]:
    drafted = await drafting.draft_orders(tx, bodies, places)
    taken = await numbers.take(tx, "purchase_order", len(drafted))
    for (header, _), number in zip(drafted, taken, strict=True):
        header.number = number
    headers = [header for header, _ in drafted]
    await repository.insert_orders(tx, headers)
    await repository.insert_lines(tx, [line for _, lines in drafted for line in lines])
    for header, lines in drafted:
        tx.emit(event(OrderCreated, Order(header, lines)))
    return headers


async def get(tx: Tx, key: str) -> PurchaseOrder:
    """The order behind a path key: a UUID, `number=PO-000001` or `ref=4711`. Raises `NotFound`."""
    found = await repository.find(tx, **Key.parse(key, natural="number").arguments("number"))
    if found is None:
        raise NotFound(kind="purchase order", reference=key)
    return found


async def filter_id(tx: Tx, key: str | None, parameter: str = "order") -> UUID | None:
    """The id a filter names, None without one. Raises `Invalid` for the parameter."""
    try:
        return None if key is None else (await get(tx, key)).id
    except NotFound as problem:
        raise unknown_filter(problem, parameter) from problem


async def list_all(tx: Tx, wanted: PurchaseOrderFilter) -> PageOf:
    """(order, supplier) rows. Raises `Invalid` for a filter that names nothing."""
    return await repository.list_orders(
        tx,
        wanted,
        supplier_id=await suppliers.filter_id(tx, wanted.supplier),
        item_id=await items.filter_id(tx, wanted.item),
        warehouse_id=await warehouses.filter_id(tx, wanted.warehouse),
    )


async def list_revisions(tx: Tx, key: str, wanted: PageParams) -> PageOf:
    """What the changes of an order changed, latest first. Raises `NotFound`."""
    order = await get(tx, key)
    return await repository.list_revisions(tx, order.id, wanted)


async def change(
    tx: Tx, key: str, body: PurchaseOrderPatch, if_match: Versions | None
) -> PurchaseOrder:
    """Change a draft; `lines` replaces all lines.

    Raises `NotFound`, `VersionMismatch`, `IllegalTransition`, `Invalid`, `Duplicate`.
    """
    order = await lock(tx, key, "change", if_match, body.version)
    header = order.header
    wanted = body.model_dump(exclude={"version", "lines"}, exclude_unset=True)
    found: list[FieldError] = []
    company = await repository.organization(tx)
    if "exchange_rate" in wanted:
        rate = wanted["exchange_rate"]
        found += drafting.rate_errors(header.currency, company.base_currency, rate, "")
    changes: dict[str, Any] = {
        name: {"old": getattr(header, name), "new": value}
        for name, value in wanted.items()
        if getattr(header, name) != value
    }
    if "lines" in body.model_fields_set:
        assert isinstance(body.lines, list)
        supplier = await suppliers.get(tx, str(header.supplier_id))
        draft = drafting.Header(
            at="",
            order_id=header.id,
            supplier_id=supplier.id,
            supplier_code=supplier.code,
            currency=header.currency,
            exchange_rate=wanted.get("exchange_rate", header.exchange_rate),
            dated_on=header.dated_on,
            company=company,
        )
        await drafting.draft_lines(tx, [(draft, body.lines)], found)
        changes["lines"] = {"old": len(order.lines), "new": len(draft.lines)}
        wanted["warnings"], order.lines = draft.warnings, draft.lines
        await repository.delete_lines(tx, header.id)
        await repository.insert_lines(tx, order.lines)
    if found:
        raise Invalid(found)
    if changes:
        await save(tx, order, wanted, unique=("external_ref",))
        tx.emit(event(OrderChanged, order, changes=to_jsonable_python(changes)))
    return header


async def approve(tx: Tx, key: str, body: OrderAction, if_match: Versions | None) -> PurchaseOrder:
    """Approve a draft that somebody else wrote, within the caller's amount limit.

    Raises `SegregationOfDuties`, `AmountLimitExceeded`, `SupplierBlocked` and what `lock` raises.
    """
    order = await lock(tx, key, "approve", if_match, body.version, version_required=True)
    await decide(tx, order)
    await _check_supplier(tx, order.header)
    return await _move(tx, order, "approve", OrderApproved, approved_at=tx.now)


async def unapprove(
    tx: Tx, key: str, body: OrderAction, if_match: Versions | None
) -> PurchaseOrder:
    """Take an approval back: the order may be edited again."""
    order = await lock(tx, key, "unapprove", if_match, body.version)
    return await _move(tx, order, "unapprove", OrderUnapproved, approved_at=None)


async def issue(tx: Tx, key: str, body: OrderAction, if_match: Versions | None) -> PurchaseOrder:
    """Send an approved order: from now on its quantities are expected and lead time runs.

    Raises `SupplierBlocked` and what `lock` raises.
    """
    order = await lock(tx, key, "issue", if_match, body.version, version_required=True)
    await _check_supplier(tx, order.header)
    today = (await repository.organization(tx)).today
    return await _move(tx, order, "issue", OrderIssued, issued_at=tx.now, ordered_on=today)


async def hold(tx: Tx, key: str, body: ReasonedAction, if_match: Versions | None) -> PurchaseOrder:
    """Stop approval, issue and receipts until released."""
    order = await lock(tx, key, "hold", if_match, body.version)
    held = {"is_on_hold": True, "hold_reason": body.reason}
    await save(tx, order, held)
    tx.emit(event(OrderHeld, order, reason=body.reason))
    return order.header


async def release(tx: Tx, key: str, body: OrderAction, if_match: Versions | None) -> PurchaseOrder:
    """Let a held order go on."""
    order = await lock(tx, key, "release", if_match, body.version)
    await save(tx, order, {"is_on_hold": False, "hold_reason": None})
    tx.emit(event(OrderReleased, order))
    return order.header


async def short_close(
    tx: Tx, key: str, body: ReasonedAction, if_match: Versions | None
) -> PurchaseOrder:
    """Give up what has not arrived: nothing more is expected."""
    order = await lock(tx, key, "short_close", if_match, body.version)
    return await _give_up(tx, order, "closed", "short_closed", body.reason)


async def cancel(
    tx: Tx, key: str, body: ReasonedAction, if_match: Versions | None
) -> PurchaseOrder:
    """Cancel an order of which nothing arrived; of any other the remainder, which closes it."""
    order = await lock(tx, key, "cancel", if_match, body.version)
    if any(line.received_quantity > 0 for line in order.lines):
        return await _give_up(tx, order, "closed", "cancelled_remainder", body.reason)
    return await _give_up(tx, order, "cancelled", None, body.reason)


async def _give_up(
    tx: Tx, order: Order, status: str, close_reason: str | None, reason: str
) -> PurchaseOrder:
    given_up = [line for line in order.lines if not policy.is_done(line)]
    for line in given_up:
        line.is_closed = True
    values = {"status": status, "close_reason": close_reason, "closed_at": tx.now}
    await save(tx, order, values, lines=given_up)
    if status == "cancelled":
        tx.emit(event(OrderCancelled, order, reason=reason))
    else:
        tx.emit(event(OrderClosed, order, close_reason=close_reason, reason=reason))
    return order.header


async def reopen(
    tx: Tx, key: str, body: ReasonedAction, if_match: Versions | None
) -> PurchaseOrder:
    """Expect again what was given up when the order was closed short."""
    order = await lock(tx, key, "reopen", if_match, body.version)
    wanted = [line for line in order.lines if line.received_quantity < line.quantity]
    for line in wanted:
        line.is_closed = line.is_final_delivery = False
    values = {"status": "issued", "close_reason": None, "closed_at": None}
    await save(tx, order, values, lines=wanted)
    tx.emit(event(OrderReopened, order, reason=body.reason))
    return order.header


async def _move(
    tx: Tx, order: Order, action: str, happened: type[OrderEvent], **values: Any
) -> PurchaseOrder:
    step = policy.transition(order.header, action)
    assert step is not None
    await save(tx, order, {"status": step.target, **values})
    tx.emit(event(happened, order))
    return order.header


async def _check_supplier(tx: Tx, header: PurchaseOrder) -> None:
    # It may have been blocked since the order was written.
    supplier = await suppliers.get(tx, str(header.supplier_id))
    if supplier.status == "blocked":
        raise SupplierBlocked(supplier=supplier.code)
