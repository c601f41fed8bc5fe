"""Use cases of demand: history for planning, and what sales plan ahead."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

import asyncpg
import numpy as np
from numpy.typing import NDArray

from scm_api.core import limits
from scm_api.core.errors import NOT_UNIQUE, UNKNOWN_REFERENCE, FieldError, Invalid
from scm_api.core.ids import uuid7
from scm_api.core.pages import PageOf
from scm_api.core.tx import Tx
from scm_api.demand import repository
from scm_api.demand.events import SalesPlanChanged
from scm_api.demand.schemas import (
    SalesPlanFilter,
    SalesPlanRange,
    SalesPlansResult,
    SalesPlansWrite,
)
from scm_api.items import service as items
from scm_api.stock.events import StockPosted
from scm_api.stock.shortage_events import ShortageRecorded
from scm_api.warehouses import service as warehouses

CONSUMER = "demand"
_PAIRS_IN_EVENT = 200
_COPY_HEADER_BYTES, _COPY_TRAILER_BYTES = 19, 2
_CELL = np.dtype(
    [("fields", ">i2"), ("size1", ">i4"), ("at", ">i4"), ("size2", ">i4"), ("quantity", ">f8")]
)


@dataclass(frozen=True)
class History:
    """Daily demand (issued + unserved) of N item-locations, stock units [N, T].

    `valid[i, t]` says whether the item-location was known on that day; before, 0 means nothing.
    """

    first_day: date
    demand: NDArray[np.float64]
    valid: NDArray[np.bool_]


async def history(
    tx: Tx, pairs: Sequence[tuple[UUID, UUID]], first_day: date, days: int
) -> History:
    """Demand of (item, warehouse) pairs on `days` days from `first_day`, in the pairs' order."""
    demand = np.zeros((len(pairs), days))
    if not pairs:
        return History(first_day, demand, np.zeros((0, days), dtype=np.bool_))
    raw = await repository.copy_cells(tx, pairs, first_day, days)
    count = (len(raw) - _COPY_HEADER_BYTES - _COPY_TRAILER_BYTES) // _CELL.itemsize
    cells = np.frombuffer(raw, _CELL, count, _COPY_HEADER_BYTES)
    demand.reshape(-1)[cells["at"]] = cells["quantity"]
    known = await repository.first_days(tx, pairs)
    start = np.array([days if on is None else (on - first_day).days for on in known])
    return History(first_day, demand, np.arange(days) >= start[:, None])


async def planned(
    tx: Tx, pairs: Sequence[tuple[UUID, UUID]], first_day: date, days: int
) -> list[asyncpg.Record]:
    """What sales plan: (series, day, mode, quantity) with series = place in `pairs`, day from 0."""
    return await repository.planned(tx, pairs, first_day, days) if pairs else []


async def days_of(
    tx: Tx, item_id: UUID, warehouse_id: UUID, first_day: date, last_day: date
) -> list[asyncpg.Record]:
    """Days (day, issued, returned, shortage) of one item-location; idle days are absent."""
    return await repository.days_of(tx, item_id, warehouse_id, first_day, last_day)


async def count_events(tx: Tx, events: Sequence[asyncpg.Record]) -> None:
    """Add what a batch of `stock.posted` and `shortage.recorded` events says to the days."""
    posted = [e["subject_id"] for e in events if e["type"] == StockPosted.type]
    short = [e["subject_id"] for e in events if e["type"] == ShortageRecorded.type]
    if posted:
        await repository.add_documents(tx, posted)
    if short:
        await repository.add_shortages(tx, short)


async def rebuild(tx: Tx) -> None:
    """Make the history again from the ledger and the shortages; equals what events added up to."""
    await repository.rebuild(tx, CONSUMER, StockPosted.type, ShortageRecorded.type)


async def write_plans(tx: Tx, body: SalesPlansWrite) -> SalesPlansResult:
    """Write planned days. Raises `Invalid` with every wrong row."""
    facts = await items.resolve(tx, [row.item for row in body.rows])
    places = await warehouses.resolve(tx, [row.warehouse for row in body.rows])
    errors: list[FieldError] = []
    seen: dict[tuple[UUID, UUID, date, str], None] = {}
    written: list[tuple[object, ...]] = []
    deleted: list[tuple[object, ...]] = []
    for n, row in enumerate(body.rows):
        item, place = facts.get(row.item), places.get(row.warehouse)
        for found, kind, reference in (
            (item, "item", row.item),
            (place, "warehouse", row.warehouse),
        ):
            if found is None:
                errors.append(
                    UNKNOWN_REFERENCE.at(f"/rows/{n}/{kind}", kind=kind, reference=str(reference))
                )
        if item is None or place is None:
            continue
        key = (item.id, place.id, row.day, row.kind)
        if key in seen:
            errors.append(NOT_UNIQUE.at(f"/rows/{n}", value=f"{item.sku} {place.code} {row.day}"))
        seen[key] = None
        if row.quantity is None:
            deleted.append(key)
        else:
            written.append((*key, row.quantity, row.effective_mode, row.source))
    if errors:
        raise Invalid(errors)
    changed = await repository.write_plans(tx, written)
    gone = await repository.delete_plans(tx, deleted)
    if changed or gone:
        days = [key[2] for key in seen]
        pairs = sorted({key[:2] for key in seen})
        _announce(tx, changed, gone, min(days), max(days), pairs)
    return SalesPlansResult(written=changed, unchanged=len(written) - changed, deleted=gone)


async def delete_plans(tx: Tx, wanted: SalesPlanRange) -> SalesPlansResult:
    """Delete the planned days of a range that lie within the caller's limits. Raises `Invalid` for
    a filter that names nothing."""
    async with limits.own_part(tx):
        item_id, warehouse_id = await _ids(tx, wanted.item, wanted.warehouse)
    gone = await repository.delete_range(tx, wanted, item_id, warehouse_id)
    if gone:
        _announce(tx, 0, gone, wanted.from_on, wanted.to_on, None)
    return SalesPlansResult(written=0, unchanged=0, deleted=gone)


async def list_plans(tx: Tx, wanted: SalesPlanFilter) -> PageOf:
    """Planned days by day. Raises `Invalid` for a filter that names nothing."""
    item_id, warehouse_id = await _ids(tx, wanted.item, wanted.warehouse)
    return await repository.list_plans(tx, wanted, item_id, warehouse_id)


async def _ids(tx: Tx, item: str | None, warehouse: str | None) -> tuple[UUID | None, UUID | None]:
    return await items.filter_id(tx, item), await warehouses.filter_id(tx, warehouse)


def _announce(
    tx: Tx,
    written: int,
    deleted: int,
    first_day: date,
    last_day: date,
    pairs: list[tuple[UUID, UUID]] | None,
) -> None:
    """`pairs` is None when a range says which."""
    is_many = pairs is None or len(pairs) > _PAIRS_IN_EVENT
    tx.emit(
        SalesPlanChanged(
            uuid7(),
            written=written,
            deleted=deleted,
            first_day=first_day,
            last_day=last_day,
            item_warehouses=[] if pairs is None or is_many else pairs,
            is_many=is_many,
        )
    )
