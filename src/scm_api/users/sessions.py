"""Sessions of people: short access tokens, and refresh tokens that are exchanged at each use.

A refresh token that comes a second time was copied: its whole session ends.
"""

import hmac
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

import asyncpg

from scm_api.access import access_log
from scm_api.access.access_kinds import Kind
from scm_api.access.authentication import digest, new_token, split_token
from scm_api.core.errors import NotFound, Unauthenticated
from scm_api.core.ids import uuid7
from scm_api.core.pages import Conditions, PageOf, PageParams, sql_page
from scm_api.core.tx import Tx
from scm_api.users.links import Statements

ACCESS_SECONDS = 10 * 60
# A refresh token waits this long for its use; a session ends after the second, used or not.
REFRESH_SECONDS = 30 * 24 * 3600
SESSION_SECONDS = 90 * 24 * 3600
_USER_AGENT_LENGTH = 400

Method = Literal["password", "password_totp", "oidc"]


@dataclass(frozen=True)
class SessionTokens:
    """The tokens of a session, shown this once; only their digests are stored."""

    session_id: UUID
    access_token: str
    expires_in: int
    refresh_token: str
    refresh_expires_in: int


_START = """
insert into user_session (id, user_id, chosen_organization_id, method, address, user_agent,
                          expires_at)
values ($1, $2, $3, $4, $5, $6, now() + make_interval(secs => $7))
"""


async def start(
    tx: Tx,
    user_id: UUID,
    *,
    method: Method,
    organization_id: UUID | None = None,
    address: str | None = None,
    user_agent: str | None = None,
) -> SessionTokens:
    """Begin a session of a person who has proved who he is, in a transaction of a public operation.

    `organization_id` is what his calls are about unless they name another; the caller has checked
    that he belongs to it.
    """
    session_id = uuid7()
    await tx.execute(
        _START,
        session_id,
        user_id,
        organization_id,
        method,
        address,
        user_agent and user_agent[:_USER_AGENT_LENGTH],
        SESSION_SECONDS,
    )
    tokens = await _issue(tx, session_id)
    await access_log.write(
        tx.driver,
        "login_succeeded",
        organization_id=organization_id,
        user_id=user_id,
        address=address,
        request_id=tx.request_id,
        detail={"method": method, "session": str(session_id)},
    )
    return tokens


_ISSUE = """
insert into session_token (public, session_id, kind, secret_sha256, expires_at)
select t.public, s.id, t.kind, t.secret_sha256,
       least(s.expires_at, now() + make_interval(secs => t.seconds))
from user_session s,
     (values ($2, 'access', $3::bytea, $4::float), ($5, 'refresh', $6, $7))
       as t (public, kind, secret_sha256, seconds)
where s.id = $1
returning kind, extract(epoch from expires_at - now())::integer as seconds
"""


async def _issue(tx: Tx, session_id: UUID) -> SessionTokens:
    access, refresh = new_token("scm_at"), new_token("scm_rt")
    rows = await tx.fetch(
        _ISSUE,
        session_id,
        access.public,
        access.digest,
        ACCESS_SECONDS,
        refresh.public,
        refresh.digest,
        REFRESH_SECONDS,
    )
    seconds = {row["kind"]: row["seconds"] for row in rows}
    return SessionTokens(
        session_id, access.text, seconds["access"], refresh.text, seconds["refresh"]
    )


_FIND = """
select t.secret_sha256, t.session_id, s.user_id, s.chosen_organization_id,
       s.revoked_at is not null as is_revoked, u.is_active,
       t.expires_at <= now() or s.expires_at <= now() as is_expired
from session_token t join user_session s on s.id = t.session_id
join user_account u on u.id = s.user_id
where t.public = $1 and t.kind = 'refresh'
"""
# Of two that come at once, the second waits here for the first and finds the token used.
_USE = """
update session_token set used_at = now() where public = $1 and used_at is null returning true
"""


async def refresh(tx: Tx, token: str) -> SessionTokens:
    """New tokens for a refresh token, which is thereby used up. Raises `Unauthenticated`.

    A used one that comes again ends the session: who of the two is the thief cannot be known.
    """
    parts = split_token(token)
    row = None
    if parts is not None and parts[0] == "scm_rt":
        row = await tx.fetchrow(_FIND, parts[1])
    if parts is None or row is None or not _is_right(parts[2], row):
        raise await _refused(tx, "refresh_unknown")
    if row["is_revoked"] or row["is_expired"] or not row["is_active"]:
        kind: Kind = "refresh_revoked" if row["is_revoked"] else "refresh_expired"
        raise await _refused(tx, kind if row["is_active"] else "person_inactive", row)
    if not await tx.fetchval(_USE, parts[1]):
        await end(tx, row["user_id"], why="refresh_reused", only=row["session_id"])
        raise await _refused(tx, "refresh_reused", row)
    await tx.execute(
        "update user_session set last_used_at = now() where id = $1", row["session_id"]
    )
    return await _issue(tx, row["session_id"])


def _is_right(secret: str, row: asyncpg.Record) -> bool:
    return hmac.compare_digest(digest(secret), row["secret_sha256"])


async def _refused(tx: Tx, kind: Kind, row: asyncpg.Record | None = None) -> Unauthenticated:
    """The constant refusal; why stands in the access log, which outlives the refused request."""
    address, request_id = tx.source.address, tx.request_id
    if row is None:
        await access_log.count_alike(tx.driver, kind, address=address, request_id=request_id)
    else:
        await access_log.write(
            tx.driver,
            kind,
            organization_id=row["chosen_organization_id"],
            user_id=row["user_id"],
            address=address,
            request_id=request_id,
            detail={"session": str(row["session_id"])},
        )
    problem = Unauthenticated()
    problem.keep_writes = True
    return problem


_END = """
update user_session set revoked_at = now(), revoked_why = $2
where user_id = $1 and revoked_at is null and ($3::uuid is null or id = $3)
  and ($4::uuid is null or id <> $4)
returning id
"""


async def end(
    tx: Statements,
    user_id: UUID,
    *,
    why: str,
    only: UUID | None = None,
    but: UUID | None = None,
) -> int:
    """End a person's sessions, `only` one or all `but` one; gives how many. Every process refuses
    their tokens within a second."""
    return len(await tx.fetch(_END, user_id, why, only, but))


_COLUMNS = "id, method, address, user_agent, created_at, last_used_at, expires_at"


async def of_person(tx: Tx, user_id: UUID, params: PageParams) -> PageOf:
    """The person's sessions that are open, as they began."""
    conditions = Conditions()
    conditions.add("user_id = {} and revoked_at is null and expires_at > now()", user_id)
    return await sql_page(tx, _COLUMNS, "user_session", conditions, params, [("id", UUID)])


async def end_one(tx: Tx, user_id: UUID, session_id: UUID) -> None:
    """End one session of a person. Raises `NotFound`, for a stranger's too."""
    if not await end(tx, user_id, why="logged_out", only=session_id):
        raise NotFound(kind="session", reference=str(session_id))
