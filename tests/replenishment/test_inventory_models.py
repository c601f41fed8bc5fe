"""The published problems: every number of the book must come out."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import poisson

from scm_api.replenishment import inventory_models as models
from scm_api.replenishment import lot_size, safety_stock

BOOK = json.loads((Path(__file__).parent / "anchors_textbook.json").read_text())
Inputs = dict[str, Any]


def arrays(inputs: Inputs) -> Inputs:
    """One item: scalars become [1], lists [1, B]."""
    return {k: np.array([v], dtype=np.float64) for k, v in inputs.items() if k != "num_periods"}


def lot(result: Any) -> Inputs:
    names = {"quantity": "Q", "cost": "cost", "region": "region"}
    names |= {"stockout_fraction": "stockout_fraction"}
    return {book: getattr(result, ours)[0] for ours, book in names.items() if hasattr(result, ours)}


def reorder(result: models.ReorderPolicy) -> Inputs:
    return {"r": result.reorder_point[0], "Q": result.quantity[0], "cost": result.cost[0]}


def up_to(result: models.OrderUpToPolicy) -> Inputs:
    return {"s": result.reorder_point[0], "S": result.order_up_to[0], "cost": result.cost[0]}


def newsvendor(result: safety_stock.Newsvendor) -> Inputs:
    return {"S": result.quantity[0], "cost": result.cost[0]}


def normal_newsvendor(i: Inputs) -> Inputs:
    return newsvendor(
        safety_stock.newsvendor_normal(
            i["holding_cost"], i["stockout_cost"], i["demand_mean"], i["demand_sd"]
        )
    )


def base_stock(i: Inputs) -> Inputs:
    return newsvendor(
        models.base_stock_normal(
            i["holding_cost"],
            i["stockout_cost"],
            i["demand_mean"],
            i["demand_sd"],
            i["lead_time"],
            np.ones(1),
        )
    )


def poisson_newsvendor(i: Inputs) -> Inputs:
    return newsvendor(
        safety_stock.newsvendor_poisson(i["holding_cost"], i["stockout_cost"], i["demand_mean"])
    )


def exact_rq_cost(i: Inputs) -> Inputs:
    rest = {k: v for k, v in i.items() if k not in ("r", "Q")}
    return {"cost": models.rq_cost(i["r"], i["Q"], **rest)[0]}


def exact_ss(i: Inputs) -> Inputs:
    result = models.ss_poisson(
        i["holding_cost"], i["stockout_cost"], i["fixed_cost"], i["demand_mean"], np.zeros(1)
    )
    return up_to(result)


def power(i: Inputs) -> Inputs:
    return up_to(
        models.ss_power_approximation(
            i["holding_cost"],
            i["stockout_cost"],
            i["fixed_cost"],
            i["demand_mean"],
            i["demand_sd"],
        )
    )


def lots_in_time(i: Inputs) -> Inputs:
    price = i.get("purchase_cost", np.zeros(1))
    plan = models.wagner_whitin(i["demand"], i["fixed_cost"], i["holding_cost"], price)
    # The book counts periods from 1 and keeps an unused entry 0.
    return {
        "order_quantities": [0.0, *plan.quantity[0]],
        "next_order_periods": [0, *(plan.next_order[0] + 1)],
        "cost": plan.cost[0],
    }


SOLVERS: dict[str, Callable[[Inputs], Inputs]] = {
    "EOQ": lambda i: lot(lot_size.eoq(**i)),
    "EOQ backorders": lambda i: lot(lot_size.eoq_backorders(**i)),
    "EOQ all-units discount": lambda i: lot(lot_size.eoq_all_units_discount(**rate(i))),
    "EOQ incremental discount": lambda i: lot(lot_size.eoq_incremental_discount(**rate(i))),
    "EPQ": lambda i: lot(lot_size.epq(**i)),
    "newsvendor normal": normal_newsvendor,
    "base stock normal L=4 R=1": base_stock,
    "newsvendor Poisson": poisson_newsvendor,
    "(r,Q) EIL": lambda i: reorder(models.rq_eil(**i)),
    "(r,Q) EOQB": lambda i: reorder(models.rq_eoq_backorders(**i)),
    "(r,Q) EOQ+SS": lambda i: reorder(models.rq_eoq_safety_stock(**i)),
    "(r,Q) loss function": lambda i: reorder(models.rq_loss_function(**i)),
    "(r,Q) exact cost at r,Q": exact_rq_cost,
    "(s,S) exact Poisson": exact_ss,
    "(s,S) power approximation": power,
    "Wagner-Whitin": lots_in_time,
}


def rate(inputs: Inputs) -> Inputs:
    return {k.replace("holding_cost_rate", "holding_rate"): v for k, v in inputs.items()}


@pytest.mark.parametrize(
    "case", BOOK["cases"], ids=lambda c: f"{c['function']}-{c['source']}-{c['inputs']}"[:90]
)
def test_every_published_problem_comes_out(case: Any) -> None:
    answer = SOLVERS[case["function"]](arrays(case["inputs"]))
    for name, printed in case["outputs"].items():
        rel, least = (0.0, 0.0006) if case["printed"] else (1e-6, 1e-12)
        assert answer[name] == pytest.approx(printed, rel=rel, abs=least), name


def test_no_published_problem_is_left_out() -> None:
    assert len(BOOK["cases"]) == 51
    assert {case["function"] for case in BOOK["cases"]} == set(SOLVERS)


PERIOD = st.tuples(
    st.floats(0.2, 5.0), st.floats(2.0, 50.0), st.floats(1.0, 80.0), st.floats(0.5, 12.0)
)


def long_run_cost(s: int, upper: int, h: float, p: float, fixed: float, mean: float) -> float:
    """Average cost of (s, S) from the stationary distribution of its Markov chain."""
    levels = np.arange(s + 1, upper + 1)
    n = len(levels)
    chain = np.zeros((n, n))
    for row, level in enumerate(levels):
        stay = poisson.pmf(level - levels, mean)
        chain[row] = stay
        chain[row, -1] += 1.0 - stay.sum()
    stationary = np.linalg.matrix_power(chain, 4096)[0]
    stationary /= stationary.sum()
    demand = np.arange(0, 200)
    chance = poisson.pmf(demand, mean)
    cost = 0.0
    for share, level in zip(stationary, levels, strict=True):
        left = level - demand
        cost += share * (chance * (h * np.maximum(left, 0) + p * np.maximum(-left, 0))).sum()
        cost += share * fixed * poisson.sf(level - s - 1, mean)
    return float(cost)


@settings(max_examples=25, deadline=None)
@given(PERIOD)
def test_no_neighbour_of_the_optimal_policy_is_cheaper(
    period: tuple[float, float, float, float],
) -> None:
    h, p, fixed, mean = period
    best = models.ss_poisson(*(np.array([v]) for v in period), lead_time=np.zeros(1))
    s, upper = int(best.reorder_point[0]), int(best.order_up_to[0])
    least = long_run_cost(s, upper, h, p, fixed, mean)
    assert least == pytest.approx(float(best.cost[0]), rel=1e-6)
    for ds in (-1, 0, 1):
        for du in (-2, -1, 0, 1, 2):
            if s + ds < upper + du:
                assert long_run_cost(s + ds, upper + du, h, p, fixed, mean) >= least - 1e-8


def test_a_lead_time_raises_both_levels_of_the_policy() -> None:
    one = [np.array([v]) for v in (1.0, 9.0, 64.0, 5.0)]
    short = models.ss_poisson(*one, lead_time=np.zeros(1))
    long = models.ss_poisson(*one, lead_time=np.array([3.0]))
    assert long.reorder_point[0] >= short.reorder_point[0] + 13
    assert long.order_up_to[0] > short.order_up_to[0]
    assert long.cost[0] > short.cost[0]


def cheapest_by_trying_all(demand: list[float], fixed: float, holding: float) -> float:
    least = float("inf")
    for pattern in range(2 ** (len(demand) - 1)):
        orders = [True] + [bool(pattern >> i & 1) for i in range(len(demand) - 1)]
        cost, age = 0.0, 0
        for is_order, quantity in zip(orders, demand, strict=True):
            age = 0 if is_order else age + 1
            cost += fixed * is_order + holding * age * quantity
        least = min(least, cost)
    return least


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 60), min_size=7, max_size=7), min_size=1, max_size=4),
    st.integers(1, 300),
    st.integers(1, 5),
)
def test_wagner_whitin_finds_what_trying_every_plan_finds(
    demand: list[list[int]], fixed: int, holding: int
) -> None:
    matrix = np.array(demand, dtype=np.float64)
    one = np.array([[float(fixed)]]), np.array([[float(holding)]]), np.zeros((1, 1))
    plan = models.wagner_whitin(matrix, *one)
    stock = np.cumsum(plan.quantity - matrix, axis=1)
    assert (stock >= 0).all()
    assert (stock[:, -1] == 0).all()
    for row, cost in zip(demand, plan.cost, strict=True):
        assert cost == cheapest_by_trying_all([float(q) for q in row], fixed, holding)


def test_the_reorder_point_found_for_a_lot_is_the_cheapest_for_that_lot() -> None:
    one = dict.fromkeys(("holding_cost",), np.array([0.225]))
    one |= {"stockout_cost": np.array([7.5]), "fixed_cost": np.array([8.0])}
    one |= {"demand_mean": np.array([1300.0]), "demand_sd": np.array([150.0])}
    one |= {"lead_time": np.array([1 / 12])}
    found = models.rq_eoq_backorders(**one)
    for shift in (-5.0, 5.0):
        moved = models.rq_cost(found.reorder_point + shift, found.quantity, **one)
        assert moved[0] > found.cost[0]


def test_many_items_at_once_get_the_answers_of_each_alone() -> None:
    h, p, k = np.array([0.2, 3.0]), np.array([7.0, 40.0]), np.array([8.0, 60.0])
    mean, sd, lead = np.array([1300.0, 190.0]), np.array([150.0, 48.0]), np.array([0.08, 0.5])
    for model in (
        models.rq_eoq_backorders,
        models.rq_eoq_safety_stock,
        models.rq_loss_function,
        models.rq_eil,
    ):
        both = model(h, p, k, mean, sd, lead)
        for i in range(2):
            at = slice(i, i + 1)
            alone = model(h[at], p[at], k[at], mean[at], sd[at], lead[at])
            assert both.reorder_point[i] == alone.reorder_point[0]
            assert both.quantity[i] == alone.quantity[0]
            assert both.cost[i] == alone.cost[0]
