"""HTTP of purchase orders."""

from typing import Annotated

from fastapi import Path, Query

from scm_api.access.errors import AmountLimitExceeded, SegregationOfDuties
from scm_api.core.errors import Duplicate, IllegalTransition, NotFound, VersionMismatch
from scm_api.core.http import IfMatch, OpenTx, Reply, ReplyTo, operation, router
from scm_api.core.pages import PageParams
from scm_api.core.redaction import SEE_COSTS
from scm_api.core.tx import Tx
from scm_api.purchase_orders import service
from scm_api.purchase_orders.deciding import APPROVE
from scm_api.purchase_orders.errors import SupplierBlocked
from scm_api.purchase_orders.models import PurchaseOrder
from scm_api.purchase_orders.read_schemas import (
    PurchaseOrderFilter,
    PurchaseOrderList,
    PurchaseOrderRead,
    RevisionList,
)
from scm_api.purchase_orders.schemas import (
    Confirmation,
    OrderAction,
    OrderRevise,
    PurchaseOrderCreate,
    PurchaseOrderPatch,
    ReasonedAction,
)

purchase_orders = router("purchase-orders")

_KEY = "A UUID, `number=PO-000001` or `ref=4711`."
OrderKey = Annotated[str, Path(max_length=80, description=_KEY, examples=["number=PO-000001"])]
DraftKey = Annotated[str, Path(max_length=80, description=_KEY, examples=["number=PO-000002"])]
ApprovedKey = Annotated[str, Path(max_length=80, description=_KEY, examples=["number=PO-000003"])]
HeldKey = Annotated[str, Path(max_length=80, description=_KEY, examples=["number=PO-000005"])]
ClosedKey = Annotated[str, Path(max_length=80, description=_KEY, examples=["number=PO-000006"])]
_REFUSALS = [NotFound, IllegalTransition, VersionMismatch]


async def _answer(tx: Tx, reply: Reply, order: PurchaseOrder) -> PurchaseOrderRead:
    reply.etag(order.version)
    return await service.read(tx, order)


@purchase_orders.post(
    "",
    status_code=201,
    summary="Create an order",
    **operation("purchase_orders:write", errors=[Duplicate]),
)
async def create(tx: OpenTx, reply: ReplyTo, body: PurchaseOrderCreate) -> PurchaseOrderRead:
    """Create a draft with all its lines and schedules. Prices come from the supplier's list where
    none is given."""
    order = await service.create(tx, body)
    reply.created(f"/v1/purchase-orders/{order.id}")
    return await _answer(tx, reply, order)


@purchase_orders.get("", summary="List orders", **operation("purchase_orders:read", across="rows"))
async def list_(
    tx: OpenTx, reply: ReplyTo, wanted: Annotated[PurchaseOrderFilter, Query()]
) -> PurchaseOrderList:
    """Orders without their lines, newest first, a page at a time."""
    page = await service.list_all(tx, wanted)
    reply.next_page(page.next_cursor)
    own = await service.own_parts(tx, [row[0] for row in page.rows])
    rows = [service.summary(tx, row[0], row[1], own.get(row[0].id)) for row in page.rows]
    return PurchaseOrderList(**page.body(rows))


@purchase_orders.get(
    "/{order}", summary="Read an order", **operation("purchase_orders:read", errors=[NotFound])
)
async def get(tx: OpenTx, reply: ReplyTo, order: OrderKey) -> PurchaseOrderRead:
    """An order with its lines, schedules and warnings."""
    return await _answer(tx, reply, await service.get(tx, order))


@purchase_orders.patch(
    "/{order}",
    summary="Change a draft",
    **operation("purchase_orders:write", errors=[*_REFUSALS, Duplicate]),
)
async def change(
    tx: OpenTx, reply: ReplyTo, order: DraftKey, body: PurchaseOrderPatch, if_match: IfMatch
) -> PurchaseOrderRead:
    """Change a draft (JSON Merge Patch); `lines` replaces all lines. Later, use `revise`."""
    return await _answer(tx, reply, await service.change(tx, order, body, if_match))


@purchase_orders.post(
    "/{order}/approve",
    summary="Approve a draft",
    **operation(
        "purchase_orders:approve",
        errors=[*_REFUSALS, SupplierBlocked, SegregationOfDuties, AmountLimitExceeded],
        required_if_match=True,
    ),
)
async def approve(
    tx: OpenTx, reply: ReplyTo, order: DraftKey, body: OrderAction, if_match: IfMatch
) -> PurchaseOrderRead:
    """Approve the very version that was read: send If-Match, or `version` in the body. By the duty
    rule `order_creator_approves`, who wrote, changed or revised the order cannot; nor can who has
    an amount limit below its value in base currency."""
    return await _answer(tx, reply, await service.approve(tx, order, body, if_match))


@purchase_orders.post(
    "/{order}/unapprove",
    summary="Take an approval back",
    **operation("purchase_orders:approve", errors=_REFUSALS),
)
async def unapprove(
    tx: OpenTx, reply: ReplyTo, order: ApprovedKey, body: OrderAction, if_match: IfMatch
) -> PurchaseOrderRead:
    """Make an approved order, not yet issued, a draft again."""
    return await _answer(tx, reply, await service.unapprove(tx, order, body, if_match))


