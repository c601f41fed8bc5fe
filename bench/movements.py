"""Posting movements over HTTP beside pgbench and a bare endpoint that run the same SQL.

`python -m bench.movements [seconds]`
"""

import asyncio
import random
import sys

from bench import sql
from bench.data import Places, item_id, stocked_items
from bench.harness import Bench, Load, bench_database, load, pgbench, request, server, show

ITEMS = 5_000
Row = list[str]


def _issue(bench: Bench, places: Places, lines: int) -> bytes:
    first = random.randrange(ITEMS - lines)
    body = {
        "type": "sales_issue",
        "lines": [
            {
                "item": {"id": item_id(first + n)},
                "quantity": "1",
                "warehouse": {"id": str(places.warehouse)},
            }
            for n in range(lines)
        ],
    }
    return request("POST", "/v1/stock-movements", bench.token, body)


def _bare(bench: Bench, places: Places) -> bytes:
    body = {
        "organization": str(bench.organization_id),
        "item": item_id(random.randrange(ITEMS)),
        "place": str(places.place),
        "warehouse": str(places.warehouse),
        "customer": str(places.customer),
    }
    return request("POST", "/", body=body)


async def measure(seconds: int = 5) -> list[dict[str, float | str | int]]:
    """All cases; each with lines a second, p50 and p99 in ms, and the share of pgbench's rate."""
    results: list[dict[str, float | str | int]] = []

    def note(what: str, clients: int, lines: int, rate: float, run: Load | None = None) -> None:
        results.append(
            {
                "what": what,
                "clients": clients,
                "lines": lines,
                "lines_per_second": rate,
                "p50_ms": run.quantile(0.5) if run else 0.0,
                "p99_ms": run.quantile(0.99) if run else 0.0,
                "errors": run.errors if run else 0,
            }
        )

    async with bench_database() as bench:
        places = await stocked_items(bench, ITEMS)
        names = (str(bench.organization_id), *map(str, (places.place, places.warehouse)))
        for lines, clients in ((1, 1), (1, 8), (1000, 1), (1000, 4)):
            script = sql.for_pgbench(*names, str(places.customer), items=ITEMS, lines=lines)
            rate = await asyncio.to_thread(pgbench, bench, script, clients, seconds)
            note("pgbench, same SQL", clients, lines, rate * lines)
        async with server("bench.bare:ledger", bench, 8101):
            for clients in (1, 8):
                run = await load(8101, clients, seconds, lambda *_: _bare(bench, places))
                note("bare ASGI + asyncpg, same SQL", clients, 1, run.per_second, run)
        async with server("bench.serve:api", bench, 8102):
            for lines, clients in ((1, 1), (1, 8), (1000, 1), (1000, 4)):
                calls = [_issue(bench, places, lines) for _ in range(200)]
                run = await load(8102, clients, seconds, lambda *_, c=calls: random.choice(c))
                note("scm-api over HTTP", clients, lines, run.per_second * lines, run)
    return results


def table(results: list[dict[str, float | str | int]]) -> None:
    """Print the cases with their ratios."""
    limit = {
        (r["clients"], r["lines"]): float(r["lines_per_second"])
        for r in results
        if str(r["what"]).startswith("pgbench")
    }
    rows = [
        [
            str(r["what"]),
            str(r["clients"]),
            str(r["lines"]),
            f"{float(r['lines_per_second']):,.0f}",
            f"{float(r['lines_per_second']) / limit[r['clients'], r['lines']]:.0%}",
            f"{float(r['p50_ms']):.1f}",
            f"{float(r['p99_ms']):.1f}",
            str(r["errors"]),
        ]
        for r in results
    ]
    head = ["", "clients", "lines", "lines/s", "of pgbench", "p50 ms", "p99 ms", "errors"]
    show("Posting movements", head, rows)


if __name__ == "__main__":
    table(asyncio.run(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 5)))
