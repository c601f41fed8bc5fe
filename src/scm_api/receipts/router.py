"""HTTP of receipts."""

from typing import Annotated

from fastapi import Path, Query

from scm_api.core.errors import (
    Duplicate,
    IllegalTransition,
    NotFound,
    PermissionDenied,
    VersionMismatch,
)
from scm_api.core.http import IfMatch, OpenTx, ReplyTo, operation, router
from scm_api.organizations.errors import PeriodClosed
from scm_api.receipts import reading, service
from scm_api.receipts.errors import OverTolerance
from scm_api.receipts.schemas import (
    ReceiptCreate,
    ReceiptFilter,
    ReceiptList,
    ReceiptRead,
    ReceiptReverse,
)
from scm_api.stock.errors import AlreadyReversed, InsufficientStock

receipts = router("receipts")

ReceiptKey = Annotated[
    str,
    Path(
        max_length=80,
        description="A UUID, `number=GR-000001` or `ref=4711`.",
        examples=["number=GR-000001"],
    ),
]


@receipts.post(
    "",
    status_code=201,
    summary="Receive goods",
    **operation(
        "receipts:write",
        errors=[
            NotFound,
            IllegalTransition,
            OverTolerance,
            Duplicate,
            PermissionDenied,
            PeriodClosed,
        ],
        additional_permissions=[service.WITHOUT_ORDER],
    ),
)
async def create(tx: OpenTx, reply: ReplyTo, body: ReceiptCreate) -> ReceiptRead:
    """Take goods into stock against an order: all lines or none. Stock, cost, the order's statuses
    and what is still expected change at once; the order closes when all has arrived. Without
    `order` (needs `receipts:write_without_order` too) the lines name item, warehouse and cost."""
    receipt = await service.create(tx, body)
    reply.created(f"/v1/receipts/{receipt.id}", receipt.version)
    return await reading.read(tx, receipt)


@receipts.get("", summary="List receipts", **operation("receipts:read", across="rows"))
async def list_(
    tx: OpenTx, reply: ReplyTo, wanted: Annotated[ReceiptFilter, Query()]
) -> ReceiptList:
    """Receipts without their lines, newest first, a page at a time."""
    page = await service.list_all(tx, wanted)
    reply.next_page(page.next_cursor)
    own = await service.own_sums(tx, [row[0] for row in page.rows])
    rows = [
        reading.summary(receipt, number, supplier, own.get(receipt.id))
        for receipt, number, supplier, *_ in page.rows
    ]
    return ReceiptList(**page.body(rows))


@receipts.get(
    "/{receipt}", summary="Read a receipt", **operation("receipts:read", errors=[NotFound])
)
async def get(tx: OpenTx, reply: ReplyTo, receipt: ReceiptKey) -> ReceiptRead:
    """A receipt with its lines."""
    found = await service.get(tx, receipt)
    reply.etag(found.version)
    return await reading.read(tx, found)


@receipts.post(
    "/{receipt}/reverse",
    summary="Reverse a receipt",
    **operation(
        "receipts:write",
        errors=[NotFound, VersionMismatch, AlreadyReversed, InsufficientStock, PeriodClosed],
    ),
)
async def reverse(
    tx: OpenTx, reply: ReplyTo, receipt: ReceiptKey, body: ReceiptReverse, if_match: IfMatch
) -> ReceiptRead:
    """Take a receipt back as a whole. Refused if the goods are no longer there."""
    reversed_one = await service.reverse(tx, receipt, body, if_match)
    reply.etag(reversed_one.version)
    return await reading.read(tx, reversed_one)
