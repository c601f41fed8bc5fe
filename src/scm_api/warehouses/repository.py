"""All SQL of warehouses and locations."""

from collections.abc import Collection
from uuid import UUID

import asyncpg
from sqlalchemy import func, or_, select

from scm_api.core import pages
from scm_api.core.pages import PageOf, PageParams
from scm_api.core.tx import Tx
from scm_api.warehouses.models import Location, Warehouse
from scm_api.warehouses.schemas import WarehouseFilter


async def find(
    tx: Tx, *, id: UUID | None = None, code: str | None = None, ref: str | None = None
) -> Warehouse | None:
    """The warehouse with this id, code or external reference."""
    statement = select(Warehouse).where(Warehouse.organization_id == tx.organization_id)
    if id is not None:
        statement = statement.where(Warehouse.id == id)
    elif code is not None:
        statement = statement.where(func.lower(Warehouse.code) == func.lower(code))
    else:
        statement = statement.where(Warehouse.external_ref == ref)
    return (await tx.session.execute(statement)).scalar_one_or_none()


async def list_warehouses(tx: Tx, wanted: WarehouseFilter) -> PageOf:
    statement = select(Warehouse).where(Warehouse.organization_id == tx.organization_id)
    if wanted.is_active is not None:
        statement = statement.where(Warehouse.is_active == wanted.is_active)
    if wanted.q:
        part = wanted.q
        statement = statement.where(
            or_(
                Warehouse.code.icontains(part, autoescape=True),
                Warehouse.name.icontains(part, autoescape=True),
                Warehouse.name_zh.icontains(part, autoescape=True),
            )
        )
    return await pages.page(tx, statement, wanted, [(Warehouse.code, False), (Warehouse.id, False)])


async def list_locations(tx: Tx, warehouse_id: UUID, wanted: PageParams) -> PageOf:
    statement = select(Location).where(
        Location.organization_id == tx.organization_id, Location.warehouse_id == warehouse_id
    )
    return await pages.page(tx, statement, wanted, [(Location.code, False), (Location.id, False)])


async def find_location(
    tx: Tx, warehouse_id: UUID, *, id: UUID | None = None, code: str | None = None
) -> Location | None:
    """The location of a warehouse with this id or code."""
    wanted = func.lower(Location.code) == func.lower(code) if id is None else Location.id == id
    statement = select(Location).where(
        Location.organization_id == tx.organization_id,
        Location.warehouse_id == warehouse_id,
        wanted,
    )
    return (await tx.session.execute(statement)).scalar_one_or_none()


async def holds_stock(tx: Tx, location_id: UUID) -> bool:
    """Whether anything lies there now."""
    held: bool = await tx.fetchval(
        """
        select exists (select from stock_balance
                       where organization_id = $1 and location_id = $2 and on_hand <> 0)
        """,
        tx.organization_id,
        location_id,
    )
    return held


async def places(tx: Tx, ids: Collection[UUID], codes: Collection[str]) -> list[asyncpg.Record]:
    """Warehouses by id or lower-case code with their default location, in one statement."""
    return await tx.fetch(
        """
        select w.id, w.code, w.name, lower(w.code) as code_key, w.time_zone, w.is_active,
               w.allows_negative_stock, l.id as default_location_id
        from warehouse w
        left join location l on l.organization_id = w.organization_id and l.warehouse_id = w.id
                            and l.is_default
        where w.organization_id = $1 and (w.id = any($2) or lower(w.code) = any($3))
        """,
        tx.organization_id,
        list(ids),
        list(codes),
    )


async def insert_outside(tx: Tx, rows: list[tuple[UUID, str, str]]) -> None:
    """The locations of the outside world: (id, kind as code, name); existing ones stay."""
    await tx.executemany(
        """
        insert into location (organization_id, id, code, name, kind)
        values ($1, $2, $3, $4, $3) on conflict do nothing
        """,
        [(tx.organization_id, *row) for row in rows],
    )
