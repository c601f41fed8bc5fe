"""The pure rules of suppliers against naive definitions of the same thing."""

import statistics
from datetime import date, timedelta
from decimal import Decimal
from itertools import combinations, pairwise

from hypothesis import given
from hypothesis import strategies as st

from scm_api.suppliers.policy import (
    PriceStep,
    Shutdown,
    arrival_on,
    effective_price,
    measured_lead_time,
    merged,
    mixed_currencies,
    order_by,
    order_quantity,
    overlaps,
)

DAY = timedelta(days=1)
START = date(2026, 1, 1)

days = st.integers(0, 40).map(lambda n: START + n * DAY)
periods = st.tuples(days, st.integers(0, 12)).map(lambda p: Shutdown(p[0], p[0] + p[1] * DAY))
calendars = st.lists(periods, max_size=6)
lead_times = st.integers(0, 30)
quantities = st.integers(0, 300).map(Decimal)
steps = st.builds(
    PriceStep,
    minimum_quantity=st.sampled_from([Decimal(0), Decimal(10), Decimal(100)]),
    unit_price=st.integers(1, 100).map(Decimal),
    price_per=st.sampled_from([Decimal(1), Decimal(100)]),
    currency=st.sampled_from(["CNY", "USD"]),
    valid_from=days,
    valid_to=st.none(),
).flatmap(
    lambda step: st.one_of(st.none(), st.integers(0, 20)).map(
        lambda length: PriceStep(
            step.minimum_quantity,
            step.unit_price,
            step.price_per,
            step.currency,
            step.valid_from,
            None if length is None else step.valid_from + length * DAY,
        )
    )
)
price_lists = st.lists(steps, max_size=8)


def is_open(day: date, shutdowns: list[Shutdown]) -> bool:
    return not any(starts_on <= day <= ends_on for starts_on, ends_on in shutdowns)


def naive_arrival(order_date: date, lead_time_days: int, shutdowns: list[Shutdown]) -> date:
    """Wait for an open day, then count open days, one at a time."""
    day = order_date
    while not is_open(day, shutdowns):
        day += DAY
    for _ in range(lead_time_days):
        day += DAY
        while not is_open(day, shutdowns):
            day += DAY
    return day


@given(days, lead_times, calendars)
def test_arrival_is_what_counting_day_by_day_gives(
    order_date: date, lead_time_days: int, shutdowns: list[Shutdown]
) -> None:
    expected = naive_arrival(order_date, lead_time_days, shutdowns)
    assert arrival_on(order_date, lead_time_days, shutdowns) == expected


@given(days, lead_times, calendars)
def test_order_by_is_the_last_day_that_still_arrives_in_time(
    need_by: date, lead_time_days: int, shutdowns: list[Shutdown]
) -> None:
    last = order_by(need_by, lead_time_days, shutdowns)
    assert naive_arrival(last, lead_time_days, shutdowns) <= need_by
    assert naive_arrival(last + DAY, lead_time_days, shutdowns) > need_by


@given(days, lead_times, calendars)
def test_a_later_order_or_a_longer_lead_time_never_arrives_earlier(
    order_date: date, lead_time_days: int, shutdowns: list[Shutdown]
) -> None:
    arrival = arrival_on(order_date, lead_time_days, shutdowns)
    assert arrival_on(order_date + DAY, lead_time_days, shutdowns) >= arrival
    assert arrival_on(order_date, lead_time_days + 1, shutdowns) > arrival


def test_the_days_of_a_shutdown_do_not_count_towards_the_lead_time() -> None:
    golden_week = [Shutdown(date(2026, 10, 1), date(2026, 10, 7))]
    assert arrival_on(date(2026, 9, 29), 1, golden_week) == date(2026, 9, 30)
    assert arrival_on(date(2026, 9, 29), 2, golden_week) == date(2026, 10, 8)
    assert arrival_on(date(2026, 10, 3), 0, golden_week) == date(2026, 10, 8)
    assert arrival_on(date(2026, 10, 3), 1, golden_week) == date(2026, 10, 9)
    assert order_by(date(2026, 10, 7), 2, golden_week) == date(2026, 9, 28)
    assert arrival_on(date(2026, 9, 29), 14, []) == date(2026, 10, 13)


