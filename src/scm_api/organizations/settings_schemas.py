"""Bodies of the calendar, number rules and fiscal periods."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import ConfigDict, Field

from scm_api.core.schemas import Boolean, Day, Integer, Name, Read, Strict

Year = Annotated[int, Field(ge=2000, le=2199)]
NumberKind = Literal["purchase_order", "receipt", "alert"]
Restarts = Literal["never", "year", "month", "day"]


class HolidayDay(Strict):
    """A day that differs from the work week."""

    day: Day = Field(description="The day.")
    name: Name = Field(description="Why it differs.")
    is_working: Boolean = Field(
        default=False, description="true for a week-end that is worked in exchange (调休)."
    )


class HolidaysPut(Strict):
    """All days of a year that differ from the work week; they replace those there were."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "year": 2030,
                    "days": [
                        {"day": "2030-02-03", "name": "春节"},
                        {"day": "2030-02-09", "name": "春节调休", "is_working": True},
                    ],
                }
            ]
        },
    )

    year: Year = Field(description="The calendar year.")
    days: list[HolidayDay] = Field(
        max_length=366, description="All that differ; an empty list leaves the work week."
    )
    version: Integer | None = Field(
        default=None, description="The organization's version read; or send If-Match."
    )


class HolidayRead(Read):
    """A day that differs from the work week."""

    day: date = Field(description="The day.")
    name: str = Field(description="Why it differs.")
    is_working: bool = Field(description="Whether it is worked nevertheless (调休).")


class HolidayList(Read):
    """The days of a year that differ from the work week."""

    year: int = Field(description="The calendar year.")
    data: list[HolidayRead] = Field(description="All of them in order: this list has no pages.")


class HolidayFilter(Strict):
    """Which year's days to list."""

    year: Year | None = Field(
        default=None, description="The organization's current year if absent."
    )


class CalendarQuery(Strict):
    """Which days to tell about: at most 366."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    from_on: Day | None = Field(
        default=None, alias="from", description="First day; the organization's today if absent."
    )
    to_on: Day | None = Field(
        default=None, alias="to", description="Last day; 30 days after the first if absent."
    )


class CalendarDay(Read):
    """A day of the calendar."""

    day: date = Field(description="The day.")
    is_working: bool = Field(description="Whether it is worked.")
    name: str | None = Field(description="Why it differs from the work week.")


class CalendarRead(Read):
    """The working calendar of a span of days."""

    model_config = ConfigDict(from_attributes=True, populate_by_name=True)

    from_on: date = Field(alias="from", description="First day.")
    to_on: date = Field(alias="to", description="Last day.")
    working_days: int = Field(description="How many of the days are worked.")
    data: list[CalendarDay] = Field(
        description="Every day of the span in order: this list has no pages."
    )


class NumberRulePut(Strict):
    """How documents of a kind are numbered from now on. `{n}` counts, `{n:6}` with at least six
    digits; `{yyyy}`, `{yy}`, `{mm}` and `{dd}` are the organization's date; the rest is literal."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"pattern": "PO-{yyyy}-{n:5}", "restarts": "year"}]},
    )

    pattern: str = Field(min_length=1, max_length=64, description="Tokens and literal characters.")
    restarts: Restarts = Field(default="never", description="When counting begins again at 1.")
    next: Integer | None = Field(
        default=None,
        ge=1,
        le=999_999_999,
        description="Count on from here; else from where counting stands. Numbers that documents "
        "have are passed over.",
    )
    version: Integer | None = Field(default=None, description="The version read; or send If-Match.")


class NumberRuleRead(Read):
    """How documents of a kind are numbered."""

    kind: str = Field(description="The kind of documents.")
    pattern: str = Field(description="Tokens and literal characters.")
    restarts: Restarts = Field(description="When counting begins again at 1.")
    is_built_in: bool = Field(description="Whether this is the rule from the start.")
    next: str = Field(description="The number a document would get now.")
    version: int = Field(description="Counts changes; the ETag.")


class NumberRuleList(Read):
    """The number rules of all kinds of documents."""

    data: list[NumberRuleRead] = Field(description="Those of all kinds: this list has no pages.")


class PeriodFilter(Strict):
    """Which fiscal year's periods to list."""

    year: Year | None = Field(default=None, description="The current fiscal year if absent.")


class PeriodClose(Strict):
    """Close a period."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{}]})

    reason: Name | None = Field(default=None, description="Kept in the trail.")


class PeriodReopen(Strict):
    """Reopen a period, with the reason."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"reason": "A receipt was forgotten"}]}
    )

    reason: Name = Field(description="Kept in the trail and the feed.")


class PeriodCloser(Read):
    """The person or key that closed a period."""

    kind: Literal["user", "api_key"] = Field(description="A person, or a key of no person.")
    id: UUID = Field(description="The user's or the key's id.")
    name: str | None = Field(description="null for a person who has left the organization.")


class PeriodRead(Read):
    """A period of the books."""

    code: str = Field(description="Such as `2026-P01`: fiscal year and number.")
    starts_on: date = Field(description="First day.")
    ends_on: date = Field(description="Last day.")
    status: Literal["open", "closed"] = Field(description="`closed`: nothing is posted into it.")
    closed_at: datetime | None = Field(
        description="null for a closed period: it was closed together with a later one."
    )
    closed_by: PeriodCloser | None = Field(description="Who closed it.")


class PeriodList(Read):
    """The twelve periods of a fiscal year."""

    year: int = Field(description="The calendar year in which the fiscal year begins.")
    closed_through: date | None = Field(description="Nothing can be posted on or before this day.")
    data: list[PeriodRead] = Field(description="All twelve in order: this list has no pages.")
