"""The conditions themselves, without a database."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scm_api.alerts import actions, policy
from scm_api.alerts.messages import sentence
from scm_api.alerts.policy import Arrival, Figures, Trend
from scm_api.alerts.rules import DEFAULTS, KINDS, LowStock, Overstock, PotentialStockout
from scm_api.stock import policy as stock_policy

D = Decimal
TODAY = date(2026, 3, 1)
FIGURES = Figures(
    item_id=UUID(int=1),
    warehouse_id=UUID(int=2),
    sku="A",
    warehouse="WH-1",
    is_active=True,
    today=TODAY,
    available=D(100),
    quantity=D(100),
    value=D(1000),
    daily_demand=D(5),
    safety_stock=D(20),
    reorder_point=D(60),
    order_up_to=D(200),
    arrivals=[],
    trend=Trend(28, (D(100), D(100), D(100)), (D(5), D(5), D(5)), True),
)


def arrival(in_days: int, quantity: int) -> Arrival:
    return Arrival(
        TODAY + timedelta(days=in_days), D(quantity), "purchase_order", UUID(int=9), "PO-000001"
    )


def kinds(figures: Figures) -> set[str]:
    return {kind for kind, _ in policy.stock_evidence(figures, DEFAULTS)}


def test_a_healthy_position_has_no_alert() -> None:
    assert kinds(FIGURES) == set()


@given(
    available=st.integers(0, 200),
    demand=st.integers(1, 20),
    arriving=st.lists(st.integers(0, 40), min_size=60, max_size=60),
)
def test_the_day_stock_runs_out_is_the_one_the_projection_shows(
    available: int, demand: int, arriving: list[int]
) -> None:
    quantities = [D(quantity) for quantity in arriving]
    _, projected = stock_policy.project(D(available), D(demand), quantities)
    coming = [(day, quantity) for day, quantity in enumerate(quantities) if quantity > 0]
    out = policy.runs_out_in(D(available), D(demand), coming)
    assert out is not None
    assert out == projected if projected is not None else out >= len(arriving)


@pytest.mark.parametrize(
    ("available", "on_order", "is_low"), [(60, 0, True), (61, 0, False), (40, 21, False)]
)
def test_the_reorder_point_counts_what_is_ordered(
    available: int, on_order: int, is_low: bool
) -> None:
    figures = replace(FIGURES, available=D(available), arrivals=[arrival(3, on_order)])
    assert (policy.low_stock(figures, LowStock()) is not None) == is_low


def test_safety_stock_counts_only_what_is_there() -> None:
    figures = replace(FIGURES, available=D(19), arrivals=[arrival(3, 500)])
    evidence = policy.low_stock(figures, LowStock())
    assert evidence is not None
    assert (evidence["is_at_reorder_point"], evidence["is_below_safety_stock"]) == (False, True)
    assert policy.low_stock(figures, LowStock(below_safety_stock=False)) is None


def test_an_item_nobody_wants_with_levels_of_zero_is_not_low() -> None:
    zero = D(0)
    figures = replace(
        FIGURES, available=zero, daily_demand=zero, safety_stock=zero, reorder_point=zero
    )
    assert kinds(figures) == set()


def test_overdue_supply_is_not_relied_on_unless_the_rule_says_so() -> None:
    figures = replace(FIGURES, available=D(25), arrivals=[arrival(-2, 500)], lead_time_days=10)
    evidence = policy.potential_stockout(figures, PotentialStockout())
    assert evidence is not None
    assert evidence["stockout_on"] == TODAY + timedelta(days=5)
    assert evidence["overdue"] == D(500)
    rule = PotentialStockout(counts_overdue_supply=True)
    assert policy.potential_stockout(figures, rule) is None


def test_running_out_before_the_next_arrival_counts_even_beyond_the_lead_time() -> None:
    figures = replace(FIGURES, lead_time_days=7, arrivals=[arrival(40, 500)])
    evidence = policy.potential_stockout(figures, PotentialStockout())
    assert evidence is not None
    assert evidence["stockout_on"] == TODAY + timedelta(days=20)
    # An order placed today would still be in time.
    assert evidence["potential_lost_quantity"] == 0
    soon = replace(figures, arrivals=[arrival(10, 500)])
    assert policy.potential_stockout(soon, PotentialStockout()) is None


def test_what_can_be_had_at_once_has_a_lead_time_of_zero_days() -> None:
    figures = replace(FIGURES, available=D(25), lead_time_days=0)
    assert policy.potential_stockout(figures, PotentialStockout()) is None
    unknown = policy.potential_stockout(replace(figures, lead_time_days=None), PotentialStockout())
    assert unknown is not None
    assert unknown["lead_time_days"] == 14
    empty_today = policy.potential_stockout(replace(figures, available=D(4)), PotentialStockout())
    assert empty_today is not None
    assert (empty_today["lead_time_days"], empty_today["potential_lost_quantity"]) == (0, 0)


def test_overstock_tolerates_a_share_and_a_value() -> None:
    figures = replace(FIGURES, available=D(220), quantity=D(220), value=D(2200))
    evidence = policy.overstock(figures, Overstock())
    assert evidence is not None
    assert (evidence["surplus"], evidence["surplus_value"]) == (D(20), D(200))
    assert policy.overstock(figures, Overstock(surplus_percent=D(10))) is None
    assert policy.overstock(figures, Overstock(minimum_value=D(201))) is None


def test_what_is_not_bought_any_more_is_never_too_little() -> None:
    gone = replace(FIGURES, is_active=False, available=D(0))
    assert kinds(gone) == set()
    assert kinds(replace(gone, available=D(300), quantity=D(300))) == {"overstock"}


@pytest.mark.parametrize(
    ("stock", "falls"),
    [
        ((D(40), D(150), D(300)), True),
        # It recovered in the second half: no steady fall.
        ((D(40), D(30), D(300)), False),
        # It fell, but not below the rule's share of what it was.
        ((D(50), D(60), D(70)), False),
    ],
)
def test_a_trend_falls_in_both_halves(stock: tuple[Decimal, Decimal, Decimal], falls: bool) -> None:
    trend = replace(FIGURES.trend, stock=stock)
    assert ("negative_cover_trend" in kinds(replace(FIGURES, trend=trend))) == falls
    unknown = replace(trend, was_stocked=False)
    assert "negative_cover_trend" not in kinds(replace(FIGURES, trend=unknown))


def test_a_warehouse_gives_away_only_what_it_does_not_need() -> None:
    assert actions.spare(FIGURES) == 0
    assert actions.spare(replace(FIGURES, available=D(230))) == 30
    unplanned = replace(FIGURES, order_up_to=None, reorder_point=None)
    assert actions.spare(unplanned) == 0
    assert actions.spare(replace(unplanned, daily_demand=D(0))) == 100


def test_every_kind_has_a_rule_and_words_in_both_languages() -> None:
    assert set(DEFAULTS) == set(KINDS)
    evidence = {"available": "40.0000", "on_order": "0", "reorder_point": None, "safety_stock": "1"}
    words = sentence("low_stock", evidence, "en", sku="A", warehouse="WH-1")
    assert words.startswith("A in WH-1 is low: 40 available and 0 on order; reorder point -,")
    assert "库存偏低" in sentence("low_stock", evidence, "zh-CN", sku="A", warehouse="WH-1")
