"""A reader with the explain block, and nothing else, gets the same suggestion."""

import json
import math
from datetime import date
from decimal import Decimal
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from scm_api.replenishment.explain import explain
from scm_api.replenishment.suggestion import suggest
from tests.replenishment.catalogue import inputs_of, random_inputs

TODAY = date(2026, 3, 2)


def recompute(block: dict[str, Any]) -> str:
    """The suggestion from its explain block: what a sceptical buyer would write."""
    given = block["inputs"]
    x = {k: float(v) for k, v in given.items() if isinstance(v, str) and k != "service_rule"}
    demand = [float(v) for v in given["expected_demand"]]
    days = max(x["lead_time_days"] + x["review_days"], 1.0)
    whole = min(math.floor(days), given["horizon_days"])
    mean = 0.0
    for quantity in demand[:whole]:
        mean += quantity
    partial = demand[whole] if whole < given["horizon_days"] and whole < days else x["daily_mean"]
    mean += partial * (days - whole)
    rate = mean / days
    sd = math.sqrt(days * x["daily_sd"] ** 2 + rate**2 * x["lead_time_sd_days"] ** 2)
    holding, year = x["unit_cost"] * x["holding_rate"], rate * 365
    priced = holding > 0 and x["order_cost"] > 0
    lot = min(math.sqrt(2 * x["order_cost"] * year / holding), year) if priced else 0.0
    review = rate * x["review_days"]
    lot = max(lot, review, x.get("minimum_quantity", 0.0), x["order_multiple"])
    point = x.get("policy_min", mean + float(block["service"]["safety_factor"]) * sd)
    level = max(x.get("policy_max", point + max(lot - review, 0.0)), point)
    on_order = sum(float(r["quantity"]) for r in given["receipts"] if r["in_days"] <= days)
    position = x["on_hand"] - x["reserved"] + on_order
    need = max(level - position, 0.0) if position <= point + 1e-9 else 0.0
    multiple = x["order_multiple"]
    count = (
        math.ceil(max(need, x.get("minimum_quantity", 0.0)) / multiple - 1e-9) if need > 0 else 0
    )
    if need > 0 and "maximum_quantity" in x:
        fewest = max(math.ceil(x.get("minimum_quantity", 0.0) / multiple - 1e-9), 1)
        count = max(min(count, math.floor(x["maximum_quantity"] / multiple + 1e-9)), fewest)
    return format(count * Decimal(given["order_multiple"]), "f")


def step(block: dict[str, Any], name: str) -> float:
    return float(next(s["value"] for s in block["steps"] if s["name"] == name))


def independent_reorder_point(block: dict[str, Any]) -> float:
    """The quantile that scipy or the standard library finds for the same service level."""
    mean, sd = step(block, "protection_mean"), step(block, "protection_sd")
    level = float(block["inputs"]["service_level"])
    kind = block["service"]["distribution"]
    if kind == "normal":
        return max(NormalDist(mean, sd).inv_cdf(level), mean)
    if kind == "gamma":
        return max(float(stats.gamma((mean / sd) ** 2, scale=sd**2 / mean).ppf(level)), mean)
    if kind == "poisson":
        return max(float(stats.poisson(mean).ppf(level)), mean)
    return max(float(stats.nbinom(mean**2 / (sd**2 - mean), mean / sd**2).ppf(level)), mean)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 100_000))
def test_a_short_script_recomputes_every_suggestion_from_its_block(seed: int) -> None:
    inputs = random_inputs(seed, 25)
    result = suggest(inputs)
    for i in range(25):
        block = json.loads(json.dumps(explain(inputs, result, i, TODAY)))
        assert recompute(block) == block["quantity"]
        assert float(block["quantity"]) == pytest.approx(result.order.quantity[i], rel=1e-12)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 100_000))
def test_the_safety_factor_of_a_cycle_service_level_can_be_checked_by_others(seed: int) -> None:
    inputs = random_inputs(seed, 25)
    result = suggest(inputs)
    for i in np.flatnonzero(inputs.service_rule == 0):
        block = explain(inputs, result, int(i), TODAY)
        found = step(block, "protection_mean") + step(block, "safety_stock")
        assert found == pytest.approx(independent_reorder_point(block), rel=1e-9)


def test_every_number_reads_back_as_the_very_float() -> None:
    inputs = random_inputs(3, 40)
    result = suggest(inputs)
    for i in range(40):
        block = explain(inputs, result, i, TODAY)
        assert float(block["inputs"]["daily_sd"]) == inputs.daily_sd[i]
        assert step(block, "reorder_point") == result.reorder_point[i]
        assert step(block, "raw_need") == result.raw_need[i]
        assert "e" not in block["inputs"]["daily_sd"].lower()


def test_the_block_says_what_was_decided_when_and_what_would_flip_it() -> None:
    inputs = inputs_of(on_hand=100.0, receipts={3: 30.0})
    block = explain(inputs, suggest(inputs), 0, TODAY)
    assert block["decision"] == "order"
    assert block["as_of"] == block["order_on"] == "2026-03-02"
    assert block["needed_on"] == "2026-03-10"
    assert block["stockout_on"] == "2026-03-15"
    assert block["arrives_on"] == "2026-03-11"
    assert block["flip"]["position"] == "130.0"
    assert float(block["flip"]["no_order_above_position"]) == step(block, "reorder_point")
    assert float(block["flip"]["units_away"]) == pytest.approx(202.128 - 130.0, abs=1e-3)
    assert [s["step"] for s in block["rounding"]] == ["minimum", "multiple", "maximum"]
    assert [s["changed"] for s in block["rounding"]] == [False, True, False]
    waiting = inputs_of(on_hand=1000.0)
    block = explain(waiting, suggest(waiting), 0, TODAY)
    assert block["decision"] == "wait"
    assert Decimal(block["quantity"]) == 0
    assert block["arrives_on"] is None


def test_decimal_multiples_give_exact_decimal_quantities() -> None:
    inputs = inputs_of(on_hand=0.0, policy_min=0.0, policy_max=0.3, order_multiple=0.1)
    block = explain(inputs, suggest(inputs), 0, TODAY)
    assert block["quantity"] == "0.3"
    assert block["order_multiples"] == 3


def test_a_contradiction_between_minimum_and_maximum_is_told() -> None:
    inputs = inputs_of(on_hand=0.0, minimum_quantity=100.0, maximum_quantity=50.0)
    block = explain(inputs, suggest(inputs), 0, TODAY)
    assert "below the minimum" in block["rounding"][-1]["conflict"]
    assert Decimal(block["quantity"]) == 108


def test_what_was_not_given_is_null_and_the_block_is_plain_json() -> None:
    inputs = inputs_of()
    block = explain(inputs, suggest(inputs), 0, TODAY)
    assert block["inputs"]["policy_min"] is None
    assert json.loads(json.dumps(block, allow_nan=False)) == block
