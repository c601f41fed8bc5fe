"""From the Authorization header to a principal: API keys, sessions, foreign tokens.

Every failure is the same 401; what was wrong stands only in the access log. A checked credential is
believed for a second at most, so a revocation is seen everywhere within it.
"""

import base64
import hashlib
import hmac
import secrets
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from uuid import UUID

import asyncpg

from scm_api.access import access_log
from scm_api.access.access_kinds import Kind
from scm_api.access.holdings import both, granted, limits, narrower
from scm_api.core import rate_limits
from scm_api.core.errors import NotFound, RateLimited, Unauthenticated
from scm_api.core.runtime import Credentials, Runtime
from scm_api.core.tx import NOBODY, Principal

_LONGEST = 300
_LONGEST_FOREIGN = 8_192


@dataclass(frozen=True)
class Token:
    """A secret just made: `text` is shown once, `public` finds it, `digest` recognises it."""

    text: str
    public: str
    digest: bytes


def new_token(prefix: str, public: str | None = None) -> Token:
    """A token `<prefix>_<public>_<secret>` with 32 random bytes of secret; `public` is that of a
    token it replaces."""
    public = public or base64.b32encode(secrets.token_bytes(10)).decode().lower()
    secret = secrets.token_urlsafe(32)
    return Token(f"{prefix}_{public}_{secret}", public, digest(secret))


def digest(secret: str) -> bytes:
    """What is stored of a random secret."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def split_token(text: str) -> tuple[str, str, str] | None:
    """Prefix, public part and secret of a token of ours; None for anything else."""
    parts = text.split("_", 3)
    # Of what is not printable, NUL would be an error of the database's.
    if len(parts) != 4 or parts[0] != "scm" or not (text.isascii() and text.isprintable()):
        return None
    return f"scm_{parts[1]}", parts[2], parts[3]


class Refused(Exception):
    """Why a credential does not count; for the access log only."""

    def __init__(self, kind: Kind, **about: UUID | None) -> None:
        super().__init__(kind)
        self.kind, self.about = kind, about


Foreign = Callable[[Runtime, str, Credentials], Awaitable[Principal]]


@dataclass
class _Known:
    principal: Principal
    until: float


# Credentials checked within the last second, by their digest; bounded.
_cache: dict[bytes, _Known] = {}
_CACHE_SIZE = 10_000
# Credentials that counted when they were last looked up, by digest; the longest unused beyond the
# bound are forgotten.
_proven: OrderedDict[bytes, None] = OrderedDict()
# Who reads tokens that are not ours; a room above registers itself.
_foreign: list[Foreign] = []


def accept_foreign(verify: Foreign) -> None:
    """Let tokens in the shape of a JWT be verified by `verify`, which raises `Refused`."""
    _foreign[:] = [verify]


async def authenticate(runtime: Runtime, credentials: Credentials) -> Principal:
    """The principal behind a request's credentials. Raises `Unauthenticated`; `NotFound` for an
    organization the person does not belong to; `RateLimited` for unproven credentials from an
    address whose budget is spent.

    Guesses spend the budget of their address; once it is spent, the next one is refused before it
    costs a look into the database. Credentials that this process has accepted before are looked up
    all the same, so that somebody who guesses behind the same address keeps nobody out who was in.
    """
    header = credentials.authorization
    if header is None:
        raise Unauthenticated
    if not 20 <= len(header) <= _LONGEST_FOREIGN or header[:7].lower() != "bearer ":
        await _check_budget(runtime, credentials)
        await access_log.note(runtime, "token_malformed", credentials)
        raise Unauthenticated
    asked = f"{header}\n{credentials.organization or ''}"
    key = hashlib.sha256(asked.encode("utf-8", "surrogatepass")).digest()
    known = _cache.get(key)
    if known is not None and known.until > time.monotonic():
        return known.principal
    # The second counts from before the look: what changes during it is seen after it.
    looked = time.monotonic()
    proof = digest(header)
    if proof not in _proven:
        await _check_budget(runtime, credentials)
    try:
        principal = await _verify(runtime, header[7:], credentials)
    except Refused as refused:
        _proven.pop(proof, None)
        await access_log.note(runtime, refused.kind, credentials, **refused.about)
        raise Unauthenticated from None
    if len(_cache) >= _CACHE_SIZE:
        # The oldest alone: nobody empties the memory for everybody.
        del _cache[next(iter(_cache))]
    _remember(proof)
    _cache[key] = _Known(principal, looked + runtime.settings.key_cache_seconds)
    return principal


async def _check_budget(runtime: Runtime, credentials: Credentials) -> None:
    try:
        rate_limits.check_address(runtime, credentials.address)
    except RateLimited:
        await access_log.note(runtime, "address_limited", credentials)
        raise


def _remember(proof: bytes) -> None:
    _proven[proof] = None
    _proven.move_to_end(proof)
    if len(_proven) > _CACHE_SIZE:
        _proven.popitem(last=False)


async def _verify(runtime: Runtime, token: str, credentials: Credentials) -> Principal:
    parts = split_token(token) if len(token) <= _LONGEST else None
    if parts is None:
        if _foreign and token.count(".") == 2:
            return await _foreign[0](runtime, token, credentials)
        raise Refused("token_malformed")
    prefix, public, secret = parts
    async with runtime.database.system() as driver:
        if prefix in ("scm_live", "scm_test"):
            return await _key_principal(driver, prefix, public, secret, credentials)
        if prefix == "scm_at":
            return await _session_principal(driver, public, secret, credentials)
    raise Refused("token_malformed")


_KEY = """
select k.*, o.code as organization_code, o.is_sandbox, o.language, now() as at,
       k.expires_at <= now() as is_expired,
       coalesce(k.last_used_at < now() - interval '1 minute', true) as is_use_stale
