"""How much stock covers the uncertainty of demand until the next order can arrive.

Rule: every figure follows from the mean and standard deviation of demand over the protection
interval (lead time + review), a distribution named in the result, and a service target.
Sources: Silver, Pyke & Thomas, Inventory and Production Management in Supply Chains (SPT);
Snyder & Shen, Fundamentals of Supply Chain Theory.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

import numpy as np
from scipy.special import betainc, gammainc, gammaincc, gammaincinv, ndtr, ndtri

from scm_api.replenishment.demand_profile import Bools, Codes, Floats

LOW_MEAN = 10.0
HIGH_CV = 0.5
_MAX_FACTOR = 30.0
_NEWTON_STEPS = 40
_SAFE_STEPS = 120


class Distribution(IntEnum):
    """Distribution of demand over the protection interval."""

    NORMAL = 0
    GAMMA = 1
    POISSON = 2
    NEGATIVE_BINOMIAL = 3


class ServiceRule(IntEnum):
    """CYCLE: chance of no stock-out in an order cycle (P1). FILL: share of units served (P2)."""

    CYCLE = 0
    FILL = 1


@dataclass(frozen=True)
class ProtectionDemand:
    """Mean and standard deviation [N] of demand over lead time + review, in units."""

    mean: Floats
    sd: Floats


@dataclass(frozen=True)
class SafetyStock:
    """`reorder_point` = protection mean + `safety_stock`; `safety_factor` k = safety stock / sd.

    k is 0 where sd is 0. Distribution holds `Distribution` codes. All arrays are [N].
    """

    safety_factor: Floats
    safety_stock: Floats
    reorder_point: Floats
    distribution: Codes


@dataclass(frozen=True)
class ServiceCurve:
    """What each service level costs: units, money bound, money a year, each [levels, N]."""

    levels: Floats
    safety_stock: Floats
    value: Floats
    annual_holding_cost: Floats


@dataclass(frozen=True)
class Newsvendor:
    """Best stock for one period [N], its expected cost, and the critical ratio p / (p + h)."""

    quantity: Floats
    cost: Floats
    critical_ratio: Floats


def _within_unit(level: Floats, name: str) -> None:
    if not bool(np.all((level > 0.0) & (level < 1.0))):
        raise ValueError(f"{name} must lie between 0 and 1, both excluded")


def z_for_cycle_service(level: Floats) -> Floats:
    """Standard normal quantile z: P(Z <= z) = level. Raises ValueError outside (0, 1)."""
    _within_unit(np.asarray(level), "cycle service level")
    z: Floats = ndtri(level)
    return z


def unit_normal_loss(k: Floats) -> Floats:
    """G(k) = phi(k) - k (1 - Phi(k)): expected units short of a standard normal above k (SPT)."""
    loss: Floats = np.exp(-0.5 * k * k) / np.sqrt(2.0 * np.pi) - k * ndtr(-k)
    return loss


def unit_normal_second_loss(k: Floats) -> Floats:
    """Half the expected square of the shortage above k: ((k² + 1)(1 - Phi(k)) - k phi(k)) / 2."""
    density = np.exp(-0.5 * k * k) / np.sqrt(2.0 * np.pi)
    loss: Floats = 0.5 * ((k * k + 1.0) * ndtr(-k) - k * density)
    return loss


def inverse_unit_normal_loss(loss: Floats) -> Floats:
    """Solve G(k) = loss [N] for k, by Newton's method on ln G (concave: it cannot run away).

    A loss under 1e-20 gives the factor of 1e-20 (about 9.1).
    """
    target = np.maximum(np.asarray(loss, dtype=np.float64), 1e-20)
    k = -target
    for _ in range(_NEWTON_STEPS):
        g = unit_normal_loss(k)
        k = np.minimum(k + g * np.log(g / target) / ndtr(-k), _MAX_FACTOR)
    return k


def safety_factor_for_fill_rate(
    fill_rate: Floats, order_quantity: Floats, sd: Floats, *, lost_sales: bool = False
) -> Floats:
    """Safety factor k for a fill rate P2 with order quantity Q and protection spread sd (SPT).

    Backorders: G(k) = Q (1 - P2) / sd; lost sales: G(k) = Q (1 - P2) / (P2 sd). Where sd is 0 the
    factor is 0. May be negative for large Q: then even no safety stock serves more than asked.
    """
    _within_unit(np.asarray(fill_rate), "fill rate")
    short = order_quantity * (1.0 - fill_rate)
    if lost_sales:
        short = short / fill_rate
    k = inverse_unit_normal_loss(short / np.where(sd > 0, sd, 1.0))
    return np.where(sd > 0, k, 0.0)


def protection_demand(
    daily_mean: Floats,
    daily_sd: Floats,
    lead_time_mean: Floats,
    lead_time_sd: Floats,
    review_days: Floats,
) -> ProtectionDemand:
    """Demand over lead time L + review R (days): d (L + R), sqrt((L + R) var(d) + d² var(L))."""
    interval = lead_time_mean + review_days
    variance = interval * daily_sd**2 + daily_mean**2 * lead_time_sd**2
    return ProtectionDemand(mean=daily_mean * interval, sd=np.sqrt(variance))


def choose_distribution(mean: Floats, sd: Floats, is_count: Bools) -> Codes:
    """Pick the distribution of protection demand by its mean and spread (rules of thumb of SPT).

    Whole-unit demand with a mean under 10: Poisson when sd is within 10 % of sqrt(mean), negative
    binomial above. Otherwise normal up to a coefficient of variation of 0.5, gamma beyond.
    """
    poisson_sd = np.sqrt(np.maximum(mean, 0.0))
    slow = is_count & (mean < LOW_MEAN) & (mean > 0) & (sd >= 0.9 * poisson_sd)
    wild = (sd > HIGH_CV * mean) & (mean > 0)
    code = np.where(wild, Distribution.GAMMA, Distribution.NORMAL)
    counted = np.where(sd > 1.1 * poisson_sd, Distribution.NEGATIVE_BINOMIAL, Distribution.POISSON)
    return np.where(slow, counted, code).astype(np.int8)


def _count_tail(r: Floats, mean: Floats, sd: Floats, poisson: Bools) -> tuple[Floats, Floats]:
    """P(D > r) and E[D; D > r] for Poisson or negative binomial demand at whole r >= 0."""
    variance = np.maximum(sd**2, mean * (1.0 + 1e-9))
    shape = mean**2 / (variance - mean)
    failure = 1.0 - mean / variance
    at = np.maximum(r, 1.0)
    above = np.where(poisson, gammainc(r + 1.0, mean), betainc(r + 1.0, shape, failure))
    moment = np.where(poisson, gammainc(at, mean), betainc(at, shape + 1.0, failure))
    return above, mean * np.where(r > 0, moment, 1.0)


def expected_shortage(r: Floats, mean: Floats, sd: Floats, distribution: Codes) -> Floats:
    """Expected units short E[(D - r)+] at stock r >= 0 (whole r for the count distributions)."""
    out = np.maximum(mean - r, 0.0)
    normal = (distribution == Distribution.NORMAL) & (sd > 0)
    out[normal] = sd[normal] * unit_normal_loss((r[normal] - mean[normal]) / sd[normal])
    gamma = distribution == Distribution.GAMMA
    if gamma.any():
        m, s, x = mean[gamma], sd[gamma], np.maximum(r[gamma], 0.0)
        shape, scaled = (m / s) ** 2, x * m / s**2
        out[gamma] = m * gammaincc(shape + 1.0, scaled) - x * gammaincc(shape, scaled)
    count = distribution >= Distribution.POISSON
    if count.any():
        x, m = r[count], mean[count]
        above, moment = _count_tail(x, m, sd[count], distribution[count] == Distribution.POISSON)
        out[count] = moment - x * above
    return out


def _least_integer(
    measure: Literal["chance", "shortage"],
    limit: Floats,
    high: Floats,
    mean: Floats,
    sd: Floats,
    poisson: Bools,
) -> Floats:
    """Least whole r in [0, high] with P(D > r), or E[(D - r)+], not above `limit` (bisection)."""
    low, top = np.full(mean.shape, -1.0), np.ceil(high)
    steps = int(np.ceil(np.log2(float(top.max(initial=1.0)) + 2.0))) + 1
    for _ in range(steps):
        middle = np.floor((low + top) / 2.0)
        at = np.maximum(middle, 0.0)
        above, moment = _count_tail(at, mean, sd, poisson)
        value = above if measure == "chance" else moment - at * above
        fine = (value <= limit * (1.0 + 1e-12)) & (middle >= 0)
        move = top - low > 1.0
        top = np.where(move & fine, middle, top)
        low = np.where(move & ~fine, middle, low)
    return top


def demand_quantile(mean: Floats, sd: Floats, level: Floats, distribution: Codes) -> Floats:
    """Least stock r that covers demand with probability `level`; whole for count distributions.

    0 where the mean is not positive.
    """
    _within_unit(np.asarray(level), "cycle service level")
    out = mean + ndtri(level) * sd
    gamma = distribution == Distribution.GAMMA
    if gamma.any():
        m, s = mean[gamma], sd[gamma]
        out[gamma] = gammaincinv((m / s) ** 2, level[gamma]) * s**2 / m
    count = (distribution >= Distribution.POISSON) & (mean > 0)
    if count.any():
        m, s, p = mean[count], sd[count], level[count]
        poisson = distribution[count] == Distribution.POISSON
        # Cantelli's inequality bounds the quantile whatever the distribution.
        spread = np.where(poisson, np.sqrt(m), np.maximum(s, np.sqrt(m)))
        high = m + spread * np.sqrt(p / (1.0 - p)) + 1.0
        out[count] = _least_integer("chance", 1.0 - p, high, m, s, poisson)
    return np.where(mean > 0, np.maximum(out, 0.0), 0.0)


def _gamma_fill(mean: Floats, sd: Floats, limit: Floats) -> Floats:
    """Solve E[(D - r)+] = limit for gamma demand; 0 where even no stock is short by less.

    Newton's method on the logarithm, inside a bracket that each step narrows (Scarf's bound closes
    it above). An item that has converged stays, so that it does not depend on its neighbours.
    """
    shape, scale = (mean / sd) ** 2, sd**2 / mean
    low, high = np.zeros_like(mean), mean + sd**2 / (4.0 * limit)
    x, settled = np.minimum(mean, high), limit >= mean
    for _ in range(_SAFE_STEPS):
        tail = gammaincc(shape, x / scale)
        short = np.maximum(mean * gammaincc(shape + 1.0, x / scale) - x * tail, 1e-290)
        low, high = np.where(short > limit, x, low), np.where(short > limit, high, x)
        step = short / np.maximum(tail, 1e-280) * np.log(short / limit)
        inside = (x + step > low) & (x + step < high)
        settled = settled | (np.abs(step) <= 1e-13 * x) | (high - low <= 1e-13 * high)
        if settled.all():
            break
        x = np.where(settled, x, np.where(inside, x + step, (low + high) / 2.0))
    return np.where(limit >= mean, 0.0, x)


def reorder_point_for_fill_rate(
    mean: Floats, sd: Floats, fill_rate: Floats, order_quantity: Floats, distribution: Codes
) -> Floats:
    """Least stock r with E[(D - r)+] <= Q (1 - P2), never under 0; 0 where the mean is not > 0."""
    k = safety_factor_for_fill_rate(fill_rate, order_quantity, sd)
    out = mean + k * sd
    limit = order_quantity * (1.0 - fill_rate)
    gamma = distribution == Distribution.GAMMA
    if gamma.any():
        out[gamma] = _gamma_fill(mean[gamma], sd[gamma], np.maximum(limit[gamma], 1e-20))
    count = (distribution >= Distribution.POISSON) & (mean > 0)
    if count.any():
        m, s, short = mean[count], sd[count], np.maximum(limit[count], 1e-9)
        poisson = distribution[count] == Distribution.POISSON
        # Scarf: E[(D - r)+] <= variance / (4 (r - mean)) bounds the answer.
        variance = np.where(poisson, m, np.maximum(s**2, m))
        high = m + variance / (4.0 * short) + 1.0
        out[count] = _least_integer("shortage", short, high, m, s, poisson)
    return np.where(mean > 0, np.maximum(out, 0.0), 0.0)


def safety_stock(
    demand: ProtectionDemand,
    service_level: Floats,
    rule: Codes,
    order_quantity: Floats,
    is_count: Bools,
) -> SafetyStock:
    """Safety stock and reorder point [N] for a service level under `ServiceRule` codes.

    `order_quantity` (the usual lot) matters for fill rates only. Safety stock is never negative;
    without expected demand both are 0.
    """
    mean, sd = demand.mean, demand.sd
    kind = choose_distribution(mean, sd, is_count)
    fill = np.asarray(rule) == ServiceRule.FILL
    point = np.empty_like(mean)
    for chosen, by_fill in ((~fill, False), (fill, True)):
        m, s, level, code = mean[chosen], sd[chosen], service_level[chosen], kind[chosen]
        if by_fill:
            point[chosen] = reorder_point_for_fill_rate(m, s, level, order_quantity[chosen], code)
        else:
            point[chosen] = demand_quantile(m, s, level, code)
    stock = np.where(mean > 0, np.maximum(point - mean, 0.0), 0.0)
    factor = np.where(sd > 0, stock / np.where(sd > 0, sd, 1.0), 0.0)
    return SafetyStock(
        safety_factor=factor,
        safety_stock=stock,
        reorder_point=np.maximum(mean, 0.0) + stock,
        distribution=kind,
    )


def service_curve(
    demand: ProtectionDemand,
    levels: Floats,
    rule: Codes,
    order_quantity: Floats,
    is_count: Bools,
    *,
    unit_cost: Floats,
    holding_rate: Floats,
) -> ServiceCurve:
    """Safety stock at each service level [K] for N items, in units, money and money a year."""
    rows = [
        safety_stock(
            demand, np.full(demand.mean.shape, level), rule, order_quantity, is_count
        ).safety_stock
        for level in levels
    ]
    units = np.array(rows).reshape(len(levels), demand.mean.size)
    value = units * unit_cost
    return ServiceCurve(np.asarray(levels, dtype=np.float64), units, value, value * holding_rate)


def newsvendor_normal(
    holding_cost: Floats, stockout_cost: Floats, mean: Floats, sd: Floats
) -> Newsvendor:
    """One-period stock for normal demand: S = mean + z sd, cost (h + p) sd phi(z) (Snyder & Shen).

    Costs are money per unit left over (h) and short (p).
    """
    ratio = stockout_cost / (stockout_cost + holding_cost)
    z = z_for_cycle_service(ratio)
    density = np.exp(-0.5 * z * z) / np.sqrt(2.0 * np.pi)
    return Newsvendor(mean + z * sd, (holding_cost + stockout_cost) * sd * density, ratio)


def newsvendor_poisson(holding_cost: Floats, stockout_cost: Floats, mean: Floats) -> Newsvendor:
    """One-period stock for Poisson demand: the least S with P(D <= S) >= p / (p + h)."""
    ratio = stockout_cost / (stockout_cost + holding_cost)
    kind = np.full(mean.shape, Distribution.POISSON, dtype=np.int8)
    quantity = demand_quantile(mean, np.sqrt(mean), ratio, kind)
    short = expected_shortage(quantity, mean, np.sqrt(mean), kind)
    cost = holding_cost * (quantity - mean + short) + stockout_cost * short
    return Newsvendor(quantity, cost, ratio)
