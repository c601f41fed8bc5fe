"""Use cases of the ledger: post, reverse, expect, and tell where everything is."""

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

import asyncpg

from scm_api.core import limits
from scm_api.core.documents import Key
from scm_api.core.errors import (
    UNKNOWN_REFERENCE,
    Conflict,
    Duplicate,
    FieldError,
    Invalid,
    NotFound,
    Problem,
)
from scm_api.core.tx import Tx
from scm_api.organizations import period_service as periods
from scm_api.stock import errors, policy, repository, requests
from scm_api.stock import shortage_service as shortages
from scm_api.stock.events import NAMED_AT_MOST, StockPosted
from scm_api.stock.ledger import (
    Inbound,
    Levels,
    NewDocument,
    NewLine,
    Place,
    PostedDocument,
    PostedLine,
    Shortfall,
)
from scm_api.stock.lots import NamedLot
from scm_api.stock.lots import make as make_lots
from scm_api.stock.schemas import MovementCreate, ReverseCreate
from scm_api.stock.shortage_service import NewShortage

__all__ = [
    "NamedLot",
    "expect",
    "get_document",
    "make_lots",
    "outside",
    "post",
    "post_movements",
    "reverse",
    "reverse_document",
    "set_levels",
]

# A little clock difference between a scanner and us is no future.
_CLOCK_SKEW = timedelta(minutes=5)
_REFUSALS = {
    "exceeds_on_hand": errors.EXCEEDS_ON_HAND,
    "exceeds_available": errors.EXCEEDS_AVAILABLE,
    "exceeds_later_stock": errors.EXCEEDS_LATER_STOCK,
}


class Refused(Exception):
    """A posting that stock cannot serve: nothing was written. `problem` is what the caller gets."""

    def __init__(self, problem: Problem, shortfalls: list[Shortfall]) -> None:
        super().__init__(problem.code)
        self.problem = problem
        self.shortfalls = shortfalls


async def post(tx: Tx, body: MovementCreate) -> PostedDocument:
    """Post what a caller asks for. Raises `Invalid`, `InsufficientStock`, `QuantityChanged`,
    `PeriodClosed`.

    Demand that is refused leaves a shortage behind: sales that never happened are what planning
    must know most.
    """
    document, places = await requests.to_document(tx, body)
    try:
        return await _post(tx, document, places)
    except Refused as refused:
        if body.type in policy.DEMAND_TYPES and refused.shortfalls:
            await _record_shortages(tx, document, places, refused.shortfalls)
            # The only writes of this transaction are the shortages: keep them.
            refused.problem.keep_writes = True
        raise refused.problem from None


async def _record_shortages(
    tx: Tx, document: NewDocument, places: dict[UUID, Place], shortfalls: Sequence[Shortfall]
) -> None:
    """What was asked for beyond what the whole warehouse has available, per item: an issue from
    the wrong shelf, or of held stock, is no lost sale."""
    available = {
        (short.line.item_id, short.warehouse_id): short.position_available for short in shortfalls
    }
    asked: dict[tuple[UUID, UUID | None], Decimal] = dict.fromkeys(available, Decimal(0))
    for line in document.lines:
        key = (line.item_id, places[line.from_location_id].warehouse_id)
        if key in asked and line.from_status == "unrestricted":
            asked[key] += line.quantity
    await shortages.record(
        tx,
        [
            NewShortage(
                item_id=item_id,
                warehouse_id=warehouse_id,
                quantity=quantity - available[item_id, warehouse_id],
                occurred_at=document.occurred_at,
                source="refused_issue",
                source_ref=_refusal_ref(tx, document),
                reference=document.reference,
            )
            for (item_id, warehouse_id) in available
            if (quantity := asked[item_id, warehouse_id]) > available[item_id, warehouse_id]
        ],
    )


def _refusal_ref(tx: Tx, document: NewDocument) -> str | None:
    """Names a refused request, so that its retries count once: the same caller, the same key and
    the same lines. None without a key: then every attempt is a demand of its own."""
    key = tx.idempotency_key or document.external_ref
    if key is None:
        return None
    asked = [(str(line.item_id), str(line.quantity)) for line in document.lines]
    named = repr((str(tx.principal.id), key, asked)).encode()
    return hashlib.sha256(named).hexdigest()


