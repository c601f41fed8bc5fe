"""Bodies of organizations, their groups and sandboxes."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import MISSING, ConfigDict, Field, field_validator

from scm_api.core.errors import Rule, Text
from scm_api.core.language import Language
from scm_api.core.pages import PageParams
from scm_api.core.rules import broken
from scm_api.core.schemas import (
    Boolean,
    Code,
    Currency,
    Integer,
    Name,
    Number,
    Page,
    Percent,
    Read,
    Strict,
)

Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
WEEK: tuple[Weekday, ...] = (
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
)
TWICE = Rule("listed_twice", Text("A day is listed twice.", "日期重复。"))


class OrganizationCreate(Strict):
    """A new organization."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "code": "EAST",
                    "name": "East China Trading",
                    "base_currency": "CNY",
                    "time_zone": "Asia/Shanghai",
                }
            ]
        },
    )

    code: Code = Field(description="Unique on this server; never changes.")
    name: Name = Field(description="What people call it.")
    base_currency: Currency = Field(description="ISO 4217 code of its books.")
    time_zone: Name = Field(default="UTC", description="IANA zone of its days.")
    group: Code | None = Field(
        default=None, description="Code of its group; the group of the caller's one if absent."
    )
    is_sandbox: Boolean = Field(default=False, description="For trying things: it can be emptied.")


class OrganizationPatch(Strict):
    """Changes to the organization's settings (JSON Merge Patch): absent fields stay."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"name": "Main Trading", "over_delivery_percent": "5"}]},
    )

    name: Name | MISSING = Field(default=MISSING, description="What people call it.")
    base_currency: Currency | MISSING = Field(
        default=MISSING, description="Fixed from the first stock movement or order on."
    )
    time_zone: Name | MISSING = Field(
        default=MISSING, description="IANA zone; fixed while a fiscal period is closed."
    )
    language: Language | MISSING = Field(
        default=MISSING, description="For messages to callers that ask for no language."
    )
    work_week: list[Weekday] | MISSING = Field(
        default=MISSING, min_length=1, max_length=7, description="The days that are worked."
    )
    fiscal_year_start_month: Integer | MISSING = Field(
        default=MISSING,
        ge=1,
        le=12,
        description="1 is January; fixed while a fiscal period is closed.",
    )
    allows_negative_stock: Boolean | MISSING = Field(
        default=MISSING, description="What new warehouses do where nothing else is said."
    )
    over_delivery_percent: Percent | MISSING = Field(
        default=MISSING, description="For new order lines: how much more may arrive."
    )
    under_delivery_percent: Percent | MISSING = Field(
        default=MISSING, description="For new order lines: how much less still counts as all."
    )
    group: Code | None | MISSING = Field(
        default=MISSING,
        description="Code of the group it belongs to; a new code makes a group, null leaves it.",
    )
    version: Integer | None = Field(default=None, description="The version read; or send If-Match.")

    @field_validator("work_week")
    @classmethod
    def _each_day_once(cls, value: list[Weekday]) -> list[Weekday]:
        if len(set(value)) < len(value):
            raise broken(TWICE)
        return value


class OrganizationRead(Read):
    """An organization with its settings."""

    id: UUID = Field(description="Its id.")
    code: str = Field(description="Unique on this server; never changes.")
    name: str = Field(description="What people call it.")
    group: str | None = Field(description="Code of the group it belongs to.")
    base_currency: str = Field(description="ISO 4217 code of its books.")
    time_zone: str = Field(description="IANA zone of its days.")
    language: Language = Field(description="For messages to callers that ask for no language.")
    work_week: list[Weekday] = Field(description="The days that are worked, holidays aside.")
    fiscal_year_start_month: int = Field(description="1 is January.")
    allows_negative_stock: bool = Field(
        description="What new warehouses do where nothing else is said."
    )
    over_delivery_percent: Number = Field(
        description="For new order lines: how much more may arrive."
    )
    under_delivery_percent: Number = Field(
        description="For new order lines: how much less still counts as all."
    )
    is_sandbox: bool = Field(description="For trying things: it can be emptied.")
    sandbox_reset_at: datetime | None = Field(description="When it was last emptied.")
    version: int = Field(description="Counts changes; the ETag.")
    created_at: datetime = Field(description="When it was made.")
    updated_at: datetime = Field(description="When it was last changed.")


class FirstKey(Read):
    """The first key of a new organization, with every permission there."""

    id: UUID = Field(description="The key's id.")
    name: str = Field(description="The key's name.")
    token: str = Field(description="Shown only this once.")


class OrganizationCreated(Read):
    """A new organization, and what opens it."""

    organization: OrganizationRead = Field(description="The new organization.")
    api_key: FirstKey | None = Field(
        description="Where a key made it; a person becomes its administrator instead."
    )


class MyOrganization(Read):
    """An organization the caller belongs to."""

    id: UUID = Field(description="Its id.")
    code: str = Field(description="What `Scm-Organization` names it by.")
    name: str = Field(description="What people call it.")
    base_currency: str = Field(description="ISO 4217 code of its books.")
    time_zone: str = Field(description="IANA zone of its days.")
    group: str | None = Field(description="Code of the group it belongs to.")
    is_sandbox: bool = Field(description="For trying things: it can be emptied.")
    roles: list[str] = Field(description="The caller's roles there.")
    is_current: bool = Field(description="Whether this call is about it.")


class MyOrganizationList(Page[MyOrganization]):
    """A page of the caller's organizations."""


class MyOrganizationFilter(PageParams):
    """Which of the caller's organizations to list: all."""


class GroupMember(Read):
    """An organization of a group."""

    id: UUID = Field(description="The organization's id.")
    code: str = Field(description="The organization's code.")
    name: str = Field(description="The organization's name.")


class GroupRead(Read):
    """A group, with those of its organizations that the caller belongs to."""

    id: UUID = Field(description="The group's id.")
    code: str = Field(description="Unique on this server.")
    name: str = Field(description="What people call it; its code unless renamed.")
    organizations: list[GroupMember] = Field(description="Those the caller belongs to, by code.")


class GroupList(Read):
    """The groups of the caller's organizations."""

    data: list[GroupRead] = Field(description="All of them, by code: this list has no pages.")


class SandboxResetRequest(Strict):
    """Consent to emptying this sandbox."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"confirm": "SANDBOX"}]}
    )

    confirm: Code = Field(description="The code of this organization.")


class SandboxResetLinks(Read):
    """Where to watch it."""

    job: str = Field(description="Path of the job.")


class SandboxResetAccepted(Read):
    """The job that empties the sandbox."""

    id: UUID = Field(description="The job's id.")
    kind: str = Field(description="The kind of job.")
    status: str = Field(description="How far it is: `queued` for now.")
    links: SandboxResetLinks = Field(description="Where to watch it.")
