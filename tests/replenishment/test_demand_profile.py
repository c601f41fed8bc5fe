"""Classes, spreads, weekdays, ABC and XYZ of demand series."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from scm_api.replenishment.demand_profile import (
    DemandClass,
    abc_classes,
    classify,
    demand_profile,
    weekly_index,
    xyz_classes,
)

DEMAND = arrays(np.float64, (3, 60), elements=st.integers(0, 30).map(float))
MASK = arrays(np.bool_, (3, 60), elements=st.booleans())


def test_the_four_classes_lie_on_their_sides_of_the_cut_offs() -> None:
    adi = np.array([1.32, 1.32, 1.33, 1.33, np.inf])
    cv2 = np.array([0.49, 0.50, 0.49, 0.50, 0.0])
    assert classify(adi, cv2).tolist() == [
        DemandClass.SMOOTH,
        DemandClass.ERRATIC,
        DemandClass.INTERMITTENT,
        DemandClass.LUMPY,
        DemandClass.NONE,
    ]


def test_a_worked_series_has_the_figures_of_hand_calculation() -> None:
    demand = np.array([[0.0, 4.0, 0.0, 0.0, 8.0, 0.0, 0.0, 6.0, 0.0, 2.0]])
    profile = demand_profile(demand)
    assert profile.observed_days[0] == 10
    assert profile.demand_days[0] == 4
    assert profile.adi[0] == 2.5
    assert profile.mean[0] == 2.0
    # Sizes 4, 8, 6, 2: mean 5, sample variance 20 / 3.
    assert profile.cv2[0] == pytest.approx(20 / 3 / 25)
    assert profile.sd[0] == pytest.approx(np.sqrt((120 - 10 * 4) / 9))
    assert profile.demand_class[0] == DemandClass.INTERMITTENT


def test_masked_days_change_nothing_whatever_they_hold() -> None:
    demand = np.array([[9.0, 3.0, 0.0, 5.0, np.nan]])
    valid = np.array([[False, True, True, True, False]])
    seen = demand_profile(demand, valid)
    plain = demand_profile(demand[:, 1:4])
    for name in ("observed_days", "demand_days", "mean", "sd", "adi", "cv2", "trend_per_day"):
        assert getattr(seen, name)[0] == pytest.approx(getattr(plain, name)[0]), name


def test_an_item_never_asked_for_has_no_class_and_no_error() -> None:
    profile = demand_profile(np.zeros((1, 20)))
    assert profile.demand_class[0] == DemandClass.NONE
    assert profile.adi[0] == np.inf
    assert profile.mean[0] == profile.sd[0] == profile.cv2[0] == 0.0


def test_a_straight_line_is_all_trend_and_its_slope_is_found_through_gaps() -> None:
    demand = 5.0 + 0.25 * np.arange(40)[None, :]
    valid = np.arange(40)[None, :] % 3 != 0
    profile = demand_profile(demand, valid)
    assert profile.trend_per_day[0] == pytest.approx(0.25)
    assert profile.trend_share[0] == pytest.approx(1.0)


@given(DEMAND, MASK, st.sampled_from([0.001, 0.25, 7.0, 1e6]))
def test_the_unit_of_measure_changes_no_class(
    demand: np.ndarray, mask: np.ndarray, factor: float
) -> None:
    one, other = demand_profile(demand, mask), demand_profile(demand * factor, mask)
    assert np.allclose(one.cv2, other.cv2, atol=1e-9)
    assert np.allclose(one.sd * factor, other.sd, rtol=1e-9, atol=1e-9 * factor)
    assert np.allclose(one.weekly_cv, other.weekly_cv, equal_nan=True)
    assert (one.adi == other.adi).all()


@given(DEMAND, MASK)
def test_a_series_in_a_block_has_the_figures_it_has_alone(
    demand: np.ndarray, mask: np.ndarray
) -> None:
    block = demand_profile(demand, mask)
    for i in range(len(demand)):
        alone = demand_profile(demand[i : i + 1], mask[i : i + 1])
        for name in ("mean", "sd", "adi", "cv2", "trend_share", "weekly_cv"):
            whole, single = getattr(block, name)[i], getattr(alone, name)[0]
            assert whole == pytest.approx(single, rel=1e-9, abs=1e-12, nan_ok=True), name


def test_negative_or_missing_demand_on_an_observed_day_is_refused() -> None:
    for bad in (-1.0, np.nan, np.inf):
        with pytest.raises(ValueError, match="at least 0"):
            demand_profile(np.array([[1.0, bad]]))
    with pytest.raises(ValueError, match="does not fit"):
        demand_profile(np.ones((1, 3)), np.ones((1, 4), dtype=np.bool_))


def test_a_repeating_week_is_found_exactly_and_put_on_the_right_weekdays() -> None:
    week = np.array([2.0, 1.0, 1.0, 1.0, 1.0, 8.0, 0.0])  # Monday first
    demand = np.tile(week, 20)[None, 3:]  # so the first column is a Thursday
    found = weekly_index(demand, first_weekday=3)
    assert found.is_significant[0]
    assert np.allclose(found.index[0], week / 2.0)


def test_noise_without_weekdays_rarely_looks_like_a_week() -> None:
    noise = np.random.default_rng(3).poisson(6.0, (1000, 182)).astype(np.float64)
    found = weekly_index(noise)
    assert found.is_significant.mean() < 0.03
    assert (found.index[~found.is_significant] == 1.0).all()


def test_weekday_indices_average_one_and_shrink_towards_it() -> None:
    rng = np.random.default_rng(4)
    shape = np.array([0.6, 0.8, 1.0, 1.0, 1.1, 1.5, 1.0])
    demand = rng.poisson(5.0 * np.tile(shape, 16), (200, 112)).astype(np.float64)
    found = weekly_index(demand)
    assert np.allclose(found.index.mean(axis=1), 1.0)
    raw = demand.reshape(200, 16, 7).mean(axis=1)
    raw /= raw.mean(axis=1, keepdims=True)
    strong = found.is_significant
    assert strong.mean() > 0.8
    moved = np.abs(raw - 1)[strong]
    assert (np.abs(found.index - 1)[strong] <= moved + 1e-12).all()
    assert (np.abs(found.index - 1)[strong] < 0.99 * moved)[moved > 0.1].all()


def test_too_few_weeks_give_no_weekdays() -> None:
    demand = np.tile(np.array([9.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]), 7)[None, :]
    assert (weekly_index(demand).index == 1.0).all()


def test_abc_gives_a_to_the_items_that_make_eighty_percent() -> None:
    value = np.array([5.0, 50.0, 30.0, 0.0, 10.0, 5.0])
    # Shares before: 50 -> 0, 30 -> .50, 10 -> .80, 5 -> .90, 5 -> .95.
    assert abc_classes(value).tolist() == ["B", "A", "A", "C", "B", "C"]


def test_abc_of_nothing_sold_is_all_c() -> None:
    assert abc_classes(np.zeros(3)).tolist() == ["C", "C", "C"]
    assert abc_classes(np.zeros(0)).tolist() == []


def test_xyz_splits_by_spread_and_calls_the_unknown_wild() -> None:
    cv = np.array([0.5, 0.51, 1.0, 1.01, np.nan])
    assert xyz_classes(cv).tolist() == ["X", "Y", "Y", "Z", "Z"]
