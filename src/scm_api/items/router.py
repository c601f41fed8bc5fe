"""HTTP of items and categories."""

from typing import Annotated, Any

from fastapi import Path, Query, Response
from pydantic import BaseModel

from scm_api.core.errors import Duplicate, NotFound, VersionMismatch
from scm_api.core.http import IfMatch, OpenTx, ReplyLanguage, ReplyTo, operation, router
from scm_api.items import bulk, categories, service
from scm_api.items.category_schemas import (
    CategoryCreate,
    CategoryFilter,
    CategoryList,
    CategoryPatch,
    CategoryRead,
)
from scm_api.items.schemas import (
    ItemBulk,
    ItemBulkRead,
    ItemCreate,
    ItemFilter,
    ItemList,
    ItemPatch,
    ItemRead,
)

items = router("items")
category_router = router("categories")

ItemKey = Annotated[
    str,
    Path(
        max_length=120,
        description="A UUID, `sku=SKU-1001` or `ref=system:reference`.",
        examples=["sku=SKU-1001"],
    ),
]
NewItemKey = Annotated[
    str,
    Path(
        max_length=120,
        description="`sku=SKU-2001` or `ref=system:reference`; a UUID only of an item there is.",
        examples=["sku=SKU-2001"],
    ),
]
CategoryKey = Annotated[
    str,
    Path(max_length=80, description="A UUID or `code=CAT-1`.", examples=["code=CAT-1"]),
]


def _also_answers(
    declared: dict[str, Any], status: int, model: type[BaseModel], description: str
) -> dict[str, Any]:
    """An operation's declaration with a second kind of success."""
    answer = {"model": model, "description": description}
    return {**declared, "responses": {**declared["responses"], status: answer}}


@items.post(
    "",
    status_code=201,
    summary="Create an item",
    **operation("items:write", errors=[Duplicate]),
)
async def create(tx: OpenTx, reply: ReplyTo, body: ItemCreate) -> ItemRead:
    """Create an item with its units, barcodes and names in other systems."""
    item = await service.create(tx, body)
    reply.created(f"/v1/items/{item.id}", item.version)
    return item


@items.get("", name="list", summary="List items", **operation("items:read", across="rows"))
async def list_items(
    tx: OpenTx, reply: ReplyTo, wanted: Annotated[ItemFilter, Query()]
) -> ItemList:
    """Items by SKU, a page at a time."""
    page, data = await service.list_all(tx, wanted)
    reply.next_page(page.next_cursor)
    return ItemList(**page.body(data))


@items.put(
    "/bulk",
    name="bulk",
    summary="Create or change many items",
    **_also_answers(
        operation("items:write"), 207, ItemBulkRead, "Mode partial: one result a line."
    ),
)
async def upsert_many(
    tx: OpenTx,
    response: Response,
    language: ReplyLanguage,
    body: ItemBulk,
) -> ItemBulkRead:
    """Create or change up to 1000 items by SKU; of a known SKU only the fields sent change.

    Mode atomic answers 200, or one problem that names every broken rule of every line, and then
    nothing is kept. Mode partial answers 207 with a result for each line. A SKU, barcode or
    external reference that stands in two lines is refused in both. Sending the same request again
    changes nothing.
    """
    result = await bulk.upsert(tx, body, language)
    if body.mode == "partial":
        response.status_code = 207
    return result


@items.get("/{item}", summary="Read an item", **operation("items:read", errors=[NotFound]))
async def get(tx: OpenTx, reply: ReplyTo, item: ItemKey) -> ItemRead:
    """One item with its units, barcodes and names in other systems."""
    found = await service.read_one(tx, item)
    reply.etag(found.version)
    return found


@items.patch(
    "/{item}",
    summary="Change an item",
    **operation("items:write", errors=[NotFound, VersionMismatch]),
)
async def change(
    tx: OpenTx, reply: ReplyTo, item: ItemKey, body: ItemPatch, if_match: IfMatch
) -> ItemRead:
    """Change some fields of an item (JSON Merge Patch). Once stock has moved, the
    base unit stays, and so does tracking by lot, serial number or expiry date."""
    changed = await service.change(tx, item, body, if_match)
    reply.etag(changed.version)
    return changed


@items.put(
    "/{item}",
    summary="Create or replace an item",
    **_also_answers(
        operation("items:write", errors=[NotFound, Duplicate, VersionMismatch]),
        201,
        ItemRead,
        "Created.",
    ),
)
async def put(
    tx: OpenTx,
    reply: ReplyTo,
    response: Response,
    item: NewItemKey,
    body: ItemCreate,
    if_match: IfMatch,
) -> ItemRead:
    """Create the item behind `sku=` or `ref=system:reference`, or replace the whole of it, so that
    another system can send it again and again. 201 if it is new, else 200."""
    saved, is_new = await service.put(tx, item, body, if_match)
    reply.etag(saved.version)
    if is_new:
        response.status_code = 201
        reply.created(f"/v1/items/{saved.id}", saved.version)
    return saved


@category_router.post(
    "",
    name="create",
    status_code=201,
    summary="Create a category",
    **operation("items:write", errors=[Duplicate]),
)
async def create_category(tx: OpenTx, reply: ReplyTo, body: CategoryCreate) -> CategoryRead:
    """Create a category, under a parent or at the top."""
    category = await categories.create(tx, body)
    reply.created(f"/v1/categories/{category.id}", category.version)
    return category


@category_router.get("", name="list", summary="List categories", **operation("items:read"))
async def list_categories(
    tx: OpenTx, reply: ReplyTo, wanted: Annotated[CategoryFilter, Query()]
) -> CategoryList:
    """Categories by code, a page at a time."""
    page, data = await categories.list_all(tx, wanted)
    reply.next_page(page.next_cursor)
    return CategoryList(**page.body(data))


@category_router.get(
    "/{category}",
    name="get",
    summary="Read a category",
    **operation("items:read", errors=[NotFound]),
)
async def get_category(tx: OpenTx, reply: ReplyTo, category: CategoryKey) -> CategoryRead:
    """One category."""
    found = await categories.read(tx, category)
    reply.etag(found.version)
    return found


@category_router.patch(
    "/{category}",
    name="change",
    summary="Change a category",
    **operation("items:write", errors=[NotFound, VersionMismatch]),
)
async def change_category(
    tx: OpenTx, reply: ReplyTo, category: CategoryKey, body: CategoryPatch, if_match: IfMatch
) -> CategoryRead:
    """Rename a category or move it, with all below it, under another parent."""
    changed = await categories.change(tx, category, body, if_match)
    reply.etag(changed.version)
    return changed
