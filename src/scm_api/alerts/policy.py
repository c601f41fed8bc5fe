"""The conditions of alerts about stock: figures of a position in, conditions out, no I/O.

A condition carries the numbers it was judged on; quantities in base units, values in base currency.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from functools import cached_property
from typing import Any
from uuid import UUID

from scm_api.alerts.rules import (
    Kind,
    LowStock,
    NegativeCoverTrend,
    Overstock,
    PotentialStockout,
    Rule,
    StockedOut,
)

ZERO = Decimal(0)


@dataclass(frozen=True)
class Arrival:
    """An open quantity of a source document and the day it is due."""

    due_on: date
    quantity: Decimal
    source_type: str
    source_id: UUID
    source_number: str


@dataclass(frozen=True)
class Trend:
    """Free stock and demand at three instants: now, half of `days` ago, and `days` ago.

    `daily_demand[i]` is the mean of the `days` up to the instant; `was_stocked` says whether there
    was stock before all that, so that the oldest mean is of a whole window.
    """

    days: int
    stock: tuple[Decimal, Decimal, Decimal]
    daily_demand: tuple[Decimal, Decimal, Decimal]
    was_stocked: bool

    def cover(self) -> tuple[Decimal | None, Decimal | None, Decimal | None]:
        """Days of cover at the three instants; None without demand."""
        now, middle, start = (
            None if demand <= 0 else round(max(stock, ZERO) / demand, 1)
            for stock, demand in zip(self.stock, self.daily_demand, strict=True)
        )
        return now, middle, start


@dataclass(frozen=True)
class Figures:
    """What one item-location is judged by. `daily_demand` is the planned mean, else the recent."""

    item_id: UUID
    warehouse_id: UUID
    sku: str
    warehouse: str
    is_active: bool
    today: date
    available: Decimal
    quantity: Decimal
    value: Decimal
    daily_demand: Decimal
    safety_stock: Decimal | None
    reorder_point: Decimal | None
    order_up_to: Decimal | None
    arrivals: Sequence[Arrival]
    trend: Trend
    supplier_id: UUID | None = None
    supplier: str | None = None
    lead_time_days: int | None = None

    @cached_property
    def on_order(self) -> Decimal:
        return sum((arrival.quantity for arrival in self.arrivals), ZERO)

    @cached_property
    def position(self) -> Decimal:
        """Available plus everything ordered."""
        return self.available + self.on_order


@dataclass(frozen=True)
class Condition:
    """Something that holds of a subject and deserves an alert."""

    kind: Kind
    evidence: dict[str, Any]
    item_id: UUID | None = None
    warehouse_id: UUID | None = None
    order_id: UUID | None = None
    order_line_id: UUID | None = None
    supplier_id: UUID | None = None
    actions: list[dict[str, Any]] = field(default_factory=list)

    @property
    def subject(self) -> str:
        """What it is about, as one text: the same condition always has the same."""
        if self.order_id is None:
            return f"{self.item_id}/{self.warehouse_id}"
        return str(self.order_line_id or self.order_id)


def stock_evidence(
    figures: Figures, rules: Mapping[str, Rule]
) -> list[tuple[Kind, dict[str, Any]]]:
    """The kinds of alert that the figures call for, each with its evidence."""
    judges: dict[str, Callable[[Figures, Any], dict[str, Any] | None]] = {
        "stocked_out": stocked_out,
        "potential_stockout": potential_stockout,
        "low_stock": low_stock,
        "overstock": overstock,
        "negative_cover_trend": negative_cover_trend,
    }
    found: list[tuple[Kind, dict[str, Any]]] = []
    for kind, judge in judges.items():
        rule = rules[kind]
        # What is not to be bought any more can still be too much, never too little.
        if rule.is_enabled and (figures.is_active or kind == "overstock"):
            evidence = judge(figures, rule.thresholds)
            if evidence is not None:
                found.append((rule.kind, evidence))
    return found


def stocked_out(figures: Figures, rule: StockedOut) -> dict[str, Any] | None:
    """Nothing available while there is demand (definition after Netstock)."""
    if figures.available > 0 or (rule.only_with_demand and figures.daily_demand <= 0):
        return None
    return {
        "available": figures.available,
        "daily_demand": figures.daily_demand,
        "on_order": figures.on_order,
        "next_arrival_on": _next_due(figures),
    }


def runs_out_in(
    available: Decimal, daily_demand: Decimal, arrivals: Iterable[tuple[int, Decimal]]
) -> int | None:
    """In how many days availability falls below zero: the first day d (0 is today) with
    available + arrivals up to d < (d + 1) x daily demand. None if demand is zero.

    `arrivals` are (day, quantity) in order of day; they count on their day.
    """
    if daily_demand <= 0:
        return None
    for day, quantity in arrivals:
        out = int(max(available, ZERO) // daily_demand)
        if out < day:
            return out
        available += quantity
    return int(max(available, ZERO) // daily_demand)


def potential_stockout(figures: Figures, rule: PotentialStockout) -> dict[str, Any] | None:
    """Available stock and what arrives run out before the next arrival, or before an order placed
    today could arrive. Overdue supply counts only if the rule says so: nobody knows when it comes.
    """
    if figures.available <= 0:
        return None
    coming = [
        (max((arrival.due_on - figures.today).days, 0), arrival.quantity)
        for arrival in figures.arrivals
        if rule.counts_overdue_supply or arrival.due_on >= figures.today
    ]
    out = runs_out_in(figures.available, figures.daily_demand, coming)
    if out is None:
        return None
    lead_time = figures.lead_time_days
    if lead_time is None:
        lead_time = rule.default_lead_time_days
    next_arrival = coming[0][0] if coming else None
    if out > lead_time and (next_arrival is None or out >= next_arrival):
        return None
    overdue = sum((a.quantity for a in figures.arrivals if a.due_on < figures.today), ZERO)
    refilled_in = lead_time if next_arrival is None else min(next_arrival, lead_time)
    lost = max((refilled_in - out) * figures.daily_demand, ZERO)
    return {
        "stockout_on": figures.today + timedelta(days=out),
        "available": figures.available,
        "daily_demand": figures.daily_demand,
        "on_order": figures.on_order,
        "overdue": overdue,
        "next_arrival_on": _next_due(figures),
        "lead_time_days": lead_time,
        "potential_lost_quantity": lost,
    }


def low_stock(figures: Figures, rule: LowStock) -> dict[str, Any] | None:
    """Available and ordered stock at or below the reorder point, or available stock below the
    safety stock. A reorder point of zero asks for nothing where nothing is demanded."""
    point, safety = figures.reorder_point, figures.safety_stock
    at_point = (
        rule.at_reorder_point
        and point is not None
        and figures.position <= point
        and (point > 0 or figures.daily_demand > 0)
    )
    below_safety = rule.below_safety_stock and safety is not None and figures.available < safety
    if not (at_point or below_safety):
        return None
    return {
        "available": figures.available,
        "on_order": figures.on_order,
        "position": figures.position,
        "reorder_point": point,
        "safety_stock": safety,
        "order_up_to": figures.order_up_to,
        "is_at_reorder_point": at_point,
        "is_below_safety_stock": below_safety,
    }


def overstock(figures: Figures, rule: Overstock) -> dict[str, Any] | None:
    """More available than the order-up-to level, or, where nothing is planned, than the rule's days
    of demand. The surplus is valued at the position's average cost."""
    limit = figures.order_up_to
    if limit is None:
        limit = figures.daily_demand * rule.cover_days
        if limit <= 0:
            # Without a plan or any demand this is dead stock, not a surplus over some level.
            return None
    surplus = figures.available - limit
    if surplus <= limit * rule.surplus_percent / 100 or figures.quantity <= 0:
        return None
    value = round(figures.value * min(surplus, figures.quantity) / figures.quantity, 4)
    if value < rule.minimum_value:
        return None
    return {
        "available": figures.available,
        "limit": limit,
        "order_up_to": figures.order_up_to,
        "cover_days": None if figures.order_up_to is not None else rule.cover_days,
        "surplus": surplus,
        "surplus_value": value,
        "on_order": figures.on_order,
        "daily_demand": figures.daily_demand,
    }


def negative_cover_trend(figures: Figures, rule: NegativeCoverTrend) -> dict[str, Any] | None:
    """Days of cover fell through both halves of the compared time, to less than the rule's share of
    what they were and below what the reorder point protects (reorder point / daily demand)."""
    point = figures.reorder_point
    now, middle, start = figures.trend.cover()
    if now is None or middle is None or start is None or not figures.trend.was_stocked:
        return None
    if point is None or figures.daily_demand <= 0:
        return None
    protection = round(point / figures.daily_demand, 1)
    has_fallen = now < middle < start and now * 100 < start * rule.remaining_percent
    if not has_fallen or now >= protection:
        return None
    return {
        "cover_days": now,
        "cover_days_halfway": middle,
        "cover_days_before": start,
        "compared_days": figures.trend.days,
        "protection_days": protection,
        "available": figures.available,
        "daily_demand": figures.trend.daily_demand[0],
        "daily_demand_before": figures.trend.daily_demand[2],
    }


def _next_due(figures: Figures) -> date | None:
    coming = (a.due_on for a in figures.arrivals if a.due_on >= figures.today)
    return min(coming, default=None)
