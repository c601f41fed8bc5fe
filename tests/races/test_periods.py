"""Closing a fiscal period among postings: nothing slips into it once it is closed."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg

from tests.organizations.support import company, opening
from tests.support import Client

PATH = "/v1/organizations/current/fiscal-periods/2026-P01"
INSIDE = "2026-01-20T00:00:00Z"


async def _recorded(admin: asyncpg.Connection, api: Client) -> int:
    return await admin.fetchval(
        "select count(*) from stock_document where organization_id = $1", api.organization_id
    )


async def test_what_is_posted_while_a_period_closes_is_in_before_or_refused(
    api: Client, admin: asyncpg.Connection
) -> None:
    await company(api)

    async def post(delay: float) -> Any:
        await asyncio.sleep(delay)
        return await api.post("/v1/stock-movements", opening(INSIDE, "1"))

    async def close() -> Any:
        await asyncio.sleep(0.1)
        response = await api.post(f"{PATH}/close", {})
        return response, await _recorded(admin, api)

    *posted, (closed, count_then) = await asyncio.gather(
        *(post(n * 0.01) for n in range(40)), close()
    )
    assert closed.status_code == 200, closed.text
    told = Counter(answer.status_code for answer in posted)
    assert set(told) == {201, 409}
    assert {a.json()["code"] for a in posted if a.status_code == 409} == {"period_closed"}
    # What was there when the period was closed is all there ever is.
    assert await _recorded(admin, api) == told[201] == count_then


async def test_closing_waits_for_a_posting_that_has_begun(
    api: Client, admin: asyncpg.Connection
) -> None:
    await company(api)
    runtime = api.runtime
    async with runtime.database.transaction(api.principal(), now=runtime.clock()) as tx:
        await _insert_document(tx, datetime(2026, 1, 20, tzinfo=UTC))
        closing = asyncio.create_task(api.post(f"{PATH}/close", {}))
        await asyncio.sleep(0.3)
        assert not closing.done()
        # Postings of others wait behind it, and are then refused.
        later = asyncio.create_task(api.post("/v1/stock-movements", opening(INSIDE, "1")))
        await asyncio.sleep(0.2)
        assert not later.done()
        await tx.driver.execute("commit")
    assert (await closing).status_code == 200
    assert (await later).json()["code"] == "period_closed"
    assert await _recorded(admin, api) == 1


async def _insert_document(tx: Any, occurred_at: datetime) -> None:
    await tx.execute(
        """
        insert into stock_document (organization_id, id, type, reason, occurred_at, recorded_at,
                                    line_count, principal_id)
        values ($1, gen_random_uuid(), 'opening', '', $2, $3, 1, $4)
        """,
        tx.organization_id,
        occurred_at,
        occurred_at + timedelta(days=1),
        tx.principal.id,
    )


async def test_of_many_who_close_a_period_one_does(api: Client) -> None:
    answers = await asyncio.gather(*(api.post(f"{PATH}/close", {}) for _ in range(10)))
    assert Counter(a.status_code for a in answers) == {200: 1, 409: 9}
    answers = await asyncio.gather(
        *(api.post(f"{PATH}/reopen", {"reason": "x"}) for _ in range(10))
    )
    assert Counter(a.status_code for a in answers) == {200: 1, 409: 9}


async def test_the_currency_cannot_change_under_a_first_posting(api: Client) -> None:
    await company(api)
    current = "/v1/organizations/current"
    posted, changed = await asyncio.gather(
        api.post("/v1/stock-movements", opening()),
        api.patch(current, {"base_currency": "USD"}),
    )
    assert posted.status_code == 201, posted.text
    assert changed.status_code in (200, 409)
    refused = await api.patch(current, {"base_currency": "EUR"})
    assert refused.json()["code"] == "setting_in_use"
