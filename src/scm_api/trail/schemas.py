"""Bodies of the audit trail: entries, seals, and who came in or was refused."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from scm_api.access.access_kinds import Kind, in_words
from scm_api.core.pages import PageParams
from scm_api.core.schemas import Instant, Page, Read

Action = Literal["created", "changed", "deleted"]
Stream = Literal["audit", "event", "ledger"]


class AuditFilter(PageParams):
    """Which entries to list; all given conditions must hold."""

    object_type: str | None = Field(
        default=None, max_length=64, description="The kind of object, such as `item`."
    )
    object: UUID | None = Field(
        default=None, description="An object's id: its own entries and those of its parts."
    )
    action: Action | None = Field(default=None, description="Only what was done in this way.")
    field: str | None = Field(
        default=None,
        max_length=64,
        description="Only entries in which this field changed. Say besides which: by `object`, "
        "`object_type`, `request_id` or `recorded_at_gte`.",
    )
    person: UUID | None = Field(
        default=None, description="A user's id: his sessions and his personal keys."
    )
    principal: UUID | None = Field(
        default=None, description="The id of the key, person or process that acted."
    )
    key: UUID | None = Field(default=None, description="The id of an API key.")
    operation: str | None = Field(
        default=None,
        max_length=100,
        description="The operation's id, such as `items_change`. Say besides which entries: by "
        "`object`, `object_type`, `request_id` or `recorded_at_gte`.",
    )
    request_id: str | None = Field(
        default=None, max_length=128, description="The `X-Request-Id` of the call."
    )
    recorded_at_gte: Instant | None = Field(default=None, description="From this time on.")
    recorded_at_lt: Instant | None = Field(default=None, description="Before this time.")


class AuditedObject(Read):
    """What was changed."""

    type: str = Field(description="The kind of object, such as `item`.")
    id: UUID | None = Field(description="Null for objects that have no id but a `key`.")
    key: dict[str, str] | None = Field(
        description="What names an object without an id, such as a day."
    )
    parent_id: UUID | None = Field(description="What it is a part of: a line's order.")


class AuditedPrincipal(Read):
    """Who changed it. `database` is somebody with direct access to the database."""

    kind: str = Field(description="`user`, `api_key`, `system` or `database`.")
    id: UUID | None = Field(description="The key's, the person's or the process's own id.")
    name: str = Field(description="What it was called then.")
    user_id: UUID | None = Field(description="The person behind a session or a personal key.")
    key_id: UUID | None = Field(description="The API key it used.")
    session_id: UUID | None = Field(description="The session it used.")


class Change(Read):
    """A field before and after; null also where the object did not exist."""

    old: Any = Field(default=None, description="Before.")
    new: Any = Field(default=None, description="After.")


class AuditEntryRead(Read):
    """One changed object."""

    id: UUID = Field(description="The entry's id.")
    object: AuditedObject = Field(description="What was changed.")
    action: Action = Field(description="What was done with it.")
    changes: dict[str, Change] = Field(
        description="The changed fields, by name. Of a new object, what every new one has (a "
        "default) is left out."
    )
    principal: AuditedPrincipal = Field(description="Who changed it.")
    address: str | None = Field(description="The network address the call came from.")
    request_id: str = Field(description="The `X-Request-Id` of the call; empty without one.")
    operation: str | None = Field(description="The operation's id, such as `items_change`.")
    reason: str | None = Field(description="`reason` of the body, or the header `Scm-Reason`.")
    recorded_at: datetime = Field(description="When it was written.")
    sealed: bool = Field(description="Whether a seal covers it yet; it takes some seconds.")
    seal_no: int | None = Field(description="The number of that seal in the stream `audit`.")


class AuditEntryList(Page[AuditEntryRead]):
    """A page of entries."""


class AccessFilter(PageParams):
    """Which attempts to list."""

    kind: Kind | None = Field(default=None, description=f"Only this outcome:\n{in_words()}")
    person: UUID | None = Field(default=None, description="A user's id.")
    key: UUID | None = Field(default=None, description="The id of an API key.")
    happened_at_gte: Instant | None = Field(default=None, description="From this time on.")
    happened_at_lt: Instant | None = Field(default=None, description="Before this time.")


class AccessRead(Read):
    """Somebody came in, or was refused; callers are told less of the reason than `kind` says."""

    id: UUID = Field(description="The row's id.")
    happened_at: datetime = Field(description="When it was written.")
    kind: Kind = Field(description="What happened.")
    user_id: UUID | None = Field(description="The person, if known.")
    key_id: UUID | None = Field(description="The API key, if known.")
    address: str | None = Field(description="The network address the attempt came from.")
    request_id: str = Field(description="Empty for attempts that were only counted.")
    count: int = Field(
        description="Alike attempts: the first of a minute stands for itself, the rest are counted "
        "in a row that follows."
    )
    detail: dict[str, Any] = Field(description="More about it; what, depends on `kind`.")


class AccessList(Page[AccessRead]):
    """A page of attempts."""


class SealFilter(PageParams):
    """Which seals to list."""

    stream: Stream | None = Field(default=None, description="Only seals of this stream.")


class SealRead(Read):
    """A batch of rows, sealed: a Merkle root (RFC 6962) over them, chained to the seal before."""

    stream: Stream = Field(
        description="`audit`: entries; `event`: the feed; `ledger`: stock documents with lines."
    )
    no: int = Field(description="Its number in the stream, from 1 on.")
    row_count: int = Field(description="How many rows it covers.")
    root: str = Field(description="The Merkle root, in hexadecimal.")
    seal: str = Field(
        description="The seal, in hexadecimal. Keep the newest elsewhere: `scm-api audit verify "
        "--head` then proves that none was taken away."
    )
    is_keyed: bool = Field(description="Whether the operator's key was used.")
    sealed_at: datetime = Field(description="When it was made.")


class SealList(Page[SealRead]):
    """A page of seals."""
