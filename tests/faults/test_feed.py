"""The event feed never skips a change that commits late, and shows each exactly once, in order."""

import asyncio
import random
from typing import Any
from uuid import UUID

import asyncpg

from scm_api.core import outbox
from scm_api.core.outbox import Position
from scm_api.core.tx import Tx
from scm_api.warehouses.events import WarehouseCreated
from tests.support import Client


def _event(number: int) -> WarehouseCreated:
    return WarehouseCreated(UUID(int=number + 1), code=f"E{number}")


async def _feed(api: Client, after: str | None = None, limit: int = 1000) -> tuple[list, str]:
    query: dict[str, Any] = {"limit": limit, **({"after": after} if after else {})}
    page = await api.ok("GET", "/v1/events", params=query)
    return [event["data"]["code"] for event in page["data"]], page["next_after"]


def _transaction(api: Client) -> Any:
    return api.runtime.database.transaction(api.principal(), now=api.runtime.clock())


async def _emit(tx: Tx, number: int) -> None:
    tx.emit(_event(number))
    await outbox.flush(tx)


async def test_a_reader_between_two_overlapping_transactions_misses_nothing(api: Client) -> None:
    async with _transaction(api) as late, _transaction(api) as early:
        await _emit(late, 1)
        await _emit(early, 2)
        await early.driver.execute("commit")
        # `late` drew its number first and is still open: showing 2 now would hide 1 for ever.
        seen, after = await _feed(api)
        assert seen == []
        await late.driver.execute("commit")
    rest, _ = await _feed(api, after)
    assert rest == ["E1", "E2"]


async def test_a_transaction_that_rolls_back_holds_nobody_up(api: Client) -> None:
    async with _transaction(api) as lost, _transaction(api) as kept:
        await _emit(lost, 1)
        await _emit(kept, 2)
        await kept.driver.execute("commit")
        assert (await _feed(api))[0] == []
    assert (await _feed(api))[0] == ["E2"]


async def test_events_of_one_transaction_keep_their_order_across_pages(api: Client) -> None:
    async with _transaction(api) as tx:
        for number in range(25):
            tx.emit(_event(number))
        await outbox.flush(tx)
        await tx.driver.execute("commit")
    seen: list[str] = []
    after = None
    while len(seen) < 25:
        page, after = await _feed(api, after, limit=4)
        assert page, "the feed stopped early"
        seen += page
    assert seen == [f"E{number}" for number in range(25)]
    assert await _feed(api, after) == ([], after)


async def test_positions_read_back_as_themselves() -> None:
    for position in (Position(0, 0), Position(1, 2), Position(2**62, 2**62)):
        assert Position.decode(position.encode()) == position


async def test_a_polling_reader_sees_every_event_of_many_writers_once_and_in_order(
    api: Client,
) -> None:
    writers, each = 8, 15
    shuffle = random.Random(11)
    pauses = [[shuffle.uniform(0, 0.02) for _ in range(each)] for _ in range(writers)]
    rolled_back = {(w, n) for w in range(writers) for n in range(each) if shuffle.random() < 0.2}

    async def write(writer: int) -> None:
        for number in range(each):
            async with _transaction(api) as tx:
                await _emit(tx, writer * 100 + number)
                # The pause between drawing a number and committing is what makes commits late.
                await asyncio.sleep(pauses[writer][number])
                if (writer, number) not in rolled_back:
                    await tx.driver.execute("commit")

    seen: list[str] = []

    async def read() -> None:
        after, quiet = None, 0
        while quiet < 3:
            page, after = await _feed(api, after, limit=shuffle.choice((1, 3, 50)))
            seen.extend(page)
            quiet = quiet + 1 if work.done() and not page else 0
            await asyncio.sleep(0.001)

    work = asyncio.gather(*(write(writer) for writer in range(writers)))
    await asyncio.gather(work, read())
    expected = {
        f"E{w * 100 + n}" for w in range(writers) for n in range(each) if (w, n) not in rolled_back
    }
    assert len(seen) == len(set(seen)), "an event came twice"
    assert set(seen) == expected
    for writer in range(writers):
        own = [int(code[1:]) for code in seen if int(code[1:]) // 100 == writer]
        assert own == sorted(own), "one writer's events changed their order"


async def test_the_events_of_one_subject_are_found_by_their_index(
    api: Client, admin: asyncpg.Connection
) -> None:
    """Among many events of one organization the subject's own must not be looked for one by one."""
    subject = UUID(int=7)
    async with _transaction(api) as tx:
        for number in range(3000):
            tx.emit(_event(number))
        await outbox.flush(tx)
        await tx.driver.execute("commit")
    await admin.execute("analyze event")
    async with _transaction(api) as tx:
        arguments = tx.organization_id, 0, 0, 100, None, subject
        rows = await tx.fetch(f"explain {outbox.FEED_OF_SUBJECT}", *arguments)
    plan = "\n".join(row[0] for row in rows)
    assert "ix_event_subject" in plan
    assert "subject_id = " in plan.split("Index Cond:")[1].splitlines()[0]
    assert "Sort" not in plan, "the index gives the order of the feed"
    found = await api.ok("GET", "/v1/events", params={"subject_id": str(UUID(int=8))})
    assert [event["data"]["code"] for event in found["data"]] == ["E7"]
