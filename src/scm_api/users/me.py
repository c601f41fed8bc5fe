"""One's own account: profile, password and second factor. Every statement names the caller."""

import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

import asyncpg

from scm_api.access.limits import Places, places, stored
from scm_api.access.permissions import permissions_of
from scm_api.core.http import check_version
from scm_api.core.tx import Principal, Tx
from scm_api.users import passwords, people, second_factor, sessions, throttle
from scm_api.users.errors import (
    LoginThrottled,
    NoSecondFactor,
    PersonRequired,
    ProofFailed,
    SecondFactorActive,
)
from scm_api.users.logins import counted
from scm_api.users.person_schemas import MePatch, MeRead, OwnOrganization


def person_of(principal: Principal) -> UUID:
    """The person who is logged in. Raises `PersonRequired` for an API key, a personal one too."""
    if principal.user_id is None or principal.key_id is not None:
        raise PersonRequired
    return principal.user_id


def session_of(principal: Principal) -> UUID:
    """The session the caller acts in. Raises `PersonRequired` for keys and foreign tokens."""
    if principal.session_id is None:
        raise PersonRequired
    return principal.session_id


_PROFILE = """
select u.email, u.name, u.language, u.version, c.totp_confirmed_at is not null as has_second_factor
from user_account u left join user_credential c on c.user_id = u.id where u.id = $1
"""
_ORGANIZATIONS = """
select o.id, o.code, o.name, m.roles, m.warehouse_ids, m.category_ids, m.amount_limit
from membership m join organization o on o.id = m.organization_id
where m.user_id = $1 and m.status = 'active' order by lower(o.code)
"""
_OWN_ROLES = """
select organization_id, lower(code) as code, permissions from role where organization_id = any($1)
"""
_KEY_ORGANIZATION = """
select o.id, o.code, o.name, k.roles from api_key k join organization o on o.id = k.organization_id
where k.id = $1
"""


async def read(tx: Tx) -> MeRead:
    """Who calls and what he may do: a person in all of his organizations, a key in its own."""
    principal = tx.principal
    profile: Mapping[str, Any] = {}
    if principal.user_id is not None:
        profile = dict(await tx.fetchrow(_PROFILE, principal.user_id) or {})
    is_key = principal.key_id is not None
    return MeRead(
        kind="api_key" if is_key else "user",
        id=principal.id,
        name=principal.name if is_key else profile["name"],
        user_id=principal.user_id,
        email=profile.get("email"),
        language=profile.get("language"),
        has_second_factor=None if is_key else profile["has_second_factor"],
        session_id=principal.session_id,
        organizations=await (_of_key(tx) if is_key else _of_person(tx)),
        version=None if is_key else profile["version"],
    )


async def _of_key(tx: Tx) -> list[OwnOrganization]:
    row = await tx.fetchrow(_KEY_ORGANIZATION, tx.principal.key_id)
    limits = tx.principal.limits
    assert row is not None
    held = _Held(stored(limits.warehouses), stored(limits.categories), limits.amount)
    permissions = sorted(tx.principal.permissions)
    return [await _own(tx, row, held, permissions)]


async def _of_person(tx: Tx) -> list[OwnOrganization]:
    rows = await tx.fetch(_ORGANIZATIONS, tx.principal.user_id)
    own = await tx.fetch(_OWN_ROLES, [row["id"] for row in rows])
    return [
        await _own(
            tx,
            row,
            _Held(row["warehouse_ids"], row["category_ids"], row["amount_limit"]),
            sorted(_granted(row, own)),
        )
        for row in rows
    ]


@dataclass
class _Held:
    """Limits as memberships and keys keep them."""

    warehouse_ids: list[UUID] | None
    category_ids: list[UUID] | None
    amount_limit: Decimal | None


async def _own(tx: Tx, row: asyncpg.Record, held: _Held, permissions: list[str]) -> OwnOrganization:
    known = Places({})
    if held.warehouse_ids or held.category_ids:
        async with _inside(tx, row["id"]):
            known = await places(tx, [held], organization_id=row["id"])
    return OwnOrganization(
        id=row["id"],
        code=row["code"],
        name=row["name"],
        roles=row["roles"],
        is_current=row["id"] == tx.organization_id,
        permissions=permissions,
        warehouses=known.of(held.warehouse_ids),
        categories=known.of(held.category_ids),
        amount_limit=held.amount_limit,
    )


_ENTER = """
select coalesce(current_setting(name, true), '') as was, set_config(name, value, true)
from unnest(array['app.organization_id', 'app.warehouses', 'app.categories'],
            array[$1::text, $2, $3]) as s (name, value)
"""


@contextlib.asynccontextmanager
async def _inside(tx: Tx, organization_id: UUID) -> AsyncIterator[None]:
    """See, for the statements of the block, what lies in one of the caller's organizations: the
    limits he has in the current one are not those he has there. They name what they read."""
    was = await tx.fetch(_ENTER, str(organization_id), "*", "*")
    try:
        yield
    finally:
        with contextlib.suppress(asyncpg.InFailedSQLTransactionError):
            await tx.fetch(_ENTER, *(one["was"] for one in was))


def _granted(row: asyncpg.Record, own_roles: Sequence[asyncpg.Record]) -> frozenset[str]:
    of_organization = {
        role["code"]: role["permissions"]
        for role in own_roles
        if role["organization_id"] == row["id"]
    }
    return permissions_of(row["roles"], of_organization)


_CHANGE = """
update user_account set name = $2, language = $3, version = version + 1, updated_at = now()
where id = $1
"""


