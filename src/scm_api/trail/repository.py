"""SQL of reading the trail: one statement a page, whatever it shows."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    DateTime,
    ScalarSelect,
    Select,
    and_,
    cast,
    exists,
    or_,
    select,
    tuple_,
)
from sqlalchemy.orm import InstrumentedAttribute

from scm_api.access.models import AccessLog, Membership
from scm_api.access.system_view import system_view
from scm_api.core import pages
from scm_api.core.pages import PageOf
from scm_api.core.tx import Tx
from scm_api.trail.models import AuditEntry, AuditSeal
from scm_api.trail.schemas import AccessFilter, AuditFilter, SealFilter
from scm_api.trail.streams import AUDIT

Rows = Select[*tuple[Any, ...]]
Column = InstrumentedAttribute[Any]


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


def _entries(tx: Tx) -> Rows:
    return select(AuditEntry, _seal_no().label("seal_no")).where(
        AuditEntry.organization_id == tx.organization_id
    )


def _matching(statement: Rows, equal: Mapping[Column, Any]) -> Rows:
    """Those rows whose columns have the values that are given."""
    given = [column == value for column, value in equal.items() if value is not None]
    return statement.where(*given)


def _within(statement: Rows, column: Column, start: datetime | None, end: datetime | None) -> Rows:
    """Those rows whose time lies in a span, open where no end is given."""
    if start is not None:
        statement = statement.where(column >= start)
    return statement if end is None else statement.where(column < end)


async def find_entry(tx: Tx, entry_id: UUID) -> Any:
    """One entry with the number of its seal, or None."""
    statement = _entries(tx).where(AuditEntry.id == entry_id)
    return (await tx.session.execute(statement)).one_or_none()


async def list_entries(tx: Tx, wanted: AuditFilter) -> PageOf:
    """Entries with the numbers of their seals, newest first."""
    equal = {
        AuditEntry.object_type: wanted.object_type,
        AuditEntry.action: wanted.action,
        AuditEntry.user_id: wanted.person,
        AuditEntry.principal_id: wanted.principal,
        AuditEntry.operation: wanted.operation,
        AuditEntry.request_id: wanted.request_id,
    }
    statement = _matching(_entries(tx), equal)
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
    span = wanted.recorded_at_gte, wanted.recorded_at_lt
    statement = _within(statement, AuditEntry.recorded_at, *span)
    order = [(AuditEntry.tx_order, True), (AuditEntry.seq, True)]
    return await pages.page(tx, statement, wanted, order)


def _is_member(tx: Tx) -> ColumnElement[bool]:
    """Of whoever is only invited, nothing is told."""
    return exists().where(
        Membership.organization_id == tx.organization_id,
        Membership.user_id == AccessLog.user_id,
        Membership.status != "invited",
        Membership.joined_at <= AccessLog.happened_at,
    )


def _was_member(tx: Tx) -> ColumnElement[bool]:
    """Memberships are deleted when they end; the trail keeps when they began, and that end."""
    joined = AuditEntry.changes["joined_at"]["old"].astext
    return exists().where(
        AuditEntry.organization_id == tx.organization_id,
        AuditEntry.parent_id == AccessLog.user_id,
        AuditEntry.object_type == "membership",
        AuditEntry.action == "deleted",
        AuditEntry.recorded_at >= AccessLog.happened_at,
        cast(joined, DateTime(timezone=True)) <= AccessLog.happened_at,
    )


async def list_accesses(tx: Tx, wanted: AccessFilter) -> PageOf:
    """Attempts to come into this organization, newest first: those about it, and those about a
    person and no organization, at a time when the person was a member."""
    statement = select(AccessLog).where(
        or_(
            AccessLog.about_organization_id == tx.organization_id,
            and_(AccessLog.about_organization_id.is_(None), or_(_is_member(tx), _was_member(tx))),
        )
    )
    equal = {
        AccessLog.kind: wanted.kind,
        AccessLog.user_id: wanted.person,
        AccessLog.key_id: wanted.key,
    }
    span = wanted.happened_at_gte, wanted.happened_at_lt
    statement = _within(_matching(statement, equal), AccessLog.happened_at, *span)
    order = [(AccessLog.happened_at, True), (AccessLog.id, True)]
    async with system_view(tx):
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
