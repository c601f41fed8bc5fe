"""Safety factors, quantiles and curves against tables, scipy and each other."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.integrate import quad

from scm_api.replenishment.safety_stock import (
    Distribution,
    ProtectionDemand,
    ServiceRule,
    choose_distribution,
    demand_quantile,
    expected_shortage,
    inverse_unit_normal_loss,
    newsvendor_normal,
    newsvendor_poisson,
    protection_demand,
    reorder_point_for_fill_rate,
    safety_factor_for_fill_rate,
    safety_stock,
    service_curve,
    unit_normal_loss,
    unit_normal_second_loss,
    z_for_cycle_service,
)

MEANS = np.array([0.05, 0.4, 2.0, 6.0, 9.0, 40.0])
SPREADS = np.array([0.4, 0.9, 2.5, 3.0, 11.0, 60.0])


def one(*values: float) -> list[np.ndarray]:
    return [np.array([value]) for value in values]


def reference(kind: Distribution, mean: float, sd: float) -> stats.rv_continuous:
    if kind == Distribution.NORMAL:
        return stats.norm(mean, sd)
    if kind == Distribution.GAMMA:
        return stats.gamma((mean / sd) ** 2, scale=sd**2 / mean)
    if kind == Distribution.POISSON:
        return stats.poisson(mean)
    return stats.nbinom(mean**2 / (sd**2 - mean), mean / sd**2)


@pytest.mark.parametrize(
    ("level", "z"), [(0.5, 0.0), (0.9, 1.2816), (0.95, 1.6449), (0.98, 2.0537), (0.99, 2.3263)]
)
def test_z_is_that_of_the_normal_table(level: float, z: float) -> None:
    assert z_for_cycle_service(np.array([level]))[0] == pytest.approx(z, abs=5e-5)


@pytest.mark.parametrize(
    ("k", "loss"), [(-1.0, 1.0833), (0.0, 0.3989), (1.0, 0.08332), (2.0, 0.008491), (3.0, 0.000382)]
)
def test_the_unit_normal_loss_is_that_of_the_table(k: float, loss: float) -> None:
    assert unit_normal_loss(np.array([k]))[0] == pytest.approx(loss, rel=1.5e-3)


@given(st.floats(-50.0, 8.0))
def test_the_inverse_loss_undoes_the_loss(k: float) -> None:
    loss = unit_normal_loss(np.array([k]))
    assert inverse_unit_normal_loss(loss)[0] == pytest.approx(k, abs=1e-7)


def test_the_second_loss_is_the_integral_of_the_first() -> None:
    k = np.linspace(0.3, 40.0, 400_001)
    area = np.trapezoid(unit_normal_loss(k), k)
    assert unit_normal_second_loss(np.array([0.3]))[0] == pytest.approx(area, rel=1e-6)


def test_cycle_service_example_worked_by_hand() -> None:
    # Silver, Pyke & Thomas' way: demand 58.3 over the lead time, sd 13.1, P1 = 90 %:
    # k = 1.28, safety stock 16.8 (17 units), reorder point 75.1 (76 units).
    found = safety_stock(
        ProtectionDemand(*one(58.3, 13.1)),
        np.array([0.90]),
        np.array([ServiceRule.CYCLE], dtype=np.int8),
        np.array([30.0]),
        np.array([False]),
    )
    assert found.safety_factor[0] == pytest.approx(1.28, abs=0.005)
    assert found.safety_stock[0] == pytest.approx(16.8, abs=0.05)
    assert found.reorder_point[0] == pytest.approx(75.1, abs=0.05)


def test_fill_rate_example_worked_by_hand() -> None:
    # Silver, Pyke & Thomas' way: Q = 200, sd 11.4, P2 = 99 %: G(k) = 200 x 0.01 / 11.4 = 0.1754,
    # in the table between G(0.57) = 0.1771 and G(0.58) = 0.1742; with mean 50, s is 56.6.
    assert safety_factor_for_fill_rate(*one(0.99, 200.0, 11.4))[0] == pytest.approx(0.576, abs=1e-3)
    point = reorder_point_for_fill_rate(
        *one(50.0, 11.4, 0.99, 200.0), np.array([Distribution.NORMAL], dtype=np.int8)
    )
    assert point[0] == pytest.approx(50.0 + 0.576 * 11.4, abs=0.02)


def test_lost_sales_need_a_little_less_than_backorders() -> None:
    backorders = safety_factor_for_fill_rate(*one(0.95, 100.0, 30.0))
    lost = safety_factor_for_fill_rate(*one(0.95, 100.0, 30.0), lost_sales=True)
    assert unit_normal_loss(lost)[0] == pytest.approx(100 / 30 * 0.05 / 0.95)
    assert lost[0] < backorders[0]


def test_lead_time_spread_adds_to_demand_spread_as_in_the_textbook() -> None:
    # 20 a day, sd 5; lead time 9 days, sd 2; reviewed every 7: 16 x 25 + 400 x 4 = 2000.
    found = protection_demand(*one(20.0, 5.0, 9.0, 2.0, 7.0))
    assert found.mean[0] == 320.0
    assert found.sd[0] == pytest.approx(np.sqrt(2000.0))


def test_the_distribution_follows_the_size_and_spread_of_demand() -> None:
    mean = np.array([100.0, 100.0, 4.0, 4.0, 4.0, 4.0, 0.0])
    sd = np.array([50.0, 51.0, 2.0, 3.0, 1.0, 3.0, 2.0])
    count = np.array([True, True, True, True, True, False, True])
    assert choose_distribution(mean, sd, count).tolist() == [
        Distribution.NORMAL,
        Distribution.GAMMA,
        Distribution.POISSON,
        Distribution.NEGATIVE_BINOMIAL,
        Distribution.NORMAL,
        Distribution.GAMMA,
        Distribution.NORMAL,
    ]


@pytest.mark.parametrize("level", [0.3, 0.9, 0.98, 0.9999])
@pytest.mark.parametrize("kind", list(Distribution))
def test_quantiles_are_those_of_scipy(kind: Distribution, level: float) -> None:
    sd = np.maximum(SPREADS, np.sqrt(MEANS) * 1.2)
    codes = np.full(MEANS.shape, kind, dtype=np.int8)
    found = demand_quantile(MEANS, sd, np.full(MEANS.shape, level), codes)
    slow = [reference(kind, m, s).ppf(level) for m, s in zip(MEANS, sd, strict=True)]
    assert np.allclose(found, np.maximum(slow, 0.0), rtol=1e-9)


@pytest.mark.parametrize("kind", list(Distribution))
@pytest.mark.parametrize("point", [0.0, 1.0, 7.0, 30.0])
def test_expected_shortage_is_the_integral_of_the_tail(kind: Distribution, point: float) -> None:
    for mean, sd in ((0.4, 0.9), (6.0, 3.0), (9.0, 11.0)):
        code = np.array([kind], dtype=np.int8)
        found = expected_shortage(*one(point, mean, sd), code)[0]
        demand = reference(kind, mean, sd)
        if kind >= Distribution.POISSON:
            slow = demand.sf(np.arange(point, 2000.0)).sum()
        else:
            slow = quad(demand.sf, point, np.inf, limit=200)[0]
        assert found == pytest.approx(slow, rel=1e-7, abs=1e-9)


@settings(max_examples=200, deadline=None)
@example(126.0, 0.0625, 0.875, 0.25, Distribution.GAMMA)
@given(
    st.floats(0.05, 500.0),
    st.floats(0.05, 6.0),
    st.floats(0.6, 0.9995),
    st.floats(0.1, 1000.0),
    st.sampled_from(list(Distribution)),
)
def test_a_fill_rate_point_is_short_by_what_the_fill_rate_allows_and_no_less(
    mean: float, cv: float, fill: float, lot: float, kind: Distribution
) -> None:
    sd = max(cv * mean, 1.01 * mean**0.5)
    code = np.array([kind], dtype=np.int8)
    point = reorder_point_for_fill_rate(*one(mean, sd, fill, lot), code)
    allowed = lot * (1 - fill)
    short = expected_shortage(point, *one(mean, sd), code)[0]
    assert short <= allowed * (1 + 1e-6) + 1e-9
    if point[0] > 0 and kind >= Distribution.POISSON:
        assert expected_shortage(point - 1, *one(mean, sd), code)[0] > allowed
    elif point[0] > 0:
        assert short == pytest.approx(allowed, rel=1e-5)


@settings(max_examples=60, deadline=None)
@given(
    st.floats(0.05, 300.0),
    st.floats(0.05, 5.0),
    st.booleans(),
    st.sampled_from([ServiceRule.CYCLE, ServiceRule.FILL]),
)
def test_more_service_never_takes_less_stock(
    mean: float, cv: float, is_count: bool, rule: ServiceRule
) -> None:
    levels = np.array([0.5, 0.7, 0.9, 0.95, 0.98, 0.99, 0.999])
    curve = service_curve(
        ProtectionDemand(*one(mean, cv * mean)),
        levels,
        np.array([rule], dtype=np.int8),
        np.array([mean / 2]),
        np.array([is_count]),
        unit_cost=np.array([4.0]),
        holding_rate=np.array([0.25]),
    )
    assert (np.diff(curve.safety_stock[:, 0]) >= -1e-9).all()
    assert (curve.safety_stock >= 0).all()
    assert np.allclose(curve.value, curve.safety_stock * 4.0)
    assert np.allclose(curve.annual_holding_cost, curve.safety_stock)


@settings(max_examples=40, deadline=None)
@given(st.floats(0.5, 300.0), st.floats(0.05, 3.0), st.sampled_from([1e-3, 0.25, 12.0, 1e4]))
def test_measured_demand_scales_with_its_unit(mean: float, cv: float, factor: float) -> None:
    def points(unit: float) -> np.ndarray:
        return np.array(
            [
                safety_stock(
                    ProtectionDemand(*one(mean * unit, cv * mean * unit)),
                    np.array([0.97]),
                    np.array([rule], dtype=np.int8),
                    np.array([mean * unit]),
                    np.array([False]),
                ).reorder_point[0]
                for rule in ServiceRule
            ]
        )

    assert np.allclose(points(1.0) * factor, points(factor), rtol=1e-9)


def test_a_block_of_items_gets_the_answers_of_each_alone() -> None:
    rng = np.random.default_rng(1)
    mean = rng.lognormal(1.5, 2.0, 200)
    sd = mean * rng.uniform(0.05, 3.0, 200)
    rule = rng.integers(0, 2, 200).astype(np.int8)
    level, lot, count = rng.uniform(0.8, 0.999, 200), mean * 2, rng.random(200) < 0.5
    block = safety_stock(ProtectionDemand(mean, sd), level, rule, lot, count)
    assert set(block.distribution.tolist()) == {0, 1, 2, 3}
    for i in range(200):
        at = slice(i, i + 1)
        single = safety_stock(
            ProtectionDemand(mean[at], sd[at]), level[at], rule[at], lot[at], count[at]
        )
        assert single.reorder_point[0] == block.reorder_point[i]
        assert single.safety_factor[0] == block.safety_factor[i]


def test_without_expected_demand_nothing_is_kept() -> None:
    for rule in ServiceRule:
        found = safety_stock(
            ProtectionDemand(*one(0.0, 3.0)),
            np.array([0.99]),
            np.array([rule], dtype=np.int8),
            np.array([5.0]),
            np.array([True]),
        )
        assert found.safety_stock[0] == found.reorder_point[0] == 0.0


def test_certain_demand_needs_no_safety_stock() -> None:
    for rule in ServiceRule:
        found = safety_stock(
            ProtectionDemand(*one(30.0, 0.0)),
            np.array([0.99]),
            np.array([rule], dtype=np.int8),
            np.array([5.0]),
            np.array([True]),
        )
        assert found.safety_stock[0] == 0.0
        assert found.reorder_point[0] == 30.0


@pytest.mark.parametrize("level", [0.0, 1.0, -0.1, 1.7, float("nan")])
def test_a_service_level_outside_nought_and_one_is_refused(level: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        z_for_cycle_service(np.array([level]))
    with pytest.raises(ValueError, match="between 0 and 1"):
        safety_factor_for_fill_rate(*one(level, 10.0, 3.0))


def test_the_newsvendor_stock_is_cheapest_among_its_neighbours() -> None:
    h, p, mean, sd = one(0.18, 0.7, 50.0, 8.0)
    best = newsvendor_normal(h, p, mean, sd)
    normal = np.array([Distribution.NORMAL], dtype=np.int8)
    for shift in (-0.5, 0.0, 0.5):
        stock = best.quantity + shift
        short = expected_shortage(stock, mean, sd, normal)
        cost = h * (stock - mean + short) + p * short
        assert cost[0] >= best.cost[0] - 1e-12
    counted = newsvendor_poisson(*one(1.0, 4.0, 6.0))
    assert counted.quantity[0] == stats.poisson.ppf(0.8, 6.0)
    assert counted.critical_ratio[0] == 0.8
