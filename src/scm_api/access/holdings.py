"""What the row of a membership or key comes to, read anew whenever a credential is looked at."""

from typing import Any
from uuid import UUID

import asyncpg

from scm_api.access.permissions import TEMPLATES, permissions_of
from scm_api.core.tx import UNLIMITED, Limits


async def granted(driver: asyncpg.Connection, row: Any) -> frozenset[str]:
    """What the roles of a membership or key grant. Templates cost no statement."""
    if all(code.lower() in TEMPLATES for code in row["roles"]):
        return permissions_of(row["roles"], {})
    own = await driver.fetch(
        "select lower(code) as code, permissions from role where organization_id = $1",
        row["organization_id"],
    )
    return permissions_of(row["roles"], {role["code"]: role["permissions"] for role in own})


_SUBTREES = """
with recursive inside as (
  select organization_id, id from category where organization_id = $1 and id = any($2)
  union
  select c.organization_id, c.id from category c
  join inside i on i.organization_id = c.organization_id and i.id = c.parent_id
)
select id from inside
"""


async def limits(driver: asyncpg.Connection, row: Any) -> Limits:
    """What a membership or key is limited to, categories with all below them."""
    warehouses, categories = row["warehouse_ids"], row["category_ids"]
    if warehouses is None and categories is None and row["amount_limit"] is None:
        return UNLIMITED
    if categories is not None:
        organization_id = row["organization_id"]
        await driver.execute(
            "select set_config('app.organization_id', $1, true)", str(organization_id)
        )
        found = await driver.fetch(_SUBTREES, organization_id, categories)
        categories = [one["id"] for one in found]
    return Limits(
        None if warehouses is None else frozenset(warehouses),
        None if categories is None else frozenset(categories),
        row["amount_limit"],
    )


def both(first: frozenset[str], second: frozenset[str]) -> frozenset[str]:
    """The permissions that two have in common."""
    if "*" in first:
        return second
    return first if "*" in second else first & second


def narrower(first: Limits, second: Limits) -> Limits:
    """What lies within both."""

    def common(a: frozenset[UUID] | None, b: frozenset[UUID] | None) -> frozenset[UUID] | None:
        return b if a is None else a if b is None else a & b

    amounts = [a for a in (first.amount, second.amount) if a is not None]
    return Limits(
        common(first.warehouses, second.warehouses),
        common(first.categories, second.categories),
        min(amounts, default=None),
    )
