"""All SQL that reads items. Every function is one statement, whatever the number of items."""

from collections.abc import Collection, Sequence
from uuid import UUID

import asyncpg
from sqlalchemy import func, or_, select

from scm_api.core import pages
from scm_api.core.pages import Conditions, PageOf, sql_page
from scm_api.core.tx import Tx
from scm_api.items import search
from scm_api.items.category_schemas import CategoryFilter
from scm_api.items.models import Category, Item
from scm_api.items.policy import key_of
from scm_api.items.schemas import ItemFilter

# Up to so many hits a search sorts them; beyond, it walks the list.
_FEW = 1000
_COLUMNS = """
i.*, c.code as category_code, c.name as category_name,
       (select coalesce(jsonb_agg(jsonb_build_array(u.unit, u.numerator, u.denominator)
                                  order by u.unit), '[]')
        from item_unit u where u.organization_id = $1 and u.item_id = i.id) as units,
       (select coalesce(jsonb_agg(jsonb_build_array(b.gtin, b.unit) order by b.gtin), '[]')
        from item_barcode b where b.organization_id = $1 and b.item_id = i.id) as barcodes,
       (select coalesce(jsonb_agg(jsonb_build_array(r.system, r.reference)
                                  order by r.system, r.reference), '[]')
        from item_external_reference r
        where r.organization_id = $1 and r.item_id = i.id) as external_references
"""
_SOURCE = "item i left join category c on c.organization_id = $1 and c.id = i.category_id"
_STORED = f"select {_COLUMNS} from {_SOURCE} where i.organization_id = $1"


async def stored(
    tx: Tx, *, ids: Collection[UUID] = (), sku_keys: Collection[str] = ()
) -> list[asyncpg.Record]:
    """Whole items by id or SKU key: their columns, category, units, barcodes and references."""
    if not sku_keys:
        return await tx.fetch(f"{_STORED} and i.id = any($2)", tx.organization_id, list(ids))
    if not ids:
        return await tx.fetch(
            f"{_STORED} and i.sku_key = any($2)", tx.organization_id, list(sku_keys)
        )
    return await tx.fetch(
        f"{_STORED} and (i.id = any($2) or i.sku_key = any($3))",
        tx.organization_id,
        list(ids),
        list(sku_keys),
    )


async def id_of_reference(tx: Tx, system: str, reference: str) -> UUID | None:
    """The item that another system calls so."""
    found: UUID | None = await tx.fetchval(
        """
        select item_id from item_external_reference
        where organization_id = $1 and system = $2 and reference = $3
        """,
        tx.organization_id,
        system,
        reference,
    )
    return found


async def facts(tx: Tx, ids: Collection[UUID], sku_keys: Collection[str]) -> list[asyncpg.Record]:
    """What other rooms need of items: identity, status, tracking and units."""
    return await tx.fetch(
        """
        select i.id, i.sku, i.sku_key, i.name, i.base_unit, i.status, i.is_lot_tracked,
               i.is_serial_tracked, i.is_expiry_tracked,
               array_agg(u.unit) filter (where u.unit is not null) as units,
               array_agg(u.numerator::bigint) filter (where u.unit is not null) as numerators,
               array_agg(u.denominator::bigint) filter (where u.unit is not null) as denominators
        from item i
        left join item_unit u on u.organization_id = i.organization_id and u.item_id = i.id
        where i.organization_id = $1
          and i.id = any(array(select id from item where organization_id = $1 and id = any($2)
                               union all
                               select id from item
                               where organization_id = $1 and sku_key = any($3)))
        group by i.organization_id, i.id
        """,
        tx.organization_id,
        list(ids),
        list(sku_keys),
    )


async def id_of(tx: Tx, *, id: UUID | None, sku: str | None) -> UUID | None:
    """The id of the item with this id or SKU."""
    column, value = ("id", id) if sku is None else ("sku_key", key_of(sku))
    found: UUID | None = await tx.fetchval(
        f"select id from item where organization_id = $1 and {column} = $2",
        tx.organization_id,
        value,
    )
    return found


async def find(tx: Tx, *, id: UUID | None = None, sku: str | None = None) -> Item | None:
    """The row with this id or SKU."""
    wanted = Item.sku_key == key_of(sku) if sku is not None else Item.id == id
    statement = select(Item).where(Item.organization_id == tx.organization_id, wanted)
    return (await tx.session.execute(statement)).scalar_one_or_none()


_IN_CATEGORY = """
i.category_id in (
  with recursive tree as (
    select id from category where organization_id = $1 and id = {}
    union
    select c.id from category c join tree t on c.parent_id = t.id where c.organization_id = $1
  )
  select id from tree)
"""


