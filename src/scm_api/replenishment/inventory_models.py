"""The published single-item policies: base stock, (r, Q), (s, S) and Wagner-Whitin.

Rule: each function is the textbook's, with its inputs and its answer, so that any of them can be
checked against the book. Source: Snyder & Shen, Fundamentals of Supply Chain Theory (S&S).
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import gammaincc, gammaln, xlogy

from scm_api.replenishment.demand_profile import Floats, Ints
from scm_api.replenishment.lot_size import eoq, eoq_backorders
from scm_api.replenishment.safety_stock import (
    Newsvendor,
    inverse_unit_normal_loss,
    newsvendor_normal,
    newsvendor_poisson,
    unit_normal_loss,
    unit_normal_second_loss,
    z_for_cycle_service,
)

_FIXED_POINT_STEPS = 200
_BISECTION_STEPS = 100


@dataclass(frozen=True)
class ReorderPolicy:
    """(r, Q): at stock position r order Q (units, [N]); `cost` per unit of time by the model."""

    reorder_point: Floats
    quantity: Floats
    cost: Floats


@dataclass(frozen=True)
class OrderUpToPolicy:
    """(s, S): at stock position s or below order up to S (units, [N]); expected cost a period."""

    reorder_point: Floats
    order_up_to: Floats
    cost: Floats


@dataclass(frozen=True)
class LotPlan:
    """Lot plan of N items over T periods: quantities, and from each period the next order's.

    `next_order[i, t]` is the period of the order after one placed in t (T: none); `cost` [N].
    """

    quantity: Floats
    next_order: Ints
    cost: Floats


def base_stock_normal(
    holding_cost: Floats,
    stockout_cost: Floats,
    mean: Floats,
    sd: Floats,
    lead_time: Floats,
    review: Floats,
) -> Newsvendor:
    """Base stock for normal demand (a period) over lead time + review periods (S&S ch. 4)."""
    interval = lead_time + review
    return newsvendor_normal(holding_cost, stockout_cost, mean * interval, sd * np.sqrt(interval))


def rq_cost(
    reorder_point: Floats,
    quantity: Floats,
    holding_cost: Floats,
    stockout_cost: Floats,
    fixed_cost: Floats,
    demand_mean: Floats,
    demand_sd: Floats,
    lead_time: Floats,
) -> Floats:
    """Exact expected cost of (r, Q) with normal demand, backorders at p per unit and time.

    h (r + Q/2 - m) + K d / Q + (h + p) (n2(r) - n2(r + Q)) / Q, with n2 the second-order loss of
    lead-time demand (mean m); Zheng (1992), S&S 5.2.
    """
    mean, sd = demand_mean * lead_time, demand_sd * np.sqrt(lead_time)
    low = sd**2 * unit_normal_second_loss((reorder_point - mean) / sd)
    high = sd**2 * unit_normal_second_loss((reorder_point + quantity - mean) / sd)
    cost: Floats = (
        holding_cost * (reorder_point + quantity / 2.0 - mean)
        + fixed_cost * demand_mean / quantity
        + (holding_cost + stockout_cost) * (low - high) / quantity
    )
    return cost


def rq_eil(
    holding_cost: Floats,
    stockout_cost: Floats,
    fixed_cost: Floats,
    demand_mean: Floats,
    demand_sd: Floats,
    lead_time: Floats,
) -> ReorderPolicy:
    """(r, Q) by the expected-inventory-level approximation (Hadley & Whitin; S&S ch. 5).

    Stock-out cost is money per unit short. Iterates Q = sqrt(2 d (K + p n(r)) / h) and
    F(r) = 1 - Q h / (p d). NaN where even r = minus infinity is not worth its holding cost.
    """
    mean, sd = demand_mean * lead_time, demand_sd * np.sqrt(lead_time)
    quantity = eoq(fixed_cost, holding_cost, demand_mean).quantity
    short = np.zeros_like(quantity)
    point = mean
    for _ in range(_FIXED_POINT_STEPS):
        level = 1.0 - quantity * holding_cost / (stockout_cost * demand_mean)
        z = z_for_cycle_service(np.clip(level, 1e-300, 1.0 - 1e-16))
        point = np.where(level > 0, mean + z * sd, np.nan)
        short = sd * unit_normal_loss(z)
        quantity = np.sqrt(2.0 * demand_mean * (fixed_cost + stockout_cost * short) / holding_cost)
    cost = (
        holding_cost * (point - mean + quantity / 2.0)
        + (fixed_cost + stockout_cost * short) * demand_mean / quantity
    )
    return ReorderPolicy(point, quantity, cost)


def rq_eoq_backorders(
    holding_cost: Floats,
    stockout_cost: Floats,
    fixed_cost: Floats,
    demand_mean: Floats,
    demand_sd: Floats,
    lead_time: Floats,
) -> ReorderPolicy:
    """(r, Q) with Q the EOQ with backorders and the r that is best for it (S&S ch. 5).

    The best r makes the newsvendor cost at r and at r + Q equal: found by bisection.
    """
    quantity = eoq_backorders(fixed_cost, holding_cost, stockout_cost, demand_mean).quantity
    mean, sd = demand_mean * lead_time, demand_sd * np.sqrt(lead_time)
    target = holding_cost * quantity / (holding_cost + stockout_cost)
    low, high = mean - quantity - 40.0 * sd, mean + 40.0 * sd
    for _ in range(_BISECTION_STEPS):
        point = (low + high) / 2.0
        drop = unit_normal_loss((point - mean) / sd)
        drop = sd * (drop - unit_normal_loss((point + quantity - mean) / sd))
        too_low = drop > target
        low, high = np.where(too_low, point, low), np.where(too_low, high, point)
    point = (low + high) / 2.0
    cost = rq_cost(
        point, quantity, holding_cost, stockout_cost, fixed_cost, demand_mean, demand_sd, lead_time
    )
    return ReorderPolicy(point, quantity, cost)


def rq_eoq_safety_stock(
    holding_cost: Floats,
    stockout_cost: Floats,
    fixed_cost: Floats,
    demand_mean: Floats,
    demand_sd: Floats,
    lead_time: Floats,
) -> ReorderPolicy:
    """(r, Q) with Q the EOQ and r the newsvendor's quantile p / (p + h) (S&S ch. 5)."""
    quantity = eoq(fixed_cost, holding_cost, demand_mean).quantity
    z = z_for_cycle_service(stockout_cost / (stockout_cost + holding_cost))
    point = demand_mean * lead_time + z * demand_sd * np.sqrt(lead_time)
    cost = rq_cost(
        point, quantity, holding_cost, stockout_cost, fixed_cost, demand_mean, demand_sd, lead_time
    )
    return ReorderPolicy(point, quantity, cost)


