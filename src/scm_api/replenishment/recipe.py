"""The numbers behind one decision, small enough to keep for every item-location of every plan.

Rule: `explain` decides again from the recipe alone, so what it shows is what was decided.
"""

import math
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import numpy as np

from scm_api.core.errors import Text
from scm_api.replenishment import explain as explanation
from scm_api.replenishment.demand_profile import DemandClass
from scm_api.replenishment.forecast import Method
from scm_api.replenishment.planning import (
    Decision,
    Offers,
    Outlook,
    Place,
    Planned,
    Receipt,
    decide,
    expected_demand,
    receipts_by_day,
    weekday,
)
from scm_api.replenishment.sourcing import REASONS
from scm_api.replenishment.suggestion import DAYS_A_YEAR, SuggestionInputs, protection_days

OUTCOMES = {
    "suggested": Text("An order is suggested.", "建议下单。"),
    "above_reorder_point": Text(
        "The position is above the reorder point.", "可用库存高于再订货点。"
    ),
    "no_demand": Text(
        "No demand is expected, no minimum stock is set, and nothing is owed.",
        "预计没有需求,未设最低库存,也没有欠货。",
    ),
    "accepted_waiting": Text(
        "A suggestion was accepted and waits to be converted.", "已接受的建议正等待转为采购订单。"
    ),
    "paused": Text("Somebody dismissed it until a later day.", "已被驳回并暂停至指定日期。"),
    "item_not_active": Text("The item is blocked or obsolete.", "物料已冻结或停用。"),
}
_SPREAD = {
    "spread_text": (
        "Safety stock scales daily_sd, the error of the forecast of one day, by the square root of "
        "protection_days. rmse is the back-tested error of the forecast over the horizon, shown to "
        "judge the forecast by; it does not enter."
    ),
    "spread_text_zh": (
        "安全库存采用单日预测误差 daily_sd,并按 protection_days 的平方根放大。"
        "rmse 为预测在预测期内的回测误差,仅用于评价预测,不参与计算。"
    ),
}
_SCALARS = (
    "on_hand",
    "reserved",
    "daily_mean",
    "daily_sd",
    "lead_time_days",
    "lead_time_sd_days",
    "review_days",
    "service_level",
    "minimum_quantity",
    "order_multiple",
    "maximum_quantity",
    "order_cost",
    "unit_cost",
    "holding_rate",
    "policy_min",
    "policy_max",
)


def _plain(value: float) -> float | None:
    return None if math.isnan(value) or math.isinf(value) else float(value)


class Cookbook:
    """Writes the recipes of one block."""

    def __init__(
        self,
        as_of: date,
        outlook: Outlook,
        decision: Decision,
        planned: list[Planned],
        receipts: list[Receipt],
    ) -> None:
        self._as_of, self._outlook, self._decision = as_of, outlook, decision
        self._planned: dict[int, list[tuple[int, str, float]]] = {}
        for plan in planned:
            self._planned.setdefault(plan.series, []).append(plan[1:])
        self._receipts: dict[int, list[tuple[int, float]]] = {}
        for receipt in receipts:
            self._receipts.setdefault(receipt.series, []).append(receipt[1:])
        inputs, o = decision.inputs, outlook
        self._scalars = {name: getattr(inputs, name).tolist() for name in _SCALARS}
        self._lists = {
            name: getattr(o, name).tolist()
            for name in ("history_mean", "adi", "cv2", "weekly_cv", "rmse", "alpha", "beta")
        }
        self._index = o.weekly_index.tolist()
        self._breaks = np.stack([decision.offers.breakpoints, decision.offers.prices], 2).tolist()

    def recipe(self, n: int, place: Place, outcome: str, order_on: date | None) -> dict[str, Any]:
        """The recipe of the block's n-th place, ready for JSON."""
        o, inputs = self._outlook, self._decision.inputs
        return {
            "as_of": self._as_of,
            "order_on": order_on,
            "horizon_days": inputs.expected_demand.shape[1],
            "outcome": outcome,
            "inputs": {name: _plain(column[n]) for name, column in self._scalars.items()},
            "service_rule": int(inputs.service_rule[n]),
            "is_count": bool(inputs.is_count[n]),
            # Null where no weekday differs, as in most series.
            "weekly_index": None if set(self._index[n]) == {1.0} else self._index[n],
            "planned": self._planned.get(n, []),
            "receipts": self._receipts.get(n, []),
            "offers": [step for step in self._breaks[n] if not math.isnan(step[0])],
            "currency": place.currency,
            "forecast": {
                "method": Method(int(o.method[n])).name.lower(),
                "demand_class": DemandClass(int(o.demand_class[n])).name.lower(),
                "window_days": int(o.window_days[n]),
                "origins": int(o.origins[n]),
                "observed_days": int(o.observed_days[n]),
                **{name: _plain(column[n]) for name, column in self._lists.items()},
            },
            "method": place.policy.values["method"],
            "policy": dict(place.policy.sources),
            "source": place.choice.block(),
        }


