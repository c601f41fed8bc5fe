"""How much to order at a time: economic lots, price breaks, and rounding to what can be bought.

Rule: rounding counts whole order multiples, so the result is exact for multiples like 0.25.
Sources: Snyder & Shen, Fundamentals of Supply Chain Theory, chapter 3 (S&S); Silver, Pyke &
Thomas, Inventory and Production Management in Supply Chains.
"""

from dataclasses import dataclass
from enum import IntFlag

import numpy as np

from scm_api.replenishment.demand_profile import Floats, Ints

ROUNDING_TOLERANCE = 1e-9
"""In multiples: a need above n multiples by less is a rounding error of floats, not n + 1."""


class Rounding(IntFlag):
    """What rounding did to a need; codes add up."""

    NONE = 0
    RAISED_TO_MINIMUM = 1
    RAISED_TO_MULTIPLE = 2
    CUT_TO_MAXIMUM = 4
    MAXIMUM_BELOW_MINIMUM = 8


@dataclass(frozen=True)
class Lot:
    """Order quantity [N] (units) and its cost a unit of time."""

    quantity: Floats
    cost: Floats


@dataclass(frozen=True)
class BackorderLot:
    """Economic lot with planned backorders: quantity, share of time out of stock, cost."""

    quantity: Floats
    stockout_fraction: Floats
    cost: Floats


@dataclass(frozen=True)
class DiscountLot:
    """Best lot under quantity discounts: quantity, index of its price break, cost, price."""

    quantity: Floats
    region: Ints
    cost: Floats


@dataclass(frozen=True)
class RoundedOrder:
    """An order [N] in steps: need, after the minimum, after the multiple, final.

    `quantity` = `multiples` x the order multiple; multiply the whole number by the exact decimal
    multiple to get an exact decimal quantity. `reasons` holds `Rounding` flags.
    """

    need: Floats
    after_minimum: Floats
    after_multiple: Floats
    quantity: Floats
    multiples: Ints
    reasons: Ints


@dataclass(frozen=True)
class PriceBreakChoice:
    """Price break bought [N], the quantity, and the annual cost at each break [N, B].

    Cost is infinite for a break that cannot be used (absent, or above the maximum).
    """

    region: Ints
    order: RoundedOrder
    annual_cost: Floats


def eoq(fixed_cost: Floats, holding_cost: Floats, demand_rate: Floats) -> Lot:
    """Economic order quantity sqrt(2 K d / h), cost sqrt(2 K d h) (Harris 1913; S&S ch. 3).

    `fixed_cost` money an order, `holding_cost` money per unit and unit of time, `demand_rate`
    units per the same unit of time.
    """
    quantity = np.sqrt(2.0 * fixed_cost * demand_rate / holding_cost)
    return Lot(quantity, np.sqrt(2.0 * fixed_cost * demand_rate * holding_cost))


def eoq_backorders(
    fixed_cost: Floats, holding_cost: Floats, stockout_cost: Floats, demand_rate: Floats
) -> BackorderLot:
    """Economic lot, backorders at p per unit and time: sqrt(2 K d (h + p) / (h p)) (S&S ch. 3)."""
    both = holding_cost + stockout_cost
    lot = np.sqrt(2.0 * fixed_cost * demand_rate * both / (holding_cost * stockout_cost))
    cost = np.sqrt(2.0 * fixed_cost * demand_rate * holding_cost * stockout_cost / both)
    return BackorderLot(lot, holding_cost / both, cost)


def epq(
    fixed_cost: Floats, holding_cost: Floats, demand_rate: Floats, production_rate: Floats
) -> Lot:
    """Economic production quantity: EOQ with h (1 - d / production rate) (S&S ch. 3).

    Raises ValueError when production is not faster than demand.
    """
    if not bool(np.all(production_rate > demand_rate)):
        raise ValueError("production must be faster than demand")
    return eoq(fixed_cost, holding_cost * (1.0 - demand_rate / production_rate), demand_rate)


