"""Idempotency-Key: the answer of a write is stored in the write's own transaction.

A second request with the key waits on the unique index until the first has ended, then replays its
answer. Only successes are stored: a failure rolled back, so running it again is safe.
"""

import hashlib
import re
from collections.abc import Sequence
from datetime import datetime
from urllib.parse import parse_qsl, urlencode
from uuid import UUID

import asyncpg
from pydantic_core import from_json, to_json
from sqlalchemy import CheckConstraint, Index, LargeBinary, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column
from starlette.requests import Request
from starlette.responses import Response

from scm_api.core.db import Base, Owned
from scm_api.core.errors import IdempotencyInProgress, IdempotencyKeyInvalid, IdempotencyKeyReused
from scm_api.core.tx import Limits, Tx

_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_STORED_HEADERS = ("content-type", "location", "etag", "link", "retry-after")


class IdempotencyKey(Owned, Base):
    """One remembered write and its answer; purged after `SCM_IDEMPOTENCY_HOURS`."""

    __tablename__ = "idempotency_key"

    principal_id: Mapped[UUID] = mapped_column(primary_key=True)
    method: Mapped[str] = mapped_column(primary_key=True)
    path: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    fingerprint: Mapped[bytes] = mapped_column(LargeBinary)
    status: Mapped[int | None]
    headers: Mapped[dict[str, str] | None] = mapped_column(JSONB)
    body: Mapped[bytes | None] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))

    __table_args__ = (
        CheckConstraint("length(key) between 1 and 255", name="key_length"),
        Index("ix_idempotency_key_created_at", "created_at"),
    )


def key_of(request: Request) -> str | None:
    """The key of a request, bare or as the quoted string of the IETF draft; None without one."""
    header = request.headers.get("idempotency-key")
    if header is None:
        return None
    if len(header) >= 2 and header[0] == header[-1] == '"':
        header = header[1:-1]
    if not _KEY.fullmatch(header):
        raise IdempotencyKeyInvalid
    return header


def _fingerprint(request: Request, body: bytes, limits: Limits) -> bytes:
    query = urlencode(sorted(parse_qsl(request.url.query, keep_blank_values=True)))
    parts = [request.method.encode(), request.url.path.encode(), query.encode(), body]
    if limits.confines:
        # What is replayed may lie outside by now.
        inside = [limits.warehouses, limits.categories]
        parts.append(to_json([None if ids is None else sorted(ids) for ids in inside]))
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8))
        digest.update(part)
    return digest.digest()


_CLAIM = """
insert into idempotency_key (organization_id, principal_id, method, path, key, fingerprint)
values ($1, $2, $3, $4, $5, $6) on conflict do nothing returning true
"""
_FIND = """
select fingerprint, status, headers, body from idempotency_key
where organization_id = $1 and principal_id = $2 and method = $3 and path = $4 and key = $5
"""
_STORE = """
update idempotency_key set status = $6, headers = $7::text::jsonb, body = $8
where organization_id = $1 and principal_id = $2 and method = $3 and path = $4 and key = $5
"""
_RELEASE = """
delete from idempotency_key
where organization_id = $1 and principal_id = $2 and method = $3 and path = $4 and key = $5
"""


def _scope(tx: Tx, request: Request, key: str) -> tuple[UUID, UUID, str, str, str]:
    return tx.organization_id, tx.principal.id, request.method, request.url.path, key


async def claim(tx: Tx, request: Request, key: str, body: bytes) -> Response | None:
    """Take the key for this transaction, or give the stored answer of the first request."""
    scope, fingerprint = _scope(tx, request, key), _fingerprint(request, body, tx.principal.limits)
    try:
        if await tx.fetchval(_CLAIM, *scope, fingerprint):
            return None
    except asyncpg.LockNotAvailableError as error:
        raise IdempotencyInProgress(headers={"Retry-After": "1"}) from error
    row = await tx.fetchrow(_FIND, *scope)
    if row is None or row["status"] is None:
        # Purged between the two statements: the caller may simply send it again.
        raise IdempotencyInProgress(headers={"Retry-After": "1"})
    if row["fingerprint"] != fingerprint:
        raise IdempotencyKeyReused
    response = Response(row["body"], row["status"])
    for name, value in row["headers"].items():
        response.headers[name] = value
    response.headers["Idempotent-Replayed"] = "true"
    return response


async def store(
    tx: Tx, request: Request, key: str, response: Response, secrets: Sequence[str] = ()
) -> None:
    """Remember the answer of a successful write, in its own transaction; `secrets` are members of
    it that are shown only once, and null in a replay."""
    body = bytes(response.body)
    if secrets:
        body = to_json(from_json(body) | dict.fromkeys(secrets))
    kept = {n: response.headers[n] for n in _STORED_HEADERS if n in response.headers}
    await tx.execute(
        _STORE,
        *_scope(tx, request, key),
        response.status_code,
        to_json(kept).decode(),
        body,
    )


async def release(tx: Tx, request: Request, key: str) -> None:
    """Give the key back although the transaction is committed: what it kept is a refusal."""
    await tx.execute(_RELEASE, *_scope(tx, request, key))
