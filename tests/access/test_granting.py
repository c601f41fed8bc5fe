"""Nobody grants more than he has: the pure rule."""

from decimal import Decimal
from uuid import uuid4

import pytest

from scm_api.access.errors import PermissionEscalation
from scm_api.access.granting import check_grant, escalation
from scm_api.core.tx import UNLIMITED, Limits, Principal

A, B = uuid4(), uuid4()


def granter(*permissions: str, limits: Limits = UNLIMITED) -> Principal:
    return Principal("api_key", uuid4(), "granter", uuid4(), frozenset(permissions), limits)


def test_what_one_has_oneself_can_be_granted() -> None:
    own = granter("items:read", "stock:read")
    assert escalation(own, frozenset({"items:read"}), UNLIMITED) == []
    check_grant(own, frozenset({"items:read", "stock:read"}), UNLIMITED)


def test_everything_beyond_is_named() -> None:
    own = granter("items:read")
    wanted = frozenset({"stock:read", "items:read", "audit:read"})
    assert escalation(own, wanted, UNLIMITED) == ["audit:read", "stock:read"]
    with pytest.raises(PermissionEscalation) as refused:
        check_grant(own, wanted, UNLIMITED)
    assert refused.value.params == {"exceeds": ["audit:read", "stock:read"]}


def test_everything_is_granted_only_by_who_has_everything() -> None:
    assert escalation(granter("items:read", "users:write"), frozenset("*"), UNLIMITED) == ["*"]
    assert escalation(granter("*"), frozenset({"*", "items:read"}), UNLIMITED) == []


@pytest.mark.parametrize(
    ("own", "granted", "exceeds"),
    [
        (Limits(warehouses=frozenset({A})), Limits(warehouses=frozenset({A})), []),
        (Limits(warehouses=frozenset({A})), Limits(warehouses=frozenset()), []),
        (Limits(warehouses=frozenset({A})), Limits(warehouses=frozenset({A, B})), ["warehouses"]),
        (Limits(warehouses=frozenset({A})), UNLIMITED, ["warehouses"]),
        (Limits(warehouses=frozenset()), Limits(warehouses=frozenset({A})), ["warehouses"]),
        (UNLIMITED, Limits(warehouses=frozenset({A})), []),
        (Limits(categories=frozenset({A, B})), Limits(categories=frozenset({B})), []),
        (Limits(categories=frozenset({A})), Limits(categories=frozenset({B})), ["categories"]),
        (Limits(amount=Decimal(100)), Limits(amount=Decimal(100)), []),
        (Limits(amount=Decimal(100)), Limits(amount=Decimal("100.01")), ["amount_limit"]),
        (Limits(amount=Decimal(100)), UNLIMITED, ["amount_limit"]),
        (
            Limits(frozenset({A}), frozenset({A}), Decimal(0)),
            UNLIMITED,
            ["warehouses", "categories", "amount_limit"],
        ),
    ],
)
def test_limits_can_only_get_narrower(own: Limits, granted: Limits, exceeds: list[str]) -> None:
    # Permissions do not matter here: even who may everything cannot leave his own limits.
    assert escalation(granter("*", limits=own), frozenset({"items:read"}), granted) == exceeds
