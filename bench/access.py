"""What knowing the caller costs: a simple read with and without authentication, tenant and
permission check.

Without: everybody is one fixed caller who is asked nothing, the transaction names no organization,
and the database role is a superuser, for whom row-level security is off. The two take turns, so
that the machine's moods meet both. `python -m bench.access [seconds]`
"""

import asyncio
import random
import statistics
import sys
from typing import Any

from bench.data import item_id, stocked_items
from bench.harness import Bench, bench_database, load, request, server, show

ITEMS = 10_000
CLIENTS = 8
TURNS = 6


def _calls(bench: Bench, suffix: str) -> list[bytes]:
    chosen = [item_id(random.randrange(ITEMS)) for _ in range(500)]
    return [request("GET", f"/v1/items/{item}{suffix}", bench.token) for item in chosen]


async def measure(seconds: int = 5) -> list[dict[str, Any]]:
    """Requests a second with and without, the median of the turns, and what share the checks cost
    with the spread of the turns."""
    results: list[dict[str, Any]] = []
    async with bench_database() as bench:
        await stocked_items(bench, ITEMS)
        async with (
            server("bench.serve:api", bench, 8121),
            server("bench.serve:unchecked", bench, 8122),
        ):
            for what, suffix in (("item by id", ""), ("item position", "/position")):
                calls = _calls(bench, suffix)
                pairs = []
                for turn in range(-1, TURNS):
                    rates = {}
                    for port in (8121, 8122) if turn % 2 else (8122, 8121):
                        run = await load(
                            port, CLIENTS, seconds, lambda *_, c=calls: random.choice(c)
                        )
                        if run.errors:
                            raise RuntimeError(f"{run.errors} errors on port {port}")
                        rates[port] = run.per_second
                    if turn >= 0:  # The first turn warms caches and plans.
                        pairs.append((rates[8121], rates[8122]))
                costs = [1 - checked / unchecked for checked, unchecked in pairs]
                results.append(
                    {
                        "what": what,
                        "checked_per_second": statistics.median(c for c, _ in pairs),
                        "unchecked_per_second": statistics.median(u for _, u in pairs),
                        "cost": statistics.median(costs),
                        "least": min(costs),
                        "most": max(costs),
                    }
                )
    return results


def table(results: list[dict[str, Any]]) -> None:
    """Print the cases."""
    rows = [
        [
            r["what"],
            f"{r['checked_per_second']:,.0f}",
            f"{r['unchecked_per_second']:,.0f}",
            f"{r['cost']:.1%}",
            f"{r['least']:.1%} to {r['most']:.1%}",
        ]
        for r in results
    ]
    head = ["", "with, /s", "without, /s", "cost", f"over {TURNS} turns"]
    show("Authentication, tenant and permission check of a read", head, rows)


if __name__ == "__main__":
    table(asyncio.run(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 3)))
