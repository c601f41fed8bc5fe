"""Use cases of suppliers and their calendars; also the one door through which other domains reach
supplier-items, prices and lead times."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from pydantic import MISSING

from scm_api.core import limits
from scm_api.core.documents import Key, apply_patch, insert
from scm_api.core.errors import Invalid, NotFound, Rule, Text, unknown_filter
from scm_api.core.http import Versions, check_version
from scm_api.core.ids import uuid7
from scm_api.core.pages import PageOf, PageParams
from scm_api.core.schemas import Reference
from scm_api.core.tx import Tx
from scm_api.items import service as items
from scm_api.suppliers import repository
from scm_api.suppliers.events import SupplierChanged, SupplierCreated
from scm_api.suppliers.models import Supplier, SupplierShutdown
from scm_api.suppliers.planning import (
    SupplierLink,
    SupplierLinks,
    Terms,
    links,
    price,
    record_lead_times,
    withdraw_lead_times,
)
from scm_api.suppliers.policy import ObservedLeadTime, PriceStep, Shutdown, arrival_on, order_by
from scm_api.suppliers.schemas import (
    LeadTimeFilter,
    ShutdownCreate,
    ShutdownFilter,
    SupplierCreate,
    SupplierFilter,
    SupplierPatch,
)

__all__ = [
    "ObservedLeadTime",
    "PriceStep",
    "Shutdown",
    "SupplierFacts",
    "SupplierLink",
    "SupplierLinks",
    "Terms",
    "add_shutdown",
    "arrival_on",
    "change",
    "create",
    "get",
    "links",
    "list_all",
    "list_lead_times",
    "list_shutdowns",
    "order_by",
    "price",
    "record_lead_times",
    "remove_shutdown",
    "resolve",
    "summarize_lead_times",
    "withdraw_lead_times",
]

ENDS_BEFORE_IT_STARTS = Rule(
    "ends_before_it_starts",
    Text("It ends on {ends_on}, before it starts.", "结束日期 {ends_on} 早于开始日期。"),
)


@dataclass(frozen=True, slots=True)
class SupplierFacts:
    """What other domains need to know of a supplier. `lead_time_days` is the stated one."""

    id: UUID
    code: str
    name: str
    currency: str
    status: str
    lead_time_days: int | None


async def create(tx: Tx, body: SupplierCreate) -> Supplier:
    """Create a supplier. Raises `Duplicate`."""
    supplier = Supplier(
        organization_id=tx.organization_id,
        id=uuid7(),
        **body.model_dump(exclude={"currency"}),
        currency=body.currency or await repository.base_currency(tx),
    )
    await insert(tx, supplier, kind="supplier", unique=("code", "external_ref"))
    tx.emit(SupplierCreated(supplier.id, code=supplier.code))
    return supplier


async def get(tx: Tx, key: str) -> Supplier:
    """The supplier behind a path key: a UUID, `code=S-01` or `ref=4711`. Raises `NotFound`."""
    found = await repository.find(tx, **Key.parse(key, natural="code").arguments("code"))
    if found is None:
        raise NotFound(kind="supplier", reference=key)
    return found


async def resolve(tx: Tx, references: Sequence[Reference]) -> dict[Reference, SupplierFacts]:
    """The suppliers that references name, in one statement; unknown ones are absent."""
    names = list(dict.fromkeys(references))
    rows = await repository.named(tx, [n.id for n in names], [n.code for n in names])
    return {
        names[row["place"] - 1]: SupplierFacts(
            id=row["id"],
            code=row["code"],
            name=row["name"],
            currency=row["currency"],
            status=row["status"],
            lead_time_days=row["lead_time_days"],
        )
        for row in rows
    }


async def filter_id(tx: Tx, key: str | None, parameter: str = "supplier") -> UUID | None:
    """The id a filter names, None without one. Raises `Invalid` for the parameter."""
    try:
        return None if key is None else (await get(tx, key)).id
    except NotFound as problem:
        raise unknown_filter(problem, parameter) from problem


async def list_all(tx: Tx, wanted: SupplierFilter) -> PageOf:
    return await repository.list_suppliers(tx, wanted)


async def change(tx: Tx, key: str, body: SupplierPatch, if_match: Versions | None) -> Supplier:
    """Change a supplier. Raises `NotFound`, `VersionMismatch`, `Duplicate`, `OutsideLimits`."""
    supplier = await get(tx, key)
    check_version(supplier.version, if_match, body.version)
    if body.status is not MISSING and body.status != supplier.status:
        # Blocked for one is blocked for all.
        limits.require_unconfined(tx)
    changes = await apply_patch(tx, supplier, body, kind="supplier", unique=("external_ref",))
    if changes:
        tx.emit(SupplierChanged(supplier.id, code=supplier.code, changes=changes))
    return supplier


async def add_shutdown(tx: Tx, key: str, body: ShutdownCreate) -> SupplierShutdown:
    """Add a shut-down; it may overlap others. Raises `NotFound`, `Invalid`."""
    supplier = await get(tx, key)
    if body.ends_on < body.starts_on:
        raise Invalid([ENDS_BEFORE_IT_STARTS.at("/ends_on", ends_on=body.ends_on)])
    shutdown = SupplierShutdown(
        organization_id=tx.organization_id,
        id=uuid7(),
        supplier_id=supplier.id,
        **body.model_dump(),
    )
    await insert(tx, shutdown, kind="shutdown", unique=())
    days = [str(shutdown.starts_on), str(shutdown.ends_on)]
    changes = {"shutdown": {"old": None, "new": days}}
    tx.emit(SupplierChanged(supplier.id, code=supplier.code, changes=changes))
    return shutdown


async def list_shutdowns(tx: Tx, key: str, wanted: ShutdownFilter) -> PageOf:
    """The shut-downs of a supplier, earliest first. Raises `NotFound`."""
    supplier = await get(tx, key)
    return await repository.list_shutdowns(tx, supplier.id, wanted)


async def remove_shutdown(tx: Tx, key: str, shutdown_id: UUID) -> None:
    """Delete a shut-down. Raises `NotFound`."""
    supplier = await get(tx, key)
    removed = await repository.delete_shutdown(tx, supplier.id, shutdown_id)
    if removed is None:
        raise NotFound(kind="shutdown", reference=shutdown_id)
    changes = {"shutdown": {"old": [str(day) for day in removed], "new": None}}
    tx.emit(SupplierChanged(supplier.id, code=supplier.code, changes=changes))


async def list_lead_times(tx: Tx, key: str, wanted: LeadTimeFilter) -> PageOf:
    """(observation, item) rows of a supplier, newest first. Raises `NotFound`."""
    supplier = await get(tx, key)
    item_id = await items.filter_id(tx, wanted.item)
    return await repository.list_lead_times(tx, supplier.id, item_id, wanted)


async def summarize_lead_times(tx: Tx, key: str, wanted: PageParams) -> PageOf:
    """What the observed lead times of each item say, by SKU. Raises `NotFound`."""
    supplier = await get(tx, key)
    return await repository.summarize_lead_times(tx, supplier.id, wanted)
