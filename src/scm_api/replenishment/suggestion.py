"""The replenishment decision for many item-locations: whether, when and how much to order.

Rule: the same inputs give the same bits, in any block and any order of the items.
"""

from dataclasses import dataclass, fields

import numpy as np

from scm_api.replenishment.demand_profile import Bools, Codes, Floats, Ints
from scm_api.replenishment.lot_size import RoundedOrder, eoq, round_order
from scm_api.replenishment.safety_stock import (
    ProtectionDemand,
    SafetyStock,
    safety_stock,
)

DAYS_A_YEAR = 365.0
NEVER = -1
TOLERANCE = 1e-9
FAR_DAYS = 36_500


@dataclass(frozen=True)
class SuggestionInputs:
    """What the decision looks at, one entry an item-location; quantities in stock units.

    `receipts[i, j]` is the quantity on order expected j days from today, j = 0 today or overdue;
    `expected_demand[i, j]` the demand forecast of that day, plans included; both [N, D] with one
    D, the horizon. Beyond it demand is `daily_mean` a day. `service_level` is read by
    `service_rule` (`ServiceRule` codes). `order_multiple` is at least the unit's smallest step;
    `minimum_quantity` and `maximum_quantity` (NaN: none) bound one order. `policy_min` replaces the
    reorder point and `policy_max` the order-up-to level (NaN: computed). `order_cost` is money an
    order line, `unit_cost` money a unit, `holding_rate` a year's holding cost as a share of it.
    """

    on_hand: Floats
    reserved: Floats
    receipts: Floats
    expected_demand: Floats
    daily_mean: Floats
    daily_sd: Floats
    is_count: Bools
    lead_time_days: Floats
    lead_time_sd_days: Floats
    review_days: Floats
    service_rule: Codes
    service_level: Floats
    minimum_quantity: Floats
    order_multiple: Floats
    maximum_quantity: Floats
    order_cost: Floats
    unit_cost: Floats
    holding_rate: Floats
    policy_min: Floats
    policy_max: Floats


@dataclass(frozen=True)
class Suggestions:
    """The decision for each item-location; days count from today (0), -1 means never.

    `position` = on hand - reserved + on order within the protection interval. An order is due when
    position <= `reorder_point`; then `raw_need` = `order_up_to` - position. `order_in_days` is
    when the position is expected to meet the reorder point (0: now). `needed_in_days` is the first
    day whose closing stock, with the orders already placed, falls under the safety stock, so a new
    order should be there; `stockout_in_days` the first day that cannot be served in full.
    `no_order_above` is the position above which nothing would be suggested.
    """

    on_order: Floats
    position: Floats
    protection: ProtectionDemand
    lot: Floats
    service: SafetyStock
    reorder_point: Floats
    order_up_to: Floats
    raw_need: Floats
    order: RoundedOrder
    order_in_days: Ints
    needed_in_days: Ints
    stockout_in_days: Ints
    no_order_above: Floats
    value: Floats


def suggest(inputs: SuggestionInputs) -> Suggestions:
    """Decide for N item-locations.

    Protection interval P = lead time + review, at least a day; mean = expected demand of its days
    (the last one in part), sd = sqrt(P sd² + (mean / P)² sd_L²); reorder point s = mean + safety
    stock (`safety_stock.safety_stock`), or `policy_min`. Lot = sqrt(2 K D / (i c)) with
    D = 365 mean / P, at least the demand of a review period and the minimum order; where ordering
    or holding costs nothing, just that least. Order-up-to S = s + lot - review demand, or
    `policy_max`, never under s. So with costly orders it is an (s, S) policy, with cheap ones base
    stock every review. Raises ValueError when shapes or values do not fit.
    """
    _check(inputs)
    interval = protection_days(inputs)
    mean = _sum_of_days(inputs.expected_demand, inputs.daily_mean, interval)
    per_day = mean / interval
    variance = interval * inputs.daily_sd**2 + per_day**2 * inputs.lead_time_sd_days**2
    protection = ProtectionDemand(mean, np.sqrt(variance))
    review_demand = per_day * inputs.review_days
    lot = _lot(inputs, per_day, review_demand)
    service = safety_stock(
        protection, inputs.service_level, inputs.service_rule, lot, inputs.is_count
    )
    point = np.where(np.isnan(inputs.policy_min), service.reorder_point, inputs.policy_min)
    computed = point + np.maximum(lot - review_demand, 0.0)
    order_up_to = np.where(np.isnan(inputs.policy_max), computed, inputs.policy_max)
    order_up_to = np.maximum(order_up_to, point)

    on_order = _on_order(inputs.receipts, interval)
    position = inputs.on_hand - inputs.reserved + on_order
    raw_need = np.where(position <= point + TOLERANCE, order_up_to - position, 0.0)
    raw_need = np.maximum(raw_need, 0.0)
    order = round_order(
        raw_need, inputs.minimum_quantity, inputs.order_multiple, inputs.maximum_quantity
    )

    free = inputs.on_hand - inputs.reserved
    demand = np.cumsum(inputs.expected_demand, axis=1)
    closing = free[:, None] - demand + np.cumsum(inputs.receipts, axis=1)
    falling = position[:, None] - demand
    wait = _first_day(falling, position, inputs.daily_mean, point, at_limit=True)
    safety = service.safety_stock
    return Suggestions(
        on_order=on_order,
        position=position,
        protection=protection,
        lot=lot,
        service=service,
        reorder_point=point,
        order_up_to=order_up_to,
        raw_need=raw_need,
        order=order,
        order_in_days=np.where(order.multiples > 0, 0, wait),
        needed_in_days=_first_day(closing, free, inputs.daily_mean, safety),
        stockout_in_days=_first_day(closing, free, inputs.daily_mean, np.zeros_like(free)),
        no_order_above=point,
        value=order.quantity * inputs.unit_cost,
    )


