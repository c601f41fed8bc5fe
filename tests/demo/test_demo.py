"""`scm-api demo` as a process: the whole story once, and a second start that finds it again."""

import asyncio
import re
import signal
import sys
import time
from pathlib import Path

from tests.cli.processes import data_folder, processes_of, serving

# A short past keeps the test short; the steps of the story are all there.
ARGUMENTS = ("demo", "--past-days", "35")


async def build(folder: Path) -> str:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "scm_api", *ARGUMENTS, "--no-serve", "--data-dir", str(folder)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(process.communicate(), 300)
    assert process.returncode == 0, output.decode()
    return output.decode()


async def test_the_demo_tells_its_story_and_a_second_start_serves_it_at_once() -> None:
    with data_folder() as folder:
        told = await build(folder)
        for step in ("1. Plan", "2. Convert", "3. 12 days", "4. What it changed", "5. A fresh"):
            assert step in told
        assert "cannot approve them (sod_violation)" in told
        assert re.search(r"PO-\d{6} \(partial\)", told)
        assert re.search(r"PO-\d{6} \(full\)", told)
        assert (changes := re.search(r"(\d+) alerts rose and (\d+) *\n?cleared", told))
        assert all(int(count) > 0 for count in changes.groups())
        assert "order lines, 0 finding(s)." in told
        for name in ("demo-key", "demo-approver-key"):
            assert (folder / name).stat().st_mode & 0o777 == 0o600
        assert processes_of(folder) == set()

        started = time.monotonic()
        arguments = (*ARGUMENTS, "--port", "0", "--data-dir", str(folder))
        async with serving(folder, *arguments) as server:
            assert time.monotonic() - started < 60
            key = (folder / "demo-key").read_text().strip()
            headers = {"Authorization": f"Bearer {key}"}
            for path in (
                "/v1/replenishment/suggestions?status=open&limit=3",
                "/v1/alerts?status=open&limit=3",
                "/v1/stock?limit=3",
            ):
                answer = await server.http.get(path, headers=headers)
                assert answer.status_code == 200, answer.text
                assert len(answer.json()["data"]) == 3
            assert (await server.http.get("/docs")).status_code == 200
            assert await server.end(signal.SIGTERM) == 0
        assert processes_of(folder) == set()
