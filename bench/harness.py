"""What all benchmarks share: a durable server, the API in a process of its own, load, and tables.

Every figure stands beside the limit or a peer measured in the same run; read the ratios.
"""

import asyncio
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from uuid import UUID

import asyncpg
from rich.console import Console
from rich.table import Table

from scm_api.access import service as access
from scm_api.core.embedded import EmbeddedPostgres
from scm_api.core.observability import configure_logging
from scm_api.core.runtime import Runtime
from scm_api.core.tx import Principal
from scm_api.process import DATABASE, Urls, make_runtime, prepare
from scm_api.settings import Settings

console = Console()
configure_logging("json", "error")


@dataclass
class Bench:
    """A migrated database on a durable server, one organization and its key."""

    urls: Urls
    runtime: Runtime
    organization_id: UUID
    token: str

    @property
    def principal(self) -> Principal:
        return Principal(
            "api_key", self.organization_id, "bench", self.organization_id, frozenset("*")
        )


@asynccontextmanager
async def bench_database() -> AsyncIterator[Bench]:
    """A fresh durable server; removed afterwards."""
    folder = Path(tempfile.gettempdir()) / f"scm-bench-{os.getpid()}"
    try:
        with EmbeddedPostgres(folder, durable=True) as server:
            urls = Urls(server.dsn("scm_app", DATABASE), server.dsn("scm_admin", DATABASE), server)
            await prepare(urls)
            runtime = make_runtime(Settings(), urls)
            async with runtime.database.system() as driver:
                organization_id = await access.create_organization(
                    driver, code="bench", name="Bench", base_currency="CNY"
                )
                key = await access.create_key(driver, organization_id, name="bench")
            yield Bench(urls, runtime, organization_id, key.token)
            await runtime.database.dispose()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@asynccontextmanager
async def server(app: str, bench: Bench, port: int) -> AsyncIterator[int]:
    """An ASGI application (`module:factory`) served by uvicorn in a process of its own."""
    environment = {
        **os.environ,
        "SCM_DATABASE_URL": bench.urls.app,
        "SCM_LOG_LEVEL": "warning",
        "BENCH_ORGANIZATION": str(bench.organization_id),
        "BENCH_ADMIN_URL": str(bench.urls.admin),
    }
    process = subprocess.Popen(  # noqa: ASYNC220 - short, and before anything is timed
        [sys.executable, "-m", "bench.serve", app, str(port)],
        env=environment,
        stdout=subprocess.DEVNULL,
    )
    try:
        await _ready(port)
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(15)


async def _ready(port: int) -> None:
    for _ in range(200):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return
    raise RuntimeError("the server did not start")


@dataclass
class Load:
    """What a load run saw: requests a second and their latencies in milliseconds."""

    seconds: float
    latencies: list[float] = field(default_factory=list)
    errors: int = 0

    @property
    def per_second(self) -> float:
        return len(self.latencies) / self.seconds

    def quantile(self, share: float) -> float:
        ordered = sorted(self.latencies)
        return ordered[min(int(len(ordered) * share), len(ordered) - 1)] if ordered else 0.0


def request(method: str, path: str, token: str = "", body: object = None) -> bytes:
    """The bytes of one HTTP/1.1 request."""
    content = b"" if body is None else json.dumps(body).encode()
    lines = [f"{method} {path} HTTP/1.1", "Host: bench", f"Content-Length: {len(content)}"]
    if body is not None:
        lines.append("Content-Type: application/json")
    if token:
        lines.append(f"Authorization: Bearer {token}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


async def load(port: int, clients: int, seconds: float, make: Callable[[int, int], bytes]) -> Load:
    """`clients` keep-alive connections, each sending its next request when the last is answered."""
    result = Load(seconds)
    end = time.perf_counter() + seconds

    async def client(number: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        count = 0
        while time.perf_counter() < end:
            start = time.perf_counter()
            writer.write(make(number, count))
            head = await reader.readuntil(b"\r\n\r\n")
            length = head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]
            await reader.readexactly(int(length))
            if head[9:10] != b"2":
                result.errors += 1
            result.latencies.append(1000 * (time.perf_counter() - start))
            count += 1
        writer.close()

    await asyncio.gather(*(client(number) for number in range(clients)))
    return result


def pgbench(bench: Bench, script: str, clients: int, seconds: int) -> float:
    """Transactions a second of a pgbench script, prepared, as the application's role."""
    urls = bench.urls
    assert urls.embedded is not None
    tenant = f"-c app.organization_id={bench.organization_id}"
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
        file.write(script)
        file.flush()
        done = subprocess.run(
            [
                urls.embedded.binary("pgbench"),
                "-n", "-M", "prepared", "-c", str(clients), "-j", "1",
                "-T", str(seconds), "-f", file.name, "-h", str(urls.embedded.socket_dir),
                "-U", "scm_app", DATABASE,
            ],
            capture_output=True, text=True, check=False, env={**os.environ, "PGOPTIONS": tenant},
        )  # fmt: skip
    if done.returncode != 0:
        raise RuntimeError(f"pgbench: {done.stderr}")
    line = next(row for row in done.stdout.splitlines() if row.startswith("tps"))
    return float(line.split()[2])


def show(title: str, columns: list[str], rows: list[list[str]]) -> None:
    """Print a table."""
    table = Table(title=title)
    for index, column in enumerate(columns):
        table.add_column(column, justify="left" if index == 0 else "right")
    for row in rows:
        table.add_row(*row)
    console.print(table)


def machine() -> dict[str, str]:
    """What the figures were measured on."""
    packages = ("fastapi", "sqlalchemy", "asyncpg", "pydantic", "uvicorn", "numpy")
    return {
        "cpu": _cpu(),
        "cores": str(os.cpu_count()),
        "python": platform.python_version(),
        "postgresql": "18.4 (embedded, fsync on)",
        **{name: version(name) for name in packages},
    }


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":")[1].strip()
    return platform.processor()


async def owner(bench: Bench) -> asyncpg.Connection:
    """A superuser connection, for loading data no caller could load that fast."""
    assert bench.urls.admin is not None
    return await asyncpg.connect(bench.urls.admin)
