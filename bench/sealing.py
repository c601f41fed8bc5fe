"""What the trail costs: writing with and without its triggers, posting with and without sealing.

`python -m bench.sealing [seconds]`
"""

import asyncio
import statistics
import sys
import time
from contextlib import suppress
from typing import Any

import asyncpg
import httpx

from bench.data import Places, item_id, stocked_items
from bench.harness import Bench, bench_database, load, owner, request, server, show
from scm_api.trail import sealing

ITEMS = 5_000
BULK = 1_000
ROUNDS = 5
Row = dict[str, Any]


async def measure(seconds: int = 5) -> list[Row]:
    """Each case without and with, in turns, and the ratio of their medians."""
    async with bench_database() as bench:
        places = await stocked_items(bench, ITEMS)
        async with server("bench.serve:api", bench, 8121):
            bulk = await _triggers(bench)
            single = await _sealing(bench, places, lines=1, seconds=seconds)
            many = await _sealing(bench, places, lines=100, seconds=seconds)
    return [bulk, single, many]


async def _triggers(bench: Bench) -> Row:
    """`PUT /v1/items/bulk` that changes 1,000 items."""
    connection = await owner(bench)
    took: dict[bool, list[float]] = {False: [], True: []}
    async with httpx.AsyncClient(
        base_url="http://127.0.0.1:8121",
        headers={"Authorization": f"Bearer {bench.token}"},
        timeout=60,
    ) as http:
        for turn in range(2 * ROUNDS + 2):
            is_audited = bool(turn % 2)
            await _listen(connection, is_audited)
            items = [
                {"sku": f"SKU-{n}", "name": f"Item {n} of turn {turn}", "base_unit": "EA"}
                for n in range(BULK)
            ]
            start = time.perf_counter()
            (await http.put("/v1/items/bulk", json={"items": items})).raise_for_status()
            if turn > 1:
                took[is_audited].append(time.perf_counter() - start)
    await connection.close()
    without, with_ = (BULK / statistics.median(took[on]) for on in (False, True))
    return {"what": "items changed in bulk, a second: triggers", "off": without, "on": with_}


async def _listen(connection: asyncpg.Connection, is_audited: bool) -> None:
    triggers = await connection.fetch(
        """
        select c.relname, t.tgname from pg_trigger t join pg_class c on c.oid = t.tgrelid
        where t.tgname like 'audit\\_%' and not t.tgisinternal and c.relname like 'item%'
        """
    )
    word = "enable" if is_audited else "disable"
    for row in triggers:
        await connection.execute(f"alter table {row['relname']} {word} trigger {row['tgname']}")


async def _sealing(bench: Bench, places: Places, *, lines: int, seconds: int) -> Row:
    """Posting at full speed, 8 clients, while another task seals every second or does not."""
    rates: dict[bool, list[float]] = {False: [], True: []}
    for turn in range(2 * ROUNDS):
        is_sealing = bool(turn % 2)
        while await sealing.run_once(bench.runtime):
            pass
        task = asyncio.create_task(_seal_all_the_time(bench)) if is_sealing else None
        calls = [_issue(bench, places, turn * 100 + n, lines) for n in range(100)]
        run = await load(8121, 8, seconds, lambda _, n, c=calls: c[n % len(c)])
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        rates[is_sealing].append(run.per_second * lines)
    without, with_ = (statistics.median(rates[on]) for on in (False, True))
    return {"what": f"lines posted, {lines} a call: sealing", "off": without, "on": with_}


async def _seal_all_the_time(bench: Bench) -> None:
    while True:
        await sealing.run_once(bench.runtime)
        await asyncio.sleep(1)


def _issue(bench: Bench, places: Places, n: int, lines: int) -> bytes:
    body = {
        "type": "sales_issue",
        "lines": [
            {
                "item": {"id": item_id((n * 37 + line) % ITEMS)},
                "quantity": "1",
                "warehouse": {"id": str(places.warehouse)},
            }
            for line in range(lines)
        ],
    }
    return request("POST", "/v1/stock-movements", bench.token, body)


def table(results: list[Row]) -> None:
    """Print the cases with their ratios."""
    rows = [
        [r["what"], f"{r['off']:,.0f}", f"{r['on']:,.0f}", f"{r['on'] / r['off']:.1%}"]
        for r in results
    ]
    show("What the trail costs", ["", "without", "with", "ratio"], rows)


if __name__ == "__main__":
    table(asyncio.run(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 5)))
