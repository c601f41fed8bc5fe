"""Bodies of an organization's members."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import MISSING, ConfigDict, Field

from scm_api.access.schemas import (
    AmountLimit,
    Categories,
    DutyConflictRead,
    RoleCode,
    Roles,
    Version,
    Warehouses,
)
from scm_api.core.pages import PageParams
from scm_api.core.schemas import Link, Name, Number, Page, Read, Strict
from scm_api.users.person_schemas import Email

MemberStatus = Literal["invited", "active", "suspended"]


class MemberInvite(Strict):
    """An invitation: who, and what he may do here; nothing of it beyond one's own."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "email": "zhang.min@example.com",
                    "name": "Zhang Min",
                    "roles": ["buyer"],
                    "warehouses": [{"code": "WH-1"}],
                    "amount_limit": "50000",
                }
            ]
        },
    )

    email: Email
    name: Name
    roles: Roles = Field(min_length=1)
    warehouses: Warehouses = None
    categories: Categories = None
    amount_limit: AmountLimit = None


class MemberPatch(Strict):
    """Changes to a member (JSON Merge Patch): absent fields stay."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"roles": ["buyer", "planner"]}]}
    )

    roles: Roles | MISSING = MISSING
    warehouses: Warehouses | MISSING = MISSING
    categories: Categories | MISSING = MISSING
    amount_limit: AmountLimit | MISSING = MISSING
    status: Literal["active", "suspended"] | MISSING = MISSING
    version: Version = None


class MemberFilter(PageParams):
    """Which members to list."""

    status: MemberStatus | None = Field(default=None, description="Only these.")
    role: RoleCode | None = Field(default=None, description="Only those who have this role.")
    q: str | None = Field(default=None, max_length=100, description="Part of the name or e-mail.")


class MemberRead(Read):
    """A person in the organization."""

    id: UUID = Field(description="The person's id, the same in all organizations.")
    email: str
    name: str
    status: MemberStatus
    roles: list[str]
    warehouses: list[Link] | None = Field(description="Null: all.")
    categories: list[Link] | None = Field(description="With all below them; null: all.")
    amount_limit: Number | None = Field(description="In base currency; null: any.")
    has_second_factor: bool = Field(description="False until the invitation is accepted.")
    last_login_at: datetime | None = Field(
        description="The last session that was about this organization or none; not part of the "
        "version."
    )
    invitation_expires_at: datetime | None
    joined_at: datetime | None
    version: int
    created_at: datetime
    updated_at: datetime


class MemberList(Page[MemberRead]):
    """A page of members."""


class MemberChanged(MemberRead):
    """A member, with the duties he holds together by these roles."""

    duty_conflicts: list[DutyConflictRead]


class MemberInvited(MemberChanged):
    """An invited person, and the link to hand over, shown this once."""

    invitation_token: str | None = Field(description="Null when the request is replayed.")
    invitation_url: str | None = Field(description="Null unless the server knows its public URL.")


class InvitationLink(Read):
    """A new link in place of the earlier ones, shown this once."""

    invitation_token: str | None = Field(description="Null when the request is replayed.")
    invitation_url: str | None = Field(description="Null unless the server knows its public URL.")
    expires_at: datetime


class PasswordResetLink(Read):
    """A link to set a new password by, shown this once."""

    reset_token: str | None = Field(description="Null when the request is replayed.")
    reset_url: str | None = Field(description="Null unless the server knows its public URL.")
    expires_at: datetime
