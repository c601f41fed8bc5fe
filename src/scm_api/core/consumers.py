"""Consumers: code that follows the event feed, each with a bookmark of its own per organization.

The bookmark moves in the transaction of the consumer's effects, so every event counts exactly once.
"""

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple
from uuid import UUID

import asyncpg
import structlog
from sqlalchemy import BigInteger
from sqlalchemy.orm import Mapped, mapped_column

from scm_api.core import outbox
from scm_api.core.db import Base, Owned, is_connection_lost
from scm_api.core.events import Event
from scm_api.core.runtime import Runtime
from scm_api.core.tx import Principal, Source, Tx

logger = structlog.get_logger()
Consumer = Callable[[Tx, Sequence[asyncpg.Record]], Awaitable[None]]
_consumers: dict[str, tuple[Consumer, list[str]]] = {}
_BATCH = 500


class _Rest(NamedTuple):
    until: float
    pause: float


# Where a consumer failed lately, and for how long it is left alone there.
_resting: dict[tuple[str, UUID], _Rest] = {}
_NEVER = _Rest(0.0, 0.5)
_LONGEST_PAUSE = 60.0


class EventConsumer(Owned, Base):
    """How far one consumer has read one organization's events."""

    __tablename__ = "event_consumer"

    name: Mapped[str] = mapped_column(primary_key=True)
    tx_order: Mapped[int] = mapped_column(BigInteger)
    seq: Mapped[int] = mapped_column(BigInteger)


def consumer(name: str, *types: type[Event]) -> Callable[[Consumer], Consumer]:
    """Register a consumer of the given event types."""

    def register(function: Consumer) -> Consumer:
        if name in _consumers:
            raise TypeError(f"two consumers named {name!r}")
        _consumers[name] = function, [event.type for event in types]
        return function

    return register


_BEHIND = """
select o.id from organization o
left join event_consumer c on c.organization_id = o.id and c.name = $1
where exists (
  select 1 from event e
  where e.organization_id = o.id
    and (e.tx_order, e.seq) > (coalesce(c.tx_order, 0), coalesce(c.seq, 0))
    and e.tx_order < event_horizon()
)
"""


async def run_once(runtime: Runtime, *, is_strict: bool = False) -> int:
    """Hand every consumer one batch of each organization's new events; gives their number.

    A consumer that fails on an organization's events keeps its bookmark there and is asked again
    after a growing pause; it holds up nobody else (unless `is_strict`: then its error is raised).
    """
    handled = 0
    for name in _consumers:
        async with runtime.database.system() as driver:
            behind = [row["id"] for row in await driver.fetch(_BEHIND, name)]
        for organization_id in behind:
            place = name, organization_id
            if not is_strict and _resting.get(place, _NEVER).until > time.monotonic():
                continue
            try:
                handled += await _advance(runtime, name, organization_id)
                _resting.pop(place, None)
            except Exception as error:
                if is_strict or is_connection_lost(error):
                    raise
                pause = min(_LONGEST_PAUSE, 2 * _resting.get(place, _NEVER).pause)
                _resting[place] = _Rest(time.monotonic() + pause, pause)
                logger.exception(
                    "consumer_failed", consumer=name, organization_id=str(organization_id)
                )
    return handled


async def drain(runtime: Runtime) -> None:
    """Run until no consumer has anything left to read."""
    while await run_once(runtime, is_strict=True):
        pass


async def catch_up(runtime: Runtime, name: str, organization_id: UUID) -> None:
    """Run one consumer until it has read all that one organization has committed; waits for a
    worker that is at it."""
    while await _advance(runtime, name, organization_id, wait=True):
        pass


async def _advance(
    runtime: Runtime, name: str, organization_id: UUID, *, wait: bool = False
) -> int:
    function, types = _consumers[name]
    principal = Principal("system", organization_id, name, organization_id, frozenset("*"))
    async with runtime.database.transaction(
        principal, now=runtime.clock(), source=Source(f"consumer:{name}")
    ) as tx:
        await tx.execute(
            """
            insert into event_consumer (organization_id, name, tx_order, seq)
            values ($1, $2, 0, 0) on conflict do nothing
            """,
            organization_id,
            name,
        )
        bookmark = await tx.fetchrow(
            f"""
            select tx_order, seq from event_consumer where organization_id = $1 and name = $2
            for update {"" if wait else "skip locked"}
            """,
            organization_id,
            name,
        )
        if bookmark is None:
            return 0
        events = await outbox.read(tx, outbox.Position(*bookmark), _BATCH)
        wanted = [event for event in events if event["type"] in types]
        if wanted:
            await function(tx, wanted)
        if events:
            await tx.execute(
                """
                update event_consumer set tx_order = $3, seq = $4
                where organization_id = $1 and name = $2
                """,
                organization_id,
                name,
                events[-1]["tx_order"],
                events[-1]["seq"],
            )
        await outbox.flush(tx)
        await tx.driver.execute("commit")
    return len(events)
