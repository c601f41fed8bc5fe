"""Many callers at once: nothing is sold twice, nothing deadlocks, one key has one effect."""

import asyncio
import random
from collections import Counter

from tests.stock.support import company, line, opening, position
from tests.stock.test_movements import assert_sound
from tests.support import Client


async def test_two_hundred_callers_race_for_the_last_ten_units(api: Client) -> None:
    await company(api)
    await opening(api, "A", "10")
    body = {"type": "sales_issue", "lines": [line("A", "1")]}
    answers = await asyncio.gather(*(api.post("/v1/stock-movements", body) for _ in range(200)))
    assert Counter(a.status_code for a in answers) == {201: 10, 409: 190}
    assert (await position(api, "A"))["on_hand"] == "0.0000"
    await assert_sound(api)


async def test_three_hundred_replays_of_one_key_have_one_effect(api: Client) -> None:
    await company(api)
    await opening(api, "A", "1000")
    body = {"type": "sales_issue", "lines": [line("A", "1")]}
    headers = {"Idempotency-Key": "scan-4711"}
    answers = await asyncio.gather(
        *(api.post("/v1/stock-movements", body, headers=headers) for _ in range(300))
    )
    assert {a.status_code for a in answers} == {201}
    assert len({a.content for a in answers}) == 1
    assert (await position(api, "A"))["on_hand"] == "999.0000"


async def test_crossing_documents_of_many_lines_never_deadlock(api: Client) -> None:
    skus = [f"X{number}" for number in range(12)]
    await company(api, *skus)
    for sku in skus:
        await opening(api, sku, "10000")
    shuffle = random.Random(7)

    def document(number: int) -> dict[str, object]:
        chosen = shuffle.sample(skus, 6)
        if number % 3 == 0:
            there = {"to_warehouse": {"code": "WH-2"}}
            return {"type": "transfer", "lines": [line(s, "1", **there) for s in chosen]}
        kind = "sales_issue" if number % 3 == 1 else "adjustment_in"
        return {"type": kind, "lines": [line(sku, "1") for sku in chosen]}

    answers = await asyncio.gather(
        *(api.post("/v1/stock-movements", document(number)) for number in range(150))
    )
    assert Counter(a.status_code for a in answers) == {201: 150}
    await assert_sound(api)
