"""`scm-api serve` as a process: what ends with it, and what outlives any end of it."""

import asyncio
import signal
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import httpx

from scm_api.audit import Report, audit_organization, organizations
from scm_api.process import database_urls, make_runtime
from scm_api.settings import Settings
from tests.cli.processes import (
    Server,
    data_folder,
    processes_of,
    serving,
    until_nothing_runs,
)

OPENING = 100_000
CLIENTS = 8
LOAD_SECONDS = 1.5


class Caller:
    """Clients that post issues of one unit, each with its own key, and remember the answers."""

    def __init__(self, key: str) -> None:
        self.headers = {"Authorization": f"Bearer {key}"}
        self.sent: list[str] = []
        self.acknowledged: dict[str, str] = {}

    async def call(self, server: Server, method: str, path: str, **more: Any) -> Any:
        headers = {**self.headers, **more.pop("headers", {})}
        response = await server.http.request(method, path, headers=headers, **more)
        assert response.is_success, response.text
        return response.json()

    async def set_up(self, server: Server) -> None:
        await self.call(server, "POST", "/v1/warehouses", json={"code": "W", "name": "W"})
        body = {"sku": "A", "name": "A", "base_unit": "EA"}
        await self.call(server, "POST", "/v1/items", json=body)
        await self.post(server, "opening", OPENING, "open")

    async def post(self, server: Server, kind: str, quantity: int, key: str) -> str:
        line = {"item": {"sku": "A"}, "warehouse": {"code": "W"}, "quantity": str(quantity)}
        answer = await self.call(
            server,
            "POST",
            "/v1/stock-movements",
            headers={"Idempotency-Key": key},
            json={"type": kind, "lines": [line]},
        )
        document_id: str = answer["id"]
        return document_id

    async def load(self, server: Server) -> None:
        """Post until the server is gone."""

        async def post_on() -> None:
            while True:
                key = uuid4().hex
                self.sent.append(key)
                try:
                    self.acknowledged[key] = await self.post(server, "sales_issue", 1, key)
                except httpx.TransportError:
                    return

        await asyncio.gather(*(post_on() for _ in range(CLIENTS)))


async def audit(folder: Any) -> Report:
    settings = Settings(data_dir=folder)
    with database_urls(settings) as urls:
        runtime = make_runtime(settings, urls)
        report = Report()
        try:
            for organization in await organizations(runtime):
                await audit_organization(runtime, organization, report)
        finally:
            await runtime.database.dispose()
    return report


async def kill_under_load(server: Server, caller: Caller) -> None:
    """kill -9 the server and its PostgreSQL while clients post."""
    running = asyncio.create_task(caller.load(server))
    await asyncio.sleep(LOAD_SECONDS)
    server.process.kill()
    await server.process.wait()
    await asyncio.wait_for(running, 30)


async def test_what_was_acknowledged_survives_kill_9_and_retries_converge() -> None:
    with data_folder() as folder:
        async with serving(folder, "serve") as server:
            assert server.key is not None
            caller = Caller(server.key)
            await caller.set_up(server)
            await kill_under_load(server, caller)
        # The worker and PostgreSQL notice that their server has gone, and follow.
        assert await until_nothing_runs(folder, 30) == set()
        assert len(caller.acknowledged) > CLIENTS

        async with serving(folder, "serve") as server:
            assert server.key is None  # shown once, at the first start only
            found = await asyncio.gather(
                *(
                    caller.call(server, "GET", f"/v1/stock-movements/{document_id}")
                    for document_id in caller.acknowledged.values()
                )
            )
            assert len(found) == len(caller.acknowledged)
            for key in caller.sent:
                again = await caller.post(server, "sales_issue", 1, key)
                assert caller.acknowledged.setdefault(key, again) == again
            (row,) = (await caller.call(server, "GET", "/v1/stock"))["data"]
            assert float(row["on_hand"]) == OPENING - len(caller.sent)
            report = await audit(folder)
            assert (report.findings, report.movements) == ([], 1 + len(caller.sent))
            assert await server.end(signal.SIGTERM) == 0
        assert processes_of(folder) == set()


async def test_ctrl_c_in_a_terminal_drains_and_leaves_nothing_running() -> None:
    with data_folder() as folder:
        async with serving(folder, "serve", SCM_DURABLE="false") as server:
            caller = Caller(server.key or "")
            await caller.set_up(server)
            posting = [
                asyncio.create_task(caller.post(server, "sales_issue", 1, f"key-{n}"))
                for n in range(CLIENTS)
            ]
            await asyncio.sleep(0)
            started = datetime.now(UTC)
            # A terminal sends Ctrl-C to the whole group, worker and database included.
            assert await server.end(signal.SIGINT, is_group=True) == 0
            assert (datetime.now(UTC) - started).total_seconds() < 20
            answers = await asyncio.gather(*posting, return_exceptions=True)
            assert all(isinstance(a, str | httpx.TransportError) for a in answers)
        assert processes_of(folder) == set()