def cook(recipe: dict[str, Any]) -> Decision:
    """Decide again from a recipe."""
    inputs = {
        name: np.array([np.nan if value is None else value], dtype=np.float64)
        for name, value in recipe["inputs"].items()
    }
    days = recipe["horizon_days"]
    expected = expected_demand(
        inputs["daily_mean"],
        np.array([recipe["weekly_index"] or [1.0] * 7], dtype=np.float64),
        [Planned(0, *row) for row in recipe["planned"]],
        first_weekday=weekday(date.fromisoformat(recipe["as_of"])),
        days=days,
    )
    receipts = receipts_by_day([Receipt(0, *row) for row in recipe["receipts"]], 1, days)
    steps = np.array([recipe["offers"]], dtype=np.float64)
    return decide(
        SuggestionInputs(
            **inputs,
            expected_demand=expected,
            receipts=receipts,
            is_count=np.array([recipe["is_count"]]),
            service_rule=np.array([recipe["service_rule"]], dtype=np.int8),
        ),
        Offers(steps[:, :, 0], steps[:, :, 1]),
    )


def explain(recipe: dict[str, Any]) -> dict[str, Any]:
    """Everything from which the quantity can be computed again, ready for JSON: the block of
    `explain.explain`, then the price break, the gates, and where forecast, policy and source come
    from."""
    decision = cook(recipe)
    as_of = date.fromisoformat(recipe["as_of"])
    block = explanation.explain(decision.inputs, decision.result, 0, as_of)
    outcome = recipe["outcome"]
    ordered = outcome == "suggested"
    quantity = float(decision.choice.order.quantity[0])
    text = OUTCOMES[outcome]
    return {
        **block,
        "order_on": recipe["order_on"],
        "outcome": outcome,
        "outcome_text": text.en,
        "outcome_text_zh": text.zh,
        "decision": "order" if ordered else "wait",
        "quantity": _decimal(quantity if ordered else 0.0),
        "order_multiples": int(decision.choice.order.multiples[0]) if ordered else 0,
        "value": _decimal(quantity * float(decision.unit_price[0]) if ordered else 0.0),
        "computed_quantity": _decimal(quantity),
        "price_breaks": _price_breaks(decision),
        "currency": recipe["currency"],
        "method": recipe["method"],
        "planned_demand": [
            {
                "on": (as_of + timedelta(days=day)).isoformat(),
                "mode": mode,
                "quantity": _decimal(amount),
            }
            for day, mode, amount in recipe["planned"]
        ],
        "forecast": {**recipe["forecast"], "spread": "daily_sd", **_SPREAD},
        "policy": {
            name: {"scope": scope, "policy_id": policy_id}
            for name, (scope, policy_id) in recipe["policy"].items()
        },
        "source": _source(recipe["source"]),
    }


def _source(block: dict[str, Any]) -> dict[str, Any]:
    """The supplier's choice with its reasons in words."""
    rejected = [
        {**r, **_words(REASONS[r["reason"]], until=r["closed_until"])} for r in block["rejected"]
    ]
    return {**block, **_words(REASONS[block["reason"]]), "rejected": rejected}


def _words(text: Text, **params: Any) -> dict[str, str]:
    return {"text": text.render("en", params), "text_zh": text.render("zh-CN", params)}


def _price_breaks(decision: Decision) -> dict[str, Any]:
    offers, choice = decision.offers, decision.choice
    per_day = float(decision.result.protection.mean[0] / protection_days(decision.inputs)[0])
    return {
        "formula": (
            "for each step: quantity = rounded max(raw_need, minimum_quantity); annual cost = "
            "c * D + order_cost * D / quantity + holding_rate * c * quantity / 2, with c the price "
            "scaled so that the lowest step costs unit_cost; the cheapest wins"
        ),
        "annual_demand": _decimal(per_day * DAYS_A_YEAR),
        "steps": [
            {
                "minimum_quantity": _decimal(offers.breakpoints[0, n]),
                "unit_price": _decimal(offers.prices[0, n]),
                "annual_cost": _decimal(choice.annual_cost[0, n]),
            }
            for n in range(offers.breakpoints.shape[1])
        ],
        "chosen": int(choice.region[0]),
        "quantity": _decimal(choice.order.quantity[0]),
        "unit_price": _decimal(decision.unit_price[0]),
    }


def _decimal(value: float) -> str | None:
    number = float(value)
    return None if math.isinf(number) else format(Decimal(repr(number)), "f")
