"""The rules alerts are raised by: one per kind, with defaults that an organization may change."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from pydantic import Field

from scm_api.core.schemas import Percent, QuantityOrZero, Strict

Severity = Literal["low", "medium", "high", "critical"]
StockKind = Literal[
    "stocked_out",
    "potential_stockout",
    "low_stock",
    "overstock",
    "negative_cover_trend",
]
OrderKind = Literal["late_order", "unconfirmed_order"]
Kind = Literal[
    "stocked_out",
    "potential_stockout",
    "low_stock",
    "overstock",
    "negative_cover_trend",
    "late_order",
    "unconfirmed_order",
]
STOCK_KINDS: tuple[StockKind, ...] = (
    "stocked_out",
    "potential_stockout",
    "low_stock",
    "overstock",
    "negative_cover_trend",
)
ORDER_KINDS: tuple[OrderKind, ...] = ("late_order", "unconfirmed_order")
KINDS: tuple[Kind, ...] = (*STOCK_KINDS, *ORDER_KINDS)


class StockedOut(Strict):
    """Nothing is available."""

    only_with_demand: bool = True


class PotentialStockout(Strict):
    """Stock will run out before it can be refilled."""

    default_lead_time_days: int = Field(default=14, ge=1, le=730)
    counts_overdue_supply: bool = False


class LowStock(Strict):
    """Stock asks for an order, or eats into the safety stock."""

    at_reorder_point: bool = True
    below_safety_stock: bool = True


class Overstock(Strict):
    """More is available than planning would ever order up to."""

    surplus_percent: Percent = Decimal(0)
    minimum_value: QuantityOrZero = Decimal(0)
    cover_days: int = Field(default=180, ge=1, le=3650)


class NegativeCoverTrend(Strict):
    """Days of cover fall steadily."""

    compared_days: int = Field(default=28, ge=2, le=180)
    remaining_percent: Percent = Decimal(60)


class LateOrder(Strict):
    """An open quantity of an issued order is overdue."""

    grace_days: int = Field(default=0, ge=0, le=365)


class UnconfirmedOrder(Strict):
    """The supplier has not answered an issued order."""

    after_days: int = Field(default=3, ge=0, le=365)


Thresholds = (
    StockedOut
    | PotentialStockout
    | LowStock
    | Overstock
    | NegativeCoverTrend
    | LateOrder
    | UnconfirmedOrder
)


@dataclass(frozen=True)
class Rule:
    """One kind's rule as it applies in an organization; version 1 is the default, never written."""

    kind: Kind
    severity: Severity
    thresholds: Any
    is_enabled: bool = True
    version: int = 1


DEFAULTS: dict[str, Rule] = {
    rule.kind: rule
    for rule in (
        Rule("stocked_out", "critical", StockedOut()),
        Rule("potential_stockout", "high", PotentialStockout()),
        Rule("low_stock", "medium", LowStock()),
        Rule("overstock", "low", Overstock()),
        Rule("negative_cover_trend", "medium", NegativeCoverTrend()),
        Rule("late_order", "high", LateOrder()),
        Rule("unconfirmed_order", "medium", UnconfirmedOrder()),
    )
}


def stored(
    kind: Kind, severity: Severity, is_enabled: bool, thresholds: dict[str, Any], version: int
) -> Rule:
    """A rule as the database keeps it; thresholds it does not name have their defaults."""
    typed = type(DEFAULTS[kind].thresholds).model_validate(thresholds)
    return Rule(kind, severity, typed, is_enabled, version)