def _check(inputs: SuggestionInputs) -> None:
    items = inputs.on_hand.size
    for field in fields(inputs):
        value = getattr(inputs, field.name)
        if value.shape[:1] != (items,):
            raise ValueError(f"{field.name} has shape {value.shape}, expected {items} rows")
    if inputs.receipts.shape != inputs.expected_demand.shape or inputs.receipts.ndim != 2:
        raise ValueError("receipts and expected demand must be [items, days] of one horizon")
    for name in _NOT_NEGATIVE:
        if not bool(np.all(getattr(inputs, name) >= 0)):
            raise ValueError(f"{name} must be a number of at least 0")


_NOT_NEGATIVE = (
    "receipts",
    "expected_demand",
    "daily_mean",
    "daily_sd",
    "lead_time_days",
    "lead_time_sd_days",
    "review_days",
    "order_cost",
    "unit_cost",
    "holding_rate",
)


def protection_days(inputs: SuggestionInputs) -> Floats:
    """Days [N] that an order placed today must cover: lead time + review, at least one."""
    return np.maximum(inputs.lead_time_days + inputs.review_days, 1.0)


def _on_order(receipts: Floats, interval: Floats) -> Floats:
    """Receipts of days 0 to `interval`, added in order: a plain loop gets the same bits."""
    horizon = receipts.shape[1]
    if horizon == 0:
        return np.zeros(len(receipts))
    last = np.minimum(np.floor(interval), horizon - 1).astype(np.int64)
    total: Floats = np.cumsum(receipts, axis=1)[np.arange(len(receipts)), last]
    return total


def _sum_of_days(demand: Floats, daily_mean: Floats, interval: Floats) -> Floats:
    """Demand of the first `interval` days: whole days in order, a part of the last, then means."""
    horizon = demand.shape[1]
    sums = np.concatenate([np.zeros((len(demand), 1)), np.cumsum(demand, axis=1)], axis=1)
    row = np.arange(len(demand))
    whole = np.minimum(np.floor(interval), horizon).astype(np.int64)
    partial = np.concatenate([demand, daily_mean[:, None]], axis=1)[row, whole]
    beyond = interval - whole
    total: Floats = sums[row, whole] + np.where(whole < horizon, partial, daily_mean) * beyond
    return total


def _lot(inputs: SuggestionInputs, per_day: Floats, review_demand: Floats) -> Floats:
    """Economic lot, at most a year of demand, at least a review's demand and one minimum order."""
    holding = inputs.unit_cost * inputs.holding_rate
    priced = (holding > 0) & (inputs.order_cost > 0)
    annual = per_day * DAYS_A_YEAR
    economic = eoq(inputs.order_cost, np.where(priced, holding, 1.0), annual).quantity
    economic = np.where(priced, np.minimum(economic, annual), 0.0)
    minimum = np.where(np.isnan(inputs.minimum_quantity), 0.0, inputs.minimum_quantity)
    least = np.maximum(np.maximum(review_demand, minimum), inputs.order_multiple)
    return np.maximum(economic, least)


def _first_day(
    path: Floats, start: Floats, daily_mean: Floats, limit: Floats, *, at_limit: bool = False
) -> Ints:
    """First day whose value of path [N, D] is under `limit` (or at it); then falls daily_mean."""
    horizon = path.shape[1]
    slack = TOLERANCE if at_limit else -TOLERANCE
    under = path <= (limit + slack)[:, None]
    found = under.any(axis=1)
    first = under.argmax(axis=1) if horizon else np.zeros(len(path), dtype=np.int64)
    left = (path[:, -1] if horizon else start) - (limit + slack)
    more = np.full(left.shape, np.inf)
    np.divide(left, daily_mean, out=more, where=daily_mean > 0)
    later = horizon - 1 + np.maximum(np.ceil(more), 1.0)
    later = np.where(later < FAR_DAYS, later, NEVER)
    return np.where(found, first, later).astype(np.int64)