def eoq_all_units_discount(
    fixed_cost: Floats,
    holding_rate: Floats,
    demand_rate: Floats,
    breakpoints: Floats,
    unit_costs: Floats,
) -> DiscountLot:
    """Best lot when a break's price holds for all units (S&S ch. 3).

    `breakpoints` and `unit_costs` [N, B] start at 0 units and rise; NaN where a row has fewer.
    In each region the EOQ at its price, moved into the region, costs
    c d + K d / Q + i c Q / 2 a unit of time; the cheapest wins, the smaller quantity on a tie.
    """
    upper = np.concatenate([breakpoints[:, 1:], np.full((len(breakpoints), 1), np.nan)], axis=1)
    upper = np.where(np.isnan(upper), np.inf, upper)
    holding = holding_rate[:, None] * unit_costs
    fixed, demand = fixed_cost[:, None], demand_rate[:, None]
    ideal = np.sqrt(2.0 * fixed * demand / holding)
    quantity = np.maximum(ideal, breakpoints)
    cost = unit_costs * demand + fixed * demand / quantity + holding * quantity / 2.0
    usable = (ideal < upper) & ~np.isnan(cost)
    return _cheapest(quantity, np.where(usable, cost, np.inf))


def eoq_incremental_discount(
    fixed_cost: Floats,
    holding_rate: Floats,
    demand_rate: Floats,
    breakpoints: Floats,
    unit_costs: Floats,
) -> DiscountLot:
    """Best lot when a break's price holds only for the units beyond it (S&S ch. 3).

    Shapes as in `eoq_all_units_discount`. Buying in region j costs c_j a unit plus the fixed
    surcharge C_j = sum over i < j of c_i (b_{i+1} - b_i), less c_j b_j; so
    Q_j = sqrt(2 (K + C_j) d / (i c_j)).
    """
    steps = np.diff(breakpoints, axis=1) * unit_costs[:, :-1]
    paid = np.concatenate([np.zeros((len(breakpoints), 1)), np.cumsum(steps, axis=1)], axis=1)
    surcharge = paid - unit_costs * breakpoints
    upper = np.concatenate([breakpoints[:, 1:], np.full((len(breakpoints), 1), np.nan)], axis=1)
    upper = np.where(np.isnan(upper), np.inf, upper)
    rate, demand = holding_rate[:, None], demand_rate[:, None]
    fixed = fixed_cost[:, None] + surcharge
    quantity = np.sqrt(2.0 * fixed * demand / (rate * unit_costs))
    cost = (
        unit_costs * demand
        + rate * surcharge / 2.0
        + fixed * demand / quantity
        + rate * unit_costs * quantity / 2.0
    )
    usable = (quantity >= breakpoints) & (quantity < upper)
    return _cheapest(quantity, np.where(usable, cost, np.inf))


def _cheapest(quantity: Floats, cost: Floats) -> DiscountLot:
    region = cost.argmin(axis=1)
    at = (np.arange(len(cost)), region)
    return DiscountLot(quantity[at], region.astype(np.int64), cost[at])


