"""Rate limits: requests a minute for each key and organization, shared by all processes.

A process admits a lease (a twentieth of the quota) on credit and then reports it, so that most
requests cost no statement. Hence the bound: nobody is refused before the whole quota is used, and
at most one lease for each process is admitted beyond it.
"""

import asyncio
import math
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from typing import NamedTuple
from uuid import UUID

import structlog
from sqlalchemy import CheckConstraint
from sqlalchemy.orm import Mapped, mapped_column

from scm_api.core.budgets import WINDOW_SECONDS, Window
from scm_api.core.db import Base, Owned
from scm_api.core.errors import RateLimited
from scm_api.core.runtime import Runtime
from scm_api.core.tx import NOBODY, Principal

logger = structlog.get_logger(__name__)

Headers = Mapping[str, str]
NO_HEADERS: Headers = {}
LEASES_A_WINDOW = 20
# A request waits this long for a report at most, and then none for as long as the process counts
# alone: a slow database must not become slower by being asked.
REPORT_SECONDS = 0.25
ALONE_SECONDS = 1.0


class RateWindow(Owned, Base):
    """The current minute of a key, or of an organization as a whole: one row each, unlogged,
    because a crash may forget it."""

    __tablename__ = "rate_window"

    scope_id: Mapped[UUID] = mapped_column(primary_key=True)
    window_start: Mapped[datetime]
    used: Mapped[int]

    __table_args__ = (
        CheckConstraint("used >= 0", name="used"),
        {"prefixes": ["UNLOGGED"]},
    )


# A newer minute starts the row over; a report of an older one (by a clock that is behind) is void.
_REPORT = """
insert into rate_window as w (organization_id, scope_id, window_start, used)
values ($1, $2, $3, $4)
on conflict (organization_id, scope_id) do update set
  used = case when w.window_start = excluded.window_start then w.used else 0 end + excluded.used,
  window_start = excluded.window_start
where w.window_start <= excluded.window_start
returning used
"""


