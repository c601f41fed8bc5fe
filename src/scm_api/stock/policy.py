"""The rules of stock, without I/O: where each movement type goes, and how a position is judged."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

HERE = "here"

# Type -> (source, destination). `here` is a place of ours; the others are the outside world.
# The SAP movement types stand beside them for people who think in those.
ENDS: dict[str, tuple[str, str]] = {
    "purchase_receipt": ("supplier", HERE),  # 101
    "return_to_supplier": (HERE, "supplier"),  # 122
    "sales_issue": (HERE, "customer"),  # 601
    "customer_return": ("customer", HERE),  # 651
    "consumption": (HERE, "production"),  # 201
    "production_issue": (HERE, "production"),  # 261
    "production_receipt": ("production", HERE),  # 101/131
    "scrap": (HERE, "loss"),  # 551
    "opening": ("opening", HERE),  # 561
    "count_gain": ("loss", HERE),  # 701
    "count_loss": (HERE, "loss"),  # 702
    "adjustment_in": ("loss", HERE),
    "adjustment_out": (HERE, "loss"),
    "transfer": (HERE, HERE),  # 301/311
    "to_quality": (HERE, HERE),  # 322
    "from_quality": (HERE, HERE),  # 321
    "to_blocked": (HERE, HERE),  # 344
    "from_blocked": (HERE, HERE),  # 343
}
STATUS_CHANGES: dict[str, tuple[str, str]] = {
    "to_quality": ("unrestricted", "quality"),
    "from_quality": ("quality", "unrestricted"),
    "to_blocked": ("unrestricted", "blocked"),
    "from_blocked": ("blocked", "unrestricted"),
}
# What counts as demand: what customers and production took.
DEMAND_TYPES = ("sales_issue", "consumption", "production_issue")

StockStatus = Literal[
    "ok", "stocked_out", "potential_stockout", "below_safety_stock", "reorder", "excess"
]


@dataclass(frozen=True)
class Figures:
    """What a position is judged by; quantities in base units, demand per day."""

    available: Decimal
    on_order: Decimal
    daily_demand: Decimal | None
    safety_stock: Decimal | None
    reorder_point: Decimal | None
    order_up_to: Decimal | None
    days_to_next_arrival: int | None


@dataclass(frozen=True)
class Reason:
    """Why a position has its status, as a stable code with its numbers."""

    code: str
    params: dict[str, Decimal | int]


def days_of_cover(available: Decimal, daily_demand: Decimal | None) -> Decimal | None:
    """Available stock divided by mean daily demand, in days to one decimal; None without demand."""
    if daily_demand is None or daily_demand <= 0:
        return None
    return round(max(available, Decimal(0)) / daily_demand, 1)


def judge(figures: Figures) -> tuple[StockStatus, list[Reason]]:
    """The status of a position and all reasons, worst first.

    stocked_out: nothing available while there is demand. potential_stockout: at mean demand it runs
    out before the next arrival. excess: available beyond the order-up-to level (after Netstock).
    The alert of that name looks further: it projects every arrival and the lead time.
    """
    demand = figures.daily_demand or Decimal(0)
    reasons: list[tuple[StockStatus, Reason]] = []
    if figures.available <= 0 and demand > 0:
        reasons.append(("stocked_out", Reason("no_stock_with_demand", {"daily_demand": demand})))
    cover = days_of_cover(figures.available, figures.daily_demand)
    arrival = figures.days_to_next_arrival
    if figures.available > 0 and cover is not None and arrival is not None and cover < arrival:
        params: dict[str, Decimal | int] = {"days_of_cover": cover, "days_to_next_arrival": arrival}
        reasons.append(("potential_stockout", Reason("runs_out_before_arrival", params)))
    if figures.safety_stock is not None and figures.available < figures.safety_stock:
        params = {"available": figures.available, "safety_stock": figures.safety_stock}
        reasons.append(("below_safety_stock", Reason("below_safety_stock", params)))
    point = figures.reorder_point
    if point is not None and demand > 0 and figures.available + figures.on_order <= point:
        params = {"position": figures.available + figures.on_order, "reorder_point": point}
        reasons.append(("reorder", Reason("at_or_below_reorder_point", params)))
    if figures.order_up_to is not None and figures.available > figures.order_up_to:
        surplus = figures.available - figures.order_up_to
        params = {"surplus": surplus, "order_up_to": figures.order_up_to}
        reasons.append(("excess", Reason("above_order_up_to", params)))
    return (reasons[0][0] if reasons else "ok"), [reason for _, reason in reasons]


def project(
    available: Decimal, daily_demand: Decimal, arrivals: list[Decimal]
) -> tuple[list[Decimal], int | None]:
    """Projected availability at the end of each coming day: yesterday's plus the day's arrivals
    less mean demand, and the index of the first day it would fall below zero."""
    levels, stock_out = [], None
    for day, arriving in enumerate(arrivals):
        available = available + arriving - daily_demand
        if available < 0 and stock_out is None:
            stock_out = day
        levels.append(available)
    return levels, stock_out
