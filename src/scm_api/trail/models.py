"""Tables of the trail, append-only: entries written by triggers, and the seals over them."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKeyConstraint,
    Identity,
    Index,
    LargeBinary,
    String,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from scm_api.core.db import Base, Identified, Owned


class AuditEntry(Identified, Base):
    """One changed row: who, when, from where, through which key, old and new values, why."""

    __tablename__ = "audit_entry"

    tx_order: Mapped[int] = mapped_column(BigInteger, server_default=text("event_tx_order()"))
    seq: Mapped[int] = mapped_column(BigInteger, Identity(always=True))
    object_type: Mapped[str] = mapped_column(String(64))
    object_id: Mapped[UUID | None]
    # The row's whole key but the organization, for tables without an id.
    object_key: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    # What the row is a part of: a line's order, a unit's item.
    parent_id: Mapped[UUID | None]
    action: Mapped[str] = mapped_column(String(8))
    # {"field": {"old": ..., "new": ...}}
    changes: Mapped[dict[str, Any]] = mapped_column(JSONB)
    principal_kind: Mapped[str] = mapped_column(String(16))
    principal_id: Mapped[UUID | None]
    principal_name: Mapped[str] = mapped_column(String(200))
    user_id: Mapped[UUID | None]
    key_id: Mapped[UUID | None]
    session_id: Mapped[UUID | None]
    address: Mapped[str | None] = mapped_column(String(64))
    request_id: Mapped[str] = mapped_column(String(128), server_default="")
    operation: Mapped[str | None] = mapped_column(String(100))
    reason: Mapped[str | None] = mapped_column(String(2000))
    recorded_at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))

    __table_args__ = (
        Index("ix_audit_entry_page", "organization_id", "tx_order", "seq"),
        Index("ix_audit_entry_object", "organization_id", "object_id", "tx_order", "seq"),
        Index("ix_audit_entry_object_type", "organization_id", "object_type", "tx_order", "seq"),
        # The entries of one request lie close together anyway.
        Index("ix_audit_entry_request", "organization_id", "request_id"),
        Index(
            "ix_audit_entry_parent",
            "organization_id",
            "parent_id",
            "tx_order",
            "seq",
            postgresql_where=text("parent_id is not null"),
        ),
        Index("ix_audit_entry_principal", "organization_id", "principal_id", "tx_order", "seq"),
        Index(
            "ix_audit_entry_user",
            "organization_id",
            "user_id",
            "tx_order",
            "seq",
            postgresql_where=text("user_id is not null"),
        ),
        # Entries come in the order of time, so a few bytes a page are enough to seek by it.
        Index("ix_audit_entry_recorded_at", "recorded_at", postgresql_using="brin"),
    )


class AuditSeal(Owned, Base):
    """A batch of rows of one stream, sealed: the Merkle root over their leaves, chained to the
    batch before."""

    __tablename__ = "audit_seal"

    stream: Mapped[str] = mapped_column(String(16), primary_key=True)
    no: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    # Which columns a leaf covers: `streams.FORMATS`.
    format: Mapped[int]
    first_tx_order: Mapped[int] = mapped_column(BigInteger)
    first_seq: Mapped[int] = mapped_column(BigInteger)
    last_tx_order: Mapped[int] = mapped_column(BigInteger)
    last_seq: Mapped[int] = mapped_column(BigInteger)
    row_count: Mapped[int]
    # 16 bytes of id and 32 bytes of leaf hash a row, in order: they name the row that differs.
    # A document's lines bear its id.
    leaves: Mapped[bytes] = mapped_column(LargeBinary)
    root: Mapped[bytes] = mapped_column(LargeBinary)
    # SHA-256 (HMAC with SCM_SEAL_KEY) over the seal before and this batch.
    seal: Mapped[bytes] = mapped_column(LargeBinary)
    is_keyed: Mapped[bool]
    sealed_at: Mapped[datetime]

    __table_args__ = (
        ForeignKeyConstraint(["organization_id"], ["organization.id"]),
        CheckConstraint("stream in ('audit', 'event', 'ledger')", name="stream"),
        Index("ix_audit_seal_position", "organization_id", "stream", "last_tx_order", "last_seq"),
    )
