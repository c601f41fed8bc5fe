"""Creating organizations and keys in system transactions, as the command line does."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias
from uuid import UUID
from zoneinfo import available_timezones

import asyncpg

from scm_api.access.authentication import new_token
from scm_api.core.errors import Duplicate, Invalid, NotFound, Rule, Text
from scm_api.core.ids import uuid7

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
    driver: Driver, *, code: str, name: str, base_currency: str, time_zone: str = "UTC"
) -> UUID:
    """Create an organization in a system transaction; raises `Duplicate` for a code in use."""
    if time_zone not in available_timezones():
        raise Invalid([UNKNOWN_TIME_ZONE.at("/time_zone", time_zone=time_zone)])
    organization_id: UUID | None = await driver.fetchval(
        """
        insert into organization (id, code, name, base_currency, time_zone)
        values ($1, $2, $3, $4, $5) on conflict do nothing returning id
        """,
        uuid7(),
        code,
        name,
        base_currency,
        time_zone,
    )
    if organization_id is None:
        raise Duplicate(kind="organization", field="code", value=code)
    return organization_id


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
    expires_at: datetime | None = None,
) -> NewKey:
    """Make an API key in a system transaction."""
    token = new_token("scm_live")
    key = NewKey(uuid7(), token.text, name)
    await driver.execute(
        """
        insert into api_key (organization_id, id, public, name, secret_sha256, permissions,
                             expires_at)
        values ($1, $2, $3, $4, $5, $6, $7)
        """,
        organization_id,
        key.id,
        token.public,
        name,
        token.digest,
        list(permissions),
        expires_at,
    )
    return key


async def revoke_key(driver: Driver, key_id: UUID) -> None:
    """Revoke a key; every process refuses it within a second. Raises `NotFound`."""
    if not await driver.fetchval(
        "update api_key set revoked_at = coalesce(revoked_at, now()) where id = $1 returning true",
        key_id,
    ):
        raise NotFound(kind="API key", reference=str(key_id))