async def change(tx: Tx, body: MePatch) -> MeRead:
    """Change one's own profile. Raises `PersonRequired`, `VersionMismatch`."""
    user_id = person_of(tx.principal)
    row = await tx.fetchrow(
        "select name, language, version from user_account where id = $1 for update", user_id
    )
    assert row is not None
    check_version(row["version"], None, body.version)
    said = body.model_dump(exclude={"version"}, exclude_unset=True)
    changes = {
        name: {"old": row[name], "new": value} for name, value in said.items() if row[name] != value
    }
    if changes:
        wanted = {"name": row["name"], "language": row["language"]} | said
        await tx.execute(_CHANGE, user_id, wanted["name"], wanted["language"])
        await people.log_everywhere(
            tx.driver, "profile_changed", user_id, source=tx.source, detail={"changes": changes}
        )
    return await read(tx)


_CREDENTIAL = f"""
select u.email, u.name, {people.OWN_ORGANIZATIONS}, c.password_hash, c.totp_secret,
       c.totp_confirmed_at
from user_account u left join user_credential c on c.user_id = u.id where u.id = $1
"""


@dataclass(frozen=True)
class Prover:
    """A caller who is asked for his password (and code) once more; five failures make the session
    wait, so that a stolen session guesses no faster than a stranger."""

    tx: Tx
    user_id: UUID
    row: asyncpg.Record
    scope: throttle.Scope

    @classmethod
    async def of(cls, tx: Tx) -> "Prover":
        """Raises `PersonRequired`, `LoginThrottled`."""
        user_id = person_of(tx.principal)
        scope = throttle.scope(throttle.ACCOUNT_HERE, "proof", tx.principal.session_id or user_id)
        try:
            await throttle.admit(tx, scope)
        except LoginThrottled as waiting:
            raise counted(tx, waiting) from None
        row = await tx.fetchrow(_CREDENTIAL, user_id)
        assert row is not None
        return cls(tx, user_id, row, scope)

    async def by_password(self, password: str) -> None:
        """Raises `ProofFailed`."""
        checked = await passwords.check(password, self.row["password_hash"])
        if not checked.is_right:
            raise await self.failed()

    async def by_code(self, secret: str, totp_code: str | None, recovery: str | None) -> None:
        """Raises `ProofFailed`."""
        if totp_code is not None:
            is_right = await second_factor.use_code(self.tx, self.user_id, secret, totp_code)
        else:
            is_right = recovery is not None and await second_factor.use_recovery_code(
                self.tx, self.user_id, recovery
            )
        if not is_right:
            raise await self.failed()

    async def failed(self) -> Exception:
        """Count a failure and give the refusal."""
        await throttle.count(self.tx, self.scope)
        await people.log(self.tx, "proof_failed", self.user_id, self.tx.organization_id)
        return counted(self.tx, ProofFailed())


async def change_password(tx: Tx, old: str, new: str) -> None:
    """A new password by the old one; all other sessions end, all devices are forgotten.

    Raises `ProofFailed`, `LoginThrottled`, `Invalid`, `PersonRequired`.
    """
    prover = await Prover.of(tx)
    await prover.by_password(old)
    row = prover.row
    chosen = passwords.check_choice(
        new,
        email=row["email"],
        name=row["name"],
        organizations=row["organizations"],
        at="/new_password",
    )
    await people.set_password(tx, prover.user_id, chosen)
    await sessions.end(tx, prover.user_id, why="password_changed", but=tx.principal.session_id)
    await people.log(tx, "password_changed", prover.user_id, tx.organization_id)


_NEW_TOTP = """
update user_credential set totp_secret = $2, totp_last_step = null where user_id = $1
"""


async def start_totp(tx: Tx, password: str) -> tuple[str, str]:
    """A new secret and its `otpauth://` address; it counts once a code of it was confirmed.

    Raises `ProofFailed`, `LoginThrottled`, `SecondFactorActive`, `PersonRequired`.
    """
    prover = await Prover.of(tx)
    await prover.by_password(password)
    if prover.row["totp_confirmed_at"] is not None:
        raise SecondFactorActive
    secret = second_factor.new_secret()
    await tx.execute(_NEW_TOTP, prover.user_id, secret)
    return secret, second_factor.uri(secret, prover.row["email"])


_CONFIRM_TOTP = """
update user_credential set totp_confirmed_at = now(), recovery_sha256 = $2 where user_id = $1
"""


async def confirm_totp(tx: Tx, code: str) -> list[str]:
    """Switch the second factor on by a code of it; gives ten recovery codes, shown this once.

    Raises `ProofFailed`, `LoginThrottled`, `SecondFactorActive`, `NoSecondFactor`.
    """
    prover = await Prover.of(tx)
    if prover.row["totp_confirmed_at"] is not None:
        raise SecondFactorActive
    if prover.row["totp_secret"] is None:
        raise NoSecondFactor
    await prover.by_code(prover.row["totp_secret"], code, None)
    codes = second_factor.new_recovery_codes()
    digests = [second_factor.recovery_digest(one) for one in codes]
    await tx.execute(_CONFIRM_TOTP, prover.user_id, digests)
    await people.log(tx, "totp_enabled", prover.user_id, tx.organization_id)
    return codes


async def remove_totp(
    tx: Tx, password: str, totp_code: str | None, recovery_code: str | None
) -> None:
    """Switch the second factor off, by the password and a code.

    Raises `ProofFailed`, `LoginThrottled`, `NoSecondFactor`, `PersonRequired`.
    """
    prover = await Prover.of(tx)
    await prover.by_password(password)
    if prover.row["totp_confirmed_at"] is None:
        raise NoSecondFactor
    await prover.by_code(prover.row["totp_secret"], totp_code, recovery_code)
    await second_factor.remove(tx, prover.user_id)
    await people.log(tx, "totp_disabled", prover.user_id, tx.organization_id)
