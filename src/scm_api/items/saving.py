"""Checking drafts against the database and writing them, one or a thousand in the same statements.

`lock` first, then `check`; `write` only drafts without errors.
"""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

import asyncpg
from pydantic_core import to_jsonable_python

from scm_api.core.schemas import Reference
from scm_api.core.tx import Tx
from scm_api.items import drafts as rules
from scm_api.items import repository, writes
from scm_api.items.drafts import Draft, Stored
from scm_api.items.events import ItemChanged, ItemCreated
from scm_api.items.policy import (
    BASE_UNIT_IN_USE,
    TRACKING_IN_USE,
    Barcode,
    Conversion,
    ExternalReference,
    ItemState,
)


def stored_of(row: asyncpg.Record) -> Stored:
    """A stored item from a row of `repository.stored`."""
    state = ItemState(
        sku=row["sku"],
        name=row["name"],
        name_zh=row["name_zh"],
        base_unit=row["base_unit"],
        category_id=row["category_id"],
        status=row["status"],
        cost_method=row["cost_method"],
        is_lot_tracked=row["is_lot_tracked"],
        is_serial_tracked=row["is_serial_tracked"],
        is_expiry_tracked=row["is_expiry_tracked"],
        note=row["note"],
        units=tuple(Conversion(*entry) for entry in row["units"]),
        barcodes=tuple(Barcode(*entry) for entry in row["barcodes"]),
        external_references=tuple(
            ExternalReference(*entry) for entry in row["external_references"]
        ),
    )
    return Stored(row["id"], row["version"], state)


async def check(tx: Tx, drafts: Sequence[Draft]) -> None:
    """Complete every draft and note every rule it breaks, also those only the database knows."""
    categories = await find_categories(tx, (draft.values.get("category") for draft in drafts))
    for draft in drafts:
        rules.complete(draft, categories)
    claims = [claim for draft in drafts for claim in rules.claims(draft)]
    rows = await repository.owners(
        tx,
        [claim.value for claim in claims if claim.kind == "sku"],
        [claim.value for claim in claims if claim.kind == "gtin"],
        [_pair(claim.value) for claim in claims if claim.kind == "reference"],
    )
    own = tx.principal.limits.categories
    holders = {
        (row["kind"], row["value"]): (
            row["item_id"],
            row["sku"] if own is None or row["category_id"] in own else None,
        )
        for row in rows
    }
    await _check_lasting(tx, [draft for draft in drafts if draft.changes_lasting])
    rules.check_unique(drafts, holders)


def _pair(value: str) -> tuple[str, str]:
    system, _, reference = value.partition(":")
    return system, reference


async def find_categories(tx: Tx, wanted: Iterable[Reference | None]) -> dict[Reference, UUID]:
    """The categories that references name; unknown ones are absent."""
    references = {reference for reference in wanted if reference is not None}
    if not references:
        return {}
    ids = {r.id for r in references if r.id is not None}
    codes = {r.code.lower() for r in references if r.code is not None}
    known: dict[Any, UUID] = {}
    for row in await repository.categories(tx, ids, codes):
        known[row["id"]] = known[row["code_key"]] = row["id"]
    found = {r: known.get(r.id if r.code is None else r.code.lower()) for r in references}
    return {reference: id for reference, id in found.items() if id is not None}


async def _check_lasting(tx: Tx, drafts: Sequence[Draft]) -> None:
    if not drafts:
        return
    moved = await repository.with_movements(tx, [draft.id for draft in drafts])
    for draft in drafts:
        if draft.id not in moved or draft.stored is None:
            continue
        for name in draft.changes_lasting:
            at = f"{draft.pointer}/{name}"
            unit = draft.stored.state.base_unit
            draft.errors.append(
                BASE_UNIT_IN_USE.at(at, base_unit=unit)
                if name == "base_unit"
                else TRACKING_IN_USE.at(at)
            )


async def write(tx: Tx, drafts: Sequence[Draft]) -> None:
    """Write the drafts and announce each; those that change nothing write nothing."""
    created = [draft for draft in drafts if draft.result == "created"]
    updated = [draft for draft in drafts if draft.result == "updated"]
    if created:
        await writes.insert_items(tx, created)
    if updated:
        await writes.update_items(tx, updated)
    rewritten = [draft for draft in updated if _has_new_children(draft)]
    if rewritten:
        await writes.clear_children(tx, [draft.id for draft in rewritten])
    await writes.insert_units(tx, created + rewritten)
    await writes.insert_barcodes(tx, created + rewritten)
    await writes.insert_references(tx, created + rewritten)
    if created or updated:
        await writes.index_for_search(tx, created + updated)
    for draft in drafts:
        _announce(tx, draft)


def _has_new_children(draft: Draft) -> bool:
    assert draft.stored is not None
    assert draft.state is not None
    old, new = draft.stored.state, draft.state
    return (old.units, old.barcodes, old.external_references) != (
        new.units,
        new.barcodes,
        new.external_references,
    )


def _announce(tx: Tx, draft: Draft) -> None:
    assert draft.state is not None
    if draft.stored is None:
        tx.emit(ItemCreated(draft.id, sku=draft.state.sku))
        return
    changes = draft.stored.state.changes_to(draft.state)
    if changes:
        tx.emit(ItemChanged(draft.id, sku=draft.state.sku, changes=to_jsonable_python(changes)))
