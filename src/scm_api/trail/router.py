"""HTTP of the audit trail."""

from typing import Annotated
from uuid import UUID

from fastapi import Path, Query

from scm_api.core.errors import NotFound, OutsideLimits
from scm_api.core.http import OpenTx, ReplyTo, operation, router
from scm_api.trail import service
from scm_api.trail.schemas import (
    AccessFilter,
    AccessList,
    AccessRead,
    AuditEntryList,
    AuditEntryRead,
    AuditFilter,
    SealFilter,
    SealList,
)

audit = router("audit")

EntryId = Annotated[
    UUID, Path(description="The entry's id.", examples=["019ab0c2-d0a0-7000-8000-0000000a0d17"])
]


@audit.get(
    "",
    name="list",
    summary="List audit entries",
    **operation("audit:read", errors=[OutsideLimits]),
)
async def list_entries(
    tx: OpenTx, reply: ReplyTo, wanted: Annotated[AuditFilter, Query()]
) -> AuditEntryList:
    """Every change with who, when, from where, old and new values and why; newest first."""
    page = await service.list_entries(tx, wanted)
    reply.next_page(page.next_cursor)
    return AuditEntryList(**page.body([service.entry_read(row) for row in page.rows]))


@audit.get(
    "/accesses",
    name="list_accesses",
    summary="List who came in or was refused",
    **operation("audit:read", errors=[OutsideLimits]),
)
async def list_accesses(
    tx: OpenTx, reply: ReplyTo, wanted: Annotated[AccessFilter, Query()]
) -> AccessList:
    """Logins and refused credentials of this organization and its members, with the reason; newest
    first. What names neither a key nor a person of it, such as an unknown key, only the operator
    sees: `scm-api audit accesses`."""
    page = await service.list_accesses(tx, wanted)
    reply.next_page(page.next_cursor)
    return AccessList(**page.body([AccessRead.model_validate(row[0]) for row in page.rows]))


@audit.get(
    "/seals",
    name="list_seals",
    summary="List seals",
    **operation("audit:read", errors=[OutsideLimits]),
)
async def list_seals(
    tx: OpenTx, reply: ReplyTo, wanted: Annotated[SealFilter, Query()]
) -> SealList:
    """What proves that nothing sealed was changed since; newest first within their stream."""
    page = await service.list_seals(tx, wanted)
    reply.next_page(page.next_cursor)
    return SealList(**page.body([service.seal_read(row) for row in page.rows]))


@audit.get(
    "/{entry}",
    name="get",
    summary="Read an audit entry",
    **operation("audit:read", errors=[NotFound, OutsideLimits]),
)
async def get(tx: OpenTx, entry: EntryId) -> AuditEntryRead:
    """One change."""
    return await service.get(tx, entry)
