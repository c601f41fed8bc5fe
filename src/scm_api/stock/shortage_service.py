"""Use cases of shortages: recording demand that could not be served, so that planning sees it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from scm_api.core.errors import NOT_UNIQUE, UNKNOWN_REFERENCE, FieldError, Invalid
from scm_api.core.ids import uuid7
from scm_api.core.pages import PageOf
from scm_api.core.tx import Tx
from scm_api.items import service as items
from scm_api.items.policy import INEXACT_CONVERSION, UNKNOWN_UNIT, ItemFacts
from scm_api.items.units import unit_code
from scm_api.stock import shortage_repository as repository
from scm_api.stock.shortage_events import ShortageRecorded
from scm_api.stock.shortage_schemas import (
    ShortageFilter,
    ShortageLine,
    ShortageResult,
    ShortagesCreate,
    ShortagesResult,
)
from scm_api.warehouses import service as warehouses

_PAIRS_IN_EVENT = 200
_API = "api"


@dataclass(frozen=True)
class NewShortage:
    """Unserved demand in base units. (`source`, `source_ref`) names what was refused: repeats of it
    for one item-location count once; without a `source_ref` every row counts."""

    item_id: UUID
    warehouse_id: UUID
    quantity: Decimal
    occurred_at: datetime
    source: str
    source_ref: str | None
    reason: str = ""
    reference: str | None = None


async def record(
    tx: Tx, rows: Sequence[NewShortage], ids: Sequence[UUID] | None = None
) -> set[UUID]:
    """Record shortages in one statement, skipping those recorded before; gives the new ids."""
    if not rows:
        return set()
    batch_id = uuid7()
    plain = [
        (
            row.item_id,
            row.warehouse_id,
            row.quantity,
            row.occurred_at,
            row.source,
            row.source_ref,
            row.reason,
            row.reference,
        )
        for row in rows
    ]
    inserted = await repository.insert(tx, batch_id, plain, ids)
    if inserted:
        pairs = sorted({(row.item_id, row.warehouse_id) for row in rows})
        is_many = len(pairs) > _PAIRS_IN_EVENT
        tx.emit(
            ShortageRecorded(
                batch_id,
                source=rows[0].source,
                count=len(inserted),
                item_warehouses=[] if is_many else pairs,
                is_many=is_many,
            )
        )
    return inserted


async def create(tx: Tx, body: ShortagesCreate) -> ShortagesResult:
    """Record what callers report. Raises `Invalid` with every wrong line."""
    rows = await _resolve(tx, body)
    ids = [uuid7() for _ in rows]
    inserted = await record(tx, rows, ids)
    repeated = [
        (row.source_ref, row.item_id, row.warehouse_id)
        for row, id in zip(rows, ids, strict=True)
        if id not in inserted and row.source_ref is not None
    ]
    known = await repository.known(tx, _API, repeated)
    lines = [
        ShortageResult(id=id, is_new=True)
        if id in inserted
        else ShortageResult(
            id=known[str(row.source_ref), row.item_id, row.warehouse_id], is_new=False
        )
        for row, id in zip(rows, ids, strict=True)
    ]
    return ShortagesResult(
        recorded=len(inserted), already_known=len(rows) - len(inserted), lines=lines
    )


async def list_all(tx: Tx, wanted: ShortageFilter) -> PageOf:
    """Newest first. Raises `Invalid` for a filter that names nothing."""
    item_id = await items.filter_id(tx, wanted.item)
    warehouse_id = await warehouses.filter_id(tx, wanted.warehouse)
    return await repository.list_shortages(tx, wanted, item_id, warehouse_id)


async def _resolve(tx: Tx, body: ShortagesCreate) -> list[NewShortage]:
    facts = await items.resolve(tx, [line.item for line in body.lines])
    places = await warehouses.resolve(tx, [line.warehouse for line in body.lines])
    rows: list[NewShortage] = []
    errors: list[FieldError] = []
    seen: set[tuple[str, UUID, UUID]] = set()
    for n, line in enumerate(body.lines):
        item, place, at = facts.get(line.item), places.get(line.warehouse), f"/lines/{n}"
        if place is None:
            rule = UNKNOWN_REFERENCE.at(
                f"{at}/warehouse", kind="warehouse", reference=str(line.warehouse)
            )
            errors.append(rule)
        if item is None:
            errors.append(UNKNOWN_REFERENCE.at(f"{at}/item", kind="item", reference=str(line.item)))
            continue
        quantity = items.to_base(item, line.quantity, line.unit)
        if quantity is None:
            errors.append(_wrong_unit(item, line, at))
        if place is None or quantity is None:
            continue
        if line.external_ref is not None:
            key = (line.external_ref, item.id, place.id)
            if key in seen:
                errors.append(NOT_UNIQUE.at(f"{at}/external_ref", value=line.external_ref))
            seen.add(key)
        rows.append(
            NewShortage(
                item_id=item.id,
                warehouse_id=place.id,
                quantity=quantity,
                occurred_at=line.occurred_at or tx.now,
                source=_API,
                source_ref=line.external_ref,
                reason=line.reason,
                reference=line.reference,
            )
        )
    if errors:
        raise Invalid(errors)
    return rows


def _wrong_unit(item: ItemFacts, line: ShortageLine, at: str) -> FieldError:
    if line.unit is not None and unit_code(line.unit) not in item.units:
        return UNKNOWN_UNIT.at(f"{at}/unit", unit=line.unit, sku=item.sku)
    return INEXACT_CONVERSION.at(
        f"{at}/quantity", quantity=line.quantity, unit=line.unit, base_unit=item.base_unit
    )
