"""Why a suggestion is what it is, as data.

Rule: whoever has the block and a calculator gets the same quantity; nothing is left out.
"""

import math
from dataclasses import fields
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, NamedTuple, Self

import numpy as np

from scm_api.replenishment.lot_size import Rounding
from scm_api.replenishment.safety_stock import Distribution, ServiceRule
from scm_api.replenishment.suggestion import (
    NEVER,
    TOLERANCE,
    SuggestionInputs,
    Suggestions,
    protection_days,
)


def _text(value: float) -> str | None:
    """Decimal string that reads back as the same float; None for NaN."""
    return None if math.isnan(value) else format(Decimal(repr(float(value))), "f")


def _date(today: date, days: int) -> str | None:
    return None if days == NEVER else (today + timedelta(days=days)).isoformat()


_RULE_NAMES = {ServiceRule.CYCLE: "cycle_service", ServiceRule.FILL: "fill_rate"}
_SERVICE_FORMULA = {
    (ServiceRule.CYCLE, Distribution.NORMAL): "k = quantile of the standard normal at the level",
    (ServiceRule.FILL, Distribution.NORMAL): (
        "k solves phi(k) - k (1 - Phi(k)) = lot (1 - level) / protection_sd, at least 0"
    ),
}


def _service_formula(rule: ServiceRule, kind: Distribution) -> str:
    if (rule, kind) in _SERVICE_FORMULA:
        return _SERVICE_FORMULA[rule, kind]
    shape = {
        Distribution.GAMMA: "gamma(shape = mean² / sd², scale = sd² / mean)",
        Distribution.POISSON: "Poisson(mean)",
        Distribution.NEGATIVE_BINOMIAL: "negative binomial(n = mean² / (sd² - mean), p = mean/sd²)",
    }[kind]
    if rule is ServiceRule.CYCLE:
        return f"k = (least r with P(D <= r) >= level - mean) / sd, at least 0; D ~ {shape}"
    return f"k = (least r with E[(D - r)+] <= lot (1 - level) - mean) / sd, at least 0; D ~ {shape}"


class _Telling(NamedTuple):
    """Which figures, the lot apart, tell whoever solves for it the lot, and so the unit cost: its
    formula's other terms are in sight.

    The quantity itself stays visible, as nobody could order without it: rounded to whole order
    multiples, it bounds the unit cost and does not tell it. The coarser the multiple, the less.
    """

    safety_stock: bool
    reorder_point: bool
    order_up_to: bool

    @classmethod
    def of(cls, inputs: SuggestionInputs, i: int) -> Self:
        is_filled = bool(inputs.service_rule[i] == ServiceRule.FILL)
        has_point = not math.isnan(inputs.policy_min[i])
        of_point = is_filled and not has_point
        return cls(is_filled, of_point, of_point or math.isnan(inputs.policy_max[i]))


def explain(inputs: SuggestionInputs, result: Suggestions, i: int, today: date) -> dict[str, Any]:
    """Everything from which suggestion i can be computed again, ready for JSON.

    Numbers are decimal strings that read back as the very floats used (None: not given); counts
    and days are integers; dates ISO. `steps` are in order, each with its formula over names of
    `inputs` and of earlier steps.
    """
    interval = protection_days(inputs)[i]
    days = min(math.ceil(interval), inputs.expected_demand.shape[1])
    given: dict[str, Any] = {
        field.name: _text(getattr(inputs, field.name)[i])
        for field in fields(inputs)
        if field.name not in ("receipts", "expected_demand", "is_count", "service_rule")
    }
    rule = ServiceRule(int(inputs.service_rule[i]))
    given |= {
        "service_rule": _RULE_NAMES[rule],
        "is_count": bool(inputs.is_count[i]),
        "receipts": [
            {"in_days": int(j), "quantity": _text(inputs.receipts[i, j])}
            for j in np.flatnonzero(inputs.receipts[i])
        ],
        "expected_demand": [_text(value) for value in inputs.expected_demand[i, :days]],
        "horizon_days": inputs.expected_demand.shape[1],
    }
    kind = Distribution(int(result.service.distribution[i]))
    ordered = int(result.order.multiples[i])
    tells = _Telling.of(inputs, i)
    position, flip = float(result.position[i]), float(result.no_order_above[i])
    return {
        "as_of": today.isoformat(),
        "decision": "order" if ordered else "wait",
        "quantity": _exact_quantity(inputs, result, i),
        "order_multiples": ordered,
        "value": _text(result.value[i]),
        "inputs": given,
        "service": {
            "distribution": kind.name.lower(),
            "formula": _service_formula(rule, kind),
            "safety_factor": _text(result.service.safety_factor[i]),
            "is_cost_derived": tells.safety_stock,
        },
        "steps": _steps(inputs, result, i, float(interval), tells),
        "rounding": _rounding_steps(inputs, result, i, tells),
        "order_on": _date(today, int(result.order_in_days[i])),
        "needed_on": _date(today, int(result.needed_in_days[i])),
        "stockout_on": _date(today, int(result.stockout_in_days[i])),
        "arrives_on": _date(today, math.ceil(inputs.lead_time_days[i])) if ordered else None,
        "flip": {
            "no_order_above_position": _text(flip),
            "position": _text(position),
            "units_away": _text(flip - position),
            "meaning": "an order is suggested while position <= this number, none above it",
            "is_cost_derived": tells.reorder_point,
        },
    }


