"""Use cases of items; the part other rooms call is `get`, `resolve` and `to_base`."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ValidationError

from scm_api.core import limits
from scm_api.core.documents import Key
from scm_api.core.errors import (
    Duplicate,
    FieldError,
    Invalid,
    NotFound,
    Rule,
    Text,
    unknown_filter,
)
from scm_api.core.http import Versions, check_version
from scm_api.core.pages import PageOf
from scm_api.core.schemas import ItemReference
from scm_api.core.tx import Tx
from scm_api.items import categories, repository, saving, writes
from scm_api.items.drafts import Draft
from scm_api.items.models import Item
from scm_api.items.policy import (
    INEXACT_CONVERSION,
    UNKNOWN_UNIT,
    ItemFacts,
    check_gtin,
    key_of,
    to_base,
)
from scm_api.items.schemas import (
    ExternalReferenceIn,
    ItemCreate,
    ItemFilter,
    ItemPatch,
    ItemRead,
)

__all__ = [
    "INEXACT_CONVERSION",
    "UNKNOWN_UNIT",
    "ItemFacts",
    "change",
    "create",
    "filter_id",
    "get",
    "identify",
    "list_all",
    "put",
    "read",
    "resolve",
    "to_base",
]

BAD_REFERENCE_KEY = Rule(
    "bad_reference_key",
    Text(
        "Must be ref=system:reference with a lower-case system, such as ref=sap:4711.",
        "须为 ref=system:reference,system 用小写,如 ref=sap:4711。",
    ),
)
KEY_MISMATCH = Rule(
    "key_mismatch", Text("The body must name the SKU of the path.", "请求体的 SKU 须与路径一致。")
)


async def get(tx: Tx, key: str) -> Item:
    """The row behind a path key: a UUID, `sku=SKU-1` or `ref=system:reference`. Raises
    `NotFound`."""
    parsed = Key.parse(key, natural="sku")
    if parsed.ref is None:
        found = await repository.find(tx, id=parsed.id, sku=parsed.natural)
    else:
        system, _, reference = parsed.ref.partition(":")
        found = await repository.find(
            tx, id=await repository.id_of_reference(tx, system, reference)
        )
    if found is None:
        raise NotFound(kind="item", reference=key)
    return found


async def identify(tx: Tx, key: str) -> UUID:
    """The id behind a path key, in one plain statement: the way of hot reads. Raises `NotFound`."""
    parsed = Key.parse(key, natural="sku")
    if parsed.ref is not None:
        system, _, reference = parsed.ref.partition(":")
        found = await repository.id_of_reference(tx, system, reference)
    else:
        found = await repository.id_of(tx, id=parsed.id, sku=parsed.natural)
    if found is None:
        raise NotFound(kind="item", reference=key)
    return found


async def filter_id(tx: Tx, key: str | None, parameter: str = "item") -> UUID | None:
    """The id a filter names, None without one. Raises `Invalid` for the parameter."""
    try:
        return None if key is None else await identify(tx, key)
    except NotFound as problem:
        raise unknown_filter(problem, parameter) from problem


async def resolve(tx: Tx, references: Sequence[ItemReference]) -> dict[ItemReference, ItemFacts]:
    """The items that references name, in one statement; unknown ones are absent. Raises
    `OutsideLimits` if one is not the caller's."""
    ids = {r.id for r in references if r.id is not None}
    sku_keys = {key_of(r.sku) for r in references if r.sku is not None}
    if not ids and not sku_keys:
        return {}
    known: dict[UUID | str, ItemFacts] = {}
    for row in await repository.facts(tx, ids, sku_keys):
        units = zip(
            row["units"] or (), row["numerators"] or (), row["denominators"] or (), strict=True
        )
        known[row["id"]] = known[row["sku_key"]] = ItemFacts(
            id=row["id"],
            sku=row["sku"],
            name=row["name"],
            base_unit=row["base_unit"],
            status=row["status"],
            is_lot_tracked=row["is_lot_tracked"],
            is_serial_tracked=row["is_serial_tracked"],
            is_expiry_tracked=row["is_expiry_tracked"],
            units={row["base_unit"]: (1, 1), **{unit: (n, d) for unit, n, d in units}},
        )
    found = {r: known.get(key_of(r.sku) if r.sku is not None else r.id) for r in references}  # type: ignore[arg-type]
    resolved = {reference: facts for reference, facts in found.items() if facts is not None}
    await limits.require_inside(tx, items=(facts.id for facts in resolved.values()))
    return resolved


async def read_one(tx: Tx, key: str) -> ItemRead:
    """A whole item behind a path key, in one statement for a UUID or SKU. Raises `NotFound`."""
    parsed = Key.parse(key, natural="sku")
    if parsed.natural is not None:
        rows = await repository.stored(tx, sku_keys=[key_of(parsed.natural)])
    else:
        rows = await repository.stored(tx, ids=[parsed.id or await identify(tx, key)])
    if not rows:
        raise NotFound(kind="item", reference=key)
    return _item_read(rows[0])


