"""The working calendar: rules, and holidays over HTTP."""

from datetime import date, timedelta

import pytest

from scm_api.organizations.calendar_policy import WorkCalendar
from tests.support import Client, problem_codes

HOLIDAYS = "/v1/organizations/current/holidays"
# 春节 2026 as the State Council announced it: off from 15 to 23 February, and the week-end days
# 14 and 28 February are worked in exchange.
SPRING = {date(2026, 2, day): False for day in range(15, 24)} | {
    date(2026, 2, 14): True,
    date(2026, 2, 28): True,
}
CHINA = WorkCalendar("1111100", SPRING)


@pytest.mark.parametrize(
    ("day", "is_worked"),
    [
        (date(2026, 2, 13), True),  # a Friday
        (date(2026, 2, 14), True),  # a Saturday worked in exchange
        (date(2026, 2, 17), False),  # New Year's Day, a Tuesday
        (date(2026, 2, 23), False),
        (date(2026, 2, 24), True),
        (date(2026, 2, 28), True),
        (date(2026, 3, 1), False),  # a Sunday
    ],
)
def test_single_days_go_before_the_week(day: date, is_worked: bool) -> None:
    assert CHINA.is_working_day(day) is is_worked


@pytest.mark.parametrize(
    ("start", "count", "end"),
    [
        (date(2026, 2, 13), 0, date(2026, 2, 13)),
        (date(2026, 2, 15), 0, date(2026, 2, 24)),
        (date(2026, 2, 13), 1, date(2026, 2, 14)),
        (date(2026, 2, 13), 2, date(2026, 2, 24)),
        (date(2026, 2, 17), 1, date(2026, 2, 24)),
        (date(2026, 2, 27), 1, date(2026, 2, 28)),
        (date(2026, 2, 27), 2, date(2026, 3, 2)),
        (date(2026, 2, 24), -1, date(2026, 2, 14)),
        (date(2026, 2, 20), -2, date(2026, 2, 13)),
    ],
)
def test_working_days_are_counted_over_the_holiday(start: date, count: int, end: date) -> None:
    assert CHINA.add_working_days(start, count) == end


def test_counting_agrees_with_looking_at_every_day() -> None:
    start = date(2026, 1, 1)
    days = [start + timedelta(days=n) for n in range(1, 120)]
    worked = [day for day in days if CHINA.is_working_day(day)]
    for count, day in enumerate(worked, 1):
        assert CHINA.add_working_days(start, count) == day
        assert CHINA.add_working_days(day, -count) <= start


async def test_holidays_are_set_for_a_year_and_shape_the_calendar(
    api: Client, other: Client
) -> None:
    days = [
        {"day": day.isoformat(), "name": "春节", "is_working": is_working}
        for day, is_working in sorted(SPRING.items())
    ]
    put = await api.put(HOLIDAYS, {"year": 2026, "days": days})
    assert put.status_code == 200, put.text
    assert put.json()["data"] == days
    path = "/v1/organizations/current/calendar?from=2026-02-13&to=2026-02-28"
    read = await api.ok("GET", path)
    assert read["working_days"] == 7
    told = {row["day"]: (row["is_working"], row["name"]) for row in read["data"]}
    assert told["2026-02-14"] == (True, "春节")
    assert told["2026-02-13"] == (True, None)
    assert told["2026-02-17"] == (False, "春节")
    assert len(told) == 16
    assert (await other.ok("GET", f"{HOLIDAYS}?year=2026"))["data"] == []
    again = await api.put(HOLIDAYS, {"year": 2026, "days": days})
    assert again.headers["etag"] == put.headers["etag"]
    fewer = await api.ok("PUT", HOLIDAYS, json={"year": 2026, "days": days[:1]})
    assert fewer["data"] == days[:1]


async def test_holidays_are_set_at_the_version_that_was_read(api: Client) -> None:
    etag = (await api.get(HOLIDAYS)).headers["etag"]
    body = {"year": 2030, "days": [{"day": "2030-10-01", "name": "国庆节"}]}
    first = await api.put(HOLIDAYS, body, headers={"If-Match": etag})
    assert first.status_code == 200
    second = await api.put(HOLIDAYS, {"year": 2030, "days": []}, headers={"If-Match": etag})
    assert second.status_code == 412
    assert len((await api.ok("GET", f"{HOLIDAYS}?year=2030"))["data"]) == 1


async def test_wrong_holidays_are_named(api: Client) -> None:
    day = {"day": "2031-01-01", "name": "x"}
    refused = await api.put(HOLIDAYS, {"year": 2030, "days": [day, day]})
    assert problem_codes(refused) == ["day_not_in_year", "day_not_in_year", "day_twice"]
    long = await api.get("/v1/organizations/current/calendar?from=2030-01-01&to=2031-01-02")
    assert problem_codes(long) == ["span_too_long"]
    back = await api.get("/v1/organizations/current/calendar?from=2030-01-02&to=2030-01-01")
    assert problem_codes(back) == ["ends_before_start"]