def _exact_quantity(inputs: SuggestionInputs, result: Suggestions, i: int) -> str:
    multiple = Decimal(repr(float(inputs.order_multiple[i])))
    return format(int(result.order.multiples[i]) * multiple, "f")


def _steps(
    inputs: SuggestionInputs, result: Suggestions, i: int, interval: float, tells: _Telling
) -> list[dict[str, Any]]:
    """Name, formula and value of each step before rounding, in order."""
    mean = float(result.protection.mean[i])
    rows: list[tuple[str, str, float, bool]] = [
        ("protection_days", "max(lead_time_days + review_days, 1)", interval, False),
        (
            "protection_mean",
            "sum of expected_demand over protection_days, the last day in part, "
            "daily_mean a day beyond horizon_days",
            mean,
            False,
        ),
        (
            "protection_sd",
            "sqrt(protection_days * daily_sd² + (protection_mean / protection_days)² "
            "* lead_time_sd_days²)",
            result.protection.sd[i],
            False,
        ),
        (
            "lot",
            "max(min(sqrt(2 * order_cost * D / (unit_cost * holding_rate)), D), "
            "review_days * D / 365, minimum_quantity, order_multiple), "
            "D = 365 * protection_mean / protection_days; first term 0 if a cost is 0",
            result.lot[i],
            True,
        ),
        (
            "safety_stock",
            "safety_factor * protection_sd",
            result.service.safety_stock[i],
            tells.safety_stock,
        ),
        (
            "reorder_point",
            "policy_min if given else protection_mean + safety_stock",
            result.reorder_point[i],
            tells.reorder_point,
        ),
        (
            "order_up_to",
            "policy_max if given else reorder_point + max(lot - review_days * protection_mean "
            "/ protection_days, 0); at least reorder_point",
            result.order_up_to[i],
            tells.order_up_to,
        ),
        ("on_order", "sum of receipts with in_days <= protection_days", result.on_order[i], False),
        ("position", "on_hand - reserved + on_order", result.position[i], False),
        (
            "raw_need",
            f"order_up_to - position if position <= reorder_point + {TOLERANCE:.0e} else 0",
            result.raw_need[i],
            tells.order_up_to,
        ),
    ]
    return [
        {"name": n, "formula": f, "value": _text(float(v)), "is_cost_derived": t}
        for n, f, v, t in rows
    ]


def _rounding_steps(
    inputs: SuggestionInputs, result: Suggestions, i: int, tells: _Telling
) -> list[dict[str, Any]]:
    """Each rounding step with its rule, bound, result, and whether it changed the quantity."""
    order, reasons = result.order, Rounding(int(result.order.reasons[i]))
    rows = [
        (
            "minimum",
            "max(raw_need, minimum_quantity)",
            inputs.minimum_quantity[i],
            _text(order.after_minimum[i]),
            Rounding.RAISED_TO_MINIMUM in reasons,
            tells.order_up_to,
        ),
        (
            "multiple",
            "n = ceil(quantity / order_multiple - 1e-9), quantity = n * order_multiple",
            inputs.order_multiple[i],
            _text(order.after_multiple[i]),
            Rounding.RAISED_TO_MULTIPLE in reasons,
            False,
        ),
        (
            "maximum",
            "n <= floor(maximum_quantity / order_multiple + 1e-9), quantity = n * order_multiple",
            inputs.maximum_quantity[i],
            _exact_quantity(inputs, result, i),
            Rounding.CUT_TO_MAXIMUM in reasons,
            False,
        ),
    ]
    steps: list[dict[str, Any]] = [
        {
            "step": s,
            "rule": r,
            "bound": _text(float(b)),
            "quantity": q,
            "changed": c,
            "is_cost_derived": t,
        }
        for s, r, b, q, c, t in rows
    ]
    if Rounding.MAXIMUM_BELOW_MINIMUM in reasons:
        steps[-1]["conflict"] = "the maximum is below the minimum order: the minimum is kept"
    return steps