from api_key k join organization o on o.id = k.organization_id
where k.public = $1
"""


async def _key_principal(
    driver: asyncpg.Connection, prefix: str, public: str, secret: str, credentials: Credentials
) -> Principal:
    row = await driver.fetchrow(_KEY, public)
    offered = digest(secret)
    is_current = hmac.compare_digest(offered, row["secret_sha256"] if row else bytes(32))
    if row is None:
        raise Refused("key_unknown")
    about = {"organization_id": row["organization_id"], "key_id": row["id"]}
    if not is_current:
        previous = row["previous_sha256"] or bytes(32)
        if not hmac.compare_digest(offered, previous):
            raise Refused("key_secret_wrong", **about)
        if row["previous_expires_at"] <= row["at"]:
            raise Refused("key_rotated_away", **about)
    if row["revoked_at"] is not None:
        raise Refused("key_revoked", **about)
    if row["is_expired"]:
        raise Refused("key_expired", **about)
    if (prefix == "scm_test") != row["is_test"] or row["is_test"] != row["is_sandbox"]:
        raise Refused("key_of_other_kind", **about)
    asked = credentials.organization
    if asked and asked.lower() not in (
        row["organization_code"].lower(),
        str(row["organization_id"]),
    ):
        # A program that names another organization must not work in this one's books.
        raise NotFound(kind="organization", reference=asked)
    if row["is_use_stale"]:
        await driver.execute(
            "update api_key set last_used_at = now() where organization_id = $1 and id = $2",
            row["organization_id"],
            row["id"],
        )
    permissions = frozenset(row["permissions"]) | await granted(driver, row)
    principal = Principal(
        "api_key",
        row["id"],
        row["name"],
        row["organization_id"],
        permissions,
        await limits(driver, row),
        key_id=row["id"],
        makers=frozenset(row["maker_ids"]),
        language=row["language"],
    )
    if row["user_id"] is None:
        return principal
    members = await _memberships(driver, row["user_id"])
    member = next((m for m in members if m["organization_id"] == row["organization_id"]), None)
    if member is None:
        raise Refused("person_gone", user_id=row["user_id"], **about)
    person = await _member_principal(driver, member)
    return replace(
        principal,
        user_id=row["user_id"],
        permissions=both(principal.permissions, person.permissions),
        limits=narrower(principal.limits, person.limits),
        language=person.language,
    )


_SESSION = """
select t.secret_sha256, s.id, s.user_id, s.chosen_organization_id,
       s.revoked_at is not null as is_revoked,
       t.expires_at <= now() or s.expires_at <= now() as is_expired, u.is_active, u.name,
       s.last_used_at < now() - interval '1 minute' as is_use_stale
