"""HTTP of suppliers: master data, calendars, what they sell, and their observed lead times."""

from typing import Annotated
from uuid import UUID

from fastapi import Path, Query, Response

from scm_api.core.errors import Duplicate, NotFound, OutsideLimits, VersionMismatch
from scm_api.core.http import IfMatch, OpenTx, ReplyLanguage, ReplyTo, operation, router
from scm_api.core.pages import PageParams
from scm_api.suppliers import offers, service, sourcing
from scm_api.suppliers.item_schemas import (
    OfferParams,
    SupplierItemBulk,
    SupplierItemBulkRead,
    SupplierItemFilter,
    SupplierItemList,
    SupplierItemPut,
    SupplierItemRead,
)
from scm_api.suppliers.schemas import (
    LeadTimeFilter,
    LeadTimeList,
    LeadTimeRead,
    LeadTimeSummary,
    LeadTimeSummaryList,
    ShutdownCreate,
    ShutdownFilter,
    ShutdownList,
    ShutdownRead,
    SupplierCreate,
    SupplierFilter,
    SupplierList,
    SupplierPatch,
    SupplierRead,
)

suppliers = router("suppliers")
supplier_items = router("supplier-items")

SupplierKey = Annotated[
    str,
    Path(max_length=80, description="A UUID, `code=S-01` or `ref=4711`.", examples=["code=S-01"]),
]
ItemKey = Annotated[
    str,
    Path(
        max_length=120,
        description="A UUID, `sku=SKU-1001` or `ref=system:reference`.",
        examples=["sku=SKU-1001"],
    ),
]


@suppliers.post(
    "",
    status_code=201,
    summary="Create a supplier",
    **operation("suppliers:write", errors=[Duplicate]),
)
async def create(tx: OpenTx, reply: ReplyTo, body: SupplierCreate) -> SupplierRead:
    """Create a supplier."""
    supplier = await service.create(tx, body)
    reply.created(f"/v1/suppliers/{supplier.id}", supplier.version)
    return SupplierRead.model_validate(supplier)


@suppliers.get("", summary="List suppliers", **operation("suppliers:read", across="rows"))
async def list_(
    tx: OpenTx, reply: ReplyTo, wanted: Annotated[SupplierFilter, Query()]
) -> SupplierList:
    """All suppliers by code, a page at a time."""
    page = await service.list_all(tx, wanted)
    reply.next_page(page.next_cursor)
    return SupplierList(**page.body([row[0] for row in page.rows]))


@suppliers.get(
    "/{supplier}", summary="Read a supplier", **operation("suppliers:read", errors=[NotFound])
)
async def get(tx: OpenTx, reply: ReplyTo, supplier: SupplierKey) -> SupplierRead:
    """One supplier."""
    found = await service.get(tx, supplier)
    reply.etag(found.version)
    return SupplierRead.model_validate(found)


@suppliers.patch(
    "/{supplier}",
    summary="Change a supplier",
    **operation("suppliers:write", errors=[NotFound, Duplicate, OutsideLimits, VersionMismatch]),
)
async def change(
    tx: OpenTx, reply: ReplyTo, supplier: SupplierKey, body: SupplierPatch, if_match: IfMatch
) -> SupplierRead:
    """Change some fields of a supplier (JSON Merge Patch)."""
    changed = await service.change(tx, supplier, body, if_match)
    reply.etag(changed.version)
    return SupplierRead.model_validate(changed)


@suppliers.get(
    "/{supplier}/items",
    summary="List what a supplier sells",
    **operation("suppliers:read", errors=[NotFound]),
)
async def list_items(
    tx: OpenTx, reply: ReplyTo, supplier: SupplierKey, wanted: Annotated[OfferParams, Query()]
) -> SupplierItemList:
    """The items of a supplier by SKU, each with its price for a quantity and day."""
    page = await sourcing.list_of_supplier(tx, supplier, wanted)
    reply.next_page(page.next_cursor)
    rows = [(row[0], row[1], row[2]) for row in page.rows]
    return SupplierItemList(**page.body(await offers.offers(tx, rows, wanted)))


@suppliers.get(
    "/{supplier}/items/{item}",
    summary="Read the terms of a supplier for an item",
    **operation("suppliers:read", errors=[NotFound]),
)
async def get_item(
    tx: OpenTx, reply: ReplyTo, supplier: SupplierKey, item: ItemKey
) -> SupplierItemRead:
    """Terms, whole price list, and the measured lead time beside the stated one."""
    row, prices = await sourcing.get(tx, supplier, item)
    reply.etag(row[0].version)
    return offers.read(row, prices)


_PUT = operation("suppliers:write", errors=[NotFound, VersionMismatch])
_PUT["responses"][201] = {"model": SupplierItemRead, "description": "Created."}


