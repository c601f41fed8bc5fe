"""Hot reads over HTTP beside psql's own speed and FastAPI's bare hello, at 100,000 items.

`python -m bench.reads [seconds]`
"""

import asyncio
import random
import sys
from typing import Any

from bench.data import item_id, stocked_items
from bench.harness import Bench, bench_database, load, pgbench, request, server, show
from bench.sql import ITEM

ITEMS = 100_000
CLIENTS = 8

_POSITION_SQL = f"""\\set n random(0, {ITEMS - 1})
select * from stock_position
where organization_id = '{{organization}}' and item_id = {ITEM.format(n=":n::int")};
"""
_LIST_SQL = f"""\\set n random(0, {ITEMS - 1})
select * from item
where organization_id = '{{organization}}' and sku > 'SKU-' || :n::text order by sku limit 50;
"""
_AS_OF_SQL = f"""\\set n random(0, {ITEMS - 1})
select sum(quantity), sum(value) from stock_movement
where organization_id = '{{organization}}'
  and item_id = {ITEM.format(n=":n::int")}
  and to_location_id = '{{place}}' and occurred_at <= now();
"""


def _paths(bench: Bench, kind: str) -> list[bytes]:
    chosen = [item_id(random.randrange(ITEMS)) for _ in range(500)]
    as_of = "as_of=2100-01-01T00:00:00Z"
    paths = {
        "item by id": [f"/v1/items/{item}" for item in chosen],
        "item position": [f"/v1/items/{item}/position" for item in chosen],
        "list of 50 items": ["/v1/items?limit=50"],
        "as-of of one item": [f"/v1/stock/as-of?{as_of}&item={item}" for item in chosen],
    }[kind]
    return [request("GET", path, bench.token) for path in paths]


async def measure(seconds: int = 5) -> list[dict[str, Any]]:
    """Requests a second with p50 and p99; the peers are hello (FastAPI) and the query alone."""
    results: list[dict[str, Any]] = []
    async with bench_database() as bench:
        places = await stocked_items(bench, ITEMS)
        values = {"organization": bench.organization_id, "place": places.place}
        for what, script in (
            ("item position", _POSITION_SQL),
            ("list of 50 items", _LIST_SQL),
            ("as-of of one item", _AS_OF_SQL),
        ):
            rate = await asyncio.to_thread(
                pgbench, bench, script.format(**values), CLIENTS, seconds
            )
            results.append({"what": what, "how": "pgbench, query alone", "per_second": rate})
        async with server("bench.bare:hello", bench, 8111):
            calls = [request("GET", "/hello")]
            run = await load(8111, CLIENTS, seconds, lambda *_: calls[0])
            hello = run.per_second
            results.append({"what": "hello", "how": "FastAPI", "per_second": hello})
        async with server("bench.serve:api", bench, 8112):
            for what in ("item by id", "item position", "list of 50 items", "as-of of one item"):
                calls = _paths(bench, what)
                run = await load(8112, CLIENTS, seconds, lambda *_, c=calls: random.choice(c))
                results.append(
                    {
                        "what": what,
                        "how": "scm-api over HTTP",
                        "per_second": run.per_second,
                        "of_hello": run.per_second / hello,
                        "p50_ms": run.quantile(0.5),
                        "p99_ms": run.quantile(0.99),
                        "errors": run.errors,
                    }
                )
    return results


def table(results: list[dict[str, Any]]) -> None:
    """Print the cases with their ratios."""
    rows = [
        [
            r["what"],
            r["how"],
            f"{r['per_second']:,.0f}",
            f"{r['of_hello']:.0%}" if "of_hello" in r else "",
            f"{r['p50_ms']:.1f}" if "p50_ms" in r else "",
            f"{r['p99_ms']:.1f}" if "p99_ms" in r else "",
            str(r.get("errors", "")),
        ]
        for r in results
    ]
    head = ["", "", "requests/s", "of hello", "p50 ms", "p99 ms", "errors"]
    show(f"Reads at {ITEMS:,} items, {CLIENTS} connections", head, rows)


if __name__ == "__main__":
    table(asyncio.run(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 5)))