class _Limit(NamedTuple):
    """A policy of the headers, its quota in requests a minute, and one caller's window of it."""

    policy: str
    quota: int
    window: Window
    organization_id: UUID
    scope_id: UUID

    @property
    def is_report_due(self) -> bool:
        return self.window.own >= max(1, self.quota // LEASES_A_WINDOW)

    @property
    def remaining(self) -> int:
        return max(0, self.quota - self.window.used)


async def admit(runtime: Runtime, principal: Principal) -> Headers:
    """Count a request of a principal; gives the headers of its answer. Raises `RateLimited`.

    Exact in one process. Over P processes, a minute admits between the quota and the quota plus P
    leases. While the database does not answer, each process admits up to the quota by itself.
    """
    settings = runtime.settings
    if not (settings.rate_limit_key_per_minute or settings.rate_limit_organization_per_minute):
        return NO_HEADERS
    now = runtime.clock().timestamp()
    limits = _limits(runtime, principal, now)
    while due := next((limit for limit in limits if limit.is_report_due), None):
        if time.monotonic() < runtime.budgets.alone_until:
            break
        await _wait_for_report(runtime, due)
    # From here on nothing waits: what is checked is what is counted.
    return _count(limits, now)


def give_back(runtime: Runtime, principal: Principal) -> Headers:
    """Take a request out of the count: its answer was 304. Gives the headers to send instead."""
    now = runtime.clock().timestamp()
    limits = _limits(runtime, principal, now)
    for limit in limits:
        # A minute that began meanwhile has not counted it.
        if limit.window.used > 0:
            limit.window.own -= 1
    return _headers(limits, now) if limits else NO_HEADERS


def admit_address(runtime: Runtime, address: str | None) -> Headers:
    """Count a request of somebody unknown by the address it came from (the server's word, never a
    header's); gives the headers of its answer. Raises `RateLimited`.

    Each process counts for itself. An IPv6 network of /64 counts as one address, as it belongs to
    one subscriber. The machine itself (loopback, a unix socket) is not limited.
    """
    quota = runtime.settings.rate_limit_address_per_minute
    source = _source(address) if quota else None
    if source is None:
        return NO_HEADERS
    now = runtime.clock().timestamp()
    return _count([_address_limit(runtime, source, quota, now)], now)


def check_address(runtime: Runtime, address: str | None) -> None:
    """Raise `RateLimited` where somebody unknown from this address would be refused; counts
    nothing."""
    quota = runtime.settings.rate_limit_address_per_minute
    source = _source(address) if quota else None
    if source is None:
        return
    now = runtime.clock().timestamp()
    limit = _address_limit(runtime, source, quota, now)
    if not limit.remaining:
        raise _refusal([limit], [limit], now)


def _address_limit(runtime: Runtime, source: int, quota: int, now: float) -> _Limit:
    window = runtime.budgets.addresses.at(source, source % WINDOW_SECONDS, now)
    nobody = UUID(int=0)
    return _Limit("address", quota, window, nobody, nobody)


@lru_cache(maxsize=4096)
def _source(address: str | None) -> int | None:
    """The network an address stands for, as a number; None if there is nothing to limit."""
    try:
        ip = ip_address((address or "").partition("%")[0])
    except ValueError:
        return None
    if isinstance(ip, IPv6Address):
        ip = ip.ipv4_mapped or ip
    if ip.is_loopback:
        return None
    # IPv4 lies below 2^32, an IPv6 network is shifted above it.
    return int(ip) if ip.version == 4 else (int(ip) >> 64 << 32) + (1 << 32)


def _limits(runtime: Runtime, principal: Principal, now: float) -> list[_Limit]:
    settings, organization_id = runtime.settings, principal.organization_id
    return [
        _Limit(
            policy,
            quota,
            runtime.budgets.callers.at(
                (organization_id, scope_id), scope_id.int % WINDOW_SECONDS, now
            ),
            organization_id,
            scope_id,
        )
        for policy, quota, scope_id in (
            ("key", settings.rate_limit_key_per_minute, principal.id),
            ("organization", settings.rate_limit_organization_per_minute, organization_id),
        )
        # Those who are in no organization share nothing.
        if quota and scope_id != NOBODY
    ]


def _count(limits: Sequence[_Limit], now: float) -> Headers:
    if not limits:
        return NO_HEADERS
    if violated := [limit for limit in limits if not limit.remaining]:
        raise _refusal(violated, limits, now)
    for limit in limits:
        limit.window.own += 1
    return _headers(limits, now)


def _refusal(violated: Sequence[_Limit], limits: Sequence[_Limit], now: float) -> RateLimited:
    return RateLimited(
        [limit.policy for limit in violated],
        max(_seconds_left(limit, now) for limit in violated),
        headers=_headers(limits, now),
    )


def _seconds_left(limit: _Limit, now: float) -> int:
    return math.ceil(limit.window.ends_at - now)


def _headers(limits: Sequence[_Limit], now: float) -> Headers:
    """The fields of draft-ietf-httpapi-ratelimit-headers-10: all policies, and the state of the one
    with the least left."""
    tightest = min(limits, key=lambda limit: limit.remaining)
    return {
        "RateLimit-Policy": ", ".join(
            f'"{limit.policy}";q={limit.quota};w={WINDOW_SECONDS}' for limit in limits
        ),
        "RateLimit": (
            f'"{tightest.policy}";r={tightest.remaining};t={_seconds_left(tightest, now)}'
        ),
    }


async def _wait_for_report(runtime: Runtime, limit: _Limit) -> None:
    """Report the window, once for all requests that wait for it. A report that takes too long goes
    on without them."""
    window = limit.window
    if window.report is None or window.report.done():
        window.report = asyncio.create_task(_report(runtime, limit))
    awaited = window.report
    await asyncio.wait({awaited}, timeout=REPORT_SECONDS)
    if not awaited.done():
        _count_alone(runtime, "the database is slow")


async def _report(runtime: Runtime, limit: _Limit) -> None:
    window, reported = limit.window, limit.window.own
    start = datetime.fromtimestamp(window.ends_at - WINDOW_SECONDS, UTC)
    try:
        async with runtime.database.system() as driver:
            used = await driver.fetchval(
                _REPORT, limit.organization_id, limit.scope_id, start, reported
            )
    except Exception as error:
        _count_alone(runtime, type(error).__name__)
        return
    window.own -= reported
    window.shared = window.shared + reported if used is None else used


def _count_alone(runtime: Runtime, reason: str) -> None:
    logger.warning("rate_limits_not_shared", reason=reason)
    runtime.budgets.alone_until = time.monotonic() + ALONE_SECONDS
