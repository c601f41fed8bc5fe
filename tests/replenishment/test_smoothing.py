"""The single forecasting methods, by hand calculation and by their properties."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from scm_api.replenishment.smoothing import (
    croston,
    moving_average,
    simple_exponential_smoothing,
    tsb,
)

DEMAND = arrays(np.float64, (3, 50), elements=st.integers(0, 20).map(float))
MASK = arrays(np.bool_, (3, 50), elements=st.booleans())


def all_rates(demand: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
    return np.array(
        [
            moving_average(demand, 28, mask),
            simple_exponential_smoothing(demand, mask).rate,
            croston(demand, mask).rate,
            croston(demand, mask, variant="sba").rate,
            tsb(demand, mask).rate,
        ]
    )


def croston_by_hand(series: list[float], alpha: float) -> float:
    size = interval = since = 0.0
    demands = 0
    for quantity in series:
        since += 1
        if quantity > 0:
            demands += 1
            gain = max(alpha, 1 / demands)
            size += gain * (quantity - size)
            interval += gain * (since - interval)
            since = 0.0
    return size / interval if demands else 0.0


def tsb_by_hand(series: list[float], alpha: float, beta: float) -> float:
    size = probability = 0.0
    demands = 0
    for day, quantity in enumerate(series, start=1):
        probability += max(beta, 1 / day) * ((quantity > 0) - probability)
        if quantity > 0:
            demands += 1
            size += max(alpha, 1 / demands) * (quantity - size)
    return probability * size


def test_the_moving_average_divides_by_the_days_that_were_observed() -> None:
    demand = np.array([[100.0, 4.0, 0.0, 7.0, 1.0]])
    valid = np.array([[True, True, False, True, True]])
    assert moving_average(demand, 4, valid)[0] == 4.0
    assert moving_average(demand, 400)[0] == pytest.approx(112 / 5)


def test_a_window_without_observed_days_keeps_the_last_known_average() -> None:
    demand = np.array([[6.0, 2.0, 0.0, 0.0, 0.0, 0.0]])
    valid = np.array([[True, True, False, False, False, False]])
    # The last window of two days that saw anything held only the 2.
    assert moving_average(demand, 2, valid)[0] == 2.0


@pytest.mark.parametrize("alpha", [0.05, 0.2, 0.5])
def test_croston_and_tsb_agree_with_a_plain_loop(alpha: float) -> None:
    rng = np.random.default_rng(5)
    demand = rng.poisson(0.4, (20, 120)) * rng.integers(1, 9, (20, 120)).astype(np.float64)
    slow = [croston_by_hand(list(row), alpha) for row in demand]
    assert np.allclose(croston(demand, alphas=(alpha,)).rate, slow, rtol=1e-12)
    sba = croston(demand, alphas=(alpha,), variant="sba").rate
    assert np.allclose(sba, (1 - alpha / 2) * np.array(slow), rtol=1e-12)
    slow = [tsb_by_hand(list(row), alpha, 0.1) for row in demand]
    assert np.allclose(tsb(demand, parameters=((alpha, 0.1),)).rate, slow, rtol=1e-12)


def test_exponential_smoothing_agrees_with_a_plain_loop() -> None:
    demand = np.random.default_rng(6).poisson(5.0, (1, 80)).astype(np.float64)
    level = 0.0
    for day, quantity in enumerate(demand[0], start=1):
        level += max(0.1, 1 / day) * (quantity - level)
    found = simple_exponential_smoothing(demand, alphas=(0.1,))
    assert found.rate[0] == pytest.approx(level, rel=1e-12)


@pytest.mark.parametrize("level", [1.0, 0.1, 37.0])
def test_constant_demand_is_forecast_as_itself(level: float) -> None:
    rates = all_rates(np.full((1, 60), level))
    expected = np.full((5, 1), level)
    expected[3] *= 1 - croston(np.full((1, 60), level), variant="sba").alpha / 2
    assert np.allclose(rates, expected, rtol=1e-12)


def test_regular_gaps_give_croston_size_over_interval() -> None:
    demand = np.zeros((1, 100))
    demand[0, 3::4] = 8.0
    assert croston(demand).rate[0] == pytest.approx(2.0)


def test_tsb_forgets_a_dead_item_and_croston_does_not() -> None:
    demand = np.zeros((1, 300))
    demand[0, 4:100:5] = 10.0
    assert croston(demand).rate[0] == pytest.approx(2.0)
    assert tsb(demand).rate[0] < 0.05


def test_the_smaller_squared_error_chooses_alpha() -> None:
    rng = np.random.default_rng(7)
    steady = 20 + rng.normal(0, 4, (1, 300)).clip(-15, 15)
    walk = 200 + np.cumsum(rng.normal(0, 5, (1, 300)), axis=1)
    found = simple_exponential_smoothing(np.concatenate([steady, np.maximum(walk, 0)]))
    assert found.alpha[0] == 0.02
    assert found.alpha[1] == 0.5


@settings(max_examples=30, deadline=None)
@given(DEMAND, MASK, st.sampled_from([0.001, 0.25, 3.0, 1e5]))
def test_rates_follow_the_unit_of_measure(
    demand: np.ndarray, mask: np.ndarray, factor: float
) -> None:
    one = moving_average(demand, 28, mask)
    assert np.allclose(moving_average(demand * factor, 28, mask), one * factor, rtol=1e-9)
    for alpha in (0.1, 0.3):
        once = croston(demand, mask, (alpha,)).rate
        assert np.allclose(croston(demand * factor, mask, (alpha,)).rate, once * factor)
        once = tsb(demand, mask, ((alpha, 0.05),)).rate
        assert np.allclose(tsb(demand * factor, mask, ((alpha, 0.05),)).rate, once * factor)


@settings(max_examples=30, deadline=None)
@given(DEMAND, MASK)
def test_each_series_gets_in_a_block_what_it_gets_alone(
    demand: np.ndarray, mask: np.ndarray
) -> None:
    block = all_rates(demand, mask)
    for i in range(len(demand)):
        alone = all_rates(demand[i : i + 1], mask[i : i + 1])
        assert (block[:, i] == alone[:, 0]).all()


@settings(max_examples=30, deadline=None)
@given(DEMAND, MASK)
def test_rates_stay_within_the_demand_that_was_seen(demand: np.ndarray, mask: np.ndarray) -> None:
    rates = all_rates(demand, mask)
    top = np.where(mask, demand, 0.0).max(axis=1)
    assert (rates >= 0).all()
    assert (rates <= top + 1e-9).all()
