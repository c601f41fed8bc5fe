"""What services ask about a principal confined to warehouses or item categories, before they act.

The database refuses to change a row outside by itself (migrations/sql/0002_limits.sql). These
checks come first where a number, a state or a message would already tell about the outside.
"""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from uuid import UUID

from scm_api.core.errors import OutsideLimits, Problem
from scm_api.core.tx import Tx


@asynccontextmanager
async def own_part(tx: Tx) -> AsyncIterator[None]:
    """Within a write, see only what a read of the same caller would show.

    So a document of which no part lies inside is not found. What is read again afterwards is whole.
    """
    if not tx.principal.limits.confines:
        yield
        return
    before = await tx.fetchval("select current_setting('app.sees')")
    await _see(tx, "part")
    try:
        yield
    except Problem:
        # Any other error ends the transaction, or the savepoint, which brings the setting back.
        await _see(tx, before)
        raise
    await _see(tx, before)


async def _see(tx: Tx, what: str) -> None:
    await tx.execute("select set_config('app.sees', $1, true)", what)


async def require_inside(
    tx: Tx, *, warehouses: Iterable[UUID | None] = (), items: Iterable[UUID | None] = ()
) -> None:
    """Raise `OutsideLimits` unless all of these are the caller's; None is no place of ours."""
    limits = tx.principal.limits
    if limits.warehouses is not None and set(warehouses) - limits.warehouses - {None}:
        raise OutsideLimits
    if limits.categories is None:
        return
    ids = set(items) - {None}
    if ids and await tx.fetchval(_INSIDE, tx.organization_id, ids, limits.categories) < len(ids):
        raise OutsideLimits


_INSIDE = """
select count(*) from item where organization_id = $1 and id = any($2) and category_id = any($3)
"""


def require_unconfined(tx: Tx) -> None:
    """Raise `OutsideLimits` for whoever works on a part of the organization only: what he is about
    to change is a rule or a fact for all of it."""
    if tx.principal.limits.confines:
        raise OutsideLimits


def require_categories(tx: Tx, categories: Iterable[UUID | None]) -> None:
    """Raise `OutsideLimits` unless all of these categories are the caller's."""
    limits = tx.principal.limits
    if limits.categories is not None and set(categories) - limits.categories:
        raise OutsideLimits
