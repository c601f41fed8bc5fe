"""Which policy applies to an item in a warehouse: each field from the narrowest scope that sets it.

Rule: item in warehouse > item > category and its parents > warehouse > organization > product.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal, NamedTuple
from uuid import UUID

Scope = Literal["item_warehouse", "item", "category", "warehouse", "organization", "product"]
Method = Literal["rop_eoq", "order_up_to", "min_max"]
ServiceRuleName = Literal["cycle_service", "fill_rate"]

# What the product assumes where nobody said anything. The lead time counts only where neither a
# supplier states one nor receipts taught one.
DEFAULTS: dict[str, Any] = {
    "method": "rop_eoq",
    "service_rule": "cycle_service",
    "service_level": Decimal("0.95"),
    "review_days": 1,
    "lead_time_days": 14,
    "holding_rate": Decimal("0.25"),
    "order_cost": Decimal(50),
    "minimum_stock": None,
    "maximum_stock": None,
}
FIELDS = tuple(DEFAULTS)


@dataclass(frozen=True)
class StoredPolicy:
    """One policy in force: its scope, its keys, and the fields it sets."""

    id: UUID
    scope: Scope
    item_id: UUID | None
    warehouse_id: UUID | None
    category_id: UUID | None
    values: Mapping[str, Any]


class Source(NamedTuple):
    """Where a field's value comes from; `policy_id` is None for the product's default."""

    scope: Scope
    policy_id: UUID | None


@dataclass(frozen=True)
class EffectivePolicy:
    """Every field with a value, and where each comes from."""

    values: Mapping[str, Any]
    sources: Mapping[str, Source]


class PolicyBook:
    """The policies in force on one day, ready to be asked for any number of item-locations."""

    def __init__(
        self, policies: Sequence[StoredPolicy], parents: Mapping[UUID, UUID | None]
    ) -> None:
        self._by_key = {(p.scope, p.item_id, p.warehouse_id, p.category_id): p for p in policies}
        self._with_item = {p.item_id for p in policies if p.item_id is not None}
        self._parents = parents
        self._known: dict[tuple[UUID | None, UUID, UUID | None], EffectivePolicy] = {}

    def effective(
        self, item_id: UUID, warehouse_id: UUID, category_id: UUID | None
    ) -> EffectivePolicy:
        """The policy of one item in one warehouse."""
        # Items without a policy of their own share one answer per category and warehouse.
        own = item_id if item_id in self._with_item else None
        key = (own, warehouse_id, category_id)
        if key not in self._known:
            self._known[key] = _merge(list(self._chain(own, warehouse_id, category_id)))
        return self._known[key]

    def _chain(
        self, item_id: UUID | None, warehouse_id: UUID, category_id: UUID | None
    ) -> Iterator[StoredPolicy]:
        keys: list[tuple[str, UUID | None, UUID | None, UUID | None]] = []
        if item_id is not None:
            keys += [
                ("item_warehouse", item_id, warehouse_id, None),
                ("item", item_id, None, None),
            ]
        seen: set[UUID] = set()
        while category_id is not None and category_id not in seen:
            seen.add(category_id)
            keys.append(("category", None, None, category_id))
            category_id = self._parents.get(category_id)
        keys += [("warehouse", None, warehouse_id, None), ("organization", None, None, None)]
        return (self._by_key[key] for key in keys if key in self._by_key)


def _merge(chain: Sequence[StoredPolicy]) -> EffectivePolicy:
    values: dict[str, Any] = {}
    sources: dict[str, Source] = {}
    for name in FIELDS:
        setter = next((p for p in chain if p.values.get(name) is not None), None)
        values[name] = DEFAULTS[name] if setter is None else setter.values[name]
        sources[name] = (
            Source("product", None) if setter is None else Source(setter.scope, setter.id)
        )
    return EffectivePolicy(values, sources)
