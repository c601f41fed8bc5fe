"""Use cases of replenishment policies: write them by scope, and tell which one applies."""

from datetime import date
from typing import Any
from uuid import UUID

from pydantic_core import to_jsonable_python

from scm_api.core.documents import insert, write
from scm_api.core.errors import UNKNOWN_REFERENCE, FieldError, Invalid
from scm_api.core.ids import uuid7
from scm_api.core.pages import PageOf
from scm_api.core.redaction import SEE_COSTS
from scm_api.core.schemas import ItemLink, Link
from scm_api.core.tx import Tx
from scm_api.items import service as items
from scm_api.replenishment import plan_repository, policy_repository
from scm_api.replenishment.errors import INCOMPLETE_SCOPE, MAXIMUM_BELOW_MINIMUM
from scm_api.replenishment.events import PolicyChanged
from scm_api.replenishment.models import ReplenishmentPolicy
from scm_api.replenishment.policies import FIELDS, PolicyBook, StoredPolicy
from scm_api.replenishment.policy_schemas import (
    EffectiveField,
    EffectivePolicyRead,
    EffectiveQuery,
    PolicyFilter,
    PolicyPut,
)
from scm_api.warehouses import service as warehouses


async def put(tx: Tx, body: PolicyPut) -> tuple[Any, bool]:
    """Write the policy of a scope from a day on, replacing one of that very day; gives the row as
    `policy_repository.shown` does, and whether it is new. A cost stays as it is unless the caller
    sees costs. Raises `Invalid`, `PermissionDenied`."""
    if body.order_cost is not None:
        # Else lots, which balance it with the unit cost, would tell that cost.
        tx.principal.require(SEE_COSTS)
    scope, item_id, warehouse_id, category_id = await _scope(tx, body)
    _check_levels(body)
    on = body.effective_from or await plan_repository.today(tx)
    before = await policy_repository.find(tx, scope, item_id, warehouse_id, category_id, on)
    values = body.model_dump(include=set(FIELDS))
    old = {name: None if before is None else getattr(before, name) for name in FIELDS}
    if not tx.principal.may(SEE_COSTS):
        values["order_cost"] = old["order_cost"]
    changes = {
        name: {"old": old[name], "new": value}
        for name, value in values.items()
        if old[name] != value
    }
    is_new = before is None or before.effective_from != on
    if is_new:
        policy = ReplenishmentPolicy(
            organization_id=tx.organization_id,
            id=uuid7(),
            scope=scope,
            item_id=item_id,
            warehouse_id=warehouse_id,
            category_id=category_id,
            effective_from=on,
            **values,
        )
        await insert(tx, policy, kind="replenishment policy", unique=("scope",))
    else:
        assert before is not None
        policy = before
        if changes:
            await write(tx, policy, values, kind="replenishment policy")
    if changes or is_new:
        tx.emit(
            PolicyChanged(
                policy.id,
                scope=scope,
                item_id=item_id,
                warehouse_id=warehouse_id,
                category_id=category_id,
                effective_from=on,
                changes=to_jsonable_python(changes),
            )
        )
    return await policy_repository.shown(tx, policy.id), is_new


async def list_all(tx: Tx, wanted: PolicyFilter) -> PageOf:
    """By scope, the newest first. Raises `Invalid` for a filter that names nothing."""
    item_id = await items.filter_id(tx, wanted.item)
    warehouse_id = await warehouses.filter_id(tx, wanted.warehouse)
    return await policy_repository.list_policies(tx, wanted, item_id, warehouse_id)


async def book(tx: Tx, on: date) -> PolicyBook:
    """All policies in force on a day. Two statements."""
    rows = await policy_repository.in_force(tx, on)
    policies = [
        StoredPolicy(
            id=row["id"],
            scope=row["scope"],
            item_id=row["item_id"],
            warehouse_id=row["warehouse_id"],
            category_id=row["category_id"],
            values={name: row[name] for name in FIELDS},
        )
        for row in rows
    ]
    return PolicyBook(policies, await policy_repository.category_parents(tx))


async def effective(tx: Tx, wanted: EffectiveQuery) -> EffectivePolicyRead:
    """What applies to one item in one warehouse. Raises `NotFound`."""
    item = await items.get(tx, wanted.item)
    warehouse = await warehouses.get(tx, wanted.warehouse)
    on = wanted.on or await plan_repository.today(tx)
    found = (await book(tx, on)).effective(item.id, warehouse.id, item.category_id)
    return EffectivePolicyRead(
        item=ItemLink.model_validate(item),
        warehouse=Link.model_validate(warehouse),
        on=on,
        fields={
            name: EffectiveField(
                value=to_jsonable_python(found.values[name]),
                inherited_from=found.sources[name].scope,
                policy_id=found.sources[name].policy_id,
            )
            for name in FIELDS
        },
    )


async def _scope(tx: Tx, body: PolicyPut) -> tuple[str, UUID | None, UUID | None, UUID | None]:
    if body.category is not None and (body.item is not None or body.warehouse is not None):
        raise Invalid([INCOMPLETE_SCOPE.at("/category")])
    errors: list[FieldError] = []
    item_id = warehouse_id = category_id = None
    if body.item is not None:
        item = (await items.resolve(tx, [body.item])).get(body.item)
        item_id = None if item is None else item.id
    if body.warehouse is not None:
        place = (await warehouses.resolve(tx, [body.warehouse])).get(body.warehouse)
        warehouse_id = None if place is None else place.id
    if body.category is not None:
        node = await policy_repository.category(tx, body.category.id, body.category.code)
        category_id = None if node is None else node.id
    for kind, reference, found in (
        ("item", body.item, item_id),
        ("warehouse", body.warehouse, warehouse_id),
        ("category", body.category, category_id),
    ):
        if reference is not None and found is None:
            errors.append(UNKNOWN_REFERENCE.at(f"/{kind}", kind=kind, reference=str(reference)))
    if errors:
        raise Invalid(errors)
    named = [
        name
        for name, id in (("item", item_id), ("warehouse", warehouse_id), ("category", category_id))
        if id is not None
    ]
    return "_".join(named) or "organization", item_id, warehouse_id, category_id


def _check_levels(body: PolicyPut) -> None:
    low, high = body.minimum_stock, body.maximum_stock
    if low is not None and high is not None and high < low:
        raise Invalid([MAXIMUM_BELOW_MINIMUM.at("/maximum_stock", minimum=low)])
