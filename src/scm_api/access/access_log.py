"""The access log: who came in, who was refused, and why. The caller is told nothing of it.

Alike refusals are counted by the minute, so that a flood of them stays a few rows.
"""

import time
from typing import Any
from uuid import UUID

import asyncpg
import structlog
from pydantic_core import to_json

from scm_api.core.ids import uuid7
from scm_api.core.runtime import Credentials, Runtime

logger = structlog.get_logger(__name__)

_INSERT = """
insert into access_log (id, kind, about_organization_id, user_id, key_id, address, request_id,
                        count, detail)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9::text::jsonb)
"""
_WINDOW_SECONDS = 60.0
_MOST_KINDS = 10_000

# When each kind of refusal was last written, and how many alike came since; bounded.
_seen: dict[tuple[Any, ...], tuple[float, int]] = {}


async def note(
    runtime: Runtime,
    kind: str,
    credentials: Credentials,
    *,
    organization_id: UUID | None = None,
    user_id: UUID | None = None,
    key_id: UUID | None = None,
) -> None:
    """Note a refused credential; a repetition within the minute is only counted."""
    logger.info("access_refused", kind=kind, address=credentials.address, key_id=str(key_id))
    same = kind, organization_id, user_id, key_id, credentials.address
    now = time.monotonic()
    written, count = _seen.get(same, (float("-inf"), 0))
    if now - written < _WINDOW_SECONDS:
        _seen[same] = written, count + 1
        return
    if len(_seen) >= _MOST_KINDS:
        _seen.clear()
    _seen[same] = now, 0
    async with runtime.database.system() as driver:
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


async def write(
    driver: asyncpg.Connection,
    kind: str,
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
    await driver.execute(
        _INSERT,
        uuid7(),
        kind,
        organization_id,
        user_id,
        key_id,
        address,
        request_id,
        count,
        to_json(detail or {}).decode(),
    )
