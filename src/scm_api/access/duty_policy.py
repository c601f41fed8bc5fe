"""Segregation of duties, the pure part: the rules everybody starts with, and who breaks them.

A rule has two sides. One with `written_by` forbids one person both sides of the same document; one
without forbids one person to hold both at all.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from scm_api.access.permissions import EVERYTHING
from scm_api.core.errors import Text

Mode = Literal["off", "warn", "block"]
Scope = Literal["document", "grant"]
Effect = Literal["refused", "reported"]


@dataclass(frozen=True)
class Duty:
    """A rule as it applies in an organization; version 1 is the default, never written.

    `first` and `second` are permissions, any of a side. `written_by` are the events by which the
    first side leaves its mark on a document.
    """

    code: str
    name: Text
    mode: Mode
    first: tuple[str, ...]
    second: tuple[str, ...]
    written_by: tuple[str, ...] = ()
    version: int = 1
    is_built_in: bool = True

    @property
    def scope(self) -> Scope:
        return "document" if self.written_by else "grant"


@dataclass(frozen=True)
class Conflict:
    """A rule whose two sides are held together, and by which permissions."""

    duty: Duty
    first: list[str]
    second: list[str]
    effect: Effect


ORDER_CREATOR_APPROVES = "order_creator_approves"

DEFAULTS: dict[str, Duty] = {
    duty.code: duty
    for duty in (
        Duty(
            ORDER_CREATOR_APPROVES,
            Text("Who wrote an order does not approve it", "编制订单者不得审批该订单"),
            "block",
            ("purchase_orders:write", "replenishment:convert"),
            ("purchase_orders:approve",),
            ("purchase_order.created", "purchase_order.changed", "purchase_order.revised"),
        ),
        Duty(
            "receiver_posts_invoice",
            Text("Who receives goods does not post their invoice", "收货者不得过账发票"),
            "block",
            ("receipts:write",),
            ("invoices:write",),
        ),
        Duty(
            "receiver_approves_orders",
            Text("Who receives goods does not approve orders", "收货者不得审批订单"),
            "warn",
            ("receipts:write",),
            ("purchase_orders:approve",),
        ),
        Duty(
            "supplier_keeper_approves_orders",
            Text("Who keeps suppliers does not approve orders to them", "供应商维护者不得审批订单"),
            "warn",
            ("suppliers:write",),
            ("purchase_orders:approve",),
        ),
        Duty(
            "stock_keeper_closes_periods",
            Text("Who moves stock does not close the books", "库存操作者不得结账"),
            "warn",
            ("stock:post",),
            ("fiscal_periods:close",),
        ),
        Duty(
            "access_keeper_approves_orders",
            Text("Who grants access does not approve orders", "授权管理者不得审批订单"),
            "warn",
            ("users:write", "roles:write", "api_keys:write", "duty_rules:write"),
            ("purchase_orders:approve",),
        ),
    )
}


def conflicts(permissions: frozenset[str], duties: Iterable[Duty]) -> list[Conflict]:
    """The rules that a set of permissions breaks by holding both sides.

    Only a rule about holding refuses a grant, and only with mode block: a rule about documents
    forbids the act, whoever holds what. Who holds everything (`*`) is reported, never refused:
    somebody has to be able to set all this up.
    """
    has_all = EVERYTHING in permissions
    found = []
    for duty in duties:
        first, second = (
            sorted(side if has_all else permissions.intersection(side))
            for side in (duty.first, duty.second)
        )
        if duty.mode == "off" or not first or not second:
            continue
        is_refused = duty.mode == "block" and duty.scope == "grant" and not has_all
        found.append(Conflict(duty, first, second, "refused" if is_refused else "reported"))
    return found