def rq_loss_function(
    holding_cost: Floats,
    stockout_cost: Floats,
    fixed_cost: Floats,
    demand_mean: Floats,
    demand_sd: Floats,
    lead_time: Floats,
) -> ReorderPolicy:
    """(r, Q) ignoring the loss at r + Q (S&S ch. 5).

    Iterates n(r) = h Q / (h + p) and Q = sqrt(2 (K d + (h + p) n2(r)) / h).
    """
    mean, sd = demand_mean * lead_time, demand_sd * np.sqrt(lead_time)
    both = holding_cost + stockout_cost
    quantity = eoq(fixed_cost, holding_cost, demand_mean).quantity
    k = np.zeros_like(quantity)
    for _ in range(_FIXED_POINT_STEPS):
        k = inverse_unit_normal_loss(holding_cost * quantity / (both * sd))
        second = sd**2 * unit_normal_second_loss(k)
        quantity = np.sqrt(2.0 * (fixed_cost * demand_mean + both * second) / holding_cost)
    point = mean + k * sd
    cost = rq_cost(
        point, quantity, holding_cost, stockout_cost, fixed_cost, demand_mean, demand_sd, lead_time
    )
    return ReorderPolicy(point, quantity, cost)


def ss_poisson(
    holding_cost: Floats,
    stockout_cost: Floats,
    fixed_cost: Floats,
    mean: Floats,
    lead_time: Floats,
) -> OrderUpToPolicy:
    """Optimal (s, S) [N] for Poisson demand with `mean` a period and a lead time in periods.

    The algorithm of Zheng & Federgruen (1991); a period's cost is that of demand over
    lead time + 1 periods. Loops over the items: milliseconds each while demand stays under a few
    hundred a period.
    """
    rows = [
        _ss_poisson_one(*(float(value) for value in item))
        for item in zip(holding_cost, stockout_cost, fixed_cost, mean, lead_time, strict=True)
    ]
    table = np.array(rows, dtype=np.float64).reshape(len(rows), 3)
    return OrderUpToPolicy(table[:, 0], table[:, 1], table[:, 2])


