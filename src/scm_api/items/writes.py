"""All SQL that writes items. Every function is one statement, whatever the number of items."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from scm_api.core.ids import uuid7
from scm_api.core.tx import Tx
from scm_api.items import search
from scm_api.items.drafts import Draft
from scm_api.items.policy import ItemState, key_of

_COLUMNS = {
    "id": "uuid",
    "sku": "text",
    "sku_key": "text",
    "name": "text",
    "name_zh": "text",
    "base_unit": "text",
    "category_id": "uuid",
    "status": "text",
    "cost_method": "text",
    "is_lot_tracked": "bool",
    "is_serial_tracked": "bool",
    "is_expiry_tracked": "bool",
    "note": "text",
}
_NAMES = ", ".join(_COLUMNS)
_ROWS = ", ".join(f"${place}::{kind}[]" for place, kind in enumerate(_COLUMNS.values(), 3))
_SETS = ", ".join(f"{name} = w.{name}" for name in _COLUMNS if name != "id")


async def lock(tx: Tx) -> None:
    """One writer of an organization's items and categories at a time: what was checked still holds
    when it is written, and two bulk requests cannot deadlock. Released at the end of the
    transaction."""
    await tx.execute(
        "select pg_advisory_xact_lock(hashtextextended('items:' || $1::text, 0))",
        str(tx.organization_id),
    )


async def plan_reads_anew(tx: Tx) -> None:
    """Plan each statement for what it is given, and forget what this connection planned before.

    Plans made while the tables were nearly empty read all items of the organization for each row,
    until the first ANALYZE: the first load of a new installation would get slower line by line.
    """
    await tx.execute("discard plans; set local plan_cache_mode = force_custom_plan")


async def plan_writes_once(tx: Tx) -> None:
    """From here on one plan may serve many rows, as foreign-key checks need it."""
    await tx.execute("set local plan_cache_mode = auto")


async def insert_items(tx: Tx, drafts: Sequence[Draft]) -> None:
    await tx.execute(
        f"""
        insert into item (organization_id, {_NAMES}, created_at, updated_at)
        select $1, w.*, $2, $2 from unnest({_ROWS}) as w({_NAMES})
        """,
        tx.organization_id,
        tx.now,
        *_columns(drafts),
    )


async def update_items(tx: Tx, drafts: Sequence[Draft]) -> None:
    """Write the drafts' columns over their items, each counting its version up."""
    await tx.execute(
        f"""
        update item i set {_SETS}, version = i.version + 1, updated_at = $2
        from unnest({_ROWS}) as w({_NAMES})
        where i.organization_id = $1 and i.id = w.id
        """,
        tx.organization_id,
        tx.now,
        *_columns(drafts),
    )


def _columns(drafts: Sequence[Draft]) -> list[list[Any]]:
    rows = []
    for draft in drafts:
        state = _state(draft)
        own = {"id": draft.id, "sku_key": key_of(state.sku)}
        rows.append([own[n] if n in own else getattr(state, n) for n in _COLUMNS])
    return [list(column) for column in zip(*rows, strict=True)]


def _state(draft: Draft) -> ItemState:
    assert draft.state is not None
    return draft.state


async def clear_children(tx: Tx, item_ids: Sequence[UUID]) -> None:
    """Remove the units, barcodes and external references of items."""
    await tx.execute(
        """
        with units as (
          delete from item_unit where organization_id = $1 and item_id = any($2)
        ), barcodes as (
          delete from item_barcode where organization_id = $1 and item_id = any($2)
        )
        delete from item_external_reference where organization_id = $1 and item_id = any($2)
        """,
        tx.organization_id,
        list(item_ids),
    )


async def insert_units(tx: Tx, drafts: Sequence[Draft]) -> None:
    rows = [(uuid7(), d.id, u.unit, u.numerator, u.denominator)
            for d in drafts for u in _state(d).units]  # fmt: skip
    if rows:
        await tx.execute(
            """
            insert into item_unit (organization_id, id, item_id, unit, numerator, denominator)
            select $1, * from unnest($2::uuid[], $3::uuid[], $4::text[], $5::bigint[], $6::bigint[])
            """,
            tx.organization_id,
            *map(list, zip(*rows, strict=True)),
        )


async def insert_barcodes(tx: Tx, drafts: Sequence[Draft]) -> None:
    rows = [(uuid7(), d.id, b.gtin, b.unit) for d in drafts for b in _state(d).barcodes]
    if rows:
        await tx.execute(
            """
            insert into item_barcode (organization_id, id, item_id, gtin, unit)
            select $1, * from unnest($2::uuid[], $3::uuid[], $4::text[], $5::text[])
            """,
            tx.organization_id,
            *map(list, zip(*rows, strict=True)),
        )


async def insert_references(tx: Tx, drafts: Sequence[Draft]) -> None:
    rows = [(uuid7(), d.id, r.system, r.reference)
            for d in drafts for r in _state(d).external_references]  # fmt: skip
    if rows:
        await tx.execute(
            """
            insert into item_external_reference (organization_id, id, item_id, system, reference)
            select $1, * from unnest($2::uuid[], $3::uuid[], $4::text[], $5::text[])
            """,
            tx.organization_id,
            *map(list, zip(*rows, strict=True)),
        )


async def index_for_search(tx: Tx, drafts: Sequence[Draft]) -> None:
    """Write what the items are found by. The pieces travel as one text each: unnest() would
    flatten arrays of arrays."""
    words = [_words(_state(draft)) for draft in drafts]
    own = str(tx.organization_id)
    await tx.execute(
        """
        insert into item_search (organization_id, item_id, grams, words)
        select $1, w.item_id, string_to_array(w.grams, E'\\n'), w.words
        from unnest($2::uuid[], $3::text[], $4::text[]) as w(item_id, grams, words)
        on conflict (organization_id, item_id) do update
          set grams = excluded.grams, words = excluded.words
        """,
        tx.organization_id,
        [draft.id for draft in drafts],
        ["\n".join([own, *search.grams_of(text)]) for text in words],
        words,
    )


def _words(state: ItemState) -> str:
    return search.words_of(
        [
            state.sku,
            state.name,
            state.name_zh,
            *(barcode.gtin for barcode in state.barcodes),
            *(reference.reference for reference in state.external_references),
        ]
    )
