"""Use cases of the working calendar."""

from datetime import date, timedelta

from scm_api.core import limits
from scm_api.core.errors import Invalid, VersionMismatch
from scm_api.core.http import Versions, check_version
from scm_api.core.schemas import FIRST_DAY, LAST_DAY
from scm_api.core.tx import Tx
from scm_api.organizations import errors, repository
from scm_api.organizations.calendar_policy import WorkCalendar
from scm_api.organizations.events import HolidaysChanged
from scm_api.organizations.settings_schemas import (
    CalendarDay,
    CalendarQuery,
    CalendarRead,
    HolidayFilter,
    HolidayList,
    HolidayRead,
    HolidaysPut,
)

SPAN_DAYS = 366
_USUAL_SPAN = timedelta(days=30)


async def holidays(tx: Tx, wanted: HolidayFilter) -> tuple[HolidayList, int]:
    """The days of a year that differ from the work week, and the organization's version."""
    organization = await repository.find(tx, tx.organization_id)
    year = wanted.year or organization["today"].year
    rows = await repository.holidays(tx, *_year(year))
    data = [HolidayRead.model_validate(dict(row)) for row in rows]
    return HolidayList(year=year, data=data), organization["version"]


async def set_holidays(
    tx: Tx, body: HolidaysPut, if_match: Versions | None
) -> tuple[HolidayList, int]:
    """Replace the days of a year. Raises `VersionMismatch`, `Invalid`, `OutsideLimits`."""
    limits.require_unconfined(tx)
    version = (await repository.find(tx, tx.organization_id))["version"]
    check_version(version, if_match, body.version)
    broken, seen = [], set[date]()
    for index, entry in enumerate(body.days):
        at = f"/days/{index}/day"
        if entry.day.year != body.year:
            broken.append(errors.DAY_NOT_IN_YEAR.at(at, year=body.year))
        if entry.day in seen:
            broken.append(errors.DAY_TWICE.at(at, day=entry.day))
        seen.add(entry.day)
    if broken:
        raise Invalid(broken)
    before, _ = await holidays(tx, HolidayFilter(year=body.year))
    days = sorted((entry.day, entry.name, entry.is_working) for entry in body.days)
    if days != [(row.day, row.name, row.is_working) for row in before.data]:
        # The calendar is one of the settings: they have one version together.
        if not await repository.update(tx, version, {}):
            raise VersionMismatch(current_version=version + 1)
        await repository.replace_holidays(tx, *_year(body.year), days)
        tx.emit(HolidaysChanged(tx.organization_id, year=body.year, day_count=len(days)))
    return await holidays(tx, HolidayFilter(year=body.year))


async def calendar(tx: Tx, wanted: CalendarQuery) -> CalendarRead:
    """Every day of a span, worked or not. Raises `Invalid`."""
    organization = await repository.find(tx, tx.organization_id)
    first = wanted.from_on or organization["today"]
    last = wanted.to_on or min(first + _USUAL_SPAN, LAST_DAY)
    if last < first:
        raise Invalid([errors.ENDS_BEFORE_START.at_parameter("to")])
    if (last - first).days >= SPAN_DAYS:
        raise Invalid([errors.TOO_LONG_A_SPAN.at_parameter("to", days=SPAN_DAYS)])
    rows = {row["day"]: row for row in await repository.holidays(tx, first, last)}
    worked = WorkCalendar(
        organization["work_week"], {day: row["is_working"] for day, row in rows.items()}
    )
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    data = [
        CalendarDay(
            day=day,
            is_working=worked.is_working_day(day),
            name=rows[day]["name"] if day in rows else None,
        )
        for day in days
    ]
    return CalendarRead(
        from_on=first, to_on=last, working_days=sum(d.is_working for d in data), data=data
    )


async def work_calendar(tx: Tx) -> WorkCalendar:
    """The organization's whole calendar, for rooms that reckon in working days."""
    organization = await repository.find(tx, tx.organization_id)
    rows = await repository.holidays(tx, FIRST_DAY, LAST_DAY)
    return WorkCalendar(organization["work_week"], {row["day"]: row["is_working"] for row in rows})


def _year(year: int) -> tuple[date, date]:
    return date(year, 1, 1), date(year, 12, 31)
