"""The demo's organization: who acts in it, at what time, and its master data.

Rule: everything is written by the services, as callers of the API would have it written.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

from scm_api.access import service as access
from scm_api.access.permissions import TEMPLATES
from scm_api.access.service import NewKey
from scm_api.core import outbox
from scm_api.core.runtime import Runtime
from scm_api.core.schemas import ItemReference, Reference
from scm_api.core.tx import Principal, Source, Tx
from scm_api.items import bulk, categories
from scm_api.items import service as items
from scm_api.items.category_schemas import CategoryCreate
from scm_api.items.schemas import ItemBulk
from scm_api.sample import SampleCompany, SampleSupplier, SampleSupplierItem
from scm_api.stock import service as stock
from scm_api.suppliers import service as suppliers
from scm_api.suppliers import sourcing
from scm_api.suppliers.item_schemas import SupplierItemBulk
from scm_api.suppliers.schemas import ShutdownCreate, SupplierCreate
from scm_api.warehouses import service as warehouses
from scm_api.warehouses.schemas import LocationCreate, WarehouseCreate

ORGANIZATION = "demo"
ZONE = ZoneInfo("Europe/London")


@dataclass
class Clock:
    """The time of the demo; a runtime's `clock` while the past is played."""

    now: datetime

    def __call__(self) -> datetime:
        return self.now

    def set(self, day: date, hour: int) -> None:
        """Move to an hour of a day, local time."""
        self.now = at(day, hour)


def at(day: date, hour: int) -> datetime:
    """An hour of a day in the company's time zone."""
    return datetime.combine(day, time(hour), ZONE)


@dataclass
class World:
    """The organization and the ids of its things, in the order of the sample company's tuples."""

    runtime: Runtime
    clock: Clock
    company: SampleCompany
    organization_id: UUID
    buyer: NewKey
    approver: NewKey
    item_ids: list[UUID] = field(default_factory=list)
    warehouse_ids: list[UUID] = field(default_factory=list)
    # bins[item][warehouse] is the location the item lies in.
    bins: list[list[UUID]] = field(default_factory=list)
    outside: dict[str, UUID] = field(default_factory=dict)

    @asynccontextmanager
    async def transaction(self, *, is_approving: bool = False) -> AsyncIterator[Tx]:
        """A transaction at the clock's time, of the buyer, who does everything here but approve, or
        of the approver; committed at a clean end."""
        key, granted = self.buyer, frozenset("*")
        if is_approving:
            key, granted = self.approver, TEMPLATES["approver"].permissions
        principal = Principal(
            "api_key", key.id, key.name, self.organization_id, granted, key_id=key.id
        )
        async with self.runtime.database.transaction(
            principal, now=self.clock(), source=Source("demo")
        ) as tx:
            yield tx
            await outbox.flush(tx)
            await tx.execute("commit")

    def primary_sources(self) -> dict[str, SampleSupplierItem]:
        """The primary source of each item, by SKU."""
        return {s.sku: s for s in self.company.supplier_items if s.priority == 1}


async def create(runtime: Runtime, clock: Clock, company: SampleCompany, first_day: date) -> World:
    """Make the organization with its keys, and its master data, on the morning of its first day.

    Raises `Duplicate` if it exists.
    """
    async with runtime.database.system() as driver:
        organization_id = await access.create_organization(
            driver,
            code=ORGANIZATION,
            name=company.name,
            base_currency=company.currency,
            time_zone=company.time_zone,
        )
        buyer = await access.create_key(driver, organization_id, name="demo buyer")
        approver = await access.create_key(
            driver, organization_id, name="demo approver", permissions=(), roles=("approver",)
        )
    world = World(runtime, clock, company, organization_id, buyer, approver)
    clock.set(first_day, 6)
    async with world.transaction() as tx:
        await _write_warehouses(tx, world)
        await _write_items(tx, world)
        await _write_suppliers(tx, world)
        world.outside = await stock.outside(tx)
    return world


async def _write_warehouses(tx: Tx, world: World) -> None:
    bins: list[dict[str, UUID]] = []
    for sample in world.company.warehouses:
        warehouse = await warehouses.create(
            tx, WarehouseCreate(code=sample.code, name=sample.name, name_zh=sample.name_zh)
        )
        world.warehouse_ids.append(warehouse.id)
        codes = (sample.receiving_location, sample.quarantine_location, *sample.storage_bins)
        made = [
            await warehouses.add_location(
                tx, str(warehouse.id), LocationCreate(code=code, name=code.capitalize())
            )
            for code in codes
        ]
        bins.append({location.code: location.id for location in made})
    world.bins = [[places[item.bin] for places in bins] for item in world.company.items]


async def _write_items(tx: Tx, world: World) -> None:
    names = {item.category: item.category_zh for item in world.company.items}
    codes = {name: f"PRICE-{n}" for n, name in enumerate(sorted(names), 1)}
    for name, code in codes.items():
        await categories.create(tx, CategoryCreate(code=code, name=name, name_zh=names[name]))
    lines = [
        {
            "sku": item.sku,
            "name": item.name,
            "name_zh": item.name_zh,
            "base_unit": "EA",
            "category": {"code": codes[item.category]},
            "barcodes": [{"gtin": item.gtin}],
        }
        for item in world.company.items
    ]
    await bulk.upsert(tx, ItemBulk.model_validate({"items": lines}), "en")
    references = [ItemReference(sku=item.sku) for item in world.company.items]
    facts = await items.resolve(tx, references)
    world.item_ids = [facts[reference].id for reference in references]


async def _write_suppliers(tx: Tx, world: World) -> None:
    for supplier in world.company.suppliers:
        await _write_supplier(tx, supplier)
    terms = [_terms(source) for source in world.company.supplier_items]
    for batch in _batches(terms, 1000):
        await sourcing.put_many(tx, SupplierItemBulk.model_validate({"lines": batch}))


async def _write_supplier(tx: Tx, supplier: SampleSupplier) -> None:
    made = await suppliers.create(
        tx,
        SupplierCreate(
            code=supplier.code,
            name=supplier.name,
            name_zh=supplier.name_zh,
            currency=supplier.currency,
            country=supplier.country_code,
            lead_time_days=supplier.lead_time_days,
        ),
    )
    for closing in supplier.shutdowns:
        await suppliers.add_shutdown(
            tx,
            str(made.id),
            ShutdownCreate(
                starts_on=closing.starts_on, ends_on=closing.ends_on, reason=closing.reason
            ),
        )


def _terms(source: SampleSupplierItem) -> dict[str, object]:
    return {
        "supplier": {"code": source.supplier_code},
        "item": {"sku": source.sku},
        "priority": source.priority,
        "lead_time_days": source.lead_time_days,
        "minimum_quantity": str(source.minimum_order_quantity),
        "order_multiple": str(source.order_multiple),
        "prices": [
            {"minimum_quantity": str(step.minimum_quantity), "unit_price": str(step.unit_price)}
            for step in source.price_breaks
        ],
    }


def _batches(rows: Sequence[dict[str, object]], size: int) -> list[Sequence[dict[str, object]]]:
    return [rows[begin : begin + size] for begin in range(0, len(rows), size)]


def reference(code: str) -> Reference:
    """A reference by code."""
    return Reference(code=code)


def whole(quantity: int) -> Decimal:
    """A count as a quantity."""
    return Decimal(int(quantity))


def days_between(first: date, last: date) -> list[date]:
    """All days from the first to the last, both included."""
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]