from session_token t join user_session s on s.id = t.session_id
join user_account u on u.id = s.user_id
where t.public = $1 and t.kind = 'access'
"""


async def _session_principal(
    driver: asyncpg.Connection, public: str, secret: str, credentials: Credentials
) -> Principal:
    row = await driver.fetchrow(_SESSION, public)
    if row is None or not hmac.compare_digest(digest(secret), row["secret_sha256"]):
        raise Refused("session_unknown")
    about = {"user_id": row["user_id"]}
    if row["is_revoked"]:
        raise Refused("session_revoked", **about)
    if row["is_expired"]:
        raise Refused("session_expired", **about)
    if not row["is_active"]:
        raise Refused("person_inactive", **about)
    if row["is_use_stale"]:
        await driver.execute(
            "update user_session set last_used_at = now() where id = $1", row["id"]
        )
    return await person_principal(
        driver,
        row["user_id"],
        row["name"],
        credentials.organization or row["chosen_organization_id"],
        session_id=row["id"],
    )


async def person_principal(
    driver: asyncpg.Connection,
    user_id: UUID,
    name: str,
    organization: str | UUID | None,
    *,
    session_id: UUID | None = None,
) -> Principal:
    """A person in one of his organizations: the one asked for by code or id, else his only one.

    Who names none of several must choose, and so must whoever left the one his session is for:
    nobody works in books he did not mean. Without any membership the person is known and may do
    nothing. Raises `NotFound`.
    """
    mine = members = await _memberships(driver, user_id)
    if organization:
        asked = str(organization).lower()
        members = [m for m in mine if asked in (m["code"].lower(), str(m["organization_id"]))]
        if not members and isinstance(organization, str):
            raise NotFound(kind="organization", reference=organization)
    if len(members) == 1:
        return replace(await _member_principal(driver, members[0]), session_id=session_id)
    return Principal(
        "user",
        user_id,
        name,
        NOBODY,
        frozenset(),
        user_id=user_id,
        session_id=session_id,
        language=mine[0]["language"] if mine else "en",
        must_choose=bool(mine),
    )


async def principals(
    runtime: Runtime, principal: Principal, wanted: Callable[[asyncpg.Record], bool]
) -> list[tuple[asyncpg.Record, Principal]]:
    """A person in all of his organizations that `wanted` picks, each with what he may there, by
    code; a key only in its own. Rows have `organization_id`, `code`, `name`, `is_sandbox` and
    `group_code`."""
    async with runtime.database.system() as driver:
        if principal.user_id is None or principal.key_id is not None:
            row = await driver.fetchrow(_OWN, principal.organization_id)
            return [(row, principal)] if wanted(row) else []
        members = await _memberships(driver, principal.user_id)
        return [
            (m, replace(await _member_principal(driver, m), session_id=principal.session_id))
            for m in sorted(members, key=lambda m: m["code"].lower())
            if wanted(m)
        ]


_OWN = """
select o.id as organization_id, o.code, o.name, o.base_currency, o.is_sandbox,
       g.code as group_code
from organization o left join organization_group g on g.id = o.group_id where o.id = $1
"""
_MEMBERSHIPS = """
select m.*, o.code, o.name, o.base_currency, o.is_sandbox, g.code as group_code,
       u.name as user_name,
       coalesce(u.language, o.language) as language
from membership m
join organization o on o.id = m.organization_id
join user_account u on u.id = m.user_id
left join organization_group g on g.id = o.group_id
where m.user_id = $1 and m.status = 'active' and u.is_active
order by m.joined_at, m.organization_id
"""


async def _memberships(driver: asyncpg.Connection, user_id: UUID) -> list[asyncpg.Record]:
    rows: list[asyncpg.Record] = await driver.fetch(_MEMBERSHIPS, user_id)
    return rows


async def _member_principal(driver: asyncpg.Connection, row: asyncpg.Record) -> Principal:
    return Principal(
        "user",
        row["user_id"],
        row["user_name"],
        row["organization_id"],
        await granted(driver, row),
        await limits(driver, row),
        user_id=row["user_id"],
        language=row["language"],
    )
