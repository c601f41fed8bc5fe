"""Use cases of warehouses and locations."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID
from zoneinfo import available_timezones

from scm_api.core import limits
from scm_api.core.documents import Key, apply_patch, insert
from scm_api.core.errors import Invalid, NotFound, Rule, Text, unknown_filter
from scm_api.core.http import Versions, check_version
from scm_api.core.ids import uuid7
from scm_api.core.pages import PageOf, PageParams
from scm_api.core.schemas import Reference
from scm_api.core.tx import Tx
from scm_api.warehouses import repository
from scm_api.warehouses.errors import LocationInUse
from scm_api.warehouses.events import (
    LocationChanged,
    LocationCreated,
    WarehouseChanged,
    WarehouseCreated,
)
from scm_api.warehouses.models import Location, Warehouse
from scm_api.warehouses.schemas import (
    LocationCreate,
    LocationPatch,
    WarehouseCreate,
    WarehouseFilter,
    WarehousePatch,
)

UNKNOWN_TIME_ZONE = Rule(
    "unknown_time_zone",
    Text("{time_zone} is not an IANA time zone.", "{time_zone} 不是 IANA 时区。"),
)


@dataclass(frozen=True, slots=True)
class WarehouseFacts:
    """What other rooms need to know of a warehouse."""

    id: UUID
    code: str
    name: str
    time_zone: str
    is_active: bool
    allows_negative_stock: bool
    default_location_id: UUID | None


OUTSIDE = ("supplier", "customer", "production", "loss", "opening")


async def create(tx: Tx, body: WarehouseCreate) -> Warehouse:
    """Create a warehouse with a default location. Raises `Duplicate`, `Invalid`."""
    settings = await tx.fetchrow(
        "select time_zone, allows_negative_stock from organization where id = $1",
        tx.organization_id,
    )
    assert settings is not None
    zone = body.time_zone or settings["time_zone"]
    _check_zone(zone)
    given = body.model_dump(exclude={"time_zone", "allows_negative_stock"})
    may_be_negative = body.allows_negative_stock
    if may_be_negative is None:
        may_be_negative = settings["allows_negative_stock"]
    warehouse = Warehouse(
        organization_id=tx.organization_id,
        id=uuid7(),
        **given,
        time_zone=zone,
        allows_negative_stock=may_be_negative,
    )
    await insert(tx, warehouse, kind="warehouse", unique=("code", "external_ref"))
    await repository.insert_outside(tx, [(uuid7(), kind, kind.capitalize()) for kind in OUTSIDE])
    stock = Location(
        organization_id=tx.organization_id,
        warehouse_id=warehouse.id,
        code="STOCK",
        name="Stock",
        kind="internal",
        is_default=True,
    )
    await insert(tx, stock, kind="location", unique=("code",))
    tx.emit(WarehouseCreated(warehouse.id, code=warehouse.code))
    return warehouse


async def get(tx: Tx, key: str) -> Warehouse:
    """The warehouse behind a path key: a UUID, `code=WH-1` or `ref=4711`. Raises `NotFound`."""
    found = await repository.find(tx, **Key.parse(key, natural="code").arguments("code"))
    if found is None:
        raise NotFound(kind="warehouse", reference=key)
    return found


async def resolve(tx: Tx, references: Sequence[Reference]) -> dict[Reference, WarehouseFacts]:
    """The warehouses that references name, in one statement; unknown ones are absent. Raises
    `OutsideLimits` if one is not the caller's."""
    ids = {r.id for r in references if r.id is not None}
    codes = {r.code.lower() for r in references if r.code is not None}
    if not ids and not codes:
        return {}
    known: dict[UUID | str, WarehouseFacts] = {}
    for row in await repository.places(tx, ids, codes):
        columns = dict(row)
        code_key = columns.pop("code_key")
        known[row["id"]] = known[code_key] = WarehouseFacts(**columns)
    resolved = {
        reference: facts
        for reference in references
        if (facts := known.get(reference.id or str(reference.code).lower())) is not None
    }
    await limits.require_inside(tx, warehouses=(facts.id for facts in resolved.values()))
    return resolved


async def filter_id(tx: Tx, key: str | None, parameter: str = "warehouse") -> UUID | None:
    """The id a filter names, None without one. Raises `Invalid` for the parameter."""
    try:
        return None if key is None else (await get(tx, key)).id
    except NotFound as problem:
        raise unknown_filter(problem, parameter) from problem


async def list_all(tx: Tx, wanted: WarehouseFilter) -> PageOf:
    return await repository.list_warehouses(tx, wanted)


async def change(tx: Tx, key: str, body: WarehousePatch, if_match: Versions | None) -> Warehouse:
    """Change a warehouse. Raises `NotFound`, `VersionMismatch`, `Duplicate`, `Invalid`."""
    warehouse = await get(tx, key)
    check_version(warehouse.version, if_match, body.version)
    if isinstance(body.time_zone, str):
        _check_zone(body.time_zone)
    changes = await apply_patch(tx, warehouse, body, kind="warehouse", unique=("external_ref",))
    if changes:
        tx.emit(WarehouseChanged(warehouse.id, code=warehouse.code, changes=changes))
    return warehouse


async def add_location(tx: Tx, key: str, body: LocationCreate) -> Location:
    """Add a location to a warehouse. Raises `NotFound`, `Duplicate`."""
    warehouse = await get(tx, key)
    location = Location(
        organization_id=tx.organization_id,
        id=uuid7(),
        warehouse_id=warehouse.id,
        is_default=False,
        **body.model_dump(),
    )
    await insert(tx, location, kind="location", unique=("code",))
    tx.emit(
        LocationCreated(
            location.id, warehouse=warehouse.code, code=location.code, kind=location.kind
        )
    )
    return location


async def change_location(
    tx: Tx, key: str, location_key: str, body: LocationPatch, if_match: Versions | None
) -> Location:
    """Change a location. Raises `NotFound`, `VersionMismatch`, `LocationInUse`."""
    warehouse = await get(tx, key)
    parsed = Key.parse(location_key, natural="code")
    location = await repository.find_location(tx, warehouse.id, id=parsed.id, code=parsed.natural)
    if location is None:
        raise NotFound(kind="location", reference=location_key)
    check_version(location.version, if_match, body.version)
    if body.is_active is False and (
        location.is_default or await repository.holds_stock(tx, location.id)
    ):
        raise LocationInUse(location=location.code)
    changes = await apply_patch(tx, location, body, kind="location")
    if changes:
        tx.emit(
            LocationChanged(
                location.id, warehouse=warehouse.code, code=location.code, changes=changes
            )
        )
    return location


async def list_locations(tx: Tx, key: str, wanted: PageParams) -> PageOf:
    """The locations of a warehouse. Raises `NotFound`."""
    warehouse = await get(tx, key)
    return await repository.list_locations(tx, warehouse.id, wanted)


def _check_zone(zone: str) -> None:
    if zone not in available_timezones():
        raise Invalid([UNKNOWN_TIME_ZONE.at("/time_zone", time_zone=zone)])
