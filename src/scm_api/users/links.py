"""One-time links: an invitation or a password reset, opened by the token in it.

A token is shown once and stands behind the `#` of a link, which browsers send to no server.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias
from uuid import UUID

import asyncpg

from scm_api.access.authentication import digest, new_token, split_token
from scm_api.core.ids import uuid7
from scm_api.core.tx import Tx
from scm_api.users.errors import LinkNotValid

# A request's transaction, or that of the command line.
Statements: TypeAlias = Tx | asyncpg.Connection
Kind = Literal["invitation", "password_reset"]

_PREFIX: dict[Kind, str] = {"invitation": "scm_in", "password_reset": "scm_pr"}
_PAGE: dict[Kind, str] = {"invitation": "invitation", "password_reset": "password-reset"}
_HOURS: dict[Kind, int] = {"invitation": 7 * 24, "password_reset": 24}


@dataclass(frozen=True)
class NewLink:
    """A link just made; `token` is shown this once."""

    kind: Kind
    token: str
    expires_at: datetime

    def url(self, base: str | None) -> str | None:
        """The whole link, below the address where people reach the pages; None without one."""
        return base and f"{base.rstrip('/')}/{_PAGE[self.kind]}#token={self.token}"


_MAKE = """
insert into one_time_link (id, kind, user_id, for_organization_id, secret_sha256, expires_at)
values ($1, $2, $3, $4, $5, now() + make_interval(hours => $6)) returning expires_at
"""


async def make(tx: Statements, kind: Kind, user_id: UUID, organization_id: UUID | None) -> NewLink:
    """A new link in place of the person's earlier ones of this kind (an invitation replaces those
    of its own organization). The transaction must see the process's tables."""
    await consume(tx, kind, user_id, organization_id if kind == "invitation" else None)
    token = new_token(_PREFIX[kind])
    expires_at = await tx.fetchval(
        _MAKE, uuid7(), kind, user_id, organization_id, token.digest, _HOURS[kind]
    )
    return NewLink(kind, token.text, expires_at)


async def consume(
    tx: Statements, kind: Kind, user_id: UUID, organization_id: UUID | None = None
) -> None:
    """Make the person's open links of a kind worthless, all or those of one organization."""
    await tx.execute(
        """
        update one_time_link set used_at = now()
        where kind = $1 and user_id = $2 and used_at is null
          and ($3::uuid is null or for_organization_id = $3)
        """,
        kind,
        user_id,
        organization_id,
    )


_FIND = """
select id, user_id, for_organization_id, expires_at from one_time_link
where secret_sha256 = $1 and kind = $2 and used_at is null and expires_at > now()
"""


async def find(tx: Tx, kind: Kind, token: str) -> asyncpg.Record:
    """The link that a token opens, only looked at. Raises `LinkNotValid`."""
    return await _by_token(tx, _FIND, kind, token)


async def open_link(tx: Tx, kind: Kind, token: str) -> asyncpg.Record:
    """The link that a token opens, locked; `consume` makes it used. Raises `LinkNotValid`."""
    return await _by_token(tx, _FIND + "for update", kind, token)


async def _by_token(tx: Tx, statement: str, kind: Kind, token: str) -> asyncpg.Record:
    parts = split_token(token)
    row = None
    if parts is not None and parts[0] == _PREFIX[kind]:
        row = await tx.fetchrow(statement, digest(parts[2]), kind)
    if row is None:
        raise LinkNotValid
    return row
