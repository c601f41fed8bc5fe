"""All measurements, printed and written to docs/benchmarks: `make bench` or `python -m bench`.

`python -m bench [seconds per case]`; a full run takes about five minutes.
"""

import asyncio
import json
import subprocess
import sys
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

from rich.console import Console

from bench import access, harness, movements, plan, reads, sealing

TARGET = Path(__file__).parents[1] / "docs" / "benchmarks"

# What each figure would need to be at its limit, and why it is not there: read with the tables.
NOTES = {
    "sealing": """\
The limit is writing without a trail. What the triggers cost is an entry and its indexes for each
changed row, in the same transaction; what sealing costs is reading and hashing each row once more,
on whatever core is free. Here it runs in the process that makes the load, every second.""",
    "movements": """\
The limit is pgbench running the same posting function and the same event row. A single line over
HTTP is five round trips (begin with the tenant, resolve the names, post, event, commit) where
pgbench has one; each costs the event loop and asyncpg about a tenth of a millisecond of processor
time. Nearer to the limit would be: the event inside the posting function, the names resolved there
too, and several callers' lines gathered into one transaction. With 1,000 lines a call the round
trips vanish and what remains is validation of the body in Python.""",
    "reads": """\
The limit is FastAPI's own hello: routing, dependencies and serialisation without a database. A read
adds the transaction (begin with the tenant, commit) and one or two statements. Nearer to the limit
would be: begin, query and commit pipelined in one round trip, and lists rendered to JSON by
PostgreSQL. The as-of query adds up one item's movements from a covering index; closing balances
will bound it when histories grow.""",
    "access": """\
The limit is not asking at all. A key is looked up once a second and believed meanwhile; what
remains is the name of the organization sent along with BEGIN, and the policies PostgreSQL adds to
each statement. The bar is 15 %.""",
    "plan": """\
The limit is reading the history: the load phase streams every demand day as binary COPY into one
array. Nearer to it would be: history kept as one array a series and month instead of one row a day,
and the forecast of one block computed while the next is loaded. The forecast itself already costs
less than reading its input.""",
}


def _rendered(show: Any, result: Any) -> str:
    text = StringIO()
    normal, harness.console = harness.console, Console(file=text, width=110)
    try:
        show(result)
    finally:
        harness.console = normal
    return text.getvalue().rstrip()


def main(seconds: int) -> None:
    """Run everything and keep what came out."""
    now = datetime.now(UTC)
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    ).stdout.strip()
    machine = {"measured_at": now.isoformat(timespec="minutes"), "commit": commit}
    machine |= harness.machine()
    results: dict[str, Any] = {}
    parts = [f"# Measured on {now:%Y-%m-%d}", "", "| what | version |", "|---|---|"]
    parts += [f"| {name} | {value} |" for name, value in machine.items()]
    for name, module, run in (
        ("movements", movements, lambda: movements.measure(seconds)),
        ("reads", reads, lambda: reads.measure(seconds)),
        ("access", access, lambda: access.measure(max(1, seconds // 2))),
        ("plan", plan, plan.measure),
        ("sealing", sealing, lambda: sealing.measure(seconds)),
    ):
        harness.console.rule(name)
        results[name] = asyncio.run(run())
        module.table(results[name])
        table = _rendered(module.table, results[name])
        parts += ["", f"## {name.capitalize()}", "", "```", table, "```", "", NOTES[name]]
    TARGET.mkdir(parents=True, exist_ok=True)
    (TARGET / "latest.md").write_text("\n".join(parts) + "\n")
    data = {"machine": machine, "results": results}
    (TARGET / "latest.json").write_text(json.dumps(data, indent=1, default=str) + "\n")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
