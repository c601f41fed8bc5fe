"""The automatic choice: honest, never worse than the plain average, and repeatable."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scm_api.replenishment.demand_profile import DemandClass
from scm_api.replenishment.forecast import (
    BASELINE_WINDOW_DAYS,
    Method,
    combine_plan,
    daily_profile,
    forecast,
)
from scm_api.replenishment.smoothing import croston, moving_average

WEEK = np.array([0.4, 0.6, 0.8, 1.0, 1.2, 2.0, 1.0])


def catalogue(seed: int, series: int = 60, days: int = 300) -> np.ndarray:
    """Steady, weekly, growing, intermittent and dying items, in turn."""
    rng = np.random.default_rng(seed)
    t = np.arange(days)
    rates = [
        np.full(days, 6.0),
        4.0 * WEEK[t % 7],
        2.0 + 0.05 * t,
        np.full(days, 0.2),
        np.where(t < days // 2, 0.6, 0.02),
    ]
    return np.array([rng.poisson(rates[i % 5]) for i in range(series)], dtype=np.float64)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 60))
def test_the_choice_is_never_worse_than_the_plain_average_on_the_holdout(
    seed: int, horizon: int
) -> None:
    found = forecast(catalogue(seed, 20), horizon_days=horizon)
    assert (found.origins > 0).all()
    assert (found.rmse <= found.method_rmse[:, Method.PLAIN]).all()


def test_the_plain_error_is_that_of_an_independent_back_test() -> None:
    demand = catalogue(1, 10)
    horizon, days = 12, demand.shape[1]
    found = forecast(demand, horizon_days=horizon)
    errors = []
    for origin in range(days - horizon - found.origins[0] + 1, days - horizon + 1):
        rate = moving_average(demand[:, :origin], BASELINE_WINDOW_DAYS)
        errors.append(horizon * rate - demand[:, origin : origin + horizon].sum(axis=1))
    assert found.origins[0] == 100 == len(errors)
    rmse = np.sqrt((np.array(errors) ** 2).mean(axis=0))
    assert np.allclose(found.method_rmse[:, Method.PLAIN], rmse)


def test_nothing_after_the_holdout_starts_decides_a_parameter() -> None:
    demand = catalogue(2)
    changed = demand.copy()
    changed[:, -95:] = changed[:, -95:][:, ::-1]  # the same days in another order
    one = forecast(demand, horizon_days=14)
    other = forecast(changed, horizon_days=14)
    same = (one.method == other.method) & (one.method > Method.MOVING_AVERAGE)
    assert same.sum() > 5
    assert (one.alpha[same] == other.alpha[same]).all()
    assert (one.beta[same] == other.beta[same]).all()


def test_the_rate_reported_is_that_of_the_reported_method_and_parameters() -> None:
    demand = catalogue(3)
    found = forecast(demand, horizon_days=30)
    flat = (found.weekly_index == 1.0).all(axis=1)
    checked = 0
    for i in np.flatnonzero(flat):
        row = demand[i : i + 1]
        if found.method[i] <= Method.MOVING_AVERAGE:
            rate = moving_average(row, int(found.window_days[i]))[0]
        elif found.method[i] in (Method.CROSTON, Method.SBA):
            variant = "sba" if found.method[i] == Method.SBA else "croston"
            rate = croston(row, alphas=(float(found.alpha[i]),), variant=variant).rate[0]
        else:
            continue
        checked += 1
        assert found.daily_mean[i] == pytest.approx(rate, rel=1e-12)
    assert checked > 10


def test_croston_and_its_kin_are_candidates_for_rare_demand_only() -> None:
    found = forecast(catalogue(4))
    rare = np.isin(found.demand_class, (DemandClass.INTERMITTENT, DemandClass.LUMPY))
    assert rare.any()
    assert np.isnan(found.method_rmse[~rare][:, Method.CROSTON :]).all()
    assert not np.isnan(found.method_rmse[rare]).any()


def test_a_strong_week_is_used_and_lowers_the_daily_error() -> None:
    demand = catalogue(5)[1::5]
    found = forecast(demand, horizon_days=10, first_weekday=0)
    assert ((found.weekly_index != 1.0).any(axis=1)).all()
    assert np.allclose(found.weekly_index.mean(axis=0), WEEK / WEEK.mean(), atol=0.15)
    assert (found.daily_sd < demand.std(axis=1)).all()


def test_a_growing_item_is_forecast_near_its_present_rate() -> None:
    found = forecast(catalogue(6)[2::5], horizon_days=14)
    assert np.median(found.daily_mean) == pytest.approx(2.0 + 0.05 * 300, rel=0.12)


def test_stock_out_days_are_unknown_not_zero() -> None:
    demand = catalogue(7, 20)
    valid = np.random.default_rng(8).random(demand.shape) > 0.3
    empty = np.where(valid, demand, 0.0)
    seen = forecast(empty, valid)
    assert np.allclose(seen.daily_mean[0::5].mean(), 6.0, rtol=0.1)
    assert forecast(empty).daily_mean[0::5].mean() < 5.0
    junk = forecast(np.where(valid, demand, 1e9), valid)
    assert (junk.daily_mean == seen.daily_mean).all()


def test_a_short_history_has_no_back_test_and_a_wide_spread() -> None:
    found = forecast(np.array([[3.0, 5.0, 4.0]]))
    assert found.method[0] == Method.PLAIN
    assert found.origins[0] == 0
    assert found.daily_mean[0] == 4.0
    assert found.daily_sd[0] == 4.0
    assert np.isnan(found.rmse[0])


def test_no_history_or_no_items_is_an_answer_not_an_error() -> None:
    assert forecast(np.zeros((2, 0))).daily_mean.tolist() == [0.0, 0.0]
    assert forecast(np.zeros((0, 100))).daily_mean.shape == (0,)
    still = forecast(np.zeros((1, 200)))
    assert still.daily_mean[0] == still.daily_sd[0] == 0.0


def test_a_horizon_under_a_day_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one day"):
        forecast(np.ones((1, 50)), horizon_days=0)


def test_same_input_same_bits_alone_in_a_block_and_again() -> None:
    demand = catalogue(9, 30)
    horizon = np.where(np.arange(30) % 2 == 0, 3, 60)
    one, again = forecast(demand, horizon_days=horizon), forecast(demand, horizon_days=horizon)
    for name in ("daily_mean", "daily_sd", "rmse", "weekly_index"):
        assert getattr(one, name).tobytes() == getattr(again, name).tobytes(), name
    for i in range(30):
        alone = forecast(demand[i : i + 1], horizon_days=int(horizon[i]))
        assert alone.method[0] == one.method[i]
        assert np.allclose(alone.method_rmse[0], one.method_rmse[i], rtol=1e-9, equal_nan=True)
        assert alone.daily_mean[0] == pytest.approx(one.daily_mean[i], rel=1e-12)
        assert alone.daily_sd[0] == pytest.approx(one.daily_sd[i], rel=1e-12)


def test_a_daily_profile_starts_on_the_right_weekday() -> None:
    index = np.array([[0.0, 1.0, 2.0, 1.0, 1.0, 1.0, 1.0]])
    profile = daily_profile(np.array([3.0]), index, first_weekday=6, days=4)
    assert profile.tolist() == [[3.0, 0.0, 3.0, 6.0]]


def test_a_plan_is_joined_as_its_mode_says_and_only_where_it_speaks() -> None:
    base = np.array([[2.0, 2.0, 2.0, 2.0]])
    plan = np.array([[5.0, 1.0, np.nan, 0.0]])
    assert combine_plan(base, plan, "max").tolist() == [[5.0, 2.0, 2.0, 2.0]]
    assert combine_plan(base, plan, "add").tolist() == [[7.0, 3.0, 2.0, 2.0]]
    assert combine_plan(base, plan, "replace").tolist() == [[5.0, 1.0, 2.0, 0.0]]
    assert combine_plan(base, np.full((1, 4), -9.0), "add").tolist() == [[0.0] * 4]
    with pytest.raises(ValueError, match="does not fit"):
        combine_plan(base, plan[:, :2], "max")
