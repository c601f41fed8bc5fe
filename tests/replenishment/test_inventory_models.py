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
        tolerance = {"abs": 0.0006} if case["printed"] else {"rel": 1e-6, "abs": 1e-12}
        assert answer[name] == pytest.approx(printed, **tolerance), name


def test_no_published_problem_is_left_out() -> None:
    assert len(BOOK["cases"]) == 51
    assert {case["function"] for case in BOOK["cases"]} == set(SOLVERS)
