"""The working calendar: a week, and the days that differ from it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta

_DAY = timedelta(days=1)


@dataclass(frozen=True)
class WorkCalendar:
    """`work_week` has a 1 for each working day from Monday on; `exceptions` says of single days
    whether they are worked: a holiday is not, a week-end worked in exchange (调休) is."""

    work_week: str
    exceptions: Mapping[date, bool] = field(default_factory=dict)

    def is_working_day(self, day: date) -> bool:
        """Whether a day is worked."""
        return self.exceptions.get(day, self.work_week[day.weekday()] == "1")

    def add_working_days(self, day: date, count: int) -> date:
        """The working day that lies `count` working days after `day`, or before it if negative;
        with 0, `day` itself or the next working day after it."""
        step = -_DAY if count < 0 else _DAY
        if count == 0:
            while not self.is_working_day(day):
                day += step
            return day
        left = abs(count)
        while left:
            day += step
            left -= self.is_working_day(day)
        return day
