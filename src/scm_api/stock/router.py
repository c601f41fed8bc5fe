"""HTTP of the ledger, balances, positions, projections and valuation."""

from typing import Annotated

from fastapi import Path, Query

from scm_api.core.errors import Duplicate, NotFound
from scm_api.core.http import OpenTx, ReplyTo, operation, router
from scm_api.core.redaction import SEE_COSTS
from scm_api.core.schemas import Instant
from scm_api.organizations.errors import PeriodClosed
from scm_api.stock import service, views
from scm_api.stock.errors import (
    AlreadyReversed,
    InsufficientStock,
    QuantityChanged,
    ReversedElsewhere,
)
from scm_api.stock.schemas import (
    ArrivalList,
    AsOfFilter,
    BalanceFilter,
    BalanceList,
    InboundFilter,
    LedgerEntryList,
    LedgerFilter,
    MovementCreate,
    MovementPosted,
    MovementRead,
    PositionFilter,
    PositionList,
    ProjectionRead,
    ReverseCreate,
    StockAsOfList,
    ValuationRead,
)

movements = router("stock-movements")
stock = router("stock")
elsewhere = router("stock", prefix="/v1")
routers = [movements, stock, elsewhere]

DocumentKey = Annotated[
    str, Path(max_length=80, description="A UUID or `ref=OPENING-1`.", examples=["ref=OPENING-1"])
]
ItemKey = Annotated[
    str, Path(max_length=120, description="A UUID or `sku=SKU-1001`.", examples=["sku=SKU-1001"])
]
WarehouseKey = Annotated[
    str, Path(max_length=80, description="A UUID or `code=WH-1`.", examples=["code=WH-1"])
]


@movements.post(
    "",
    status_code=201,
    summary="Post stock movements",
    **operation("stock:post", errors=[InsufficientStock, QuantityChanged, Duplicate, PeriodClosed]),
)
async def post(tx: OpenTx, reply: ReplyTo, body: MovementCreate) -> MovementPosted:
    """Post 1 to 1,000 lines in one document: all of them or none. An issue that asks for more than
    there is changes nothing and is recorded as a shortage."""
    posted = await service.post(tx, body)
    reply.created(f"/v1/stock-movements/{posted.id}")
    return views.posted_read(posted)


@movements.get("", summary="List the ledger", **operation("stock:read"))
async def list_(
    tx: OpenTx, reply: ReplyTo, wanted: Annotated[LedgerFilter, Query()]
) -> LedgerEntryList:
    """Lines of the ledger, newest first."""
    page, entries = await views.list_ledger(tx, wanted)
    reply.next_page(page.next_cursor)
    return LedgerEntryList(**page.body(entries))


@movements.get(
    "/{document}", summary="Read a stock document", **operation("stock:read", errors=[NotFound])
)
async def get(tx: OpenTx, document: DocumentKey) -> MovementRead:
    """A posted document with its lines."""
    header, lines = await service.get_document(tx, document)
    return views.document_read(header, lines)


@movements.post(
    "/{document}/reverse",
    status_code=201,
    summary="Reverse a stock document",
    **operation(
        "stock:post",
        errors=[NotFound, AlreadyReversed, ReversedElsewhere, InsufficientStock, PeriodClosed],
    ),
)
async def reverse(
    tx: OpenTx, reply: ReplyTo, document: DocumentKey, body: ReverseCreate
) -> MovementPosted:
    """Post a document back by a new one that points to it; documents are never changed."""
    posted, reversal_of = await service.reverse(tx, document, body)
    reply.created(f"/v1/stock-movements/{posted.id}")
    return views.posted_read(posted, reversal_of)


@stock.get(
    "", name="positions", summary="List stock positions", **operation("stock:read", across="rows")
)
async def positions(
    tx: OpenTx, reply: ReplyTo, wanted: Annotated[PositionFilter, Query()]
) -> PositionList:
    """Items per warehouse: on hand, reserved, available, on order, value, cover, status."""
    page, data = await views.list_positions(tx, wanted)
    reply.next_page(page.next_cursor)
    return PositionList(**page.body(data))


@stock.get("/as-of", name="as_of", summary="Stock at an instant", **operation("stock:read"))
async def as_of(
    tx: OpenTx, reply: ReplyTo, wanted: Annotated[AsOfFilter, Query()]
) -> StockAsOfList:
    """Quantity and value per item and warehouse at any past instant, from the ledger."""
    page, data = await views.list_as_of(tx, wanted)
    reply.next_page(page.next_cursor)
    return StockAsOfList(as_of=wanted.as_of, **page.body(data))


@stock.get("/balances", summary="List balances", **operation("stock:read", across="rows"))
async def balances(
    tx: OpenTx, reply: ReplyTo, wanted: Annotated[BalanceFilter, Query()]
) -> BalanceList:
    """What is in each location, per lot and status."""
    page, data = await views.list_balances(tx, wanted)
    reply.next_page(page.next_cursor)
    return BalanceList(**page.body(data))


@stock.get("/valuation", summary="Value stock", **operation(SEE_COSTS))
async def valuation(
    tx: OpenTx,
    as_of: Annotated[Instant | None, Query(description="Now if absent.")] = None,
) -> ValuationRead:
    """Stock value by warehouse, now or at any past instant; equals the ledger to the cent."""
    return await views.valuation(tx, as_of)


@elsewhere.get(
    "/items/{item}/position",
    summary="Read an item's positions",
    **operation("stock:read", errors=[NotFound]),
)
async def position(tx: OpenTx, item: ItemKey) -> PositionList:
    """The item in every warehouse, with the reasons of its status."""
    data = await views.item_positions(tx, item)
    return PositionList(data=data, has_more=False)


@elsewhere.get(
    "/items/{item}/projection",
    summary="Project an item's availability",
    **operation("stock:read", errors=[NotFound]),
)
async def projection(
    tx: OpenTx,
    item: ItemKey,
    warehouse: Annotated[
        str, Query(max_length=80, description="A UUID or `code=WH-1`.", examples=["code=WH-1"])
    ],
    days: Annotated[int, Query(ge=1, le=365, description="How many days to look ahead.")] = 60,
) -> ProjectionRead:
    """Availability by day: today's, plus arrivals when due, less mean demand."""
    return await views.project(tx, item, warehouse, days)


@elsewhere.get(
    "/warehouses/{warehouse}/inbound",
    summary="List a warehouse's arrivals",
    **operation("stock:read", errors=[NotFound]),
)
async def inbound(
    tx: OpenTx,
    reply: ReplyTo,
    warehouse: WarehouseKey,
    wanted: Annotated[InboundFilter, Query()],
) -> ArrivalList:
    """Open quantities by due date, confirmed dates first-hand."""
    page, data = await views.list_inbound(tx, warehouse, wanted)
    reply.next_page(page.next_cursor)
    return ArrivalList(**page.body(data))
