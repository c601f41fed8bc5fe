"""Servers in processes of their own, and what they leave running."""

import asyncio
import os
import re
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import httpx

URL = re.compile(r"Serving (http://[^\s,]+)")
KEY = re.compile(r"scm_live_\S+")
START_SECONDS = 90.0  # of a machine that does much else


@contextmanager
def data_folder() -> Iterator[Path]:
    """A folder for an embedded server; under root it must be open to another user."""
    folder = Path(tempfile.gettempdir()) / f"scm-cli-{uuid4().hex[:8]}"
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def processes_of(folder: Path) -> set[int]:
    """Every process that works in a data folder, or was started with it in its environment."""
    found = set()
    needle = str(folder).encode()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            told = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
            works_in = os.readlink(entry / "cwd").encode()
            is_dead = (entry / "stat").read_text().rpartition(")")[2].split()[0] == "Z"
        except OSError:
            continue
        if not is_dead and (needle in told or works_in.startswith(needle)):
            found.add(int(entry.name))
    return found


async def until_nothing_runs(folder: Path, seconds: float) -> set[int]:
    """What still runs in a data folder after at most `seconds`; empty when all has ended."""
    for _ in range(int(seconds / 0.1)):
        if not processes_of(folder):
            break
        await asyncio.sleep(0.1)
    return processes_of(folder)


@dataclass
class Server:
    """A `scm-api` process that serves, what it printed, and a client for it."""

    process: asyncio.subprocess.Process
    output: str
    url: str
    http: httpx.AsyncClient

    @property
    def key(self) -> str | None:
        """The API key it printed, if it printed one."""
        found = KEY.search(self.output)
        return None if found is None else found.group()

    async def end(self, number: signal.Signals, *, is_group: bool = False) -> int:
        """Signal it (or all of its process group, as a terminal does) and wait for its end."""
        if is_group:
            os.killpg(self.process.pid, number)
        else:
            self.process.send_signal(number)
        return await asyncio.wait_for(self.process.wait(), 30)


@asynccontextmanager
async def serving(folder: Path, *arguments: str, **environment: str) -> AsyncIterator[Server]:
    """`scm-api <arguments>` on a data folder, once it answers; killed at the end if it runs."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "scm_api", *arguments),
        env={**os.environ, "SCM_DATA_DIR": str(folder), "SCM_PORT": "0", **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        # A process group of its own, as a shell gives to each of its jobs.
        start_new_session=True,
    )
    try:
        output, url = await asyncio.wait_for(_announcement(process), START_SECONDS)
        async with httpx.AsyncClient(base_url=url, timeout=30) as http:
            await _until_ready(http)
            yield Server(process, output, url, http)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _announcement(process: asyncio.subprocess.Process) -> tuple[str, str]:
    assert process.stdout is not None
    output = ""
    while line := await process.stdout.readline():
        output += line.decode()
        if found := URL.search(output):
            return output, found.group(1)
    raise AssertionError(f"it ended before it served: {output}")


async def _until_ready(http: httpx.AsyncClient) -> None:
    for _ in range(int(START_SECONDS / 0.05)):
        try:
            if (await http.get("/readyz")).status_code == 200:
                return
        except httpx.TransportError:
            pass
        await asyncio.sleep(0.05)
    raise AssertionError("it does not become ready")