@suppliers.put(
    "/{supplier}/items/{item}", summary="Set the terms of a supplier for an item", **_PUT
)
async def put_item(
    tx: OpenTx,
    reply: ReplyTo,
    response: Response,
    supplier: SupplierKey,
    item: ItemKey,
    body: SupplierItemPut,
    if_match: IfMatch,
) -> SupplierItemRead:
    """Create (201) or replace (200) what a supplier sells of an item. Sending the same again
    changes nothing, not even the version."""
    written = await sourcing.put(tx, supplier, item, body, if_match)
    row, prices = await sourcing.get(tx, supplier, item)
    if written.result == "created":
        response.status_code = 201
        reply.created(f"/v1/suppliers/{row[1].id}/items/{row[2].id}")
    reply.etag(row[0].version)
    return offers.read(row, prices)


@suppliers.post(
    "/{supplier}/shutdowns",
    status_code=201,
    summary="Add a shut-down",
    **operation("suppliers:write", errors=[NotFound]),
)
async def add_shutdown(
    tx: OpenTx, reply: ReplyTo, supplier: SupplierKey, body: ShutdownCreate
) -> ShutdownRead:
    """Add days on which the supplier neither works nor ships. Those days do not count towards lead
    times; an order placed during them is taken up on the first day after."""
    shutdown = await service.add_shutdown(tx, supplier, body)
    reply.created(f"/v1/suppliers/{shutdown.supplier_id}/shutdowns")
    return ShutdownRead.model_validate(shutdown)


@suppliers.get(
    "/{supplier}/shutdowns",
    summary="List shut-downs",
    **operation("suppliers:read", errors=[NotFound]),
)
async def list_shutdowns(
    tx: OpenTx, reply: ReplyTo, supplier: SupplierKey, wanted: Annotated[ShutdownFilter, Query()]
) -> ShutdownList:
    """The shut-downs of a supplier, earliest first."""
    page = await service.list_shutdowns(tx, supplier, wanted)
    reply.next_page(page.next_cursor)
    return ShutdownList(**page.body([row[0] for row in page.rows]))


@suppliers.delete(
    "/{supplier}/shutdowns/{shutdown}",
    status_code=204,
    summary="Remove a shut-down",
    **operation("suppliers:write", errors=[NotFound]),
)
async def remove_shutdown(
    tx: OpenTx,
    supplier: SupplierKey,
    shutdown: Annotated[
        UUID,
        Path(description="The shut-down's id.", examples=["019ab0c2-d0a0-7000-b0c1-a2b3c4d5e6f7"]),
    ],
) -> None:
    """Remove a shut-down, past or coming."""
    await service.remove_shutdown(tx, supplier, shutdown)


@suppliers.get(
    "/{supplier}/lead-times",
    summary="List observed lead times",
    **operation("suppliers:read", errors=[NotFound]),
)
async def list_lead_times(
    tx: OpenTx, reply: ReplyTo, supplier: SupplierKey, wanted: Annotated[LeadTimeFilter, Query()]
) -> LeadTimeList:
    """Every delivery of a supplier with its dates, newest first."""
    page = await service.list_lead_times(tx, supplier, wanted)
    reply.next_page(page.next_cursor)
    return LeadTimeList(**page.body([LeadTimeRead.of(*row[:2]) for row in page.rows]))


@suppliers.get(
    "/{supplier}/lead-times/summary",
    summary="Summarize observed lead times",
    **operation("suppliers:read", errors=[NotFound]),
)
async def summarize_lead_times(
    tx: OpenTx, reply: ReplyTo, supplier: SupplierKey, wanted: Annotated[PageParams, Query()]
) -> LeadTimeSummaryList:
    """Mean, spread, median, 90th percentile and on-time share of each item, by SKU."""
    page = await service.summarize_lead_times(tx, supplier, wanted)
    reply.next_page(page.next_cursor)
    return LeadTimeSummaryList(**page.body([LeadTimeSummary.of(*row[:8]) for row in page.rows]))


@supplier_items.get(
    "",
    name="list",
    summary="List sources of items",
    **operation("suppliers:read"),
)
async def list_sources(
    tx: OpenTx, reply: ReplyTo, wanted: Annotated[SupplierItemFilter, Query()]
) -> SupplierItemList:
    """Who sells an item, by priority: terms, stated and measured lead time, and the price and
    arrival of a quantity ordered on a day."""
    page = await sourcing.list_all(tx, wanted)
    reply.next_page(page.next_cursor)
    rows = [(row[0], row[1], row[2]) for row in page.rows]
    return SupplierItemList(**page.body(await offers.offers(tx, rows, wanted)))


_BULK = operation("suppliers:write")
_BULK["responses"][207] = {
    "model": SupplierItemBulkRead,
    "description": "Partial mode: what became of each line.",
}


@supplier_items.put("/bulk", summary="Set the terms of many supplier-items", **_BULK)
async def bulk(
    tx: OpenTx,
    response: Response,
    language: ReplyLanguage,
    body: SupplierItemBulk,
) -> SupplierItemBulkRead:
    """Create or change up to 1000 supplier-items; of a known one only the fields sent change.

    Mode atomic answers 200, or one problem that names every broken rule of every line, and then
    nothing is kept. Mode partial answers 207 with a result for each line.
    """
    written = await sourcing.put_many(tx, body)
    if body.mode == "partial":
        response.status_code = 207
    return offers.bulk_answer(body.mode, written, language)
