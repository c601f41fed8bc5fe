"""Fiscal periods: the months of the books.

A fiscal year is named after the calendar year it begins in, as in SAP's fiscal year variant V3:
with an April start, 2026-P01 is April 2026 and 2026-P12 is March 2027.
"""

import re
from dataclasses import dataclass
from datetime import date, timedelta

MONTHS = 12
_CODE = re.compile(r"(\d{4})-P(\d\d)", re.ASCII)


@dataclass(frozen=True)
class Period:
    """A calendar month as a period of a fiscal year."""

    code: str
    starts_on: date
    ends_on: date


def period(year: int, number: int, first_month: int) -> Period:
    """The period with a number (1 to 12) of the fiscal year that begins in `year`."""
    months = year * MONTHS + first_month - 1 + number - 1
    ends_before = months + 1
    starts_on = date(months // MONTHS, months % MONTHS + 1, 1)
    following = date(ends_before // MONTHS, ends_before % MONTHS + 1, 1)
    return Period(f"{year:04d}-P{number:02d}", starts_on, following - timedelta(days=1))


def period_of(day: date, first_month: int) -> Period:
    """The period a day lies in."""
    year, month = divmod(day.year * MONTHS + day.month - first_month, MONTHS)
    return period(year, month + 1, first_month)


def periods_of(year: int, first_month: int) -> list[Period]:
    """The twelve periods of a fiscal year."""
    return [period(year, number, first_month) for number in range(1, MONTHS + 1)]


def parse(code: str, first_month: int) -> Period | None:
    """The period a code names; None if it names none of the years 2000 to 2199."""
    match = _CODE.fullmatch(code)
    if match is None:
        return None
    year, number = int(match[1]), int(match[2])
    if not (2000 <= year <= 2199 and 1 <= number <= MONTHS):
        return None
    return period(year, number, first_month)
