"""Policies are inherited field by field from the narrowest scope that sets them."""

from typing import Any
from uuid import UUID, uuid4

from scm_api.replenishment.policies import DEFAULTS, PolicyBook, Scope, StoredPolicy

ITEM, PLACE, LEAF, ROOT = uuid4(), uuid4(), uuid4(), uuid4()
TREE: dict[UUID, UUID | None] = {LEAF: ROOT, ROOT: None}


def _policy(scope: Scope, *keys: UUID | None, **values: Any) -> StoredPolicy:
    item_id, warehouse_id, category_id = keys or (None, None, None)
    return StoredPolicy(uuid4(), scope, item_id, warehouse_id, category_id, values)


def test_without_policies_the_product_decides() -> None:
    found = PolicyBook([], TREE).effective(ITEM, PLACE, LEAF)
    assert found.values == DEFAULTS
    assert {source.scope for source in found.sources.values()} == {"product"}


def test_each_field_comes_from_the_narrowest_scope_that_sets_it() -> None:
    policies = [
        _policy("organization", service_rule="fill_rate", service_level=1, review_days=9),
        _policy("warehouse", None, PLACE, None, review_days=8, order_cost=8),
        _policy("category", None, None, ROOT, review_days=7, order_cost=7, holding_rate=7),
        _policy("category", None, None, LEAF, order_cost=6, holding_rate=6),
        _policy("item", ITEM, None, None, holding_rate=5, service_level=5),
        _policy("item_warehouse", ITEM, PLACE, None, minimum_stock=4),
    ]
    book = PolicyBook(policies, TREE)
    found = book.effective(ITEM, PLACE, LEAF)
    expected = {
        "service_rule": "fill_rate",
        "service_level": 5,
        "review_days": 7,
        "order_cost": 6,
        "holding_rate": 5,
        "minimum_stock": 4,
    }
    assert {name: found.values[name] for name in expected} == expected
    assert found.sources["order_cost"].policy_id == policies[3].id
    assert book.effective(uuid4(), uuid4(), None).values["review_days"] == 9


def test_a_tree_that_bites_its_tail_ends() -> None:
    loop: dict[UUID, UUID | None] = {LEAF: ROOT, ROOT: LEAF}
    assert PolicyBook([], loop).effective(ITEM, PLACE, LEAF).values == DEFAULTS
