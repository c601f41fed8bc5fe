"""Schemathesis over the whole API as two users of two organizations, with all checks.

`python -m tests.contract.schemathesis_run [seeds] [examples]` is the long run of `make fuzz`.
"""

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import httpx

from scm_api.app import create_app
from scm_api.core.embedded import EmbeddedPostgres
from scm_api.core.observability import configure_logging
from scm_api.process import DATABASE, Urls, make_runtime, prepare
from scm_api.settings import Settings
from tests.contract.live import served
from tests.contract.world import build
from tests.support import Client

# What may be answered to data that fits the schema but not the business: unknown references,
# states, versions, duplicates, and (400) control characters, which no schema spells out per field.
_CONFIG = """\
[auth.wfc]
path = "{users}"
user = "first"
peers = ["first", "second"]

[checks.positive_data_acceptance]
expected-statuses = ["2xx", 304, 400, 401, 403, 404, 409, 412, 422, 428, 429, 503]

[checks.missing_required_header]
expected-statuses = [400, 401, 403, 406, 415, 422, 428]

[checks.negative_data_rejection]
expected-statuses = ["4xx"]
"""


ALL_PHASES = "examples,coverage,fuzzing,stateful"


async def _worlds(urls: Urls) -> list[Client]:
    """Two organizations, each with the example world."""
    runtime = make_runtime(Settings(), urls)
    transport = httpx.ASGITransport(create_app(runtime))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
        worlds = [await build(runtime, http, mark) for mark in ("", " B")]
    await runtime.database.dispose()
    return worlds


def run(urls: Urls, *, seed: int, examples: int, phases: str, seconds: int = 600) -> str:
    """Run schemathesis once; gives what it printed when it found something, else nothing."""
    worlds = asyncio.run(_worlds(urls))
    with tempfile.TemporaryDirectory() as folder, served(urls) as base:
        users = Path(folder, "users.json")
        auth = [
            {
                "name": name,
                "fixedHeaders": [{"name": "Authorization", "value": f"Bearer {world.token}"}],
            }
            for name, world in zip(("first", "second"), worlds, strict=True)
        ]
        users.write_text(json.dumps({"auth": auth}))
        config = Path(folder, "schemathesis.toml")
        config.write_text(_CONFIG.format(users=users))
        done = subprocess.run(
            [
                str(Path(sys.executable).with_name("schemathesis")),
                "--config-file", str(config), "run", f"{base}/openapi.json",
                "--checks", "all", "--seed", str(seed), "--max-examples", str(examples),
                "--phases", phases, "--continue-on-failure", "--no-color", "--warnings", "off",
                "--request-timeout", "20", "--max-time", str(seconds),
            ],
            capture_output=True, text=True, check=False, cwd=folder,
        )  # fmt: skip
    return "" if done.returncode == 0 else done.stdout + done.stderr


def main(seeds: int = 3, examples: int = 20) -> int:
    """The long run; prints what was found."""
    configure_logging("json", "error")
    folder = Path(tempfile.gettempdir()) / f"scm-fuzz-{os.getpid()}"
    found = 0
    try:
        with EmbeddedPostgres(folder, durable=False) as server:
            urls = Urls(server.dsn("scm_app", DATABASE), server.dsn("scm_admin", DATABASE), server)
            asyncio.run(prepare(urls))
            for seed in range(1, seeds + 1):
                sys.stdout.write(f"seed {seed} of {seeds} ...\n")
                report = run(urls, seed=seed, examples=examples, phases=ALL_PHASES)
                if report:
                    found += 1
                    sys.stdout.write(report)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