async def post_movements(tx: Tx, document: NewDocument) -> PostedDocument:
    """Post a document of another domain in its transaction. Raises like `post`."""
    places = {line.from_location_id for line in document.lines}
    places |= {line.to_location_id for line in document.lines}
    known = await repository.places(tx, places)
    await limits.require_inside(
        tx,
        warehouses=(place.warehouse_id for place in known.values()),
        items=(line.item_id for line in document.lines),
    )
    try:
        return await _post(tx, document, known)
    except Refused as refused:
        raise refused.problem from None


async def _post(tx: Tx, document: NewDocument, known: dict[UUID, Place]) -> PostedDocument:
    _check_time(tx, document.occurred_at)
    _check_places(document, known)
    try:
        document_id, rows = await repository.post(tx, document, known)
    except asyncpg.UniqueViolationError as error:
        if error.constraint_name == "uq_stock_document_external_ref":
            raise Duplicate(
                kind="stock document", field="external_ref", value=document.external_ref
            ) from error
        raise errors.AlreadyReversed from error
    except asyncpg.PostgresError as error:
        closed = periods.closed_period(error)
        if closed is not None:
            raise closed from error
        raise
    if rows and rows[0]["problem"] is not None:
        raise _refused(document, known, rows)
    tx.emit(_event(document_id, document, known))
    lines = [PostedLine(row["line_no"], row["value"], row["on_hand"]) for row in rows]
    return PostedDocument(document_id, document.type, document.occurred_at, tx.now, lines)


def _check_time(tx: Tx, occurred_at: datetime) -> None:
    if occurred_at > tx.now + _CLOCK_SKEW:
        raise Invalid([errors.IN_THE_FUTURE.at("/occurred_at")])


def _check_places(document: NewDocument, known: dict[UUID, Place]) -> None:
    found: list[FieldError] = []
    gives: set[tuple[UUID, UUID | None]] = set()
    takes: set[tuple[UUID, UUID | None]] = set()
    for line in document.lines:
        missing = {line.from_location_id, line.to_location_id} - known.keys()
        if missing:
            reference = str(min(missing))
            found.append(UNKNOWN_REFERENCE.at(line.pointer, kind="location", reference=reference))
        elif (line.from_location_id, line.from_status) == (line.to_location_id, line.to_status):
            found.append(errors.SAME_PLACE.at(line.pointer))
        else:
            source = known[line.from_location_id].warehouse_id
            target = known[line.to_location_id].warehouse_id
            if source != target:
                # What a line takes is worth the average before the document; a position that gives
                # and takes in one document would have no such thing.
                gives.add((line.item_id, source))
                takes.add((line.item_id, target))
                if (line.item_id, source) in takes or (line.item_id, target) in gives:
                    found.append(errors.GIVES_AND_TAKES.at(line.pointer))
    if found:
        raise Invalid(found)


def _refused(
    document: NewDocument, known: dict[UUID, Place], rows: list[asyncpg.Record]
) -> Refused:
    shortfalls, broken, changed = [], [], False
    for row in rows:
        line = document.lines[row["line_no"] - 1]
        if row["problem"] == "quantity_changed":
            changed = True
            broken.append(
                errors.QUANTITY_CHANGED.at(
                    f"{line.pointer}/expected_on_hand",
                    expected=line.expected_on_hand,
                    actual=row["available"],
                )
            )
            continue
        warehouse = known[line.from_location_id].warehouse_id
        assert warehouse is not None  # only places of ours can run short
        available = max(row["available"], Decimal(0))
        shortfalls.append(
            Shortfall(line, warehouse, row["problem"], available, max(row["on_hand"], Decimal(0)))
        )
        rule = _REFUSALS[row["problem"]]
        broken.append(
            rule.at(f"{line.pointer}/quantity", available=available, requested=line.quantity)
        )
    problem: type[Conflict] = errors.QuantityChanged if changed else errors.InsufficientStock
    return Refused(problem(broken, count=len(broken)), shortfalls)


