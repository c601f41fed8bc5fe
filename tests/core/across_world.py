"""People who belong to several organizations, and their calls about all of them."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg

from scm_api.access import service as access
from scm_api.access.authentication import new_token
from scm_api.core.ids import uuid7
from tests.support import Client, new_client


async def organization(
    api: Client, code: str, *, currency: str = "CNY", time_zone: str = "Asia/Shanghai"
) -> Client:
    """A key with every permission in a new organization of this code."""
    async with api.runtime.database.system() as driver:
        made = await access.create_organization(
            driver, code=code, name=f"Name of {code}", base_currency=currency, time_zone=time_zone
        )
    return await new_client(api.runtime, api.http, organization_id=made)


async def organizations(api: Client, *names: str, **options: Any) -> list[Client]:
    """Organizations whose codes begin with these names and with nothing that others have."""
    mark = uuid4().hex[:10]
    return [await organization(api, f"{mark}-{name}", **options) for name in names]


async def code_of(api: Client) -> str:
    """The code of a caller's organization."""
    async with api.runtime.database.system() as driver:
        code: str = await driver.fetchval(
            "select code from organization where id = $1", api.organization_id
        )
    return code


async def put_in_group(api: Client, code: str, *members: Client) -> None:
    """Make a group of organizations."""
    async with api.runtime.database.system() as driver:
        group_id = await driver.fetchval(
            "insert into organization_group (id, code, name) values ($1, $2, $2) returning id",
            uuid7(),
            code,
        )
        ids = [member.organization_id for member in members]
        await driver.execute(
            "update organization set group_id = $1 where id = any($2)", group_id, ids
        )


async def person(*roles: tuple[Client, str], status: str = "active") -> tuple[Client, UUID]:
    """Somebody logged in who has these roles in these organizations, and his id."""
    first = roles[0][0]
    user_id, session_id, token = uuid7(), uuid7(), new_token("scm_at")
    until = first.runtime.clock() + timedelta(hours=1)
    async with first.runtime.database.system() as driver:
        await driver.execute(
            "insert into user_account (id, email, name) values ($1, $2, 'Wang Li')",
            user_id,
            f"{user_id}@example.com",
        )
        for member, role in roles:
            await join(driver, user_id, member, role, status)
        await driver.execute(
            "insert into user_session (id, user_id, method, expires_at) "
            "values ($1, $2, 'password', $3)",
            session_id,
            user_id,
            until,
        )
        await driver.execute(
            "insert into session_token (public, session_id, kind, secret_sha256, expires_at) "
            "values ($1, $2, 'access', $3, $4)",
            token.public,
            session_id,
            token.digest,
            until,
        )
    return Client(first.runtime, first.http, first.organization_id, token.text), user_id


async def join(
    driver: asyncpg.Connection,
    user_id: UUID,
    member: Client,
    role: str,
    status: str = "active",
) -> None:
    """Give a person a role in an organization."""
    await driver.execute(
        "insert into membership (organization_id, id, user_id, status, roles, joined_at) "
        "values ($1, $2, $3, $4, $5, now())",
        member.organization_id,
        uuid7(),
        user_id,
        status,
        [role],
    )


async def read_to_the_end(caller: Client, path: str, **params: Any) -> list[dict[str, Any]]:
    """All pages of a list, one after the other."""
    pages = [await caller.ok("GET", path, params=params)]
    while pages[-1]["has_more"]:
        assert len(pages) < 100, "the list has no end"
        more = {**params, "cursor": pages[-1]["next_cursor"]}
        pages.append(await caller.ok("GET", path, params=more))
    return pages