async def list_items(
    tx: Tx, wanted: ItemFilter, category_id: UUID | None, gtin: str | None
) -> PageOf:
    """A page of whole items by SKU. `category_id` and `gtin` are the filters, already looked up."""
    conditions = Conditions()
    conditions.add("i.organization_id = {}", tx.organization_id)
    if wanted.status:
        conditions.add("i.status = any({}::text[])", list(wanted.status))
    if category_id is not None:
        conditions.add(_IN_CATEGORY, category_id)
    if gtin is not None:
        conditions.add(
            "i.id = (select item_id from item_barcode where organization_id = $1 and gtin = {})",
            gtin,
        )
    if wanted.updated_since is not None:
        conditions.add("i.updated_at >= {}", wanted.updated_since)
    if wanted.q and wanted.q.strip():
        await _match(tx, wanted.q, conditions)
    order = [("i.sku", str), ("i.id", UUID)]
    return await sql_page(tx, _COLUMNS, _SOURCE, conditions, wanted, order)


async def _match(tx: Tx, question: str, conditions: Conditions) -> None:
    """The condition that an item holds every word of a question.

    A rare match is fetched by id. A common one is cheaper to look for along the list itself: a
    page is full long before the end, whereas all matches would have to be fetched and sorted.
    """
    grams, patterns = search.asked(question)
    rows = await tx.fetch("select find_items($1, $2) limit $3", grams, patterns, _FEW + 1)
    if len(rows) <= _FEW:
        conditions.add("i.id = any({}::uuid[])", [row[0] for row in rows])
        return
    # A subquery as a value stays a test of one row; `exists` would become a join.
    conditions.add(
        "(select s.words from item_search s where s.organization_id = $1 and s.item_id = i.id) "
        "like all ({}::text[])",
        patterns,
    )


async def categories(tx: Tx, ids: Collection[UUID], codes: Collection[str]) -> list[asyncpg.Record]:
    """Categories by id or lower-case code."""
    return await tx.fetch(
        """
        select id, code, name, lower(code) as code_key from category
        where organization_id = $1 and (id = any($2) or lower(code) = any($3))
        """,
        tx.organization_id,
        list(ids),
        list(codes),
    )


async def find_category(
    tx: Tx, *, id: UUID | None = None, code: str | None = None
) -> Category | None:
    """The category with this id or code."""
    wanted = Category.id == id if code is None else func.lower(Category.code) == func.lower(code)
    statement = select(Category).where(Category.organization_id == tx.organization_id, wanted)
    return (await tx.session.execute(statement)).scalar_one_or_none()


async def list_categories(tx: Tx, wanted: CategoryFilter, parent_id: UUID | None) -> PageOf:
    """A page of categories by code, of one parent if `parent_id` is given."""
    statement = select(Category).where(Category.organization_id == tx.organization_id)
    if parent_id is not None:
        statement = statement.where(Category.parent_id == parent_id)
    if wanted.q:
        statement = statement.where(
            or_(
                Category.code.icontains(wanted.q, autoescape=True),
                Category.name.icontains(wanted.q, autoescape=True),
                Category.name_zh.icontains(wanted.q, autoescape=True),
            )
        )
    return await pages.page(tx, statement, wanted, [(Category.code, False), (Category.id, False)])


async def ancestors(tx: Tx, category_id: UUID) -> set[UUID]:
    """A category and all above it."""
    rows = await tx.fetch(
        """
        with recursive above as (
          select id, parent_id from category where organization_id = $1 and id = $2
          union
          select c.id, c.parent_id from category c join above a on c.id = a.parent_id
          where c.organization_id = $1
        )
        select id from above
        """,
        tx.organization_id,
        category_id,
    )
    return {row["id"] for row in rows}


async def owners(
    tx: Tx,
    sku_keys: Sequence[str],
    gtins: Sequence[str],
    references: Sequence[tuple[str, str]],
) -> list[asyncpg.Record]:
    """Which items hold these SKU keys, GTINs and (system, reference) pairs: rows of kind, value,
    item_id, sku, category_id."""
    return await tx.fetch(
        """
        select 'sku' as kind, sku_key as value, id as item_id, sku, category_id from item
        where organization_id = $1 and sku_key = any($2)
        union all
        select 'gtin', b.gtin, b.item_id, i.sku, i.category_id
        from item_barcode b join item i on i.organization_id = $1 and i.id = b.item_id
        where b.organization_id = $1 and b.gtin = any($3)
        union all
        select 'reference', r.system || ':' || r.reference, r.item_id, i.sku, i.category_id
        from unnest($4::text[], $5::text[]) as wanted(system, reference)
        join item_external_reference r on r.organization_id = $1
          and r.system = wanted.system and r.reference = wanted.reference
        join item i on i.organization_id = $1 and i.id = r.item_id
        """,
        tx.organization_id,
        list(sku_keys),
        list(gtins),
        [system for system, _ in references],
        [reference for _, reference in references],
    )


async def with_movements(tx: Tx, item_ids: Sequence[UUID]) -> set[UUID]:
    """Those of the items that ever moved. Locks them, so that none moves for the first time while
    its base unit or tracking changes."""
    rows = await tx.fetch(
        """
        with locked as (
          select id from item where organization_id = $1 and id = any($2) order by id for update
        )
        select l.id from locked l
        where exists (select 1 from stock_movement m
                      where m.organization_id = $1 and m.item_id = l.id)
        """,
        tx.organization_id,
        list(item_ids),
    )
    return {row["id"] for row in rows}
