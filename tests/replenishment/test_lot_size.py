"""Economic lots, rounding and price breaks."""

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scm_api.replenishment.lot_size import (
    Rounding,
    choose_price_break,
    eoq,
    eoq_all_units_discount,
    eoq_backorders,
    eoq_incremental_discount,
    epq,
    round_order,
)

NONE = float("nan")
POSITIVE = st.floats(0.01, 1e4)
MULTIPLES = st.sampled_from([1.0, 0.25, 0.1, 0.001, 6.0, 12.0, 144.0, 2.5])


def one(*values: float) -> list[np.ndarray]:
    return [np.array([value]) for value in values]


@given(POSITIVE, POSITIVE, POSITIVE)
def test_no_other_lot_is_cheaper_than_the_economic_one(k: float, h: float, d: float) -> None:
    found = eoq(*one(k, h, d))
    lot = found.quantity[0]
    assert found.cost[0] == pytest.approx(k * d / lot + h * lot / 2)
    for other in (lot * 0.9, lot * 1.1):
        assert k * d / other + h * other / 2 >= found.cost[0] * (1 - 1e-12)


def test_backorders_and_production_lead_to_the_plain_lot_in_their_limits() -> None:
    plain = eoq(*one(8.0, 0.225, 1300.0))
    dear = eoq_backorders(*one(8.0, 0.225, 1e9, 1300.0))
    assert dear.quantity[0] == pytest.approx(plain.quantity[0], rel=1e-6)
    fast = epq(*one(8.0, 0.225, 1300.0, 1e12))
    assert fast.quantity[0] == pytest.approx(plain.quantity[0], rel=1e-6)
    with pytest.raises(ValueError, match="faster than demand"):
        epq(*one(8.0, 0.225, 1300.0, 1300.0))


@settings(max_examples=60, deadline=None)
@given(
    st.floats(1.0, 500.0),
    st.floats(0.05, 0.5),
    st.floats(10.0, 5000.0),
    st.lists(st.floats(0.5, 0.99), min_size=2, max_size=2),
)
def test_discount_lots_are_cheapest_on_a_fine_grid(
    k: float, rate: float, d: float, falls: list[float]
) -> None:
    breaks = np.array([[0.0, 100.0, 400.0]])
    prices = np.array([[10.0, 10.0 * falls[0], 10.0 * falls[0] * falls[1]]])
    grid = np.concatenate([np.geomspace(1.0, 20_000.0, 4000), [100.0, 400.0]])
    region = np.searchsorted(breaks[0], grid, side="right") - 1
    unit = prices[0][region]
    cost = unit * d + k * d / grid + rate * unit * grid / 2
    best = eoq_all_units_discount(*one(k, rate, d), breaks, prices)
    assert best.cost[0] <= cost.min() * (1 + 1e-12)
    assert best.cost[0] == pytest.approx(cost.min(), rel=1e-4)
    paid = np.array([0.0, 100 * prices[0, 0], 100 * prices[0, 0] + 300 * prices[0, 1]])[region]
    average = (paid + unit * (grid - breaks[0][region])) / grid
    cost = average * d + k * d / grid + rate * average * grid / 2
    best = eoq_incremental_discount(*one(k, rate, d), breaks, prices)
    assert best.cost[0] <= cost.min() * (1 + 1e-12)
    assert best.cost[0] == pytest.approx(cost.min(), rel=1e-4)


def test_rows_with_fewer_price_breaks_stand_beside_rows_with_more() -> None:
    breaks = np.array([[0.0, 400.0, 800.0], [0.0, 400.0, NONE], [0.0, NONE, NONE]])
    prices = np.array([[0.75, 0.72, 0.68], [0.75, 0.72, NONE], [0.75, NONE, NONE]])
    inputs = [np.full(3, v) for v in (8.0, 0.3, 1300.0)]
    assert eoq_all_units_discount(*inputs, breaks, prices).quantity[:2].tolist() == [800.0, 400.0]
    assert eoq_all_units_discount(*inputs, breaks, prices).region.tolist() == [2, 1, 0]
    assert eoq_incremental_discount(*inputs, breaks, prices).region.tolist() == [0, 0, 0]


