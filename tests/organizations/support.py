"""People who belong to several organizations, and the little business that tests need."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx

from scm_api.access.authentication import new_token
from scm_api.core.ids import uuid7
from tests.support import Client


@dataclass
class Person:
    """Somebody who is logged in."""

    api: Client
    user_id: UUID
    token: str

    async def call(self, method: str, path: str, within: Client, **options: Any) -> httpx.Response:
        """Send a request about one of the organizations."""
        headers = {
            "Authorization": f"Bearer {self.token}",
            "Scm-Organization": str(within.organization_id),
            **options.pop("headers", {}),
        }
        return await self.api.http.request(method, path, headers=headers, **options)


async def person(roles: dict[UUID, list[str]], api: Client) -> Person:
    """A person with roles in organizations, and a session."""
    user_id, session_id = uuid7(), uuid7()
    token = new_token("scm_at")
    expires = datetime.now(UTC) + timedelta(hours=1)
    async with api.runtime.database.system() as driver:
        await driver.execute(
            "insert into user_account (id, email, name) values ($1, $2, 'Li Na')",
            user_id,
            f"{user_id}@example.com",
        )
        for organization_id, codes in roles.items():
            await driver.execute(
                """
                insert into membership (organization_id, id, user_id, status, roles, joined_at)
                values ($1, $2, $3, 'active', $4, now())
                """,
                organization_id,
                uuid7(),
                user_id,
                codes,
            )
        await driver.execute(
            """
            insert into user_session (id, user_id, method, expires_at)
            values ($1, $2, 'password', $3)
            """,
            session_id,
            user_id,
            expires,
        )
        await driver.execute(
            """
            insert into session_token (public, session_id, kind, secret_sha256, expires_at)
            values ($1, $2, 'access', $3, $4)
            """,
            token.public,
            session_id,
            token.digest,
            expires,
        )
    return Person(api, user_id, token.text)


async def company(api: Client) -> None:
    """A warehouse, an item and a supplier."""
    await api.ok("POST", "/v1/warehouses", json={"code": "WH-1", "name": "Main"})
    await api.ok("POST", "/v1/items", json={"sku": "A", "name": "A", "base_unit": "EA"})
    await api.ok("POST", "/v1/suppliers", json={"code": "S-1", "name": "Supplier"})


def opening(occurred_at: str | None = None, quantity: str = "10") -> dict[str, Any]:
    """A posting of some stock."""
    line = {"item": {"sku": "A"}, "warehouse": {"code": "WH-1"}, "quantity": quantity}
    body: dict[str, Any] = {"type": "opening", "lines": [line]}
    return body if occurred_at is None else {**body, "occurred_at": occurred_at}


def order(**line: Any) -> dict[str, Any]:
    """An order of ten."""
    return {
        "supplier": {"code": "S-1"},
        "warehouse": {"code": "WH-1"},
        "need_by": "2030-03-01",
        "lines": [{"item": {"sku": "A"}, "quantity": "10", "unit_price": "2", **line}],
    }
