"""SQL of suppliers, their shut-downs, and the lists of observed lead times."""

from collections.abc import Collection
from datetime import date
from uuid import UUID

import asyncpg
from sqlalchemy import func, or_, select

from scm_api.core import pages
from scm_api.core.pages import PageOf, PageParams
from scm_api.core.tx import Tx
from scm_api.items.models import Item
from scm_api.suppliers.models import LeadTimeObservation, Supplier, SupplierShutdown
from scm_api.suppliers.policy import Shutdown
from scm_api.suppliers.schemas import LeadTimeFilter, ShutdownFilter, SupplierFilter


async def find(
    tx: Tx, *, id: UUID | None = None, code: str | None = None, ref: str | None = None
) -> Supplier | None:
    """The supplier with this id, code or external reference."""
    statement = select(Supplier).where(Supplier.organization_id == tx.organization_id)
    if id is not None:
        statement = statement.where(Supplier.id == id)
    elif code is not None:
        statement = statement.where(func.lower(Supplier.code) == func.lower(code))
    else:
        statement = statement.where(Supplier.external_ref == ref)
    return (await tx.session.execute(statement)).scalar_one_or_none()


async def list_suppliers(tx: Tx, wanted: SupplierFilter) -> PageOf:
    statement = select(Supplier).where(Supplier.organization_id == tx.organization_id)
    if wanted.status:
        statement = statement.where(Supplier.status.in_(wanted.status))
    if wanted.q:
        part = wanted.q
        statement = statement.where(
            or_(
                Supplier.code.icontains(part, autoescape=True),
                Supplier.name.icontains(part, autoescape=True),
                Supplier.name_zh.icontains(part, autoescape=True),
            )
        )
    return await pages.page(tx, statement, wanted, [(Supplier.code, False), (Supplier.id, False)])


async def named(tx: Tx, ids: list[UUID | None], codes: list[str | None]) -> list[asyncpg.Record]:
    """Suppliers named by id or code, pairwise; `place` counts the pairs from 1. Unknown names have
    no row. One statement for any number."""
    return await tx.fetch(
        """
        with name as (
          select * from unnest($2::uuid[], $3::text[]) with ordinality as n(id, code, place)
        ), found as (
          select n.place, s.id from name n
          join supplier s on s.organization_id = $1 and s.id = n.id
          union all
          select n.place, s.id from name n
          join supplier s on s.organization_id = $1 and lower(s.code) = lower(n.code)
        )
        select f.place, s.id, s.code, s.name, s.currency, s.status, s.lead_time_days
        from found f
        join supplier s on s.organization_id = $1 and s.id = f.id
        """,
        tx.organization_id,
        ids,
        codes,
    )


async def base_currency(tx: Tx) -> str:
    """The currency the organization keeps its books in (ISO 4217)."""
    currency: str = await tx.fetchval(
        "select base_currency from organization where id = $1", tx.organization_id
    )
    return currency


async def today(tx: Tx) -> date:
    """The organization's date now."""
    day: date = await tx.fetchval(
        "select ($2::timestamptz at time zone time_zone)::date from organization where id = $1",
        tx.organization_id,
        tx.now,
    )
    return day


async def list_shutdowns(tx: Tx, supplier_id: UUID, wanted: ShutdownFilter) -> PageOf:
    statement = select(SupplierShutdown).where(
        SupplierShutdown.organization_id == tx.organization_id,
        SupplierShutdown.supplier_id == supplier_id,
    )
    if wanted.ends_on_gte is not None:
        statement = statement.where(SupplierShutdown.ends_on >= wanted.ends_on_gte)
    order = [(SupplierShutdown.starts_on, False), (SupplierShutdown.id, False)]
    return await pages.page(tx, statement, wanted, order)


async def delete_shutdown(tx: Tx, supplier_id: UUID, id: UUID) -> Shutdown | None:
    """Delete a shut-down; gives its days, None if there is none."""
    row = await tx.fetchrow(
        """
        delete from supplier_shutdown
        where organization_id = $1 and supplier_id = $2 and id = $3
        returning starts_on, ends_on
        """,
        tx.organization_id,
        supplier_id,
        id,
    )
    return None if row is None else Shutdown(row["starts_on"], row["ends_on"])


async def shutdowns(
    tx: Tx, supplier_ids: Collection[UUID], ends_from: date
) -> dict[UUID, tuple[Shutdown, ...]]:
    """The shut-downs of suppliers that end on or after a day, by supplier, in order."""
    rows = await tx.fetch(
        """
        select supplier_id, starts_on, ends_on from supplier_shutdown
        where organization_id = $1 and supplier_id = any($2) and ends_on >= $3
        order by supplier_id, starts_on, id
        """,
        tx.organization_id,
        list(supplier_ids),
        ends_from,
    )
    found: dict[UUID, tuple[Shutdown, ...]] = {}
    for supplier_id, starts_on, ends_on in rows:
        found[supplier_id] = (*found.get(supplier_id, ()), Shutdown(starts_on, ends_on))
    return found


async def list_lead_times(
    tx: Tx, supplier_id: UUID, item_id: UUID | None, wanted: LeadTimeFilter
) -> PageOf:
    """(observation, item) rows, newest receipt first."""
    seen = LeadTimeObservation
    statement = (
        select(seen, Item)
        .join(Item, (Item.organization_id == seen.organization_id) & (Item.id == seen.item_id))
        .where(seen.organization_id == tx.organization_id, seen.supplier_id == supplier_id)
    )
    if item_id is not None:
        statement = statement.where(seen.item_id == item_id)
    return await pages.page(tx, statement, wanted, [(seen.received_on, True), (seen.id, True)])


async def summarize_lead_times(tx: Tx, supplier_id: UUID, wanted: PageParams) -> PageOf:
    """(item, count, mean, sd, p50, p90, promised, on time) rows by SKU. Quantiles interpolate
    linearly (type 7)."""
    seen = LeadTimeObservation
    promise = func.coalesce(seen.confirmed_on, seen.requested_on)
    statement = (
        select(
            Item,
            func.count().label("count"),
            func.avg(seen.days).label("mean"),
            func.stddev_samp(seen.days).label("sd"),
            func.percentile_cont(0.5).within_group(seen.days).label("p50"),
            func.percentile_cont(0.9).within_group(seen.days).label("p90"),
            func.count(promise).label("promised"),
            func.count().filter(seen.received_on <= promise).label("on_time"),
        )
        .join(Item, (Item.organization_id == seen.organization_id) & (Item.id == seen.item_id))
        .where(seen.organization_id == tx.organization_id, seen.supplier_id == supplier_id)
        .group_by(Item.organization_id, Item.id)
    )
    return await pages.page(tx, statement, wanted, [(Item.sku, False), (Item.id, False)])
