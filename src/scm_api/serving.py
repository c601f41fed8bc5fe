"""Serving: database, self-check, worker and HTTP as one tree of processes that ends as one.

Rule: whatever ends the server, Ctrl-C or `kill -9`, nothing it started goes on without it.
"""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Self, TypeVar

import asyncpg
import structlog
from fastapi import FastAPI

from scm_api import worker
from scm_api.access import service as access
from scm_api.access.service import NewKey
from scm_api.app import create_app
from scm_api.core import server
from scm_api.core.observability import configure_logging, log_config
from scm_api.core.self_check import Finding, self_check
from scm_api.process import Urls, database_urls, make_runtime, prepare
from scm_api.settings import Settings, settings

logger = structlog.get_logger("scm_api.serving")
T = TypeVar("T")

FIRST_ORGANIZATION = "main"
RESTART_SECONDS = (0.5, 10.0)
# The worker's own deadline, and a little for the exit itself.
WORKER_EXIT_SECONDS = worker.GRACE_SECONDS + worker.EXIT_SECONDS + 2
APPLICATION = "scm_api.serving:application"


@dataclass(frozen=True)
class Readiness:
    """What was found before serving: what forbids it, and the key made for an empty database."""

    findings: list[Finding]
    first_key: NewKey | None = None


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Make the first SIGINT or SIGTERM unwind this block, so that all it started is put down.

    Later ones are ignored: a second Ctrl-C must not break off the putting down.
    """

    def end(number: int, frame: FrameType | None) -> None:
        for each in handled:
            signal.signal(each, signal.SIG_IGN)
        raise SystemExit(0)

    handled = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, end) for number in handled}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


async def get_ready(settings: Settings, urls: Urls, *, first_key: bool = True) -> Readiness:
    """Migrate as far as we may, check what must hold, and give an empty database its first key."""
    await prepare(urls)
    findings = await check(settings, urls)
    if findings or not first_key:
        return Readiness(findings)
    async with system_connection(urls) as connection:
        return Readiness([], await _first_key(connection))


async def check(settings: Settings, urls: Urls) -> list[Finding]:
    """What forbids serving this database, as the role that would serve it sees it."""
    connection = await asyncpg.connect(urls.app, statement_cache_size=0)
    try:
        return await self_check(connection, settings, is_embedded=urls.embedded is not None)
    finally:
        await connection.close()


@asynccontextmanager
async def system_connection(urls: Urls) -> AsyncIterator[asyncpg.Connection]:
    """A system transaction for one command: organizations and keys, no business data."""
    connection = await asyncpg.connect(urls.app, statement_cache_size=0)
    try:
        async with connection.transaction():
            await connection.execute("select set_config('app.system', 'on', true)")
            yield connection
    finally:
        await connection.close()


def in_system(work: Callable[[asyncpg.Connection], Awaitable[T]]) -> T:
    """Run one system transaction on the settings' database, for one command."""

    async def run() -> T:
        if urls.embedded is not None:
            await prepare(urls)
        async with system_connection(urls) as connection:
            return await work(connection)

    with ended_by_signals(), database_urls(settings()) as urls:
        return asyncio.run(run())


async def _first_key(connection: asyncpg.Connection) -> NewKey | None:
    if await connection.fetchval("select exists (select from organization)"):
        return None
    organization_id = await access.create_organization(
        connection, code=FIRST_ORGANIZATION, name="Main organization", base_currency="CNY"
    )
    return await access.create_key(connection, organization_id, name="first key")


class WorkerProcess:
    """The worker beside a server: started again when it dies, stopped with its server.

    It holds the reading end of a pipe whose other end is ours: when we are killed, it knows.
    """

    def __init__(self, settings: Settings, urls: Urls) -> None:
        self._environment = dict(os.environ)
        if urls.embedded is not None:
            # It uses the same embedded server, so that the last one to go stops it.
            self._environment["SCM_DATA_DIR"] = str(urls.embedded.data_dir)
            self._environment["SCM_DURABLE"] = str(urls.embedded.durable).lower()
        self._environment["SCM_LOG_FORMAT"] = settings.log_format
        self._environment["SCM_LOG_LEVEL"] = settings.log_level
        self._stopping = threading.Event()
        self._read_fd, self._write_fd = os.pipe()
        self._process = self._spawn()
        self._thread = threading.Thread(target=self._keep_running, name="worker-keeper")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        os.close(self._write_fd)
        # A worker that is still starting does not watch the pipe yet.
        self._process.terminate()
        try:
            self._process.wait(WORKER_EXIT_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._thread.join()
        self._process.wait()
        os.close(self._read_fd)

    def _spawn(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "scm_api", "worker", "--parent-pipe", str(self._read_fd)]
        return subprocess.Popen(
            command,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            pass_fds=(self._read_fd,),
            # Ctrl-C in our terminal reaches only us: the API drains before its worker goes.
            start_new_session=True,
        )

    def _keep_running(self) -> None:
        pause, longest = RESTART_SECONDS
        while True:
            code = self._process.wait()
            if self._stopping.wait(pause):
                return
            logger.warning("worker_restarted", exit_code=code)
            pause = min(pause * 2, longest)
            self._process = self._spawn()


def serve(
    settings: Settings,
    urls: Urls,
    *,
    with_worker: bool = True,
    processes: int = 1,
    announce: Callable[[str], None],
) -> None:
    """Serve a database that is ready until SIGINT or SIGTERM; `announce` gets the address.

    Raises `OSError` when the port is taken.
    """
    configure_logging(settings.log_format, settings.log_level)
    with listening_socket(settings.host, settings.port) as listener:
        if not with_worker:
            _serve_http(settings, urls, listener, processes, announce)
            return
        with WorkerProcess(settings, urls):
            _serve_http(settings, urls, listener, processes, announce)


def listening_socket(host: str, port: int) -> socket.socket:
    """The socket clients connect to; port 0 picks a free one."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=2048)


def _serve_http(
    settings: Settings,
    urls: Urls,
    listener: socket.socket,
    processes: int,
    announce: Callable[[str], None],
) -> None:
    host, port = listener.getsockname()[:2]
    announce(f"http://{f'[{host}]' if ':' in host else host}:{port}")
    logs = log_config(settings.log_format, settings.log_level)
    if processes == 1:
        server.run(
            lambda: create_app(make_runtime(settings, urls)),
            host,
            port,
            log_config=logs,
            sockets=[listener],
        )
        return
    # The processes read their settings anew; they must not each look for the embedded server.
    os.environ["SCM_DATABASE_URL"] = urls.app
    server.run(APPLICATION, host, port, workers=processes, log_config=logs, sockets=[listener])


def application() -> FastAPI:
    """The application of one of several processes, over the database its parent has prepared."""
    settings = Settings()
    assert settings.database_url is not None
    configure_logging(settings.log_format, settings.log_level)
    return create_app(make_runtime(settings, Urls(settings.database_url, None)))
