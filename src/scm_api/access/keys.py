"""Use cases of API keys. A token is shown once, and nobody hands out more than he has."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from pydantic import MISSING
from sqlalchemy import ColumnElement, and_, or_, select

from scm_api.access import catalogue, duties
from scm_api.access.authentication import new_token
from scm_api.access.duty_policy import Conflict
from scm_api.access.errors import (
    GRANTS_NOTHING,
    IN_THE_PAST,
    NOT_A_PERSON,
    OUTLIVES,
    KeyOfAnotherPerson,
    KeyRevoked,
)
from scm_api.access.granting import check_grant
from scm_api.access.limits import limits_of, patched_columns, places, resolve_limits, stored
from scm_api.access.models import ApiKey, Organization, UserAccount
from scm_api.access.schemas import (
    ApiKeyCreate,
    ApiKeyFilter,
    ApiKeyPatch,
    ApiKeyRead,
    ApiKeyRotate,
    KeyPerson,
    KeyStatus,
)
from scm_api.core import pages
from scm_api.core.documents import write
from scm_api.core.errors import Invalid, NotFound
from scm_api.core.http import Versions, check_version
from scm_api.core.ids import uuid7
from scm_api.core.pages import PageOf
from scm_api.core.tx import Limits, Tx

PREFIXES = {False: "scm_live", True: "scm_test"}


@dataclass(frozen=True)
class Issued:
    """A key with its token, and the duties it holds together."""

    key: ApiKey
    token: str
    conflicts: list[Conflict]


async def create(tx: Tx, body: ApiKeyCreate) -> Issued:
    """Make a key. In a sandbox it is a test key.

    Raises `Invalid`, `PermissionEscalation`, `DutyConflict`.
    """
    user_id = tx.principal.user_id
    if body.is_personal and user_id is None:
        raise Invalid([NOT_A_PERSON.at("/is_personal")])
    await _check_expiry(tx, body.expires_at)
    grant = await _grant(tx, body.roles, body.permissions)
    limits = await resolve_limits(tx, body.warehouses, body.categories, body.amount_limit)
    check_grant(tx.principal, grant.effective, limits)
    conflicts = await duties.check_grant(tx, grant.effective)
    organization = await tx.session.get_one(Organization, tx.organization_id)
    token = new_token(PREFIXES[organization.is_sandbox])
    key = ApiKey(
        organization_id=tx.organization_id,
        id=uuid7(),
        public=token.public,
        name=body.name,
        secret_sha256=token.digest,
        permissions=grant.permissions,
        roles=grant.roles,
        expires_at=body.expires_at,
        user_id=user_id if body.is_personal else None,
        maker_ids=sorted(tx.principal.chain),
        is_test=organization.is_sandbox,
        created_at=tx.now,
        updated_at=tx.now,
        **_columns(limits),
    )
    tx.session.add(key)
    await tx.session.flush()
    await tx.session.refresh(key)
    return Issued(key, token.text, conflicts)


async def get(tx: Tx, key_id: UUID) -> ApiKey:
    """One key. Raises `NotFound`."""
    found = await tx.session.get(ApiKey, (tx.organization_id, key_id))
    if found is None:
        raise NotFound(kind="API key", reference=str(key_id))
    return found


async def list_all(tx: Tx, wanted: ApiKeyFilter) -> PageOf:
    """Keys, newest first."""
    statement = select(ApiKey).where(ApiKey.organization_id == tx.organization_id)
    if wanted.status:
        statement = statement.where(or_(*(_has_status(s, tx.now) for s in wanted.status)))
    return await pages.page(tx, statement, wanted, [(ApiKey.created_at, True), (ApiKey.id, True)])


def _has_status(status: KeyStatus, now: datetime) -> ColumnElement[bool]:
    if status == "revoked":
        return ApiKey.revoked_at.is_not(None)
    is_expired = and_(ApiKey.expires_at.is_not(None), ApiKey.expires_at <= now)
    return and_(ApiKey.revoked_at.is_(None), is_expired if status == "expired" else ~is_expired)


def status_of(key: ApiKey, now: datetime) -> KeyStatus:
    """Whether a key is accepted, and if not, why."""
    if key.revoked_at is not None:
        return "revoked"
    return "expired" if key.expires_at is not None and key.expires_at <= now else "active"


async def change(tx: Tx, key_id: UUID, body: ApiKeyPatch, if_match: Versions | None) -> ApiKey:
    """Change a key. What it may, before and after, must be the caller's too.

    Raises `NotFound`, `KeyRevoked`, `VersionMismatch`, `Invalid`, `PermissionEscalation`,
    `DutyConflict`.
    """
    key = await _usable(tx, key_id)
    check_version(key.version, if_match, body.version)
    await _check_own(tx, key)
    wanted: dict[str, Any] = body.model_dump(include={"name", "expires_at"}, exclude_unset=True)
    if "expires_at" in wanted and wanted["expires_at"] != key.expires_at:
        await _check_expiry(tx, wanted["expires_at"])
    if body.model_fields_set & {"permissions", "roles"}:
        grant = await _grant(
            tx,
            key.roles if body.roles is MISSING else body.roles,
            key.permissions if body.permissions is MISSING else body.permissions,
        )
        await duties.check_grant(tx, grant.effective)
        wanted |= {"permissions": grant.permissions, "roles": grant.roles}
    wanted |= await patched_columns(tx, body)
    changes = {name: value for name, value in wanted.items() if getattr(key, name) != value}
    if changes:
        await write(tx, key, changes, kind="API key")
        await _check_own(tx, key)
    return key


async def rotate(tx: Tx, key_id: UUID, body: ApiKeyRotate, if_match: Versions | None) -> Issued:
    """Give a key a new secret; that of before is accepted until the overlap ends, one from an
    earlier rotation no more.

    Raises `NotFound`, `KeyRevoked`, `VersionMismatch`, `PermissionEscalation`,
    `KeyOfAnotherPerson`; `Invalid` if it would outlive the key that renews it.
    """
    key = await _usable(tx, key_id)
    check_version(key.version, if_match, body.version)
    # The new token comes into the caller's hands, and with it all the key may, as its person.
    if key.user_id is not None and key.user_id != tx.principal.user_id:
        raise KeyOfAnotherPerson()
    effective = await _check_own(tx, key)
    if key.id != tx.principal.key_id:
        await _check_expiry(tx, key.expires_at)
    token = new_token(PREFIXES[key.is_test], key.public)
    overlaps = body.overlap_hours > 0
    values = {
        "secret_sha256": token.digest,
        "previous_sha256": key.secret_sha256 if overlaps else None,
        "previous_expires_at": tx.now + timedelta(hours=body.overlap_hours) if overlaps else None,
        "rotated_at": tx.now,
        # Who renews a key holds its token from now on, as if he had made it.
        "maker_ids": sorted(tx.principal.chain.union(key.maker_ids) - {key.id}),
    }
    await write(tx, key, values, kind="API key")
    return Issued(key, token.text, await duties.find_conflicts(tx, effective))


async def revoke(tx: Tx, key_id: UUID) -> ApiKey:
    """Revoke a key for good; every process refuses it within a second. Raises `NotFound`."""
    key = await get(tx, key_id)
    if key.revoked_at is None:
        await write(tx, key, {"revoked_at": tx.now}, kind="API key")
    return key


async def reads(tx: Tx, keys: Sequence[ApiKey]) -> list[ApiKeyRead]:
    """Keys as answers show them, with a number of statements that does not grow."""
    known = await places(tx, keys)
    people = await _people(tx, keys)
    return [
        ApiKeyRead(
            **{name: getattr(key, name) for name in _SHOWN},
            prefix=f"{PREFIXES[key.is_test]}_{key.public[:4]}...",
            status=status_of(key, tx.now),
            warehouses=known.of(key.warehouse_ids),
            categories=known.of(key.category_ids),
            person=None if key.user_id is None else people[key.user_id],
        )
        for key in keys
    ]


_SHOWN = (
    "id",
    "name",
    "permissions",
    "roles",
    "maker_ids",
    "amount_limit",
    "is_test",
    "created_at",
    "expires_at",
    "last_used_at",
    "rotated_at",
    "previous_expires_at",
    "revoked_at",
    "version",
    "updated_at",
)


async def _people(tx: Tx, keys: Sequence[ApiKey]) -> dict[UUID, KeyPerson]:
    ids = {key.user_id for key in keys if key.user_id is not None}
    if not ids:
        return {}
    statement = select(UserAccount.id, UserAccount.name).where(UserAccount.id.in_(ids))
    names = {row.id: row.name for row in await tx.session.execute(statement)}
    # Who has left the organization is no longer seen by it.
    return {one: KeyPerson(id=one, name=names.get(one, "")) for one in ids}


async def _usable(tx: Tx, key_id: UUID) -> ApiKey:
    key = await get(tx, key_id)
    if key.revoked_at is not None:
        raise KeyRevoked(key=key.name)
    return key


async def _check_own(tx: Tx, key: ApiKey) -> frozenset[str]:
    """That all a key may is the caller's too; gives the key's permissions."""
    effective = await catalogue.effective(tx, key.roles, key.permissions)
    check_grant(tx.principal, effective, limits_of(key))
    return effective


async def _grant(tx: Tx, roles: Sequence[str], permissions: Sequence[str]) -> catalogue.Grant:
    if not roles and not permissions:
        raise Invalid([GRANTS_NOTHING.at("/permissions")])
    return await catalogue.grant(tx, roles, permissions)


async def _check_expiry(tx: Tx, expires_at: datetime | None) -> None:
    if expires_at is not None and expires_at <= tx.now:
        raise Invalid([IN_THE_PAST.at("/expires_at")])
    if tx.principal.key_id is None:
        return
    # A key that ends leaves none behind that lives longer.
    own = (await get(tx, tx.principal.key_id)).expires_at
    if own is not None and (expires_at is None or expires_at > own):
        raise Invalid([OUTLIVES.at("/expires_at", own=own.isoformat())])


def _columns(limits: Limits) -> dict[str, Any]:
    return {
        "warehouse_ids": stored(limits.warehouses),
        "category_ids": stored(limits.categories),
        "amount_limit": limits.amount,
    }