@given(calendars)
def test_merged_periods_close_the_same_days_and_never_touch(shutdowns: list[Shutdown]) -> None:
    periods = merged(shutdowns)
    for day in (START + n * DAY for n in range(60)):
        assert is_open(day, periods) == is_open(day, shutdowns)
    assert all(a.ends_on + DAY < b.starts_on for a, b in pairwise(periods))


def share_a_day(a: PriceStep, b: PriceStep) -> bool:
    return a.is_valid(b.valid_from) or b.is_valid(a.valid_from)


@given(price_lists)
def test_a_price_list_without_overlaps_has_one_price_for_every_quantity_and_day(
    prices: list[PriceStep],
) -> None:
    pairs = [
        (a, b)
        for a, b in combinations(range(len(prices)), 2)
        if prices[a].minimum_quantity == prices[b].minimum_quantity
        and share_a_day(prices[a], prices[b])
    ]
    found = overlaps(prices)
    assert bool(found) == bool(pairs)
    assert {tuple(sorted(pair)) for pair in found} <= set(pairs)
    guilty = {index for index, _ in found}
    clean = [step for index, step in enumerate(prices) if index not in guilty]
    assert overlaps(clean) == []


@given(price_lists)
def test_steps_in_two_currencies_on_one_day_are_always_found(prices: list[PriceStep]) -> None:
    pairs = [
        (a, b) for a, b in combinations(prices, 2) if a.currency != b.currency and share_a_day(a, b)
    ]
    assert bool(mixed_currencies(prices)) == bool(pairs)


@given(price_lists, quantities, days)
def test_the_effective_price_is_the_highest_valid_step_the_quantity_reaches(
    prices: list[PriceStep], quantity: Decimal, on: date
) -> None:
    step = effective_price(prices, quantity, on)
    reached = [s.minimum_quantity for s in prices if s.is_valid(on)]
    reached = [minimum for minimum in reached if minimum <= quantity]
    assert (None if step is None else step.minimum_quantity) == max(reached, default=None)
    assert step is None or step.is_valid(on)


@given(st.lists(st.integers(1, 100), min_size=1, max_size=5), quantities, quantities, days)
def test_where_steps_get_cheaper_a_greater_quantity_never_pays_more_a_unit(
    falling: list[int], one: Decimal, more: Decimal, on: date
) -> None:
    prices = [
        PriceStep(Decimal(50 * place), Decimal(price), Decimal(1), "CNY", START, None)
        for place, price in enumerate(sorted(falling, reverse=True))
    ]
    less, greater = sorted([one, more])
    a, b = effective_price(prices, less, on), effective_price(prices, greater, on)
    assert a is not None
    assert b is not None
    assert a.minimum_quantity <= b.minimum_quantity
    assert a.price_of_one >= b.price_of_one


@given(
    st.integers(1, 3_000_000).map(lambda n: Decimal(n).scaleb(-4)),
    quantities,
    st.one_of(st.none(), st.integers(1, 500_000).map(lambda n: Decimal(n).scaleb(-4))),
    st.one_of(st.none(), st.integers(1, 400).map(Decimal)),
)
def test_an_order_quantity_is_the_least_that_covers_the_need(
    needed: Decimal, minimum: Decimal, multiple: Decimal | None, maximum: Decimal | None
) -> None:
    free = order_quantity(needed, minimum, multiple, None)
    assert free is not None
    assert free >= max(needed, minimum)
    if multiple is None:
        assert free == max(needed, minimum)
    else:
        assert free % multiple == 0
        assert free - multiple < max(needed, minimum)
    expected = free if maximum is None or free <= maximum else None
    assert order_quantity(needed, minimum, multiple, maximum) == expected


@given(st.lists(st.integers(0, 400), min_size=2, max_size=50))
def test_mean_and_spread_from_sums_are_those_of_the_observations(observed: list[int]) -> None:
    total, squares = Decimal(sum(observed)), Decimal(sum(d * d for d in observed))
    measured = measured_lead_time(len(observed), total, squares)
    assert measured.mean_days is not None
    assert measured.sd_days is not None
    assert abs(float(measured.mean_days) - statistics.mean(observed)) < 1e-4
    assert abs(float(measured.sd_days) - statistics.stdev(observed)) < 1e-4