def round_order(need: Floats, minimum: Floats, multiple: Floats, maximum: Floats) -> RoundedOrder:
    """Round needs [N] to what can be bought: minimum, then multiple, then maximum (NaN: none).

    The number of multiples is n = ceil(max(need, minimum) / multiple - 1e-9), at most
    floor(maximum / multiple + 1e-9); the quantity n x multiple. A need of 0 or less orders 0.
    When the maximum lies below the rounded minimum the data contradict each other: the minimum is
    kept, since less cannot be bought, and MAXIMUM_BELOW_MINIMUM asks for a person. Raises
    ValueError unless every multiple is positive; without one pass the unit's smallest step.
    """
    if not bool(np.all(multiple > 0)):
        raise ValueError("an order multiple must be positive")
    wanted = np.maximum(need, 0.0)
    wants = wanted > 0
    floor = np.where(np.isnan(minimum), 0.0, minimum)
    raised = np.where(wants, np.maximum(wanted, floor), 0.0)
    count = np.where(wants, np.maximum(np.ceil(raised / multiple - ROUNDING_TOLERANCE), 1.0), 0.0)
    fewest = np.ceil(floor / multiple - ROUNDING_TOLERANCE)
    room = np.where(np.isnan(maximum), np.inf, maximum)
    most = np.floor(room / multiple + ROUNDING_TOLERANCE)
    clash = wants & (most < np.maximum(fewest, 1.0))
    final = np.where(clash, np.maximum(fewest, 1.0), np.minimum(count, most))
    final = np.where(wants, final, 0.0)
    up = count * multiple - raised > ROUNDING_TOLERANCE * multiple
    reasons = (
        np.where(raised > wanted, int(Rounding.RAISED_TO_MINIMUM), 0)
        | np.where(up, int(Rounding.RAISED_TO_MULTIPLE), 0)
        | np.where(final < count, int(Rounding.CUT_TO_MAXIMUM), 0)
        | np.where(clash, int(Rounding.MAXIMUM_BELOW_MINIMUM), 0)
    )
    return RoundedOrder(
        need=wanted,
        after_minimum=raised,
        after_multiple=count * multiple,
        quantity=final * multiple,
        multiples=final.astype(np.int64),
        reasons=reasons.astype(np.int64),
    )


def choose_price_break(
    need: Floats,
    annual_demand: Floats,
    order_cost: Floats,
    holding_rate: Floats,
    breakpoints: Floats,
    unit_costs: Floats,
    *,
    minimum: Floats,
    multiple: Floats,
    maximum: Floats,
) -> PriceBreakChoice:
    """Choose the price break [N, B] at which a need [N] is cheapest landed over a year.

    Each break offers Q = the rounded larger of need and break quantity, at the price that Q earns
    (all-units). Its annual cost is c D + K D / Q + i c Q / 2, `unit_costs` c landed (price,
    freight, duty) per unit. The cheapest wins, the smaller break on a tie; a break beyond the
    maximum is out. Without demand only the first break that covers the need is used.
    """
    rows, breaks = breakpoints.shape
    known = ~np.isnan(breakpoints)
    offer = np.maximum(need[:, None], np.where(known, breakpoints, 0.0))
    offer = np.where(need[:, None] > 0, offer, 0.0)

    def spread(values: Floats) -> Floats:
        return np.repeat(np.broadcast_to(values, (rows,)), breaks)

    orders = round_order(offer.ravel(), spread(minimum), spread(multiple), spread(maximum))
    quantity = orders.quantity.reshape(rows, breaks)
    reached = known[:, None, :] & (quantity[:, :, None] >= breakpoints[:, None, :] * (1 - 1e-12))
    earned = np.where(reached, np.arange(breaks), 0).max(axis=2)
    price = np.take_along_axis(unit_costs, earned, axis=1)
    usable = known & (quantity >= np.where(known, breakpoints, np.inf) * (1 - 1e-12))
    usable[:, 0] = True
    demand = annual_demand[:, None]
    lots = np.where(quantity > 0, quantity, 1.0)
    cost = (
        price * demand
        + order_cost[:, None] * demand / lots
        + holding_rate[:, None] * price * quantity / 2.0
    )
    cost = np.where(usable & ((demand > 0) | (np.arange(breaks) == 0)), cost, np.inf)
    chosen = cost.argmin(axis=1)
    at = np.arange(rows) * breaks + chosen
    order = RoundedOrder(
        need=np.maximum(need, 0.0),
        after_minimum=orders.after_minimum[at],
        after_multiple=orders.after_multiple[at],
        quantity=orders.quantity[at],
        multiples=orders.multiples[at],
        reasons=orders.reasons[at],
    )
    region = earned[np.arange(rows), chosen]
    return PriceBreakChoice(region.astype(np.int64), order, cost)