async def read(tx: Tx, ids: Sequence[UUID]) -> list[ItemRead]:
    """Whole items in the order of `ids`, in one statement."""
    rows = await repository.stored(tx, ids=ids)
    by_id = {row["id"]: _item_read(row) for row in rows}
    return [by_id[id] for id in ids]


def _item_read(row: Any) -> ItemRead:
    category = None
    if row["category_id"] is not None:
        category = {
            "id": row["category_id"],
            "code": row["category_code"],
            "name": row["category_name"],
        }
    state = saving.stored_of(row).state
    return ItemRead.model_validate(
        {
            **dict(row),
            "category": category,
            "units": state.units,
            "barcodes": state.barcodes,
            "external_references": state.external_references,
        }
    )


async def list_all(tx: Tx, wanted: ItemFilter) -> tuple[PageOf, list[ItemRead]]:
    """One page of items by SKU. Raises `Invalid` for an unknown category or a wrong barcode."""
    errors: list[FieldError] = []
    category_id = gtin = None
    try:
        category_id = await categories.filter_id(tx, wanted.category)
    except Invalid as problem:
        errors += problem.errors
    if wanted.barcode is not None:
        gtin, error = check_gtin(wanted.barcode, "")
        if error is not None:
            errors.append(error.rule.at_parameter("barcode", **error.params))
    if errors:
        raise Invalid(errors)
    page = await repository.list_items(tx, wanted, category_id, gtin)
    return page, [_item_read(row) for row in page.rows]


async def create(tx: Tx, body: ItemCreate) -> ItemRead:
    """Create an item. Raises `Duplicate`, `Invalid`."""
    await writes.lock(tx)
    await _refuse_known_sku(tx, body.sku)
    return await _save(tx, Draft("", _values(body)))


async def change(tx: Tx, key: str, body: ItemPatch, if_match: Versions | None) -> ItemRead:
    """Change some fields of an item. Raises `NotFound`, `VersionMismatch`, `Invalid`."""
    await writes.lock(tx)
    async with limits.own_part(tx):
        item = await get(tx, key)
    check_version(item.version, if_match, body.version)
    sent = {name: v for name, v in _values(body).items() if name in body.model_fields_set}
    sent.pop("version", None)
    return await _save(tx, await _draft_of(tx, item.id, sent))


async def put(
    tx: Tx, key: str, body: ItemCreate, if_match: Versions | None
) -> tuple[ItemRead, bool]:
    """Create the item behind `sku=` or `ref=system:reference`, or replace the whole of it; gives
    it and whether it is new.

    What the body leaves out gets its default; the reference of the path is always kept. Raises
    `NotFound` for an unknown UUID, `Duplicate`, `VersionMismatch` (also for If-Match on what does
    not exist), `Invalid`.
    """
    parsed = Key.parse(key, natural="sku")
    values = _values(body)
    if parsed.natural is not None and key_of(parsed.natural) != key_of(body.sku):
        raise Invalid([KEY_MISMATCH.at("/sku")])
    if parsed.ref is not None:
        own = _reference_of(parsed.ref)
        if own not in values["external_references"]:
            values["external_references"] = [*values["external_references"], own]
    await writes.lock(tx)
    try:
        async with limits.own_part(tx):
            item = await get(tx, key)
    except NotFound:
        if parsed.id is not None:
            raise
        check_version(0, if_match)
        await _refuse_known_sku(tx, body.sku)
        return await _save(tx, Draft("", values)), True
    check_version(item.version, if_match)
    return await _save(tx, await _draft_of(tx, item.id, values)), False


def _reference_of(ref: str) -> ExternalReferenceIn:
    system, _, reference = ref.partition(":")
    try:
        return ExternalReferenceIn(system=system, reference=reference)
    except ValidationError as error:
        raise Invalid([BAD_REFERENCE_KEY.at_parameter("item")]) from error


def _values(body: BaseModel) -> dict[str, Any]:
    # Not model_dump: references, units and barcodes stay the models they are.
    return {name: getattr(body, name) for name in type(body).model_fields}


async def _refuse_known_sku(tx: Tx, sku: str) -> None:
    if await repository.find(tx, sku=sku) is not None:
        raise Duplicate(kind="item", field="sku", value=sku)


async def _draft_of(tx: Tx, item_id: UUID, values: dict[str, Any]) -> Draft:
    (row,) = await repository.stored(tx, ids=[item_id])
    return Draft("", values, stored=saving.stored_of(row))


async def _save(tx: Tx, draft: Draft) -> ItemRead:
    await saving.check(tx, [draft])
    if draft.errors:
        raise Invalid(draft.errors)
    await saving.write(tx, [draft])
    return (await read(tx, [draft.id]))[0]
