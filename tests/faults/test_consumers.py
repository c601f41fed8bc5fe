"""Every event counts exactly once for a consumer, whatever happens between effects and commit."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import asyncpg
import pytest
import pytest_asyncio

from scm_api.core import consumers, outbox
from scm_api.core.tx import Tx
from scm_api.warehouses.events import WarehouseCreated
from tests.faults.test_feed import _event
from tests.support import Client

NAME = "tests.counter"
failures: list[Exception] = []


async def _count(tx: Tx, events: Sequence[asyncpg.Record]) -> None:
    """The consumer under test: counts events in a series of the organization's own."""
    await tx.execute(
        """
        insert into number_series (organization_id, kind, last) values ($1, 'tests', $2)
        on conflict (organization_id, kind) do update set last = number_series.last + excluded.last
        """,
        tx.organization_id,
        len(events),
    )
    if failures:
        raise failures.pop(0)


@pytest_asyncio.fixture(loop_scope="session", autouse=True)
async def _registered(admin: asyncpg.Connection) -> AsyncIterator[None]:
    """The consumer, which begins where the feed ends for organizations of other tests."""
    failures.clear()
    await admin.execute(
        """
        insert into event_consumer (organization_id, name, tx_order, seq)
        select id, $1, event_horizon(), 0 from organization
        on conflict (organization_id, name) do update set tx_order = excluded.tx_order
        """,
        NAME,
    )
    consumers.consumer(NAME, WarehouseCreated)(_count)
    yield
    del consumers._consumers[NAME]
    consumers._resting.clear()


async def _emit(api: Client, *numbers: int) -> None:
    async with api.runtime.database.transaction(api.principal(), now=api.runtime.clock()) as tx:
        for number in numbers:
            tx.emit(_event(number))
        await outbox.flush(tx)
        await tx.driver.execute("commit")


async def _counted(api: Client) -> int:
    async with api.runtime.database.transaction(api.principal(), now=api.runtime.clock()) as tx:
        return await tx.fetchval("select coalesce(sum(last), 0) from number_series") or 0


async def test_a_crash_between_effects_and_commit_counts_nothing_twice(api: Client) -> None:
    await _emit(api, 1, 2, 3)
    failures.append(RuntimeError("killed just before the commit"))
    with pytest.raises(RuntimeError):
        await consumers.catch_up(api.runtime, NAME, api.organization_id)
    assert await _counted(api) == 0
    await consumers.catch_up(api.runtime, NAME, api.organization_id)
    await consumers.catch_up(api.runtime, NAME, api.organization_id)
    assert await _counted(api) == 3


async def test_many_workers_share_the_feed_without_counting_twice(api: Client) -> None:
    await _emit(api, *range(60))
    await asyncio.gather(
        *(consumers.catch_up(api.runtime, NAME, api.organization_id) for _ in range(6))
    )
    await asyncio.gather(*(_emit(api, 100 + number) for number in range(10)))
    await asyncio.gather(
        *(consumers.catch_up(api.runtime, NAME, api.organization_id) for _ in range(6))
    )
    assert await _counted(api) == 70


async def test_one_organization_s_trouble_holds_up_nobody_else(api: Client, other: Client) -> None:
    await api.settle()
    await _emit(api, 1)
    failures.extend(RuntimeError("cannot digest this") for _ in range(1))
    await consumers.run_once(api.runtime)
    await _emit(other, 2)
    await consumers.run_once(api.runtime)
    assert await _counted(other) == 1
    assert await _counted(api) == 0, "it rests for a while after its failure"
    await api.settle()
    assert await _counted(api) == 1


async def test_a_connection_lost_is_raised_to_the_worker(api: Client) -> None:
    await api.settle()
    await _emit(api, 1)
    failures.append(ConnectionResetError("gone"))
    with pytest.raises(ConnectionResetError):
        await consumers.run_once(api.runtime)
    await api.settle()
    assert await _counted(api) == 1
