"""What tests share: a caller with a key, in an organization of its own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import UUID, uuid4

import httpx
from sqlalchemy import event

from scm_api.access import service as access
from scm_api.core import consumers, jobs
from scm_api.core.runtime import Runtime
from scm_api.core.tx import UNLIMITED, Limits, Principal


@dataclass
class Client:
    """One caller: its organization, its key, and the API it calls."""

    runtime: Runtime
    http: httpx.AsyncClient
    organization_id: UUID
    token: str

    async def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send a request with the caller's key."""
        headers = {"Authorization": f"Bearer {self.token}", **options.pop("headers", {})}
        return await self.http.request(method, path, headers=headers, **options)

    async def get(self, path: str, **options: Any) -> httpx.Response:
        return await self.call("GET", path, **options)

    async def post(self, path: str, json: Any = None, **options: Any) -> httpx.Response:
        if json is not None:
            options["json"] = json
        return await self.call("POST", path, **options)

    async def patch(self, path: str, json: Any, **options: Any) -> httpx.Response:
        return await self.call("PATCH", path, json=json, **options)

    async def put(self, path: str, json: Any, **options: Any) -> httpx.Response:
        return await self.call("PUT", path, json=json, **options)

    async def ok(self, method: str, path: str, **options: Any) -> Any:
        """Send a request that must succeed; gives its JSON."""
        response = await self.call(method, path, **options)
        assert response.is_success, f"{method} {path}: {response.status_code} {response.text}"
        return response.json() if response.content else None

    async def run_job(self, response: httpx.Response) -> Any:
        """Run the job a 202 answer names, here and now; gives the finished job."""
        assert response.status_code == 202, response.text
        job_id = response.json()["id"]
        await jobs.run(self.runtime, self.organization_id, UUID(job_id))
        return await self.ok("GET", f"/v1/jobs/{job_id}")

    @asynccontextmanager
    async def counted(self) -> AsyncIterator[list[str]]:
        """The SQL statements the API sends meanwhile."""
        sent: list[str] = []
        pool = self.runtime.database.engine.sync_engine

        def listen(record: Any) -> None:
            sent.append(record.query)

        drivers: list[Any] = []

        def checked_out(dbapi: Any, *_: Any) -> None:
            if dbapi.driver_connection not in drivers:
                drivers.append(dbapi.driver_connection)
                dbapi.driver_connection.add_query_logger(listen)

        event.listen(pool, "checkout", checked_out)
        try:
            yield sent
        finally:
            event.remove(pool, "checkout", checked_out)
            for driver in drivers:
                driver.remove_query_logger(listen)

    async def settle(self) -> None:
        """Let every event consumer catch up."""
        await consumers.drain(self.runtime)

    def principal(self) -> Principal:
        """A principal with every permission, for calling services directly."""
        return Principal(
            "api_key", self.organization_id, "test", self.organization_id, frozenset("*")
        )


_ONE_KEY_DOES_ALL = """
insert into duty_rule (organization_id, code, name, mode, first, second)
values ($1, 'order_creator_approves', '', 'off', '{purchase_orders:write}',
        '{purchase_orders:approve}')
"""


async def new_client(
    runtime: Runtime,
    http: httpx.AsyncClient,
    *,
    permissions: tuple[str, ...] = ("*",),
    roles: tuple[str, ...] = (),
    limits: Limits = UNLIMITED,
    organization_id: UUID | None = None,
    duties: Literal["off", "default"] = "off",
    is_sandbox: bool = False,
) -> Client:
    """A caller in a new organization, or a second key of an existing one.

    Most tests write and approve with one key, so that the duty rule against it is off in a new
    organization unless asked for.
    """
    async with runtime.database.system() as driver:
        if organization_id is None:
            organization_id = await access.create_organization(
                driver,
                code=f"org-{uuid4().hex[:12]}",
                name="Test company",
                base_currency="CNY",
                time_zone="Asia/Shanghai",
                is_sandbox=is_sandbox,
            )
            if duties == "off":
                await driver.execute(_ONE_KEY_DOES_ALL, organization_id)
        key = await access.create_key(
            driver,
            organization_id,
            name="test key",
            permissions=permissions,
            roles=roles,
            limits=limits,
        )
    return Client(runtime, http, organization_id, key.token)


def problem_codes(response: httpx.Response) -> list[str]:
    """The field rules a problem document names."""
    return [error["code"] for error in response.json()["errors"]]


def instant(text: str) -> datetime:
    """An RFC 3339 time as a datetime in UTC."""
    return datetime.fromisoformat(text).astimezone(UTC)
