"""Tables of who may do what: organizations, people, their sessions, roles, keys and duties."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    String,
    Text,
    text,
)
from sqlalchemy import Uuid as SqlUuid
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from scm_api.core.db import VALUE, Base, Identified, Owned, Versioned
from scm_api.core.ids import uuid7


class OrganizationGroup(Base):
    """Organizations that belong together, such as the legal entities of one company."""

    __tablename__ = "organization_group"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    code: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))

    __table_args__ = (Index("uq_organization_group_code", text("lower(code)"), unique=True),)


class Organization(Base):
    """A company or legal entity with its settings; every business row belongs to exactly one."""

    __tablename__ = "organization"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    code: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(200))
    base_currency: Mapped[str] = mapped_column(String(3))
    time_zone: Mapped[str] = mapped_column(String(64), server_default="UTC")
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    group_id: Mapped[UUID | None] = mapped_column(ForeignKey("organization_group.id"))
    is_sandbox: Mapped[bool] = mapped_column(server_default=text("false"))
    language: Mapped[str] = mapped_column(String(8), server_default="en")
    # Monday first, 1 for a working day.
    work_week: Mapped[str] = mapped_column(String(7), server_default="1111100")
    fiscal_year_start_month: Mapped[int] = mapped_column(server_default="1")
    allows_negative_stock: Mapped[bool] = mapped_column(server_default=text("false"))
    over_delivery_percent: Mapped[Decimal] = mapped_column(server_default="0")
    under_delivery_percent: Mapped[Decimal] = mapped_column(server_default="0")
    version: Mapped[int] = mapped_column(server_default="1")
    updated_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    sandbox_reset_at: Mapped[datetime | None]

    __table_args__ = (
        Index("uq_organization_code", text("lower(code)"), unique=True),
        CheckConstraint("base_currency ~ '^[A-Z]{3}$'", name="base_currency"),
        CheckConstraint("language in ('en', 'zh-CN')", name="language"),
        CheckConstraint("work_week ~ '^[01]{7}$' and work_week like '%1%'", name="work_week"),
        CheckConstraint("fiscal_year_start_month between 1 and 12", name="fiscal_year"),
        CheckConstraint(
            "over_delivery_percent between 0 and 100 and under_delivery_percent between 0 and 100",
            name="tolerances",
        ),
    )


class UserAccount(Base):
    """A person, known by e-mail; belongs to organizations by memberships."""

    __tablename__ = "user_account"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    email: Mapped[str] = mapped_column(String(254))
    name: Mapped[str] = mapped_column(String(200))
    language: Mapped[str | None] = mapped_column(String(8))
    is_active: Mapped[bool] = mapped_column(server_default=text("true"))
    version: Mapped[int] = mapped_column(server_default="1")
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    updated_at: Mapped[datetime] = mapped_column(server_default=text("now()"))

    __table_args__ = (
        Index("uq_user_account_email", text("lower(email)"), unique=True),
        CheckConstraint("language in ('en', 'zh-CN')", name="language"),
    )


class UserSession(Base):
    """One login of a person: the family of its access and refresh tokens."""

    __tablename__ = "user_session"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("user_account.id"))
    # The organization its calls are about unless they name another.
    chosen_organization_id: Mapped[UUID | None] = mapped_column(ForeignKey("organization.id"))
    method: Mapped[str] = mapped_column(String(32))
    address: Mapped[str | None] = mapped_column(String(64))
    user_agent: Mapped[str | None] = mapped_column(String(400))
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    last_used_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    revoked_why: Mapped[str | None] = mapped_column(String(32))

    __table_args__ = (
        Index("ix_user_session_user_id", "user_id"),
        CheckConstraint("method in ('password', 'password_totp', 'oidc')", name="method"),
        CheckConstraint("(revoked_at is null) = (revoked_why is null)", name="revoked_why"),
    )


class SessionToken(Base):
    """An access or refresh token `scm_at_<public>_<secret>`; the secret as its SHA-256 only."""

    __tablename__ = "session_token"

    public: Mapped[str] = mapped_column(String(16), primary_key=True)
    session_id: Mapped[UUID] = mapped_column(ForeignKey("user_session.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(8))
    secret_sha256: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    expires_at: Mapped[datetime]
    # When a refresh token was exchanged; a second use revokes the session.
    used_at: Mapped[datetime | None]

    __table_args__ = (
        Index("ix_session_token_session_id", "session_id"),
        Index("ix_session_token_expires_at", "expires_at"),
        CheckConstraint("kind in ('access', 'refresh')", name="kind"),
        CheckConstraint("length(secret_sha256) = 32", name="secret_is_sha256"),
    )


class Role(Versioned, Base):
    """A role an organization made itself, beside the templates of `access.permissions`."""

    __tablename__ = "role"

    code: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(200))
    description: Mapped[str] = mapped_column(Text, server_default="")
    permissions: Mapped[list[str]] = mapped_column(ARRAY(Text))

    __table_args__ = (
        ForeignKeyConstraint(["organization_id"], ["organization.id"]),
        Index("uq_role_code", "organization_id", text("lower(code)"), unique=True),
    )


class Limited:
    """Mixin of what a membership and a key may be confined to; null: everything."""

    warehouse_ids: Mapped[list[UUID] | None] = mapped_column(ARRAY(SqlUuid), sort_order=50)
    category_ids: Mapped[list[UUID] | None] = mapped_column(ARRAY(SqlUuid), sort_order=51)
    amount_limit: Mapped[Decimal | None] = mapped_column(VALUE, sort_order=52)


class Membership(Limited, Versioned, Base):
    """A person in an organization: roles and limits there."""

    __tablename__ = "membership"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("user_account.id"))
    status: Mapped[str] = mapped_column(String(16), server_default="invited")
    # Codes of templates and of the organization's own roles.
    roles: Mapped[list[str]] = mapped_column(ARRAY(Text))
    joined_at: Mapped[datetime | None]
    # The name he was invited by: until he accepts, nothing of an account there may be is shown.
    invited_as: Mapped[str | None] = mapped_column(String(200))

    __table_args__ = (
        ForeignKeyConstraint(["organization_id"], ["organization.id"]),
        Index("uq_membership_user_id", "organization_id", "user_id", unique=True),
        Index("ix_membership_user_id", "user_id"),
        CheckConstraint("status in ('invited', 'active', 'suspended')", name="status"),
        CheckConstraint("amount_limit >= 0", name="amount_limit"),
    )


class ApiKey(Limited, Identified, Base):
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
    roles: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    # A personal key may at most what its person may.
    user_id: Mapped[UUID | None] = mapped_column(ForeignKey("user_account.id"))
    # The people and keys that made or renewed it, and their own makers: whoever has had its token
    # in hand is one with it where duties are separated. Empty: made on the command line.
    maker_ids: Mapped[list[UUID]] = mapped_column(ARRAY(SqlUuid), server_default="{}")
    is_test: Mapped[bool] = mapped_column(server_default=text("false"))
    # The secret before the last rotation, good until its overlap ends.
    previous_sha256: Mapped[bytes | None] = mapped_column(LargeBinary)
    previous_expires_at: Mapped[datetime | None]
    rotated_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(server_default="1")
    updated_at: Mapped[datetime] = mapped_column(server_default=text("now()"))

    __table_args__ = (
        ForeignKeyConstraint(["organization_id"], ["organization.id"]),
        Index("uq_api_key_public", "public", unique=True),
        CheckConstraint("length(secret_sha256) = 32", name="secret_is_sha256"),
        CheckConstraint("amount_limit >= 0", name="amount_limit"),
        CheckConstraint(
            "(previous_sha256 is null) = (previous_expires_at is null)", name="previous"
        ),
    )


class DutyRule(Owned, Base):
    """A rule of segregated duties as one organization keeps it; without a row the defaults of
    `access.duties` apply."""

    __tablename__ = "duty_rule"

    code: Mapped[str] = mapped_column(String(64), primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    mode: Mapped[str] = mapped_column(String(8))
    # Nobody shall hold, or use on the same document, a permission of each side.
    first: Mapped[list[str]] = mapped_column(ARRAY(Text))
    second: Mapped[list[str]] = mapped_column(ARRAY(Text))
    version: Mapped[int] = mapped_column(server_default="1")
    updated_at: Mapped[datetime] = mapped_column(server_default=text("now()"))

    __table_args__ = (
        ForeignKeyConstraint(["organization_id"], ["organization.id"]),
        CheckConstraint("mode in ('off', 'warn', 'block')", name="mode"),
        CheckConstraint("cardinality(first) > 0 and cardinality(second) > 0", name="sides"),
    )


class AccessLog(Base):
    """Who tried to come in: logins, refusals and why, counted by the minute. Seen by the process
    and, where the organization is known, by its auditors."""

    __tablename__ = "access_log"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    happened_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    kind: Mapped[str] = mapped_column(String(32))
    about_organization_id: Mapped[UUID | None]
    user_id: Mapped[UUID | None]
    key_id: Mapped[UUID | None]
    address: Mapped[str | None] = mapped_column(String(64))
    request_id: Mapped[str] = mapped_column(String(128), server_default="")
    # How many alike within the minute; only the first is kept in full.
    count: Mapped[int] = mapped_column(BigInteger, server_default="1")
    detail: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default="{}")

    __table_args__ = (
        Index("ix_access_log_about", "about_organization_id", "happened_at", "id"),
        Index("ix_access_log_happened_at", "happened_at"),
    )