def test_each_rounding_step_is_named() -> None:
    need = np.array([7.0, 3.0, 24.0, 70.0, 0.0, -5.0, 12.0])
    minimum = np.array([NONE, 20.0, NONE, NONE, 50.0, 50.0, 30.0])
    multiple = np.array([1.0, 12.0, 12.0, 12.0, 12.0, 12.0, 12.0])
    maximum = np.array([NONE, NONE, NONE, 65.0, NONE, NONE, 20.0])
    found = round_order(need, minimum, multiple, maximum)
    assert found.quantity.tolist() == [7.0, 24.0, 24.0, 60.0, 0.0, 0.0, 36.0]
    raised = Rounding.RAISED_TO_MINIMUM | Rounding.RAISED_TO_MULTIPLE
    assert found.reasons.tolist() == [
        Rounding.NONE,
        raised,
        Rounding.NONE,
        Rounding.RAISED_TO_MULTIPLE | Rounding.CUT_TO_MAXIMUM,
        Rounding.NONE,
        Rounding.NONE,
        raised | Rounding.MAXIMUM_BELOW_MINIMUM,
    ]
    assert found.after_minimum.tolist() == [7.0, 20.0, 24.0, 70.0, 0.0, 0.0, 30.0]
    assert found.after_multiple.tolist() == [7.0, 24.0, 24.0, 72.0, 0.0, 0.0, 36.0]


@settings(max_examples=200)
@given(
    st.floats(0.0, 1e5),
    st.one_of(st.just(NONE), st.floats(0.0, 1e4)),
    MULTIPLES,
    st.one_of(st.just(NONE), st.floats(0.0, 1e5)),
)
def test_rounding_covers_the_need_unless_the_maximum_forbids_and_wastes_no_multiple(
    need: float, minimum: float, multiple: float, maximum: float
) -> None:
    found = round_order(*one(need, minimum, multiple, maximum))
    quantity, reasons = found.quantity[0], Rounding(int(found.reasons[0]))
    slack = 1e-6 * multiple + 1e-9 * need
    if need == 0.0:
        assert quantity == 0.0
        return
    if Rounding.CUT_TO_MAXIMUM not in reasons:
        assert quantity >= need - slack
    if not np.isnan(minimum):
        assert quantity >= minimum - slack or Rounding.CUT_TO_MAXIMUM in reasons
    if not np.isnan(maximum) and Rounding.MAXIMUM_BELOW_MINIMUM not in reasons:
        assert quantity <= maximum + slack
    floor = 0.0 if np.isnan(minimum) else minimum
    assert quantity < max(need, floor) + multiple + slack
    assert quantity == found.multiples[0] * multiple


@given(st.integers(1, 10**6), st.sampled_from(["0.25", "0.1", "0.001", "0.3", "7", "1.1"]))
def test_a_need_that_is_already_a_whole_number_of_multiples_is_left_alone(
    count: int, multiple: str
) -> None:
    need = float(count * Decimal(multiple))
    found = round_order(*one(need, NONE, float(multiple), NONE))
    assert found.multiples[0] == count
    assert found.reasons[0] == Rounding.NONE


def test_a_multiple_of_nothing_is_refused() -> None:
    for bad in (0.0, -1.0, NONE):
        with pytest.raises(ValueError, match="positive"):
            round_order(*one(5.0, NONE, bad, NONE))


def price_break(need: float, demand: float, **bounds: float) -> tuple[int, float]:
    found = choose_price_break(
        *one(need, demand, 8.0, 0.3),
        np.array([[0.0, 400.0, 800.0, NONE]]),
        np.array([[0.75, 0.72, 0.68, NONE]]),
        minimum=np.array([bounds.get("minimum", NONE)]),
        multiple=np.array([bounds.get("multiple", 1.0)]),
        maximum=np.array([bounds.get("maximum", NONE)]),
    )
    return int(found.region[0]), float(found.order.quantity[0])


def test_a_price_break_is_bought_when_a_year_gets_cheaper_by_it() -> None:
    assert price_break(304.0, 1300.0) == (2, 800.0)
    assert price_break(304.0, 1300.0, maximum=700.0) == (1, 400.0)
    assert price_break(20.0, 20.0) == (0, 20.0)


def test_a_price_break_reached_by_rounding_counts() -> None:
    assert price_break(390.0, 40.0, multiple=400.0) == (1, 400.0)


def test_without_demand_no_break_is_bought_up_to() -> None:
    assert price_break(10.0, 0.0) == (0, 10.0)
    assert price_break(450.0, 0.0) == (1, 450.0)
    assert price_break(0.0, 1300.0)[1] == 0.0
