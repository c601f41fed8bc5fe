"""HTTP of warehouses and locations."""

from typing import Annotated

from fastapi import Path, Query

from scm_api.core.errors import Duplicate, NotFound, VersionMismatch
from scm_api.core.http import IfMatch, OpenTx, ReplyTo, operation, router
from scm_api.core.pages import PageParams
from scm_api.warehouses import service
from scm_api.warehouses.errors import LocationInUse
from scm_api.warehouses.schemas import (
    LocationCreate,
    LocationList,
    LocationPatch,
    LocationRead,
    WarehouseCreate,
    WarehouseFilter,
    WarehouseList,
    WarehousePatch,
    WarehouseRead,
)

warehouses = router("warehouses")

WarehouseKey = Annotated[
    str,
    Path(max_length=80, description="A UUID, `code=WH-1` or `ref=4711`.", examples=["code=WH-1"]),
]


LocationKey = Annotated[
    str, Path(max_length=80, description="A UUID or `code=STOCK`.", examples=["code=STOCK"])
]


@warehouses.post(
    "",
    status_code=201,
    summary="Create a warehouse",
    **operation("warehouses:write", errors=[Duplicate]),
)
async def create(tx: OpenTx, reply: ReplyTo, body: WarehouseCreate) -> WarehouseRead:
    """Create a warehouse with a default location `STOCK`."""
    warehouse = await service.create(tx, body)
    reply.created(f"/v1/warehouses/{warehouse.id}", warehouse.version)
    return WarehouseRead.model_validate(warehouse)


@warehouses.get("", summary="List warehouses", **operation("warehouses:read", across="rows"))
async def list_(
    tx: OpenTx, reply: ReplyTo, wanted: Annotated[WarehouseFilter, Query()]
) -> WarehouseList:
    """All warehouses by code, a page at a time."""
    page = await service.list_all(tx, wanted)
    reply.next_page(page.next_cursor)
    return WarehouseList(**page.body([row[0] for row in page.rows]))


@warehouses.get(
    "/{warehouse}", summary="Read a warehouse", **operation("warehouses:read", errors=[NotFound])
)
async def get(tx: OpenTx, reply: ReplyTo, warehouse: WarehouseKey) -> WarehouseRead:
    """One warehouse."""
    found = await service.get(tx, warehouse)
    reply.etag(found.version)
    return WarehouseRead.model_validate(found)


@warehouses.patch(
    "/{warehouse}",
    summary="Change a warehouse",
    **operation("warehouses:write", errors=[NotFound, Duplicate, VersionMismatch]),
)
async def change(
    tx: OpenTx, reply: ReplyTo, warehouse: WarehouseKey, body: WarehousePatch, if_match: IfMatch
) -> WarehouseRead:
    """Change some fields of a warehouse (JSON Merge Patch)."""
    changed = await service.change(tx, warehouse, body, if_match)
    reply.etag(changed.version)
    return WarehouseRead.model_validate(changed)


@warehouses.post(
    "/{warehouse}/locations",
    status_code=201,
    summary="Add a location",
    **operation("warehouses:write", errors=[NotFound, Duplicate]),
)
async def add_location(
    tx: OpenTx, reply: ReplyTo, warehouse: WarehouseKey, body: LocationCreate
) -> LocationRead:
    """Add a bin, dock, cage or transit place to a warehouse."""
    location = await service.add_location(tx, warehouse, body)
    reply.created(f"/v1/warehouses/{location.warehouse_id}/locations")
    return LocationRead.model_validate(location)


@warehouses.get(
    "/{warehouse}/locations",
    summary="List locations",
    **operation("warehouses:read", errors=[NotFound]),
)
async def list_locations(
    tx: OpenTx, reply: ReplyTo, warehouse: WarehouseKey, wanted: Annotated[PageParams, Query()]
) -> LocationList:
    """The locations of a warehouse by code."""
    page = await service.list_locations(tx, warehouse, wanted)
    reply.next_page(page.next_cursor)
    return LocationList(**page.body([row[0] for row in page.rows]))


@warehouses.patch(
    "/{warehouse}/locations/{location}",
    summary="Change a location",
    **operation("warehouses:write", errors=[NotFound, VersionMismatch, LocationInUse]),
)
async def change_location(
    tx: OpenTx,
    reply: ReplyTo,
    warehouse: WarehouseKey,
    location: LocationKey,
    body: LocationPatch,
    if_match: IfMatch,
) -> LocationRead:
    """Rename a location, or close it once it is empty (JSON Merge Patch)."""
    changed = await service.change_location(tx, warehouse, location, body, if_match)
    reply.etag(changed.version)
    return LocationRead.model_validate(changed)
