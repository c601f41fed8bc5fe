"""Tables of organizations and API keys."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    CheckConstraint,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    String,
    Text,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from scm_api.core.db import Base, Identified
from scm_api.core.ids import uuid7


class Organization(Base):
    """A company or legal entity; every business row belongs to exactly one."""

    __tablename__ = "organization"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    code: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(200))
    base_currency: Mapped[str] = mapped_column(String(3))
    time_zone: Mapped[str] = mapped_column(String(64), server_default="UTC")
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))

    __table_args__ = (
        Index("uq_organization_code", text("lower(code)"), unique=True),
        CheckConstraint("base_currency ~ '^[A-Z]{3}$'", name="base_currency"),
    )


class ApiKey(Identified, Base):
    """A bearer key `scm_live_<public>_<secret>`: the secret is kept as its SHA-256 only."""

    __tablename__ = "api_key"

    public: Mapped[str] = mapped_column(String(16))
    name: Mapped[str] = mapped_column(String(200))
    secret_sha256: Mapped[bytes] = mapped_column(LargeBinary)
    permissions: Mapped[list[str]] = mapped_column(ARRAY(Text))
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]

    __table_args__ = (
        ForeignKeyConstraint(["organization_id"], ["organization.id"]),
        Index("uq_api_key_public", "public", unique=True),
        CheckConstraint("length(secret_sha256) = 32", name="secret_is_sha256"),
    )
