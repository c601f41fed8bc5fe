"""Creating organizations and keys in system transactions, as the command line does."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias
from uuid import UUID
from zoneinfo import available_timezones

import asyncpg

from scm_api.access.authentication import new_token
from scm_api.access.errors import KeyRevoked
from scm_api.access.keys import PREFIXES
from scm_api.access.limits import stored
from scm_api.core.errors import Duplicate, Invalid, NotFound, Rule, Text
from scm_api.core.ids import uuid7
from scm_api.core.tx import UNLIMITED, Limits

Driver: TypeAlias = asyncpg.Connection

UNKNOWN_TIME_ZONE = Rule(
    "unknown_time_zone",
    Text("{time_zone} is not an IANA time zone.", "{time_zone} 不是 IANA 时区。"),
)


@dataclass(frozen=True)
class NewKey:
    """A key just made. `token` is shown this once; only its digest is stored."""

    id: UUID
    token: str
    name: str


async def create_organization(
    driver: Driver,
    *,
    code: str,
    name: str,
    base_currency: str,
    time_zone: str = "UTC",
    group_id: UUID | None = None,
    is_sandbox: bool = False,
) -> UUID:
    """Create an organization in a system transaction; raises `Duplicate` for a code in use."""
    if time_zone not in available_timezones():
        raise Invalid([UNKNOWN_TIME_ZONE.at("/time_zone", time_zone=time_zone)])
    organization_id: UUID | None = await driver.fetchval(
        """
        insert into organization (id, code, name, base_currency, time_zone, group_id, is_sandbox)
        values ($1, $2, $3, $4, $5, $6, $7) on conflict do nothing returning id
        """,
        uuid7(),
        code,
        name,
        base_currency,
        time_zone,
        group_id,
        is_sandbox,
    )
    if organization_id is None:
        raise Duplicate(kind="organization", field="code", value=code)
    return organization_id


async def join_group(
    driver: Driver, organization_id: UUID, code: str, name: str | None = None
) -> None:
    """Put an organization into the group with a code, which is made if there is none; `name`
    renames the group."""
    group_id = await driver.fetchval(
        """
        insert into organization_group as g (id, code, name)
        values ($1, $2::text, coalesce($3::text, $2::text))
        on conflict (lower(code)) do update set name = coalesce($3::text, g.name) returning id
        """,
        uuid7(),
        code,
        name,
    )
    await driver.execute(
        """
        update organization set group_id = $2, version = version + 1, updated_at = now()
        where id = $1 and group_id is distinct from $2
        """,
        organization_id,
        group_id,
    )


async def find_organization(driver: Driver, code: str) -> UUID:
    """The organization with a code; raises `NotFound`."""
    found: UUID | None = await driver.fetchval(
        "select id from organization where lower(code) = lower($1)", code
    )
    if found is None:
        raise NotFound(kind="organization", reference=code)
    return found


async def create_key(
    driver: Driver,
    organization_id: UUID,
    *,
    name: str,
    permissions: Iterable[str] = ("*",),
    roles: Iterable[str] = (),
    limits: Limits = UNLIMITED,
    expires_at: datetime | None = None,
) -> NewKey:
    """Make an API key in a system transaction; in a sandbox it is a test key. Who may do that may
    do anything, so permissions and roles are taken as they are."""
    is_test = await driver.fetchval(
        "select is_sandbox from organization where id = $1", organization_id
    )
    token = new_token(PREFIXES[is_test])
    key = NewKey(uuid7(), token.text, name)
    await driver.execute(
        """
        insert into api_key (organization_id, id, public, name, secret_sha256, permissions,
                             expires_at, roles, warehouse_ids, category_ids, amount_limit, is_test)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
        """,
        organization_id,
        key.id,
        token.public,
        name,
        token.digest,
        list(permissions),
        expires_at,
        list(roles),
        stored(limits.warehouses),
        stored(limits.categories),
        limits.amount,
        is_test,
    )
    return key


async def rotate_key(driver: Driver, key_id: UUID, *, overlap: timedelta = timedelta()) -> NewKey:
    """Give a key a new secret; that of before is accepted for the time of the overlap. Raises
    `NotFound`, `KeyRevoked`."""
    row = await driver.fetchrow(
        "select public, name, is_test, revoked_at from api_key where id = $1 for update", key_id
    )
    if row is None:
        raise NotFound(kind="API key", reference=str(key_id))
    if row["revoked_at"] is not None:
        raise KeyRevoked(key=row["name"])
    token = new_token(PREFIXES[row["is_test"]], row["public"])
    await driver.execute(
        """
        update api_key
        set previous_sha256 = case when $3 > interval '0' then secret_sha256 end,
            previous_expires_at = case when $3 > interval '0' then now() + $3 end,
            secret_sha256 = $2, rotated_at = now(), updated_at = now(), version = version + 1
        where id = $1
        """,
        key_id,
        token.digest,
        overlap,
    )
    return NewKey(key_id, token.text, row["name"])


async def warehouse_ids(driver: Driver, organization_id: UUID, codes: Iterable[str]) -> list[UUID]:
    """The warehouses with these codes. Raises `NotFound`."""
    await driver.execute("select set_config('app.organization_id', $1, true)", str(organization_id))
    found = []
    for code in codes:
        one: UUID | None = await driver.fetchval(
            "select id from warehouse where organization_id = $1 and lower(code) = lower($2)",
            organization_id,
            code,
        )
        if one is None:
            raise NotFound(kind="warehouse", reference=code)
        found.append(one)
    return found


async def own_role_codes(driver: Driver, organization_id: UUID) -> set[str]:
    """The codes of the organization's own roles, in lower case."""
    rows = await driver.fetch(
        "select lower(code) as code from role where organization_id = $1", organization_id
    )
    return {row["code"] for row in rows}


async def revoke_key(driver: Driver, key_id: UUID) -> None:
    """Revoke a key; every process refuses it within a second. Raises `NotFound`."""
    if not await driver.fetchval(
        """
        update api_key set revoked_at = coalesce(revoked_at, now()), version = version + 1,
                           updated_at = now()
        where id = $1 returning true
        """,
        key_id,
    ):
        raise NotFound(kind="API key", reference=str(key_id))
