"""People for tests: invited by a key of their organization, calling from networks of their own."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import httpx

from tests.support import Client

PASSWORD = "correct horse 42 battery"


def network() -> str:
    """An address in a /24 that no other test uses."""
    return f"10.{random.randrange(256)}.{random.randrange(256)}.{random.randrange(1, 255)}"


def from_address(http: httpx.AsyncClient, address: str | None = None) -> httpx.AsyncClient:
    """The same application, called from another address."""
    transport = http._transport
    assert isinstance(transport, httpx.ASGITransport)
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(
            transport.app, raise_app_exceptions=False, client=(address or network(), 4711)
        ),
        base_url="http://test",
    )


def new_email() -> str:
    return f"person-{uuid4().hex[:12]}@example.com"


@dataclass
class Person:
    """Somebody with an account, and his session if he is logged in."""

    http: httpx.AsyncClient
    email: str
    id: UUID
    password: str = PASSWORD
    tokens: dict[str, Any] = field(default_factory=dict)

    async def log_in(self, **more: Any) -> httpx.Response:
        """Log in; a success is remembered."""
        body = {"email": self.email, "password": self.password, **more}
        answer = await self.http.post("/v1/sessions", json=body)
        if answer.status_code == 201:
            self.tokens = answer.json()
        return answer

    async def call(self, method: str, path: str, json: Any = None, **more: Any) -> httpx.Response:
        """Call with the access token."""
        headers = {
            "Authorization": f"Bearer {self.tokens['access_token']}",
            **more.pop("headers", {}),
        }
        return await self.http.request(method, path, json=json, headers=headers, **more)

    async def ok(self, method: str, path: str, json: Any = None, **more: Any) -> Any:
        """A call that must succeed; gives its JSON."""
        answer = await self.call(method, path, json, **more)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None


async def invite(
    inviter: Client | Person, email: str, roles: Sequence[str] = ("buyer",), **more: Any
) -> dict[str, Any]:
    """Invite somebody; gives the answer."""
    body = {"email": email, "name": "Li Wei", "roles": list(roles), **more}
    answer: dict[str, Any] = await inviter.ok("POST", "/v1/users", json=body)
    return answer


async def join(inviter: Client | Person, roles: Sequence[str] = ("buyer",), **more: Any) -> Person:
    """A new person in the inviter's organization, logged in."""
    email = new_email()
    invited = await invite(inviter, email, roles, **more)
    person = Person(from_address(inviter.http), email, UUID(invited["id"]))
    body = {"token": invited["invitation_token"], "password": PASSWORD}
    answer = await person.http.post("/v1/invitations/accept", json=body)
    assert answer.status_code == 200, answer.text
    assert (await person.log_in()).status_code == 201
    return person


async def join_too(inviter: Client | Person, person: Person, roles: Sequence[str]) -> None:
    """The person joins a further organization."""
    invited = await invite(inviter, person.email, roles)
    await person.ok("POST", "/v1/me/invitations", {"token": invited["invitation_token"]})


def code(answer: httpx.Response) -> tuple[int, str]:
    """Status and problem code."""
    return answer.status_code, answer.json()["code"]


async def logged(api: Client, user_id: UUID) -> list[str]:
    """What the access log says of a person, in order."""
    async with api.runtime.database.system() as driver:
        rows = await driver.fetch(
            "select kind from access_log where user_id = $1 order by id", user_id
        )
    return [row["kind"] for row in rows]
