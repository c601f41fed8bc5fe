"""The application with a local identity provider, and people whom somebody invited."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID, uuid4

import httpx

from scm_api.access import service as access
from scm_api.app import create_app
from scm_api.core.ids import uuid7
from scm_api.core.runtime import Runtime
from tests.users.oidc_idp import (
    CLIENT_ID,
    CLIENT_SECRET,
    REDIRECT_URI,
    IdentityProvider,
    running,
)

READS = "/v1/warehouses"


@dataclass
class Caller:
    """Calls from an address of its own, so that its rows of the access log are known."""

    runtime: Runtime
    http: httpx.AsyncClient
    address: str
    idp: IdentityProvider

    async def read(self, token: str | None, **headers: str) -> httpx.Response:
        """Read something with a bearer token, or without one."""
        sent = {"X-Request-Id": "one-request", **headers}
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        return await self.http.get(READS, headers=sent)

    async def kinds(self) -> list[str]:
        """What the access log says of this address, in order."""
        async with self.runtime.database.system() as driver:
            rows = await driver.fetch(
                "select kind from access_log where address = $1 order by id", self.address
            )
        return [row["kind"] for row in rows]

    async def begin(self) -> dict[str, Any]:
        """Begin a login."""
        path = "/v1/sessions/oidc/authorizations"
        answer = await self.http.post(path, json={"redirect_uri": REDIRECT_URI})
        assert answer.status_code == 201, answer.text
        begun: dict[str, Any] = answer.json()
        return begun

    async def finish(self, state: str, code: str) -> httpx.Response:
        """End a login with what the browser brought back."""
        return await self.http.post("/v1/sessions/oidc", json={"state": state, "code": code})

    async def log_in(self, **claims: Any) -> httpx.Response:
        """A whole login of the person the claims speak of."""
        begun = await self.begin()
        return await self.finish(*self.idp.authorize(begun["authorization_url"], **claims))


@asynccontextmanager
async def calling(
    runtime: Runtime, idp: IdentityProvider, **settings: Any
) -> AsyncIterator[Caller]:
    """An application that trusts the provider, called from a fresh address."""
    ours = {
        "oidc_issuer": idp.url,
        "oidc_client_id": CLIENT_ID,
        "oidc_client_secret": CLIENT_SECRET,
        "oidc_redirect_uris": (REDIRECT_URI,),
        "outgoing_allow": (idp.url,),
        "rate_limit_address_per_minute": 0,
        "key_cache_seconds": 0,
    }
    made = type(runtime.settings)(**{**runtime.settings.model_dump(), **ours, **settings})
    address = str(uuid4())
    its = replace(runtime, settings=made)
    transport = httpx.ASGITransport(
        create_app(its), raise_app_exceptions=False, client=(address, 1)
    )
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
        yield Caller(its, http, address, idp)


@asynccontextmanager
async def world(runtime: Runtime, **settings: Any) -> AsyncIterator[Caller]:
    """A provider and an application that trusts it."""
    async with running() as idp, calling(runtime, idp, **settings) as caller:
        yield caller


@dataclass
class Person:
    """An account with one membership."""

    id: UUID
    email: str
    organization_id: UUID


async def person(
    runtime: Runtime,
    *,
    status: str = "invited",
    subject: str | None = None,
    issuer: str | None = None,
    has_password: bool = False,
    is_active: bool = True,
    email: str | None = None,
) -> Person:
    """An account in an organization of its own, known to the provider as `subject` if given."""
    made = Person(uuid7(), email or f"{uuid4().hex}@example.com", UUID(int=0))
    async with runtime.database.system() as driver:
        made.organization_id = await access.create_organization(
            driver, code=f"org-{uuid4().hex[:12]}", name="Test company", base_currency="CNY"
        )
        await driver.execute(
            "insert into user_account (id, email, name, is_active) values ($1, $2, 'Li Wei', $3)",
            made.id,
            made.email,
            is_active,
        )
        await driver.execute(
            """
            insert into membership (organization_id, id, user_id, status, roles, joined_at)
            values ($1, $2, $3, $4::text, '{warehouse}', case when $4 = 'active' then now() end)
            """,
            made.organization_id,
            uuid7(),
            made.id,
            status,
        )
        if has_password:
            await driver.execute(
                "insert into user_credential (user_id, password_hash) values ($1, 'argon2')",
                made.id,
            )
        if subject is not None:
            await driver.execute(
                "insert into user_identity (issuer, subject, user_id) values ($1, $2, $3)",
                issuer,
                subject,
                made.id,
            )
    return made
