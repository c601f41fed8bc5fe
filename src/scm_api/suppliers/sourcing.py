"""Use cases of supplier-items: who sells what, on which terms, at which prices. Any number of
supplier-items is written with the same number of statements."""

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from typing import Any, Literal
from uuid import UUID

from pydantic_core import to_jsonable_python

from scm_api.core import limits
from scm_api.core.errors import FieldError, Invalid, NotFound
from scm_api.core.http import Versions, check_version
from scm_api.core.pages import PageOf
from scm_api.core.tx import Tx
from scm_api.items import service as items
from scm_api.suppliers import item_repository, service
from scm_api.suppliers.events import SupplierItemChanged
from scm_api.suppliers.item_repository import Row
from scm_api.suppliers.item_schemas import (
    OfferParams,
    SupplierItemBulk,
    SupplierItemFilter,
    SupplierItemPut,
)
from scm_api.suppliers.lines import Line, completed, known_pairs, line_of, well_formed
from scm_api.suppliers.policy import PriceStep


@dataclass(frozen=True, slots=True)
class Written:
    """What became of a line; a failed one has no id."""

    result: Literal["created", "updated", "unchanged", "failed"]
    id: UUID | None = None
    version: int | None = None
    errors: Sequence[FieldError] = ()


async def put(
    tx: Tx, supplier_key: str, item_key: str, body: SupplierItemPut, if_match: Versions | None
) -> Written:
    """Create or replace what one supplier sells of one item.

    Raises `NotFound`, `VersionMismatch` (also for If-Match on what does not exist), `Invalid`.
    """
    supplier = await service.get(tx, supplier_key)
    async with limits.own_part(tx):
        item = await items.get(tx, item_key)
    line, errors = line_of(supplier, item, body, "")
    if errors:
        raise Invalid(errors)
    stored = await item_repository.lock(tx, [line.pair])
    current = stored[line.pair]["version"] if line.pair in stored else 0
    check_version(current, if_match, body.version)
    return (await _write(tx, [line], stored))[0]


async def put_many(tx: Tx, body: SupplierItemBulk) -> list[Written]:
    """Create or change many supplier-items; gives what became of each line, in order. Terms that a
    line leaves out stay as they are.

    Atomic: all lines or none; raises `Invalid` with every broken rule of every line.
    Partial: lines that break rules are `failed`, the others are written.
    """
    read, broken = well_formed(body.lines)
    suppliers = await service.resolve(tx, [line.supplier for line in read.values()])
    sold = await items.resolve(tx, [line.item for line in read.values()])
    known, unknown = known_pairs(read, suppliers, sold)
    broken |= unknown
    stored = await item_repository.lock(tx, [(s.id, item.id) for s, item in known.values()])
    good: dict[int, Line] = {}
    for index, (supplier, item) in known.items():
        wanted = completed(read[index], stored.get((supplier.id, item.id)))
        line, errors = line_of(supplier, item, wanted, f"/lines/{index}")
        if errors:
            broken[index] = errors
        else:
            good[index] = line
    if broken and body.mode == "atomic":
        raise Invalid([error for index in sorted(broken) for error in broken[index]])
    written = dict(zip(good, await _write(tx, list(good.values()), stored), strict=True))
    return [
        written[index] if index in written else Written("failed", errors=broken[index])
        for index in range(len(body.lines))
    ]


async def get(tx: Tx, supplier_key: str, item_key: str) -> tuple[Row, list[PriceStep]]:
    """A (supplier-item, supplier, item) row and its price list. Raises `NotFound`."""
    supplier, item = await service.get(tx, supplier_key), await items.get(tx, item_key)
    row = await item_repository.find(tx, supplier.id, item.id)
    if row is None:
        raise NotFound(kind="supplier item", reference=f"{supplier.code}, {item.sku}")
    prices = await item_repository.prices(tx, [row[0].id])
    return row, prices.get(row[0].id, [])


async def list_of_supplier(tx: Tx, supplier_key: str, wanted: OfferParams) -> PageOf:
    """The items a supplier sells, by SKU. Raises `NotFound`."""
    supplier = await service.get(tx, supplier_key)
    return await item_repository.list_supplier_items(tx, wanted, supplier_id=supplier.id)


async def list_all(tx: Tx, wanted: SupplierItemFilter) -> PageOf:
    """Supplier-items by SKU and priority; of one item or supplier if asked. Raises `Invalid`."""
    return await item_repository.list_supplier_items(
        tx,
        wanted,
        supplier_id=await service.filter_id(tx, wanted.supplier),
        item_id=await items.filter_id(tx, wanted.item),
    )


async def _write(
    tx: Tx, lines: Sequence[Line], stored: Mapping[tuple[UUID, UUID], Mapping[str, Any]]
) -> list[Written]:
    """Write lines with distinct pairs in a constant number of statements; unchanged ones keep their
    version and announce nothing. `stored` are the locked rows of existing pairs."""
    old_prices = await item_repository.prices(tx, [row["id"] for row in stored.values()])
    changes: dict[tuple[UUID, UUID], dict[str, Any]] = {}
    for line in lines:
        row = stored.get(line.pair)
        changed = _changes(line, row, [] if row is None else old_prices.get(row["id"], []))
        if row is None or changed:
            changes[line.pair] = changed
    touched = [line for line in lines if line.pair in changes]
    written = await item_repository.upsert(
        tx, [(line.supplier_id, line.item_id, line.terms) for line in touched]
    )
    lists = {
        written[line.pair][0]: line.prices
        for line in touched
        # Of a new pair too, should another writer have created it in the meantime.
        if line.prices is not None and (line.pair not in stored or "prices" in changes[line.pair])
    }
    await item_repository.replace_prices(tx, lists)
    results = []
    for line in lines:
        row = stored.get(line.pair)
        if row is not None and line.pair not in changes:
            results.append(Written("unchanged", row["id"], row["version"]))
            continue
        id, version = written[line.pair]
        results.append(Written("created" if version == 1 else "updated", id, version))
        tx.emit(
            SupplierItemChanged(
                id,
                supplier_code=line.supplier_code,
                sku=line.sku,
                is_new=version == 1,
                changes=changes[line.pair],
            )
        )
    return results


def _changes(
    line: Line, row: Mapping[str, Any] | None, prices: Sequence[PriceStep]
) -> dict[str, Any]:
    """`{field: {"old", "new"}}` of what a line changes; for a new one, of what it sets."""
    changes = {
        name: {"old": None if row is None else row[name], "new": value}
        for name, value in line.terms.items()
        if (value is not None if row is None else row[name] != value)
    }
    if line.prices is not None and list(line.prices) != list(prices):
        changes["prices"] = {
            "old": [astuple(step) for step in prices],
            "new": [astuple(step) for step in line.prices],
        }
    jsonable: dict[str, Any] = to_jsonable_python(changes)
    return jsonable
