"""Schemathesis over the whole API as two users of two organizations, with all checks.

`python -m tests.contract.schemathesis_run [seeds [examples [seconds [operation ...]]]]` is the long
run of `make fuzz`.
"""

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import httpx

from scm_api.app import create_app
from scm_api.core.embedded import EmbeddedPostgres
from scm_api.core.observability import configure_logging
from scm_api.core.runtime import Runtime
from scm_api.process import DATABASE, Urls, make_runtime, prepare
from scm_api.settings import Settings
from tests.contract.live import served
from tests.contract.world import build
from tests.support import Client

# What may be answered to data that fits the schema but not the business: unknown references,
# states, versions, duplicates, and (400) control characters, which no schema spells out per field.
_CONFIG = """\
hooks = "{hooks}"

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
_HOOKS = Path(__file__).with_name("schemathesis_hooks.py")


async def worlds(runtime: Runtime) -> list[Client]:
    """Two organizations, each with the example world."""
    transport = httpx.ASGITransport(create_app(runtime))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
        return [await build(runtime, http, mark) for mark in ("", " B")]


def run(
    urls: Urls,
    tokens: Sequence[str],
    *,
    seed: int,
    examples: int,
    phases: str = ALL_PHASES,
    seconds: int = 600,
    only: Sequence[str] = (),
    is_shown: bool = False,
) -> str:
    """Run schemathesis once as the callers of two keys, over all operations or `only` these.

    Gives what it printed when it found something, else nothing; `is_shown` prints it at once.
    """
    with tempfile.TemporaryDirectory() as folder, served(urls) as base:
        done = subprocess.run(
            [
                str(Path(sys.executable).with_name("schemathesis")),
                "--config-file", _configured(Path(folder), tokens), "run", f"{base}/openapi.json",
                "--checks", "all", "--seed", str(seed), "--max-examples", str(examples),
                "--phases", phases, "--continue-on-failure", "--no-color", "--warnings", "off",
                "--request-timeout", "20", "--max-time", str(seconds),
                *(f"--include-operation-id={id}" for id in only),
            ],
            stdout=None if is_shown else subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, check=False, cwd=folder,
        )  # fmt: skip
    return "" if done.returncode == 0 else done.stdout or "found"


def _configured(folder: Path, tokens: Sequence[str]) -> str:
    """The configuration with its users, written into a folder; gives the path."""
    auth = [
        {"name": name, "fixedHeaders": [{"name": "Authorization", "value": f"Bearer {token}"}]}
        for name, token in zip(("first", "second"), tokens, strict=True)
    ]
    users, config = folder / "users.json", folder / "schemathesis.toml"
    users.write_text(json.dumps({"auth": auth}))
    config.write_text(_CONFIG.format(users=users, hooks=_HOOKS))
    return str(config)


async def _tokens(urls: Urls) -> list[str]:
    runtime = make_runtime(Settings(), urls)
    tokens = [world.token for world in await worlds(runtime)]
    await runtime.database.dispose()
    return tokens


def main(*arguments: str) -> int:
    """The long run; prints what it does and finds. Arguments: seeds (3), examples (20), seconds of
    each seed (600), and the ids of operations (all)."""
    seeds, examples, seconds = (
        int(given) for given in [*arguments[:3], *("3", "20", "600")[len(arguments[:3]) :]]
    )
    configure_logging("json", "error")
    folder = Path(tempfile.gettempdir()) / f"scm-fuzz-{os.getpid()}"
    found = 0
    try:
        with EmbeddedPostgres(folder, durable=False) as server:
            urls = Urls(server.dsn("scm_app", DATABASE), server.dsn("scm_admin", DATABASE), server)
            asyncio.run(prepare(urls))
            for seed in range(1, seeds + 1):
                sys.stdout.write(f"seed {seed} of {seeds}, {seconds} s\n")
                sys.stdout.flush()
                tokens = asyncio.run(_tokens(urls))
                found += bool(
                    run(
                        urls,
                        tokens,
                        seed=seed,
                        examples=examples,
                        seconds=seconds,
                        only=arguments[3:],
                        is_shown=True,
                    )
                )
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
