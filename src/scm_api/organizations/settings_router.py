"""HTTP of the calendar, number rules and fiscal periods of the current organization."""

from typing import Annotated

from fastapi import Path, Query

from scm_api.core.errors import IllegalTransition, NotFound, OutsideLimits, VersionMismatch
from scm_api.core.http import IfMatch, OpenTx, ReplyTo, operation, router
from scm_api.organizations import calendar_service, number_service, period_service
from scm_api.organizations.errors import PeriodNotOver, PeriodOutOfOrder
from scm_api.organizations.settings_schemas import (
    CalendarQuery,
    CalendarRead,
    HolidayFilter,
    HolidayList,
    HolidaysPut,
    NumberKind,
    NumberRuleList,
    NumberRulePut,
    NumberRuleRead,
    PeriodClose,
    PeriodFilter,
    PeriodList,
    PeriodRead,
    PeriodReopen,
)

organization_settings = router("organizations", "/v1/organizations/current")

Kind = Annotated[NumberKind, Path(description="A kind of documents.", examples=["purchase_order"])]
ClosingCode = Annotated[
    str, Path(max_length=16, description="Such as `2026-P01`.", examples=["2020-P02"])
]
ReopeningCode = Annotated[
    str, Path(max_length=16, description="Such as `2026-P01`.", examples=["2020-P01"])
]


@organization_settings.get("/holidays", summary="List holidays", **operation("organizations:read"))
async def list_holidays(
    tx: OpenTx, reply: ReplyTo, wanted: Annotated[HolidayFilter, Query()]
) -> HolidayList:
    """The days of a year that differ from the work week: holidays, and week-ends that are worked.
    The ETag is that of the settings."""
    found, version = await calendar_service.holidays(tx, wanted)
    reply.etag(version)
    return found


@organization_settings.put(
    "/holidays",
    summary="Set the holidays of a year",
    **operation("organizations:write", errors=[VersionMismatch, OutsideLimits]),
)
async def put_holidays(
    tx: OpenTx, reply: ReplyTo, body: HolidaysPut, if_match: IfMatch
) -> HolidayList:
    """Replace the days of a year that differ from the work week."""
    found, version = await calendar_service.set_holidays(tx, body, if_match)
    reply.etag(version)
    return found


@organization_settings.get(
    "/calendar", summary="Read the working calendar", **operation("organizations:read")
)
async def get_calendar(tx: OpenTx, wanted: Annotated[CalendarQuery, Query()]) -> CalendarRead:
    """Which days are worked, by the work week and the holidays."""
    return await calendar_service.calendar(tx, wanted)


@organization_settings.get(
    "/number-rules", summary="List number rules", **operation("organizations:read")
)
async def list_number_rules(tx: OpenTx) -> NumberRuleList:
    """How each kind of documents is numbered, and the number the next one would get."""
    return NumberRuleList(data=await number_service.list_rules(tx))


@organization_settings.get(
    "/number-rules/{kind}",
    summary="Read a number rule",
    **operation("organizations:read", errors=[NotFound]),
)
async def get_number_rule(tx: OpenTx, reply: ReplyTo, kind: Kind) -> NumberRuleRead:
    """How a kind of documents is numbered, and the number the next one would get."""
    found = await number_service.rule(tx, kind)
    reply.etag(found.version)
    return found


@organization_settings.put(
    "/number-rules/{kind}",
    summary="Write a number rule",
    **operation("organizations:write", errors=[NotFound, VersionMismatch, OutsideLimits]),
)
async def put_number_rule(
    tx: OpenTx, reply: ReplyTo, kind: Kind, body: NumberRulePut, if_match: IfMatch
) -> NumberRuleRead:
    """Number documents of a kind by another rule from now on. Numbers stay gapless and unique;
    those that documents already have are passed over."""
    found = await number_service.put_rule(tx, kind, body, if_match)
    reply.etag(found.version)
    return found


@organization_settings.get(
    "/fiscal-periods", summary="List fiscal periods", **operation("organizations:read")
)
async def list_fiscal_periods(tx: OpenTx, wanted: Annotated[PeriodFilter, Query()]) -> PeriodList:
    """The twelve months of a fiscal year, named after the calendar year in which it begins."""
    return await period_service.list_periods(tx, wanted)


@organization_settings.post(
    "/fiscal-periods/{code}/close",
    summary="Close a fiscal period",
    **operation(
        "fiscal_periods:close",
        errors=[NotFound, IllegalTransition, PeriodNotOver, PeriodOutOfOrder, OutsideLimits],
    ),
)
async def close_fiscal_period(tx: OpenTx, code: ClosingCode, body: PeriodClose) -> PeriodRead:
    """Close a period that is over, after the one before it: from now on no stock is posted with an
    `occurred_at` in it or before. The first one closed closes all before it too."""
    return await period_service.close(tx, code)


@organization_settings.post(
    "/fiscal-periods/{code}/reopen",
    summary="Reopen a fiscal period",
    **operation(
        "fiscal_periods:close",
        errors=[NotFound, IllegalTransition, PeriodOutOfOrder, OutsideLimits],
    ),
)
async def reopen_fiscal_period(tx: OpenTx, code: ReopeningCode, body: PeriodReopen) -> PeriodRead:
    """Reopen the latest closed period, so that it takes postings again."""
    return await period_service.reopen(tx, code, body)
