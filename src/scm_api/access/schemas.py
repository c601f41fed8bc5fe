"""Bodies of API keys, roles and duty rules."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import MISSING, ConfigDict, Field, StringConstraints

from scm_api.access.duty_policy import Conflict, Effect, Mode, Scope
from scm_api.core.language import Language
from scm_api.core.pages import PageParams
from scm_api.core.schemas import (
    Boolean,
    Instant,
    Integer,
    Link,
    Name,
    Note,
    Number,
    Page,
    QuantityOrZero,
    Read,
    Reference,
    Strict,
)

PermissionName = Annotated[
    str,
    StringConstraints(pattern=r"^([a-z_]+:[a-z_]+|\*)$", max_length=64),
    Field(description="Such as `items:read`; `*` is everything."),
]
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{1,63}$")]
RoleCode = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,63}$")]
Permissions = Annotated[list[PermissionName], Field(max_length=200)]
Roles = Annotated[list[RoleCode], Field(max_length=20, description="Codes, see /v1/roles.")]
Warehouses = Annotated[
    list[Reference] | None,
    Field(min_length=1, max_length=200, description="Only these; null: all."),
]
Categories = Annotated[
    list[Reference] | None,
    Field(min_length=1, max_length=200, description="Only items in or below these; null: all."),
]
AmountLimit = Annotated[
    QuantityOrZero | None,
    Field(description="Largest document to decide on, in base currency; null: any."),
]
Version = Annotated[Integer | None, Field(description="The version read; or send If-Match.")]
KeyStatus = Literal["active", "expired", "revoked"]


class DutyConflictRead(Read):
    """A rule of segregated duties whose two sides are held together."""

    rule: str
    name: str
    mode: Mode
    scope: Scope
    first: list[str] = Field(description="What is held of one side.")
    second: list[str] = Field(description="What is held of the other.")
    effect: Effect = Field(description="refused: such a grant is answered with `duty_conflict`.")


def conflict_reads(found: Iterable[Conflict], language: Language) -> list[DutyConflictRead]:
    """Conflicts of duties in the caller's language."""
    return [
        DutyConflictRead(
            rule=one.duty.code,
            name=one.duty.name.render(language, {}),
            mode=one.duty.mode,
            scope=one.duty.scope,
            first=one.first,
            second=one.second,
            effect=one.effect,
        )
        for one in found
    ]


class ApiKeyCreate(Strict):
    """A new key: permissions, roles or both, none of them beyond one's own."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "name": "Scanner in Shanghai",
                    "roles": ["warehouse"],
                    "warehouses": [{"code": "WH-1"}],
                    "expires_at": "2099-01-01T00:00:00Z",
                }
            ]
        },
    )

    name: Name
    permissions: Permissions = Field(default_factory=list)
    roles: Roles = Field(default_factory=list)
    warehouses: Warehouses = None
    categories: Categories = None
    amount_limit: AmountLimit = None
    expires_at: Instant | None = Field(default=None, description="Never, if absent.")
    is_personal: Boolean = Field(
        default=False,
        description="Bound to the person who makes it: never more than he may, and one with him "
        "where duties are separated.",
    )


class ApiKeyPatch(Strict):
    """Changes to a key (JSON Merge Patch): absent fields stay."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"name": "Scanner at the gate"}]}
    )

    name: Name | MISSING = MISSING
    permissions: Permissions | MISSING = MISSING
    roles: Roles | MISSING = MISSING
    warehouses: Warehouses | MISSING = MISSING
    categories: Categories | MISSING = MISSING
    amount_limit: AmountLimit | MISSING = MISSING
    expires_at: Instant | None | MISSING = MISSING
    version: Version = None


