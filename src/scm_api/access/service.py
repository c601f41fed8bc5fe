"""Creating organizations and keys, and recognising the key of a request."""

import base64
import hashlib
import hmac
import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias
from uuid import UUID
from zoneinfo import available_timezones

import asyncpg

from scm_api.core.errors import Duplicate, Invalid, NotFound, Rule, Text, Unauthenticated
from scm_api.core.ids import uuid7
from scm_api.core.runtime import Runtime
from scm_api.core.tx import Principal

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
    public = base64.b32encode(secrets.token_bytes(10)).decode().lower()
    secret = secrets.token_urlsafe(32)
    key = NewKey(uuid7(), f"scm_live_{public}_{secret}", name)
    await driver.execute(
        """
        insert into api_key (organization_id, id, public, name, secret_sha256, permissions,
                             expires_at)
        values ($1, $2, $3, $4, $5, $6, $7)
        """,
        organization_id,
        key.id,
        public,
        name,
        hashlib.sha256(secret.encode()).digest(),
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


_LOOK_UP = """
select organization_id, id, name, secret_sha256, permissions,
       coalesce(last_used_at < now() - interval '1 minute', true) as is_use_stale
from api_key
where public = $1 and revoked_at is null and (expires_at is null or expires_at > now())
"""


@dataclass
class _Known:
    principal: Principal
    until: float


# Keys seen within the last second, by the digest of the whole header; bounded.
_cache: dict[bytes, _Known] = {}
_CACHE_SIZE = 10_000


async def authenticate(runtime: Runtime, header: str | None) -> Principal:
    """The principal behind an Authorization header; raises `Unauthenticated`."""
    if header is None or not 20 <= len(header) <= 200 or header[:7].lower() != "bearer ":
        raise Unauthenticated
    digest = hashlib.sha256(header.encode("utf-8", "surrogatepass")).digest()
    known = _cache.get(digest)
    if known is not None and known.until > time.monotonic():
        return known.principal
    principal = await _verify(runtime, header[7:])
    if len(_cache) >= _CACHE_SIZE:
        _cache.clear()
    until = time.monotonic() + runtime.settings.key_cache_seconds
    _cache[digest] = _Known(principal, until)
    return principal


async def _verify(runtime: Runtime, token: str) -> Principal:
    parts = token.split("_", 3)
    if len(parts) != 4 or parts[:2] != ["scm", "live"] or not token.isascii():
        raise Unauthenticated
    _, _, public, secret = parts
    async with runtime.database.system() as driver:
        row = await driver.fetchrow(_LOOK_UP, public)
        offered = hashlib.sha256(secret.encode()).digest()
        stored = row["secret_sha256"] if row else bytes(32)
        if not hmac.compare_digest(offered, stored) or row is None:
            raise Unauthenticated
        if row["is_use_stale"]:
            await driver.execute("update api_key set last_used_at = now() where id = $1", row["id"])
    return Principal(
        "api_key", row["id"], row["name"], row["organization_id"], frozenset(row["permissions"])
    )
