"""Use cases of fiscal periods.

Periods are closed one after the other; the first one closed closes everything before it too. The
database itself refuses postings up to the end of the latest closed period.
"""

from datetime import date, timedelta

import asyncpg

from scm_api.core import limits
from scm_api.core.errors import IllegalTransition, NotFound
from scm_api.core.tx import Tx
from scm_api.organizations import errors, period_policy, repository
from scm_api.organizations.errors import PeriodClosed
from scm_api.organizations.events import FiscalPeriodClosed, FiscalPeriodReopened
from scm_api.organizations.period_policy import Period
from scm_api.organizations.settings_schemas import (
    PeriodCloser,
    PeriodFilter,
    PeriodList,
    PeriodRead,
    PeriodReopen,
)

# What the database says of a posting into a closed period; its detail names the period.
_CLOSED_STATE = "SCM01"


def closed_period(error: asyncpg.PostgresError) -> PeriodClosed | None:
    """The problem that a refused posting means; None if it was refused for something else."""
    if error.sqlstate != _CLOSED_STATE:
        return None
    return PeriodClosed(period=error.detail)


async def list_periods(tx: Tx, wanted: PeriodFilter) -> PeriodList:
    """The periods of a fiscal year."""
    organization = await repository.find(tx, tx.organization_id)
    first_month = organization["fiscal_year_start_month"]
    year = wanted.year
    if year is None:
        year = int(period_policy.period_of(organization["today"], first_month).code[:4])
    latest = await repository.latest_closed(tx)
    through = None if latest is None else latest["ends_on"]
    periods = period_policy.periods_of(year, first_month)
    rows = await repository.periods(tx, periods[0].starts_on, periods[-1].starts_on)
    stored = {row["starts_on"]: row for row in rows}
    return PeriodList(
        year=year,
        closed_through=through,
        data=[_read(period, stored.get(period.starts_on), through) for period in periods],
    )


def _read(period: Period, row: asyncpg.Record | None, through: date | None) -> PeriodRead:
    is_closed = through is not None and period.ends_on <= through
    return PeriodRead(
        code=period.code,
        starts_on=period.starts_on,
        ends_on=period.ends_on,
        status="closed" if is_closed else "open",
        closed_at=None if row is None else row["closed_at"],
        closed_by=_closer(row),
    )


def _closer(row: asyncpg.Record | None) -> PeriodCloser | None:
    if row is None or row["closed_by"] is None:
        return None
    return PeriodCloser(kind=row["closer_kind"], id=row["closed_by"], name=row["closer_name"])


async def close(tx: Tx, code: str) -> PeriodRead:
    """Close a period that is over. Raises `NotFound`, `IllegalTransition`, `PeriodNotOver`,
    `PeriodOutOfOrder`, `OutsideLimits`."""
    limits.require_unconfined(tx)
    # Whatever is being posted comes in before; whatever comes later sees the closed period.
    await repository.lock_books(tx)
    organization, period, latest = await _load(tx, code)
    if latest is not None and period.ends_on <= latest["ends_on"]:
        raise _illegal(code, "closed", "close", ["reopen"])
    if period.ends_on >= organization["today"]:
        raise errors.PeriodNotOver(period=code, ends_on=period.ends_on)
    if latest is not None and period.starts_on != latest["ends_on"] + timedelta(days=1):
        first_month = organization["fiscal_year_start_month"]
        expected = period_policy.period_of(latest["ends_on"] + timedelta(days=1), first_month)
        raise errors.PeriodOutOfOrder(expected=expected.code)
    await _write(tx, period, closed=True)
    tx.emit(FiscalPeriodClosed(tx.organization_id, period=code, ends_on=period.ends_on.isoformat()))
    return await _one(tx, period)


async def reopen(tx: Tx, code: str, body: PeriodReopen) -> PeriodRead:
    """Reopen the latest closed period. Raises `NotFound`, `IllegalTransition`,
    `PeriodOutOfOrder`, `OutsideLimits`."""
    limits.require_unconfined(tx)
    await repository.lock_books(tx)
    _, period, latest = await _load(tx, code)
    if latest is None or period.ends_on > latest["ends_on"]:
        raise _illegal(code, "open", "reopen", ["close"])
    if period.starts_on != latest["starts_on"]:
        raise errors.PeriodOutOfOrder(expected=latest["code"])
    await _write(tx, period, closed=False)
    tx.emit(FiscalPeriodReopened(tx.organization_id, period=code, reason=body.reason))
    return await _one(tx, period)


async def _load(tx: Tx, code: str) -> tuple[asyncpg.Record, Period, asyncpg.Record | None]:
    organization = await repository.find(tx, tx.organization_id)
    period = period_policy.parse(code, organization["fiscal_year_start_month"])
    if period is None:
        raise NotFound(kind="fiscal period", reference=code)
    return organization, period, await repository.latest_closed(tx)


async def _write(tx: Tx, period: Period, *, closed: bool) -> None:
    await repository.write_period(
        tx, code=period.code, starts_on=period.starts_on, ends_on=period.ends_on, closed=closed
    )


async def _one(tx: Tx, period: Period) -> PeriodRead:
    rows = await repository.periods(tx, period.starts_on, period.starts_on)
    latest = await repository.latest_closed(tx)
    return _read(period, rows[0], None if latest is None else latest["ends_on"])


def _illegal(code: str, state: str, action: str, allowed: list[str]) -> IllegalTransition:
    return IllegalTransition(
        kind="fiscal period", reference=code, state=state, action=action, allowed=allowed
    )
