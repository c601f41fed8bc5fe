"""The buyer of the demo's past: when it looks, and how much it orders."""

from datetime import date, timedelta

import numpy as np
import pytest

from scm_api.demo import buyer


def test_each_supplier_is_looked_at_every_second_monday() -> None:
    days = [date(2026, 1, 1) + timedelta(days=n) for n in range(140)]
    for supplier in range(4):
        reviews = [day for day in days if buyer.is_review_day(day, supplier)]
        assert len(reviews) == 10
        assert {day.weekday() for day in reviews} == {0}
    first, second = ({d for d in days if buyer.is_review_day(d, s)} for s in (0, 1))
    assert not first & second


def test_demand_is_the_average_of_eight_weeks() -> None:
    asked = np.tile(np.array([2, 4], np.int64), 100).reshape(1, 1, 200)
    assert buyer.daily_demand(asked, np.array([[900]])) == pytest.approx(3.0)


def test_before_there_are_sales_the_opening_stock_stands_for_them() -> None:
    nothing = np.zeros((1, 1, 0), np.int64)
    assert buyer.daily_demand(nothing, np.array([[60]])) == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("position", "multiple", "minimum", "ordered"),
    [
        (10_000, 10, 10, None),  # enough
        (0, 10, 10, 440),  # 10 a day x (6 x 1.5 + 14 + 21) = 440
        (100, 12, 1, 348),  # 340 short, in dozens
        (439, 10, 50, 50),  # 1 short, but 50 at least
        (440, 10, 10, None),  # exactly enough
    ],
)
def test_an_order_fills_up_to_the_level_in_multiples_and_minima(
    position: int, multiple: int, minimum: int, ordered: int | None
) -> None:
    found = buyer.needs(
        np.array([0]),
        np.array([[10.0]]),
        np.array([[position]]),
        np.array([6]),
        np.array([multiple]),
        np.array([minimum]),
    )
    assert found == ([] if ordered is None else [buyer.Need(0, 0, ordered)])
