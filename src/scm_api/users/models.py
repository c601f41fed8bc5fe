"""Tables of what proves who a person is. The process itself sees them, no organization does."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    LargeBinary,
    String,
)
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from scm_api.core.db import Base
from scm_api.core.ids import uuid7


class UserCredential(Base):
    """A person's password (argon2id) and second factor (TOTP, RFC 6238)."""

    __tablename__ = "user_credential"

    user_id: Mapped[UUID] = mapped_column(
        ForeignKey("user_account.id", ondelete="CASCADE"), primary_key=True
    )
    password_hash: Mapped[str | None] = mapped_column(String(200))
    password_changed_at: Mapped[datetime | None]
    totp_secret: Mapped[str | None] = mapped_column(String(64))
    totp_confirmed_at: Mapped[datetime | None]
    # The last time step whose code was used: a code counts once.
    totp_last_step: Mapped[int | None] = mapped_column(BigInteger)
    recovery_sha256: Mapped[list[bytes]] = mapped_column(ARRAY(LargeBinary), server_default="{}")

    __table_args__ = (
        CheckConstraint("totp_confirmed_at is null or totp_secret is not null", name="totp"),
    )


class OneTimeLink(Base):
    """An invitation or a password reset, opened once by the token in its link."""

    __tablename__ = "one_time_link"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    kind: Mapped[str] = mapped_column(String(16))
    user_id: Mapped[UUID] = mapped_column(ForeignKey("user_account.id", ondelete="CASCADE"))
    for_organization_id: Mapped[UUID | None] = mapped_column(ForeignKey("organization.id"))
    secret_sha256: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(server_default=sql("now()"))
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]

    __table_args__ = (
        Index("uq_one_time_link_secret", "secret_sha256", unique=True),
        Index("ix_one_time_link_user_id", "user_id"),
        CheckConstraint("kind in ('invitation', 'password_reset')", name="kind"),
    )


class LoginThrottle(Base):
    """Failed logins of one account from one source, so that only that source has to wait."""

    __tablename__ = "login_throttle"

    # SHA-256 of what is counted together.
    scope: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    failures: Mapped[int]
    first_at: Mapped[datetime]
    last_at: Mapped[datetime]

    __table_args__ = (Index("ix_login_throttle_last_at", "last_at"),)


class KnownDevice(Base):
    """A client a person has logged in from before: failures elsewhere do not lock it out."""

    __tablename__ = "known_device"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("user_account.id", ondelete="CASCADE"))
    secret_sha256: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(server_default=sql("now()"))
    last_used_at: Mapped[datetime] = mapped_column(server_default=sql("now()"))

    __table_args__ = (
        Index("uq_known_device_secret", "secret_sha256", unique=True),
        Index("ix_known_device_user_id", "user_id"),
    )


class UserIdentity(Base):
    """A person as an OIDC provider knows it."""

    __tablename__ = "user_identity"

    issuer: Mapped[str] = mapped_column(String(400), primary_key=True)
    subject: Mapped[str] = mapped_column(String(255), primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("user_account.id", ondelete="CASCADE"))
    created_at: Mapped[datetime] = mapped_column(server_default=sql("now()"))

    __table_args__ = (Index("ix_user_identity_user_id", "user_id"),)


class OidcFlow(Base):
    """A login that is on its way through the provider: state, nonce and PKCE verifier."""

    __tablename__ = "oidc_flow"

    state_sha256: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    data: Mapped[dict[str, Any]] = mapped_column(JSONB)
    expires_at: Mapped[datetime]