def _event(document_id: UUID, document: NewDocument, known: dict[UUID, Place]) -> StockPosted:
    touched = {
        (str(line.item_id), str(known[place].warehouse_id))
        for line in document.lines
        for place in (line.from_location_id, line.to_location_id)
        if known[place].warehouse_id is not None
    }
    is_many = len(touched) > NAMED_AT_MOST
    return StockPosted(
        document_id,
        document_type=document.type,
        line_count=len(document.lines),
        item_warehouses=[] if is_many else sorted(touched),
        is_many=is_many,
        reference_type=document.reference_type,
        reference_id=None if document.reference_id is None else str(document.reference_id),
        reversal_of=None if document.reversal_of is None else str(document.reversal_of),
    )


async def get_document(tx: Tx, key: str) -> tuple[asyncpg.Record, list[asyncpg.Record]]:
    """A document and its lines by UUID or `ref=`. Raises `NotFound`."""
    parsed = Key.parse(key, natural="ref")
    async with limits.own_part(tx):
        header = await repository.find_document(tx, id=parsed.id, external_ref=parsed.natural)
    if header is None:
        raise NotFound(kind="stock document", reference=key)
    return header, await repository.lines_of(tx, header["id"])


async def reverse(tx: Tx, key: str, body: ReverseCreate) -> tuple[PostedDocument, UUID]:
    """Post a document back by a new one that points to it; also gives the original's id.

    Raises `NotFound`, `AlreadyReversed`, `ReversedElsewhere` for a posting of another document,
    `InsufficientStock` when what came in has gone meanwhile.
    """
    header, lines = await get_document(tx, key)
    if header["reference_type"] is not None:
        raise errors.ReversedElsewhere(reference_type=header["reference_type"])
    posted = await reverse_document(
        tx, header, lines, reason=body.reason, occurred_at=body.occurred_at
    )
    return posted, header["id"]


async def reverse_document(
    tx: Tx,
    header: asyncpg.Record,
    lines: Sequence[asyncpg.Record],
    *,
    reason: str,
    occurred_at: datetime | None = None,
) -> PostedDocument:
    """The reversal of a document that was already read."""
    if header["reversed_by"] is not None or header["reversal_of"] is not None:
        raise errors.AlreadyReversed
    occurred_at = occurred_at or header["occurred_at"]
    if occurred_at < header["occurred_at"]:
        original_at = header["occurred_at"].isoformat()
        raise Invalid([errors.BEFORE_ORIGINAL.at("/occurred_at", original_at=original_at)])
    document = NewDocument(
        type=header["type"],
        lines=[_mirrored(row, index) for index, row in enumerate(lines)],
        occurred_at=occurred_at,
        reason=reason,
        reference_type=header["reference_type"],
        reference_id=header["reference_id"],
        reference=header["reference"],
        reversal_of=header["id"],
    )
    return await post_movements(tx, document)


def _mirrored(row: asyncpg.Record, index: int) -> NewLine:
    return NewLine(
        item_id=row["item_id"],
        quantity=row["quantity"],
        from_location_id=row["to_location_id"],
        to_location_id=row["from_location_id"],
        lot_id=row["lot_id"],
        from_status=row["to_status"],
        to_status=row["from_status"],
        value=row["value"],
        pointer=f"/lines/{index}",
    )


async def outside(tx: Tx) -> dict[str, UUID]:
    """The locations of the outside world by kind: supplier, customer, production, loss, opening."""
    return await repository.outside(tx)


async def expect(tx: Tx, source_type: str, source_id: UUID, rows: Sequence[Inbound]) -> None:
    """Make a source document's open quantities known to positions, projections and plans; an empty
    list clears them."""
    await repository.replace_inbound(tx, source_type, source_id, rows)


async def set_levels(tx: Tx, rows: Sequence[Levels]) -> None:
    """Write what planning decided into the positions."""
    await repository.write_levels(tx, rows)
