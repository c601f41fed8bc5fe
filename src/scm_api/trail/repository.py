"""SQL of reading the trail: one statement a page, whatever it shows."""

from typing import Any
from uuid import UUID

from sqlalchemy import ScalarSelect, Select, or_, select, tuple_

from scm_api.access.models import AccessLog
from scm_api.core import pages
from scm_api.core.pages import PageOf
from scm_api.core.tx import Tx
from scm_api.trail.models import AuditEntry, AuditSeal
from scm_api.trail.schemas import AccessFilter, AuditFilter, SealFilter
from scm_api.trail.streams import AUDIT


def _seal_no() -> ScalarSelect[int]:
    """The seal that covers an entry: the first that ends at or after it."""
    end = tuple_(AuditSeal.last_tx_order, AuditSeal.last_seq)
    return (
        select(AuditSeal.no)
        .where(
            AuditSeal.organization_id == AuditEntry.organization_id,
            AuditSeal.stream == AUDIT,
            end >= tuple_(AuditEntry.tx_order, AuditEntry.seq),
        )
        .order_by(AuditSeal.last_tx_order, AuditSeal.last_seq)
        .limit(1)
        .scalar_subquery()
    )


def _entries(tx: Tx) -> Select[*tuple[Any, ...]]:
    return select(AuditEntry, _seal_no().label("seal_no")).where(
        AuditEntry.organization_id == tx.organization_id
    )


async def find_entry(tx: Tx, entry_id: UUID) -> Any:
    """One entry with the number of its seal, or None."""
    statement = _entries(tx).where(AuditEntry.id == entry_id)
    return (await tx.session.execute(statement)).one_or_none()


async def list_entries(tx: Tx, wanted: AuditFilter) -> PageOf:
    """Entries with the numbers of their seals, newest first."""
    statement = _entries(tx)
    equal = {
        AuditEntry.object_type: wanted.object_type,
        AuditEntry.action: wanted.action,
        AuditEntry.user_id: wanted.person,
        AuditEntry.principal_id: wanted.principal,
        AuditEntry.operation: wanted.operation,
        AuditEntry.request_id: wanted.request_id,
    }
    for column, value in equal.items():
        if value is not None:
            statement = statement.where(column == value)
    if wanted.key is not None:
        # A key that acts is the principal itself; by that there is an index.
        statement = statement.where(
            AuditEntry.key_id == wanted.key, AuditEntry.principal_id == wanted.key
        )
    if wanted.object is not None:
        statement = statement.where(
            or_(AuditEntry.object_id == wanted.object, AuditEntry.parent_id == wanted.object)
        )
    if wanted.field is not None:
        statement = statement.where(AuditEntry.changes.has_key(wanted.field))
    if wanted.recorded_at_gte is not None:
        statement = statement.where(AuditEntry.recorded_at >= wanted.recorded_at_gte)
    if wanted.recorded_at_lt is not None:
        statement = statement.where(AuditEntry.recorded_at < wanted.recorded_at_lt)
    order = [(AuditEntry.tx_order, True), (AuditEntry.seq, True)]
    return await pages.page(tx, statement, wanted, order)


async def list_accesses(tx: Tx, wanted: AccessFilter) -> PageOf:
    """Attempts to come into this organization, newest first."""
    statement = select(AccessLog).where(AccessLog.about_organization_id == tx.organization_id)
    equal = {
        AccessLog.kind: wanted.kind,
        AccessLog.user_id: wanted.person,
        AccessLog.key_id: wanted.key,
    }
    for column, value in equal.items():
        if value is not None:
            statement = statement.where(column == value)
    if wanted.happened_at_gte is not None:
        statement = statement.where(AccessLog.happened_at >= wanted.happened_at_gte)
    if wanted.happened_at_lt is not None:
        statement = statement.where(AccessLog.happened_at < wanted.happened_at_lt)
    order = [(AccessLog.happened_at, True), (AccessLog.id, True)]
    return await pages.page(tx, statement, wanted, order)


async def list_seals(tx: Tx, wanted: SealFilter) -> PageOf:
    """Seals without their leaves, newest first within their stream."""
    shown = ("row_count", "root", "seal", "is_keyed", "sealed_at")
    columns = [getattr(AuditSeal, name) for name in shown]
    statement = select(*columns).where(AuditSeal.organization_id == tx.organization_id)
    if wanted.stream is not None:
        statement = statement.where(AuditSeal.stream == wanted.stream)
    return await pages.page(
        tx, statement, wanted, [(AuditSeal.stream, False), (AuditSeal.no, True)]
    )
