"""The outbox: events are the audit trail, the change feed and the source of background work.

An event row is written in the transaction of its change. The feed shows rows in commit-safe order.
"""

import base64
import binascii
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg
from pydantic_core import to_json
from sqlalchemy import BigInteger, Identity, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from scm_api.core.db import Base, Owned
from scm_api.core.errors import INVALID_CURSOR, Invalid
from scm_api.core.ids import uuid7
from scm_api.core.tx import Tx


class EventRow(Owned, Base):
    """One thing that happened: who, when, through which request, about what. Append-only."""

    __tablename__ = "event"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    # Order of the feed: (tx_order, seq). A plain sequence is not in commit order: a transaction
    # that drew a low number may commit after one that drew a high one, and a reader misses it.
    tx_order: Mapped[int] = mapped_column(BigInteger, server_default=text("event_tx_order()"))
    seq: Mapped[int] = mapped_column(BigInteger, Identity(always=True))
    type: Mapped[str]
    subject_type: Mapped[str]
    subject_id: Mapped[UUID]
    data: Mapped[dict[str, Any]] = mapped_column(JSONB)
    principal_kind: Mapped[str]
    principal_id: Mapped[UUID]
    principal_name: Mapped[str]
    # The person behind a session or a personal key: two of them are still one person.
    user_id: Mapped[UUID | None]
    request_id: Mapped[str]
    recorded_at: Mapped[datetime]

    __table_args__ = (
        Index("ix_event_feed", "organization_id", "tx_order", "seq"),
        Index("ix_event_subject", "organization_id", "subject_id", "tx_order", "seq"),
    )


_INSERT = """
insert into event (organization_id, id, type, subject_type, subject_id, data, principal_kind,
                   principal_id, principal_name, user_id, request_id, recorded_at)
select $1, e.id, e.type, e.subject_type, e.subject_id, e.data::jsonb, $2, $3, $4, $5, $6, $7
from unnest($8::uuid[], $9::text[], $10::text[], $11::uuid[], $12::text[])
     with ordinality as e(id, type, subject_type, subject_id, data, place)
order by e.place
"""


async def flush(tx: Tx) -> None:
    """Write the events the transaction emitted; called once, just before its commit."""
    if not tx.events:
        return
    events, tx.events = tx.events, []
    await tx.execute(
        _INSERT,
        tx.organization_id,
        tx.principal.kind,
        tx.principal.id,
        tx.principal.name,
        tx.principal.user_id,
        tx.request_id,
        tx.now,
        [uuid7() for _ in events],
        [event.type for event in events],
        [event.subject_type for event in events],
        [event.subject_id for event in events],
        [to_json(event.data()).decode() for event in events],
    )


class Position(NamedTuple):
    """A place in the feed; later positions are greater."""

    tx_order: int
    seq: int

    def encode(self) -> str:
        return base64.urlsafe_b64encode(f"{self.tx_order}.{self.seq}".encode()).decode().rstrip("=")

    @classmethod
    def decode(cls, cursor: str) -> "Position":
        """The position a client sent back; raises `Invalid` for anything we did not make."""
        try:
            plain = base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True)
            tx_order, seq = plain.decode("ascii").split(".")
            position = cls(int(tx_order), int(seq))
        except (ValueError, binascii.Error) as error:
            raise Invalid([INVALID_CURSOR.at_parameter("after")]) from error
        if not (0 <= position.tx_order < 2**63 and 0 <= position.seq < 2**63):
            raise Invalid([INVALID_CURSOR.at_parameter("after")])
        return position


_FEED = """
select id, tx_order, seq, type, subject_type, subject_id, data, principal_kind, principal_id,
       principal_name, user_id, request_id, recorded_at
from event
where organization_id = $1 and (tx_order, seq) > ($2, $3) and tx_order < event_horizon()
  and ($5::text[] is null or type = any($5)) {of_subject}
order by tx_order, seq
limit $4
"""
# Two statements: a plan for "any subject or this one" could not use the index of subjects.
FEED, FEED_OF_SUBJECT = _FEED.format(of_subject=""), _FEED.format(of_subject="and subject_id = $6")


async def read(
    tx: Tx,
    after: Position,
    limit: int,
    types: Sequence[str] | None = None,
    subject_id: UUID | None = None,
) -> list[asyncpg.Record]:
    """Events after a position. Only transactions older than every running one are shown, so an
    event that commits late can never slip in behind a position already handed out."""
    place = tx.organization_id, after.tx_order, after.seq, limit, types
    if subject_id is None:
        return await tx.fetch(FEED, *place)
    return await tx.fetch(FEED_OF_SUBJECT, *place, subject_id)
