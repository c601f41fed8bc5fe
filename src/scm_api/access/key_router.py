"""HTTP of API keys."""

from typing import Annotated
from uuid import UUID

from fastapi import Path, Query

from scm_api.access import keys
from scm_api.access.errors import (
    DutyConflict,
    KeyOfAnotherPerson,
    KeyRevoked,
    PermissionEscalation,
)
from scm_api.access.schemas import (
    ApiKeyCreate,
    ApiKeyFilter,
    ApiKeyList,
    ApiKeyPatch,
    ApiKeyRead,
    ApiKeyRotate,
    ApiKeySecret,
    conflict_reads,
)
from scm_api.core.errors import NotFound, VersionMismatch
from scm_api.core.http import IfMatch, OpenTx, ReplyLanguage, ReplyTo, operation, router
from scm_api.core.language import Language
from scm_api.core.tx import Tx

api_keys = router("api-keys")

KeyId = Annotated[
    UUID, Path(description="The key's id.", examples=["01900000-0000-7000-8000-0000000000a1"])
]


async def _secret(tx: Tx, issued: keys.Issued, language: Language) -> ApiKeySecret:
    (read,) = await keys.reads(tx, [issued.key])
    return ApiKeySecret(
        **dict(read),
        token=issued.token,
        duty_conflicts=conflict_reads(issued.conflicts, language),
    )


@api_keys.post(
    "",
    status_code=201,
    summary="Make a key",
    **operation("api_keys:write", errors=[PermissionEscalation, DutyConflict], secrets=["token"]),
)
async def create(
    tx: OpenTx, reply: ReplyTo, language: ReplyLanguage, body: ApiKeyCreate
) -> ApiKeySecret:
    """Make a key and show its token, this once. In a sandbox organization it is a test key."""
    issued = await keys.create(tx, body)
    reply.created(f"/v1/api-keys/{issued.key.id}", issued.key.version)
    return await _secret(tx, issued, language)


@api_keys.get("", summary="List keys", **operation("api_keys:read"))
async def list_(tx: OpenTx, reply: ReplyTo, wanted: Annotated[ApiKeyFilter, Query()]) -> ApiKeyList:
    """All keys, newest first, without their secrets."""
    page = await keys.list_all(tx, wanted)
    reply.next_page(page.next_cursor)
    return ApiKeyList(**page.body(await keys.reads(tx, [row[0] for row in page.rows])))


@api_keys.get("/{key}", summary="Read a key", **operation("api_keys:read", errors=[NotFound]))
async def get(tx: OpenTx, reply: ReplyTo, key: KeyId) -> ApiKeyRead:
    """One key, without its secret."""
    found = await keys.get(tx, key)
    reply.etag(found.version)
    return (await keys.reads(tx, [found]))[0]


@api_keys.patch(
    "/{key}",
    summary="Change a key",
    **operation(
        "api_keys:write",
        errors=[NotFound, VersionMismatch, KeyRevoked, PermissionEscalation, DutyConflict],
    ),
)
async def change(
    tx: OpenTx, reply: ReplyTo, key: KeyId, body: ApiKeyPatch, if_match: IfMatch
) -> ApiKeyRead:
    """Change name, permissions, limits or expiry (JSON Merge Patch), felt within a second. Whoever
    changes a key must have all it may, before and after."""
    changed = await keys.change(tx, key, body, if_match)
    reply.etag(changed.version)
    return (await keys.reads(tx, [changed]))[0]


@api_keys.post(
    "/{key}/rotate",
    summary="Renew a key's secret",
    **operation(
        "api_keys:write",
        errors=[NotFound, VersionMismatch, KeyRevoked, PermissionEscalation, KeyOfAnotherPerson],
        secrets=["token"],
    ),
)
async def rotate(
    tx: OpenTx,
    reply: ReplyTo,
    language: ReplyLanguage,
    key: KeyId,
    body: ApiKeyRotate,
    if_match: IfMatch,
) -> ApiKeySecret:
    """Make a new token for the same key and show it, this once. The token of before is accepted
    until the overlap ends, so that programs can be changed one by one; it is the last one only."""
    issued = await keys.rotate(tx, key, body, if_match)
    reply.etag(issued.key.version)
    return await _secret(tx, issued, language)


@api_keys.post(
    "/{key}/revoke", summary="Revoke a key", **operation("api_keys:write", errors=[NotFound])
)
async def revoke(tx: OpenTx, reply: ReplyTo, key: KeyId) -> ApiKeyRead:
    """Revoke a key for good: every process refuses it within a second."""
    revoked = await keys.revoke(tx, key)
    reply.etag(revoked.version)
    return (await keys.reads(tx, [revoked]))[0]
