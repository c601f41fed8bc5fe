"""The access log: who came in, who was refused, and why. The caller is told nothing of it.

Alike refusals are counted by the minute, so that a flood of them stays a few rows and loses none.
"""

import asyncio
import time
from collections.abc import Mapping
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg
import structlog
from pydantic_core import to_json

from scm_api.access.access_kinds import Kind
from scm_api.core.ids import uuid7
from scm_api.core.runtime import Credentials, Runtime
from scm_api.core.tx import NOBODY

logger = structlog.get_logger(__name__)

_INSERT = """
insert into access_log (id, kind, about_organization_id, user_id, key_id, address, request_id,
                        count, detail)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9::text::jsonb)
"""
_COUNT = """
update access_log set count = count + 1
where id = (
  select id from access_log
  where happened_at > now() - interval '1 minute' and kind = $1
    and address is not distinct from $2 and user_id is null and about_organization_id is null
  order by happened_at desc limit 1)
returning true
"""
_WINDOW_SECONDS = 60.0
_FLUSH_SECONDS = 2.0
_MOST_KINDS = 10_000


class _Alike(NamedTuple):
    """Refusals that are counted together."""

    kind: Kind
    organization_id: UUID | None
    user_id: UUID | None
    key_id: UUID | None
    address: str | None


# When each was last written (monotonic seconds), and how many alike came since; bounded.
_seen: dict[_Alike, tuple[float, int]] = {}


async def note(
    runtime: Runtime,
    kind: Kind,
    credentials: Credentials,
    *,
    organization_id: UUID | None = None,
    user_id: UUID | None = None,
    key_id: UUID | None = None,
) -> None:
    """Note a refused credential. A repetition within the minute is only counted; the count is
    written with the first refusal of any kind after that minute, or by `flush`."""
    logger.info("access_refused", kind=kind, address=credentials.address, key_id=_text(key_id))
    alike = _Alike(kind, organization_id, user_id, key_id, credentials.address)
    now = time.monotonic()
    written, count = _seen.get(alike, (float("-inf"), 0))
    if now - written < _WINDOW_SECONDS:
        _seen[alike] = written, count + 1
        return
    _seen.pop(alike, None)
    # What is due is taken out before anything waits, so that nobody writes it twice.
    due = _take(float("inf") if len(_seen) >= _MOST_KINDS else now - _WINDOW_SECONDS)
    _seen[alike] = now, 0
    async with runtime.database.system() as driver:
        await _write_counts(driver, due)
        await write(
            driver,
            kind,
            organization_id=organization_id,
            user_id=user_id,
            key_id=key_id,
            address=credentials.address,
            request_id=credentials.request_id,
            count=count + 1,
        )


async def flush(runtime: Runtime) -> None:
    """Write the counts that are not written yet, at the end of a process. A database that does not
    answer does not keep it from ending."""
    due = _take(float("inf"))
    if not due:
        return
    try:
        async with asyncio.timeout(_FLUSH_SECONDS), runtime.database.system() as driver:
            await _write_counts(driver, due)
    except Exception as error:
        lost = sum(due.values())
        logger.warning("access_counts_lost", count=lost, reason=type(error).__name__)


def _take(before: float) -> dict[_Alike, int]:
    """Forget what was last written by then; gives what came since, where anything did."""
    old = {alike: count for alike, (written, count) in _seen.items() if written <= before}
    for alike in old:
        del _seen[alike]
    return {alike: count for alike, count in old.items() if count}


async def _write_counts(driver: asyncpg.Connection, due: Mapping[_Alike, int]) -> None:
    rows = [_row(count=count, **alike._asdict()) for alike, count in due.items()]
    if rows:
        await driver.executemany(_INSERT, rows)


def _text(value: UUID | None) -> str | None:
    return None if value is None else str(value)


async def write(
    driver: asyncpg.Connection,
    kind: Kind,
    *,
    organization_id: UUID | None = None,
    user_id: UUID | None = None,
    key_id: UUID | None = None,
    address: str | None = None,
    request_id: str = "",
    count: int = 1,
    detail: dict[str, Any] | None = None,
) -> None:
    """Write one row in a transaction that may see the process's tables."""
    row = _row(kind, organization_id, user_id, key_id, address, request_id, count, detail)
    await driver.execute(_INSERT, *row)


async def count_alike(
    driver: asyncpg.Connection, kind: Kind, *, address: str | None, request_id: str
) -> None:
    """Write a refusal of nobody known, or count it with those of the last minute."""
    counted = await driver.fetchval(_COUNT, kind, address)
    if counted is None:
        await write(driver, kind, address=address, request_id=request_id)


def _row(
    kind: Kind,
    organization_id: UUID | None,
    user_id: UUID | None,
    key_id: UUID | None,
    address: str | None,
    request_id: str = "",
    count: int = 1,
    detail: dict[str, Any] | None = None,
) -> tuple[Any, ...]:
    return (
        uuid7(),
        kind,
        None if organization_id == NOBODY else organization_id,
        user_id,
        key_id,
        address,
        request_id,
        count,
        to_json(detail or {}).decode(),
    )