def _ss_poisson_one(
    h: float, p: float, fixed: float, mean: float, lead_time: float
) -> tuple[int, int, float]:
    """One item of `ss_poisson`: s, S, cost a period."""
    exposed = mean * (lead_time + 1.0)
    best = int(newsvendor_poisson(np.array([h]), np.array([p]), np.array([exposed])).quantity[0])
    costs: dict[int, float] = {}

    def period_cost(y: int) -> float:
        if y not in costs:
            costs[y] = _poisson_period_cost(h, p, exposed, y)
        return costs[y]

    chance = [float(np.exp(-mean))]
    renewal = [1.0 / (1.0 - chance[0])]
    cycle = [0.0, renewal[0]]

    def cost(low: int, high: int) -> float:
        span = high - low
        while len(renewal) < span:
            j = len(renewal)
            chance.append(float(np.exp(xlogy(j, mean) - mean - gammaln(j + 1.0))))
            past = sum(chance[i] * renewal[j - i] for i in range(1, j + 1))
            renewal.append(past / (1.0 - chance[0]))
            cycle.append(cycle[-1] + renewal[j])
        stock = sum(renewal[j] * period_cost(high - j) for j in range(span))
        return (fixed + stock) / cycle[span]

    low = best - 1
    while cost(low, best) > period_cost(low):
        low -= 1
    high, least = best, cost(low, best)
    trial = best + 1
    while period_cost(trial) <= least:
        if cost(low, trial) < least:
            high = trial
            while cost(low, high) <= period_cost(low + 1):
                low += 1
            least = cost(low, high)
        trial += 1
    return low, high, least


def _poisson_period_cost(h: float, p: float, mean: float, y: int) -> float:
    """h E[(y - D)+] + p E[(D - y)+] for Poisson demand at any whole y."""
    if y <= 0:
        return p * (mean - y)
    at_most = float(gammaincc(y + 1.0, mean))
    below = float(gammaincc(float(y), mean))
    left = y * at_most - mean * below
    return h * left + p * (mean - y + left)


def ss_power_approximation(
    holding_cost: Floats, stockout_cost: Floats, fixed_cost: Floats, mean: Floats, sd: Floats
) -> OrderUpToPolicy:
    """(s, S) by the power approximation of Ehrhardt & Mosier (1984), normal demand (S&S ch. 4).

    S - s = 1.30 m^0.494 (K / h)^0.506 (1 + sd²/m²)^0.116; with z = sqrt((S - s) h / (sd p)),
    s = 0.973 m + sd (0.183 / z + 1.063 - 2.192 z). No cost: NaN.
    """
    lot = 1.30 * mean**0.494 * (fixed_cost / holding_cost) ** 0.506
    lot = lot * (1.0 + sd**2 / mean**2) ** 0.116
    z = np.sqrt(lot * holding_cost / (sd * stockout_cost))
    point = 0.973 * mean + sd * (0.183 / z + 1.063 - 2.192 * z)
    return OrderUpToPolicy(point, point + lot, np.full_like(lot, np.nan))


def wagner_whitin(
    demand: Floats, fixed_cost: Floats, holding_cost: Floats, unit_cost: Floats
) -> LotPlan:
    """Cheapest lot plan for known demand [N, T] (Wagner & Whitin 1958; S&S ch. 3).

    `fixed_cost`, `holding_cost` (a unit left at a period's end) and `unit_cost` broadcast to
    [N, T]. An order in t covers the periods before the next; on a tie the earlier next order wins.
    """
    items, periods = demand.shape
    fixed = np.broadcast_to(fixed_cost, demand.shape)
    holding = np.broadcast_to(holding_cost, demand.shape)
    price = np.broadcast_to(unit_cost, demand.shape)
    total = np.zeros((items, periods + 1))
    following = np.zeros((items, periods), dtype=np.int64)
    for t in range(periods - 1, -1, -1):
        least = np.full(items, np.inf)
        cost, carry = fixed[:, t].astype(np.float64), np.zeros(items)
        for last in range(t, periods):
            cost = cost + (price[:, t] + carry) * demand[:, last]
            carry = carry + holding[:, last]
            whole = cost + total[:, last + 1]
            better = whole < least
            least = np.where(better, whole, least)
            following[better, t] = last + 1
        total[:, t] = least
    quantity = np.zeros((items, periods))
    position = np.zeros(items, dtype=np.int64)
    sums = np.concatenate([np.zeros((items, 1)), np.cumsum(demand, axis=1)], axis=1)
    row = np.arange(items)
    for t in range(periods):
        here = position == t
        after = following[here, t]
        quantity[here, t] = sums[row[here], after] - sums[here, t]
        position[here] = after
    return LotPlan(quantity, following, total[:, 0])
