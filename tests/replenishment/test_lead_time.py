"""Lead times: little evidence moves little, much evidence decides."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scm_api.replenishment.lead_time import Z90, LeadTimes, estimate_lead_times

NONE = float("nan")


def estimate(
    rows: list[list[float]],
    stated: list[float],
    supplier: list[int] | None = None,
    promised: list[list[float]] | None = None,
    tolerance_days: float = 0.0,
) -> LeadTimes:
    return estimate_lead_times(
        np.array([day for row in rows for day in row], dtype=np.float64),
        np.cumsum([0] + [len(row) for row in rows]),
        np.array(supplier or [0] * len(rows)),
        np.array(stated, dtype=np.float64),
        promised_days=None
        if promised is None
        else np.array([day for row in promised for day in row], dtype=np.float64),
        tolerance_days=tolerance_days,
    )


def test_without_observations_the_stated_time_stands_with_an_assumed_spread() -> None:
    found = estimate([[]], [12.0])
    assert found.mean[0] == 12.0
    assert found.sd[0] == pytest.approx(3.0)
    assert found.p90[0] == pytest.approx(12.0 + Z90 * 3.0)
    assert found.n[0] == 0
    assert np.isnan(found.observed_mean[0])
    assert np.isnan(found.on_time_share[0])


def test_the_two_steps_of_shrinkage_have_the_figures_of_hand_calculation() -> None:
    # Item 0: stated 10, five receipts of 14. Item 1: stated 20, none. One supplier.
    found = estimate([[14.0] * 5, []], [10.0, 20.0])
    # The supplier's deviation: 5 / (5 + 5) x 4 = 2; prior 12 and 22.
    assert found.prior_mean.tolist() == [12.0, 22.0]
    # Item 0: 12 + 5 / 10 x (14 - 12) = 13.
    assert found.mean.tolist() == [13.0, 22.0]
    assert found.weight.tolist() == [0.5, 0.0]
    # Prior variance of item 0: (5 x 3² + 0) / (5 + 4) = 5; then (5 x 5 + 0) / (5 + 4).
    assert found.prior_sd[0] == pytest.approx(np.sqrt(5.0))
    assert found.sd[0] == pytest.approx(np.sqrt(25 / 9))


def test_an_unstated_time_is_learnt_from_the_supplier_then_from_the_item() -> None:
    found = estimate([[8.0, 10.0], [], []], [9.0, NONE, NONE], [0, 0, 1])
    assert found.mean[1] == 9.0
    assert np.isnan(found.mean[2])
    alone = estimate([[6.0, 8.0]], [NONE])
    assert alone.mean[0] == 7.0


def test_another_suppliers_delays_do_not_matter() -> None:
    found = estimate([[30.0] * 50, []], [10.0, 10.0], [0, 1])
    assert found.mean[1] == 10.0
    assert found.mean[0] > 28.0


def test_much_evidence_outweighs_whatever_was_stated() -> None:
    days = np.random.default_rng(1).gamma(16.0, 1.5, 2000)
    found = estimate([list(days)], [5.0])
    assert found.mean[0] == pytest.approx(days.mean(), rel=0.01)
    assert found.sd[0] == pytest.approx(days.std(ddof=1), rel=0.01)
    assert found.p90[0] == pytest.approx(np.quantile(days, 0.9))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 90).map(float), max_size=15), min_size=1, max_size=6),
    st.integers(1, 3),
)
def test_raw_figures_of_ragged_rows_are_those_of_numpy(
    rows: list[list[float]], suppliers: int
) -> None:
    supplier = [i % suppliers for i in range(len(rows))]
    found = estimate(rows, [20.0] * len(rows), supplier)
    for i, row in enumerate(rows):
        assert found.n[i] == len(row)
        if row:
            assert found.observed_mean[i] == pytest.approx(np.mean(row))
            assert found.observed_p90[i] == pytest.approx(np.quantile(row, 0.9))
            low, high = sorted((found.prior_mean[i], found.observed_mean[i]))
            assert low - 1e-9 <= found.mean[i] <= high + 1e-9
        else:
            assert np.isnan(found.observed_mean[i])
            assert np.isnan(found.observed_p90[i])
        if len(row) > 1:
            assert found.observed_sd[i] == pytest.approx(np.std(row, ddof=1), abs=1e-9)
    assert (found.sd > 0).all()


def test_on_time_counts_only_what_was_promised_and_forgives_the_tolerance() -> None:
    rows, promised = [[10.0, 12.0, 9.0, 11.0], [4.0]], [[10.0, 10.0, NONE, 10.0], [NONE]]
    strict = estimate(rows, [10.0, 4.0], promised=promised)
    assert strict.on_time_n.tolist() == [3, 0]
    assert strict.on_time_share[0] == pytest.approx(1 / 3)
    assert np.isnan(strict.on_time_share[1])
    kind = estimate(rows, [10.0, 4.0], promised=promised, tolerance_days=1.0)
    assert kind.on_time_share[0] == pytest.approx(2 / 3)


def test_data_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="offsets"):
        estimate_lead_times(np.ones(3), np.array([0, 2]), np.array([0]), np.array([5.0]))
    with pytest.raises(ValueError, match="negative"):
        estimate([[-1.0]], [5.0])