class ApiKeyRotate(Strict):
    """How long the secret of before goes on to be accepted."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"overlap_hours": 24}]}
    )

    overlap_hours: Integer = Field(default=0, ge=0, le=168)
    version: Version = None


class ApiKeyFilter(PageParams):
    """Which keys to list."""

    status: list[KeyStatus] = Field(
        default_factory=list, max_length=3, description="Only keys in one of these states."
    )


class KeyPerson(Read):
    """The person a personal key is bound to."""

    id: UUID
    name: str


class ApiKeyRead(Read):
    """A key, without its secret."""

    id: UUID
    name: str
    prefix: str = Field(description="How the key begins, to tell it from others.")
    status: KeyStatus
    permissions: list[str]
    roles: list[str]
    warehouses: list[Link] | None = Field(description="Null: all.")
    categories: list[Link] | None = Field(description="With all below them; null: all.")
    amount_limit: Number | None = Field(description="In base currency; null: any.")
    person: KeyPerson | None = Field(description="Whose personal key it is.")
    maker_ids: list[UUID] = Field(
        description="People and keys that made or renewed it, and those that made them: with it, "
        "they are one where duties are separated. Empty: made on the command line."
    )
    is_test: bool = Field(description="Works in sandbox organizations, and only there.")
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None = Field(description="To the minute.")
    rotated_at: datetime | None
    previous_expires_at: datetime | None = Field(
        description="Until when the secret before the last rotation is accepted."
    )
    revoked_at: datetime | None
    version: int
    updated_at: datetime


class ApiKeySecret(ApiKeyRead):
    """A key with its token, shown this once."""

    token: str | None = Field(
        description="Send it as `Authorization: Bearer`. Null when the request is replayed."
    )
    duty_conflicts: list[DutyConflictRead] = Field(
        description="Duties that this key holds together."
    )


class ApiKeyList(Page[ApiKeyRead]):
    """A page of keys."""


class RoleCreate(Strict):
    """A role of one's own."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "code": "expediter",
                    "name": "Expediter",
                    "permissions": ["purchase_orders:read", "suppliers:read"],
                }
            ]
        },
    )

    code: RoleCode
    name: Name
    description: Note = ""
    permissions: Annotated[Permissions, Field(min_length=1)]


class RolePatch(Strict):
    """Changes to a role (JSON Merge Patch): absent fields stay."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"name": "Expediter of imports"}]}
    )

    name: Name | MISSING = MISSING
    description: Note | MISSING = MISSING
    permissions: Annotated[Permissions, Field(min_length=1)] | MISSING = MISSING
    version: Version = None


class RoleRead(Read):
    """A role: a template that every organization has, or one of its own."""

    id: UUID | None = Field(description="Null for a template.")
    code: str
    name: str
    description: str
    is_template: bool
    permissions: list[str]
    duty_conflicts: list[DutyConflictRead]
    version: int


class HolderConflictRead(DutyConflictRead):
    """Who holds both sides of a rule."""

    kind: Literal["person", "key"]
    id: UUID = Field(description="Of the person's account, or of the key.")
    holder: str = Field(description="The person's or key's name.")


class RoleChanged(RoleRead):
    """A changed role, and which of its holders it gives both sides of a rule that only warns."""

    holder_conflicts: list[HolderConflictRead]


class RoleList(Read):
    """Templates first, then the organization's own, by code."""

    data: list[RoleRead] = Field(description="All of them: this list has no pages.")


class PermissionRead(Read):
    """A permission."""

    permission: str
    operations: list[str] = Field(description="Operations that need it, or may.")
    is_effective: bool = Field(
        description="False: nothing needs it yet; roles have it for operations of a later release."
    )
    roles: list[str] = Field(description="Roles that grant it, templates and own.")


class PermissionList(Read):
    """All permissions, by name."""

    data: list[PermissionRead] = Field(description="All of them: this list has no pages.")


class GrantCheck(Strict):
    """What somebody is to get."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"roles": ["warehouse"], "permissions": ["invoices:write"]}]
        },
    )

    roles: Roles = Field(default_factory=list)
    permissions: Permissions = Field(default_factory=list)


class GrantCheckRead(Read):
    """What it comes to, before anything is granted."""

    permissions: list[str] = Field(description="All that roles and permissions come to.")
    exceeds: list[str] = Field(description="What goes beyond your own: you cannot grant it.")
    duty_conflicts: list[DutyConflictRead]


class DutyRulePut(Strict):
    """A rule. Of a built-in one only `mode` can be changed."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "mode": "warn",
                    "name": "Who plans does not order",
                    "first": ["replenishment:plan"],
                    "second": ["purchase_orders:write"],
                }
            ]
        },
    )

    mode: Mode
    name: Name | None = None
    first: Annotated[Permissions, Field(min_length=1)] | None = None
    second: Annotated[Permissions, Field(min_length=1)] | None = None
    version: Version = None


class DutyRuleRead(Read):
    """A rule as it applies; version 1 of a built-in one is its default."""

    code: str
    name: str
    mode: Mode
    scope: Scope = Field(
        description="document: one person must not do both on the same document; grant: must not "
        "hold both."
    )
    first: list[str]
    second: list[str]
    is_built_in: bool
    version: int


class DutyRuleWritten(DutyRuleRead):
    """A rule just written, and who holds both of its sides already. Nothing is taken from them."""

    holder_conflicts: list[HolderConflictRead]


class DutyRuleList(Read):
    """Built-in rules first, then the organization's own."""

    data: list[DutyRuleRead] = Field(description="All of them: this list has no pages.")
