"""Use cases of the category tree. No category may stand below itself."""

from uuid import UUID

from pydantic import MISSING
from pydantic_core import to_jsonable_python

from scm_api.core.documents import Key, insert, write
from scm_api.core.errors import UNKNOWN_REFERENCE, Invalid, NotFound, Rule, Text, unknown_filter
from scm_api.core.http import Versions, check_version
from scm_api.core.ids import uuid7
from scm_api.core.pages import PageOf
from scm_api.core.schemas import Link, Reference
from scm_api.core.tx import Tx
from scm_api.items import repository, saving, writes
from scm_api.items.category_schemas import (
    CategoryCreate,
    CategoryFilter,
    CategoryPatch,
    CategoryRead,
)
from scm_api.items.events import CategoryChanged, CategoryCreated
from scm_api.items.models import Category

CATEGORY_CYCLE = Rule(
    "category_cycle",
    Text("{parent} is {code} itself or stands below it.", "{parent} 是 {code} 本身或其下级分类。"),
)


async def get(tx: Tx, key: str) -> Category:
    """The category behind a path key: a UUID or `code=CAT-1`. Raises `NotFound`."""
    parsed = Key.parse(key, natural="code")
    found = None
    if parsed.ref is None:
        found = await repository.find_category(tx, id=parsed.id, code=parsed.natural)
    if found is None:
        raise NotFound(kind="category", reference=key)
    return found


async def read(tx: Tx, key: str) -> CategoryRead:
    """The category behind a path key with its parent. Raises `NotFound`."""
    return (await _reads(tx, [await get(tx, key)]))[0]


async def filter_id(tx: Tx, key: str | None, parameter: str = "category") -> UUID | None:
    """The id a filter names, None without one. Raises `Invalid` for the parameter."""
    try:
        return None if key is None else (await get(tx, key)).id
    except NotFound as problem:
        raise unknown_filter(problem, parameter) from problem


async def list_all(tx: Tx, wanted: CategoryFilter) -> tuple[PageOf, list[CategoryRead]]:
    """One page of categories by code. Raises `Invalid` for an unknown parent."""
    parent_id = await filter_id(tx, wanted.parent, "parent")
    page = await repository.list_categories(tx, wanted, parent_id)
    return page, await _reads(tx, [row[0] for row in page.rows])


async def create(tx: Tx, body: CategoryCreate) -> CategoryRead:
    """Create a category. Raises `Duplicate`, `Invalid`."""
    await writes.lock(tx)
    category = Category(
        organization_id=tx.organization_id,
        id=uuid7(),
        code=body.code,
        name=body.name,
        name_zh=body.name_zh,
        parent_id=await _parent_id(tx, body.parent),
        created_at=tx.now,
        updated_at=tx.now,
    )
    await insert(tx, category, kind="category", unique=("code",))
    tx.emit(CategoryCreated(category.id, code=category.code))
    return (await _reads(tx, [category]))[0]


async def change(tx: Tx, key: str, body: CategoryPatch, if_match: Versions | None) -> CategoryRead:
    """Rename or move a category. Raises `NotFound`, `VersionMismatch`, `Invalid`."""
    await writes.lock(tx)
    category = await get(tx, key)
    check_version(category.version, if_match, body.version)
    values = body.model_dump(exclude={"version", "parent"}, exclude_unset=True)
    if body.parent is not MISSING:
        values["parent_id"] = await _new_parent(tx, category, body.parent)
    changes = {
        name: {"old": getattr(category, name), "new": value}
        for name, value in values.items()
        if getattr(category, name) != value
    }
    if changes:
        await write(tx, category, {n: c["new"] for n, c in changes.items()}, kind="category")
        tx.emit(
            CategoryChanged(category.id, code=category.code, changes=to_jsonable_python(changes))
        )
    return (await _reads(tx, [category]))[0]


async def _parent_id(tx: Tx, parent: Reference | None) -> UUID | None:
    if parent is None:
        return None
    found = (await saving.find_categories(tx, [parent])).get(parent)
    if found is None:
        raise Invalid([UNKNOWN_REFERENCE.at("/parent", kind="category", reference=str(parent))])
    return found


async def _new_parent(tx: Tx, category: Category, parent: Reference | None) -> UUID | None:
    parent_id = await _parent_id(tx, parent)
    if parent_id is not None and category.id in await repository.ancestors(tx, parent_id):
        raise Invalid([CATEGORY_CYCLE.at("/parent", parent=str(parent), code=category.code)])
    return parent_id


async def _reads(tx: Tx, rows: list[Category]) -> list[CategoryRead]:
    parents = {row.parent_id for row in rows if row.parent_id is not None}
    found = await repository.categories(tx, parents, ()) if parents else []
    links = {row["id"]: Link(id=row["id"], code=row["code"], name=row["name"]) for row in found}
    return [
        CategoryRead(
            id=row.id,
            code=row.code,
            name=row.name,
            name_zh=row.name_zh,
            parent=links.get(row.parent_id) if row.parent_id else None,
            version=row.version,
            created_at=row.created_at,
            updated_at=row.updated_at,
        )
        for row in rows
    ]
