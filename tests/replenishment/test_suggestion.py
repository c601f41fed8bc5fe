"""The decision: when to order, how much, and that the same input gives the same bits."""

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scm_api.replenishment.lot_size import Rounding
from scm_api.replenishment.safety_stock import ServiceRule
from scm_api.replenishment.suggestion import NEVER, SuggestionInputs, suggest
from tests.replenishment.catalogue import inputs_of, random_inputs


def test_a_worked_decision_has_the_figures_of_hand_calculation() -> None:
    # 10 a day, sd 4; lead time 9 days, sd 2; review 7: mean 160, variance 16 x 16 + 100 x 4 = 656.
    found = suggest(inputs_of(on_hand=120.0, reserved=20.0, receipts={3: 30.0, 40: 500.0}))
    assert found.protection.mean[0] == 160.0
    assert found.protection.sd[0] == pytest.approx(np.sqrt(656.0))
    assert found.service.safety_stock[0] == pytest.approx(1.6448536 * np.sqrt(656.0))
    # Lot: sqrt(2 x 25 x 3650 / (4 x 0.25)) = 427.2; S = s + 427.2 - 70.
    assert found.lot[0] == pytest.approx(np.sqrt(2 * 25 * 3650))
    assert found.order_up_to[0] - found.reorder_point[0] == pytest.approx(found.lot[0] - 70.0)
    # The receipt of day 40 lies outside the 16 days.
    assert found.on_order[0] == 30.0
    assert found.position[0] == 130.0
    assert found.raw_need[0] == pytest.approx(found.order_up_to[0] - 130.0)
    assert found.order.quantity[0] == np.ceil(found.raw_need[0] / 12) * 12
    assert found.value[0] == found.order.quantity[0] * 4.0
    # Free stock 100 closes day 9 at 100 + 30 - 100 = 30, under the 42.1 of safety on day 8.
    assert found.order_in_days[0] == 0
    assert found.needed_in_days[0] == 8
    assert found.stockout_in_days[0] == 13


def test_above_the_reorder_point_nothing_is_ordered_and_the_day_is_foretold() -> None:
    waiting = suggest(inputs_of(on_hand=300.0))
    assert waiting.order.quantity[0] == 0.0
    assert waiting.value[0] == 0.0
    day = int(waiting.order_in_days[0])
    # 300 - 10 (day + 1) first reaches 202.1 after ten days' demand.
    assert day == 9
    assert suggest(inputs_of(on_hand=300.0 - 10.0 * (day + 1))).order.quantity[0] > 0.0


def test_days_beyond_the_horizon_are_foretold_by_the_daily_mean() -> None:
    found = suggest(inputs_of(on_hand=2000.0))
    assert found.stockout_in_days[0] == 200
    assert suggest(inputs_of(on_hand=2000.0, horizon=0)).stockout_in_days[0] == 200
    still = inputs_of(on_hand=5.0, daily_mean=0.0)
    assert suggest(still).stockout_in_days[0] == NEVER
    assert suggest(still).order_in_days[0] == NEVER
    assert suggest(still).order.quantity[0] == 0.0


def test_the_horizon_does_not_change_the_protection_demand_of_level_demand() -> None:
    for horizon in (0, 5, 16, 17, 60):
        found = suggest(inputs_of(horizon=horizon, lead_time_days=9.5))
        assert found.protection.mean[0] == pytest.approx(165.0)


def test_a_planned_promotion_in_the_interval_raises_the_order_by_itself() -> None:
    plain = inputs_of()
    planned = plain.expected_demand.copy()
    planned[0, 12] += 300.0
    lifted = replace(plain, expected_demand=planned)
    assert suggest(lifted).protection.mean[0] == suggest(plain).protection.mean[0] + 300.0
    assert suggest(lifted).raw_need[0] >= suggest(plain).raw_need[0] + 300.0


def test_typed_minimum_and_maximum_replace_the_computed_levels() -> None:
    found = suggest(inputs_of(on_hand=50.0, policy_min=50.0, policy_max=110.0))
    assert found.reorder_point[0] == 50.0
    assert found.raw_need[0] == 60.0
    assert suggest(inputs_of(on_hand=50.25, policy_min=50.0, policy_max=110.0)).raw_need[0] == 0.0
    odd = suggest(inputs_of(on_hand=50.0, policy_min=90.0, policy_max=60.0))
    assert odd.order_up_to[0] == 90.0


def test_costless_ordering_orders_a_review_period_at_a_time() -> None:
    found = suggest(inputs_of(order_cost=0.0, order_multiple=1.0))
    assert found.lot[0] == 70.0
    assert found.order_up_to[0] == found.reorder_point[0]