@purchase_orders.post(
    "/{order}/issue",
    summary="Issue an order",
    **operation(
        "purchase_orders:write", errors=[*_REFUSALS, SupplierBlocked], required_if_match=True
    ),
)
async def issue(
    tx: OpenTx, reply: ReplyTo, order: ApprovedKey, body: OrderAction, if_match: IfMatch
) -> PurchaseOrderRead:
    """Send an approved order to the supplier: its quantities are expected from now on."""
    return await _answer(tx, reply, await service.issue(tx, order, body, if_match))


@purchase_orders.post(
    "/{order}/confirm",
    summary="Record the supplier's answer",
    **operation("purchase_orders:write", errors=_REFUSALS, required_if_match=True),
)
async def confirm(
    tx: OpenTx, reply: ReplyTo, order: OrderKey, body: Confirmation, if_match: IfMatch
) -> PurchaseOrderRead:
    """Record, line by line, which quantity the supplier confirmed for which day, as an answer to
    the version that was read: send If-Match, or `version` in the body."""
    return await _answer(tx, reply, await service.confirm(tx, order, body, if_match))


@purchase_orders.post(
    "/{order}/revise",
    summary="Revise an order",
    **operation(
        "purchase_orders:write",
        errors=[*_REFUSALS, SegregationOfDuties, AmountLimitExceeded],
        required_if_match=True,
        additional_permissions=[APPROVE, SEE_COSTS],
    ),
)
async def revise(
    tx: OpenTx, reply: ReplyTo, order: OrderKey, body: OrderRevise, if_match: IfMatch
) -> PurchaseOrderRead:
    """Change quantities, dates and prices of open lines; the order gets a new revision. Where more
    could be spent than before (tolerances count), or more for a unit, it is a decision like the
    approval: it needs `purchase_orders:approve`, under the same duty rule and amount limit. Who
    changes prices or the exchange rate needs `costs:read`."""
    return await _answer(tx, reply, await service.revise(tx, order, body, if_match))


@purchase_orders.get(
    "/{order}/revisions",
    summary="List the changes of an order",
    **operation("purchase_orders:read", errors=[NotFound]),
)
async def list_revisions(
    tx: OpenTx, reply: ReplyTo, order: OrderKey, wanted: Annotated[PageParams, Query()]
) -> RevisionList:
    """What each revision changed, old and new value by path, latest first."""
    page = await service.list_revisions(tx, order, wanted)
    reply.next_page(page.next_cursor)
    return RevisionList(**page.body(await service.shown_revisions(tx, page.rows)))


@purchase_orders.post(
    "/{order}/hold",
    summary="Hold an order",
    **operation("purchase_orders:write", errors=_REFUSALS),
)
async def hold(
    tx: OpenTx, reply: ReplyTo, order: OrderKey, body: ReasonedAction, if_match: IfMatch
) -> PurchaseOrderRead:
    """Stop approval, issue and receipts until the order is released."""
    return await _answer(tx, reply, await service.hold(tx, order, body, if_match))


@purchase_orders.post(
    "/{order}/release",
    summary="Release a held order",
    **operation("purchase_orders:write", errors=_REFUSALS),
)
async def release(
    tx: OpenTx, reply: ReplyTo, order: HeldKey, body: OrderAction, if_match: IfMatch
) -> PurchaseOrderRead:
    """Let a held order go on."""
    return await _answer(tx, reply, await service.release(tx, order, body, if_match))


@purchase_orders.post(
    "/{order}/short-close",
    summary="Close an order short",
    **operation("purchase_orders:write", errors=_REFUSALS),
)
async def short_close(
    tx: OpenTx, reply: ReplyTo, order: OrderKey, body: ReasonedAction, if_match: IfMatch
) -> PurchaseOrderRead:
    """Give up what has not arrived; nothing more is expected."""
    return await _answer(tx, reply, await service.short_close(tx, order, body, if_match))


@purchase_orders.post(
    "/{order}/cancel",
    summary="Cancel an order",
    **operation("purchase_orders:write", errors=_REFUSALS),
)
async def cancel(
    tx: OpenTx, reply: ReplyTo, order: OrderKey, body: ReasonedAction, if_match: IfMatch
) -> PurchaseOrderRead:
    """Cancel the order; once something has arrived, its remainder (the order is closed then)."""
    return await _answer(tx, reply, await service.cancel(tx, order, body, if_match))


@purchase_orders.post(
    "/{order}/reopen",
    summary="Reopen an order closed short",
    **operation("purchase_orders:write", errors=_REFUSALS),
)
async def reopen(
    tx: OpenTx, reply: ReplyTo, order: ClosedKey, body: ReasonedAction, if_match: IfMatch
) -> PurchaseOrderRead:
    """Expect again what was given up."""
    return await _answer(tx, reply, await service.reopen(tx, order, body, if_match))
