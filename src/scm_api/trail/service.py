"""Reading the trail. Rule: it tells about everything, so whoever is confined reads none of it."""

from typing import Any
from uuid import UUID

from scm_api.core.errors import Invalid, NotFound, OutsideLimits, Rule, Text
from scm_api.core.pages import PageOf
from scm_api.core.tx import Tx
from scm_api.trail import repository
from scm_api.trail.models import AuditEntry
from scm_api.trail.schemas import (
    AccessFilter,
    AuditedObject,
    AuditedPrincipal,
    AuditEntryRead,
    AuditFilter,
    SealFilter,
    SealRead,
)

# No index serves these alone, so they would read the whole trail; each of those bounds it.
_SLOW = ("field", "operation")
_BOUNDS = ("object", "object_type", "request_id", "recorded_at_gte")
NEEDS_A_BOUND = Rule(
    "needs_a_bound",
    Text("Narrow the search down too: by {bounds}.", "请同时以 {bounds} 之一缩小查询范围。"),
)


def _check_unconfined(tx: Tx) -> None:
    if tx.principal.limits.confines:
        raise OutsideLimits


async def get(tx: Tx, entry_id: UUID) -> AuditEntryRead:
    """One entry. Raises `NotFound`, `OutsideLimits`."""
    _check_unconfined(tx)
    row = await repository.find_entry(tx, entry_id)
    if row is None:
        raise NotFound(kind="audit entry", reference=str(entry_id))
    return entry_read(row)


async def list_entries(tx: Tx, wanted: AuditFilter) -> PageOf:
    """Newest first. Raises `OutsideLimits`, `Invalid` for a search through all entries."""
    _check_unconfined(tx)
    if all(getattr(wanted, name) is None for name in _BOUNDS):
        errors = [
            NEEDS_A_BOUND.at_parameter(name, bounds=", ".join(_BOUNDS))
            for name in _SLOW
            if getattr(wanted, name) is not None
        ]
        if errors:
            raise Invalid(errors)
    return await repository.list_entries(tx, wanted)


async def list_accesses(tx: Tx, wanted: AccessFilter) -> PageOf:
    """Newest first. Raises `OutsideLimits`."""
    _check_unconfined(tx)
    return await repository.list_accesses(tx, wanted)


async def list_seals(tx: Tx, wanted: SealFilter) -> PageOf:
    """By stream, newest first. Raises `OutsideLimits`."""
    _check_unconfined(tx)
    return await repository.list_seals(tx, wanted)


def entry_read(row: Any) -> AuditEntryRead:
    """An entry and the number of its seal as callers see them."""
    entry: AuditEntry = row[0]
    alike = ("id", "action", "changes", "address", "request_id", "operation", "reason")
    return AuditEntryRead(
        object=AuditedObject(
            type=entry.object_type,
            id=entry.object_id,
            key=entry.object_key,
            parent_id=entry.parent_id,
        ),
        principal=AuditedPrincipal(
            kind=entry.principal_kind,
            id=entry.principal_id,
            name=entry.principal_name,
            user_id=entry.user_id,
            key_id=entry.key_id,
            session_id=entry.session_id,
        ),
        recorded_at=entry.recorded_at,
        sealed=row.seal_no is not None,
        seal_no=row.seal_no,
        **{name: getattr(entry, name) for name in alike},
    )


def seal_read(row: Any) -> SealRead:
    """A seal as callers see it."""
    return SealRead(
        stream=row.stream,
        no=row.no,
        row_count=row.row_count,
        root=row.root.hex(),
        seal=row.seal.hex(),
        is_keyed=row.is_keyed,
        sealed_at=row.sealed_at,
    )