def test_a_lot_is_at_most_a_year_of_demand_and_at_least_the_minimum_order() -> None:
    assert suggest(inputs_of(order_cost=1e9)).lot[0] == 3650.0
    assert suggest(inputs_of(order_cost=0.0, minimum_quantity=500.0)).lot[0] == 500.0


def test_an_order_already_late_counts_as_arriving_today() -> None:
    found = suggest(inputs_of(on_hand=0.0, receipts={0: 1000.0}))
    assert found.order.quantity[0] == 0.0


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_the_flip_point_is_where_the_decision_flips(seed: int) -> None:
    inputs = random_inputs(seed, 20)
    found = suggest(inputs)
    shift = found.no_order_above - found.position
    above = suggest(replace(inputs, on_hand=inputs.on_hand + shift + 1e-5))
    assert (above.order.multiples == 0).all()
    at = suggest(replace(inputs, on_hand=inputs.on_hand + shift))
    wanting = at.order_up_to - at.position > 1e-6
    assert (at.order.multiples[wanting] > 0).all()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_an_order_brings_the_position_to_its_level_unless_a_maximum_forbids(seed: int) -> None:
    inputs = random_inputs(seed, 20)
    found = suggest(inputs)
    ordered = found.order.multiples > 0
    cut = (found.order.reasons & int(Rounding.CUT_TO_MAXIMUM)) > 0
    reached = found.position + found.order.quantity
    assert (reached >= found.order_up_to - 1e-6)[ordered & ~cut].all()
    assert (found.position <= found.reorder_point + 1e-6)[ordered].all()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.5, 0.98), st.floats(0.001, 0.019))
def test_more_service_never_orders_later(seed: int, level: float, more: float) -> None:
    inputs = random_inputs(seed, 20)
    low = suggest(replace(inputs, service_level=np.full(20, level)))
    high = suggest(replace(inputs, service_level=np.full(20, level + more)))
    assert (high.reorder_point >= low.reorder_point - 1e-9).all()


def test_items_decided_together_alone_and_again_get_the_same_bits() -> None:
    inputs = random_inputs(7, 60)
    found, again = suggest(inputs), suggest(inputs)
    for i in range(60):
        alone = suggest(
            SuggestionInputs(**{f.name: getattr(inputs, f.name)[i : i + 1] for f in fields(inputs)})
        )
        for name in ("position", "lot", "reorder_point", "order_up_to", "raw_need", "value"):
            value = getattr(found, name)[i]
            assert value == getattr(alone, name)[0] == getattr(again, name)[i], name
        assert found.order.multiples[i] == alone.order.multiples[0]
        assert found.stockout_in_days[i] == alone.stockout_in_days[0]


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.25, 8.0, 1024.0]))
def test_measured_items_decide_alike_in_any_unit(seed: int, factor: float) -> None:
    inputs = replace(random_inputs(seed, 20), is_count=np.zeros(20, dtype=np.bool_))
    per_unit = {"unit_cost": inputs.unit_cost / factor}
    quantities = (
        "on_hand",
        "reserved",
        "receipts",
        "expected_demand",
        "daily_mean",
        "daily_sd",
        "minimum_quantity",
        "order_multiple",
        "maximum_quantity",
        "policy_min",
        "policy_max",
    )
    scaled = {name: getattr(inputs, name) * factor for name in quantities}
    other = suggest(replace(inputs, **scaled, **per_unit))
    assert np.allclose(other.reorder_point, suggest(inputs).reorder_point * factor, rtol=1e-9)
    assert (other.order.multiples == suggest(inputs).order.multiples).mean() > 0.9


def test_inputs_that_do_not_fit_are_refused_by_name() -> None:
    good = inputs_of()
    with pytest.raises(ValueError, match="daily_sd"):
        suggest(replace(good, daily_sd=np.array([-1.0])))
    with pytest.raises(ValueError, match="lead_time_days"):
        suggest(replace(good, lead_time_days=np.array([np.nan])))
    with pytest.raises(ValueError, match="reserved"):
        suggest(replace(good, reserved=np.zeros(2)))
    with pytest.raises(ValueError, match="one horizon"):
        suggest(replace(good, receipts=np.zeros((1, 3))))


def test_fill_rates_use_the_lot_and_need_less_stock_with_larger_lots() -> None:
    fill = np.array([ServiceRule.FILL], dtype=np.int8)
    small = suggest(replace(inputs_of(order_cost=0.0), service_rule=fill))
    large = suggest(replace(inputs_of(order_cost=400.0), service_rule=fill))
    assert large.service.safety_stock[0] < small.service.safety_stock[0]
