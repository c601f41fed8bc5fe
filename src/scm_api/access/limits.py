"""Limits of keys and memberships as people name them: warehouses and categories by code or id.

Plain SQL, because the rooms of warehouses and items stand above this one.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol
from uuid import UUID

from pydantic import MISSING

from scm_api.access.errors import AmountLimitExceeded
from scm_api.core.errors import UNKNOWN_REFERENCE, FieldError, Invalid
from scm_api.core.schemas import Link, Reference
from scm_api.core.tx import Limits, Principal, Tx

# A name goes by id or by code; place counts from 0.
_NAMED = """
select n.place - 1 as place, t.id
from unnest($2::uuid[], $3::text[]) with ordinality as n(id, code, place)
join {table} t on t.organization_id = $1 and (t.id = n.id or lower(t.code) = lower(n.code))
"""
_LINKS = """
select 'warehouse' as kind, id, code, name from warehouse
where organization_id = $1 and id = any($2)
union all
select 'category', id, code, name from category where organization_id = $1 and id = any($3)
order by 3
"""


class HasLimits(Protocol):
    """A row with the columns of `models.Limited`."""

    warehouse_ids: list[UUID] | None
    category_ids: list[UUID] | None
    amount_limit: Decimal | None


async def resolve_limits(
    tx: Tx,
    warehouses: Sequence[Reference] | None,
    categories: Sequence[Reference] | None,
    amount_limit: Decimal | None = None,
) -> Limits:
    """The limits that a body's `warehouses`, `categories` and `amount_limit` say; None: all.

    Categories stay as they are named: what lies below them belongs to them. Raises `Invalid`,
    pointing at `/warehouses/0` or `/categories/0`.
    """
    found: list[FieldError] = []
    limits = Limits(
        await _resolve(tx, "warehouse", "/warehouses", warehouses, found),
        await _resolve(tx, "category", "/categories", categories, found),
        amount_limit,
    )
    if found:
        raise Invalid(found)
    return limits


async def _resolve(
    tx: Tx, kind: str, at: str, names: Sequence[Reference] | None, found: list[FieldError]
) -> frozenset[UUID] | None:
    if names is None:
        return None
    rows = await tx.fetch(
        _NAMED.format(table=kind),
        tx.organization_id,
        [name.id for name in names],
        [name.code for name in names],
    )
    ids = {row["place"]: row["id"] for row in rows}
    found += [
        UNKNOWN_REFERENCE.at(f"{at}/{place}", kind=kind, reference=str(name))
        for place, name in enumerate(names)
        if place not in ids
    ]
    return frozenset(ids.values())


def stored(ids: frozenset[UUID] | None) -> list[UUID] | None:
    """Ids as `warehouse_ids` and `category_ids` keep them."""
    return None if ids is None else sorted(ids)


class LimitsPatch(Protocol):
    """A merge patch that may name limits; `MISSING` stays as it is, null lifts."""

    @property
    def warehouses(self) -> Any: ...
    @property
    def categories(self) -> Any: ...
    @property
    def amount_limit(self) -> Any: ...


async def patched_columns(tx: Tx, body: LimitsPatch) -> dict[str, Any]:
    """What a patch of limits writes into the columns of `models.Limited`. Raises `Invalid` as
    `resolve_limits` does."""
    found = await resolve_limits(
        tx,
        None if body.warehouses is MISSING else body.warehouses,
        None if body.categories is MISSING else body.categories,
    )
    columns = {
        "warehouse_ids": (body.warehouses, stored(found.warehouses)),
        "category_ids": (body.categories, stored(found.categories)),
        "amount_limit": (body.amount_limit, body.amount_limit),
    }
    return {name: value for name, (said, value) in columns.items() if said is not MISSING}


def limits_of(row: HasLimits) -> Limits:
    """What a membership's or key's columns say; categories are roots of subtrees."""
    return Limits(
        None if row.warehouse_ids is None else frozenset(row.warehouse_ids),
        None if row.category_ids is None else frozenset(row.category_ids),
        row.amount_limit,
    )


@dataclass(frozen=True)
class Places:
    """Warehouses and categories with their codes and names, to be shown in answers."""

    links: Mapping[UUID, Link]

    def of(self, ids: Iterable[UUID] | None) -> list[Link] | None:
        """The links of ids by code; None stays None: no limit."""
        if ids is None:
            return None
        known = [self.links[one] for one in ids if one in self.links]
        return sorted(known, key=lambda link: link.code)


async def places(
    tx: Tx, rows: Iterable[HasLimits], *, organization_id: UUID | None = None
) -> Places:
    """The places that rows are limited to, in one statement at most; of the caller's organization
    unless another is named."""
    kept = list(rows)
    warehouses = {one for row in kept for one in row.warehouse_ids or ()}
    categories = {one for row in kept for one in row.category_ids or ()}
    if not warehouses and not categories:
        return Places({})
    found = await tx.fetch(
        _LINKS, organization_id or tx.organization_id, list(warehouses), list(categories)
    )
    return Places({row["id"]: Link.model_validate(dict(row)) for row in found})


def check_amount(principal: Principal, amount: Decimal, currency: str) -> None:
    """Raise `AmountLimitExceeded` where a document to decide on is worth more, in base currency,
    rounded to its minor unit, than the caller's limit."""
    limit = principal.limits.amount
    if limit is not None and amount > limit:
        # Limits are kept with more decimals than the amount's currency has.
        shown = limit.quantize(amount)
        shown = shown if shown == limit else limit.normalize()
        raise AmountLimitExceeded(amount=amount, limit=shown, currency=currency)
