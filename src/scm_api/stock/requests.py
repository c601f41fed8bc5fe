"""From what a caller wrote to what is posted: references resolved, units converted, all errors at
once."""

from decimal import Decimal
from uuid import UUID

import asyncpg

from scm_api.core import limits
from scm_api.core.errors import UNKNOWN_REFERENCE, FieldError, Invalid
from scm_api.core.schemas import Reference
from scm_api.core.tx import Tx
from scm_api.items.policy import INEXACT_CONVERSION, UNKNOWN_UNIT, convert, key_of
from scm_api.items.units import unit_code
from scm_api.stock import errors, lots, policy, repository
from scm_api.stock.ledger import NewDocument, NewLine, Place
from scm_api.stock.lots import LotIds, NamedLot
from scm_api.stock.repository import LineKeys
from scm_api.stock.schemas import MovementCreate, MovementLineCreate


async def to_document(tx: Tx, body: MovementCreate) -> tuple[NewDocument, dict[UUID, Place]]:
    """The posting a request means, and the places it names. Raises `Invalid` with every broken
    rule of every line."""
    found = await repository.resolve(tx, [_keys(line) for line in body.lines])
    await limits.require_inside(
        tx,
        warehouses=(row[name] for row in found for name in ("warehouse_id", "to_warehouse_id")),
        items=(row["item_id"] for row in found),
    )
    broken: list[FieldError] = []
    for index, (line, row) in enumerate(zip(body.lines, found, strict=True)):
        broken += _check(body.type, line, row, f"/lines/{index}")
    if broken:
        raise Invalid(broken)
    outside = await repository.outside(tx)
    ids = await _lots(tx, body, found)
    places = {place: Place(None, False, False) for place in outside.values()}
    for row in found:
        places[row["location_id"]] = Place(
            row["warehouse_id"], row["kind"] == "transit", row["may_be_negative"]
        )
        if row["to_location_id"] is not None:
            places[row["to_location_id"]] = Place(
                row["to_place_warehouse_id"],
                row["to_kind"] == "transit",
                row["to_may_be_negative"],
            )
    document = NewDocument(
        type=body.type,
        lines=[
            _line(body.type, line, row, outside, ids, f"/lines/{index}")
            for index, (line, row) in enumerate(zip(body.lines, found, strict=True))
        ],
        occurred_at=body.occurred_at or tx.now,
        reason=body.reason,
        reference=body.reference,
        external_ref=body.external_ref,
    )
    return document, places


def _keys(line: MovementLineCreate) -> LineKeys:
    to = line.to_warehouse or Reference.model_construct(id=None, code=None)
    return LineKeys(
        item_id=line.item.id,
        sku=None if line.item.sku is None else key_of(line.item.sku),
        unit=_unit(line),
        warehouse_id=line.warehouse.id,
        warehouse=line.warehouse.code,
        place=line.location,
        to_warehouse_id=to.id,
        to_warehouse=to.code,
        to_place=line.to_location,
    )


def _unit(line: MovementLineCreate) -> str | None:
    # People write 箱 or carton for CTN; an unknown word stays as it is and is refused later.
    return None if line.unit is None else unit_code(line.unit) or line.unit


def _check(kind: str, line: MovementLineCreate, row: asyncpg.Record, at: str) -> list[FieldError]:
    broken: list[FieldError] = []
    if row["item_id"] is None:
        broken.append(UNKNOWN_REFERENCE.at(f"{at}/item", kind="item", reference=str(line.item)))
    else:
        broken += _check_item(line, row, at)
    broken += _check_place(line.warehouse, line.location, row, "", at)
    source, destination = policy.ENDS[kind]
    if kind == "transfer":
        if line.to_warehouse is None and line.to_location is None:
            broken.append(
                errors.REQUIRED_FOR_THIS_TYPE.at(
                    f"{at}/to_warehouse", type=kind, field="to_warehouse or to_location"
                )
            )
        elif line.to_warehouse is not None or row["warehouse_id"] is not None:
            broken += _check_place(line.to_warehouse, line.to_location, row, "to_", at)
    else:
        for field in ("to_warehouse", "to_location"):
            if getattr(line, field) is not None:
                broken.append(errors.NOT_FOR_THIS_TYPE.at(f"{at}/{field}", field=field, type=kind))
    if line.status is not None and kind in policy.STATUS_CHANGES:
        broken.append(errors.NOT_FOR_THIS_TYPE.at(f"{at}/status", field="status", type=kind))
    if line.unit_cost is not None and (source == policy.HERE or destination != policy.HERE):
        broken.append(errors.NOT_FOR_THIS_TYPE.at(f"{at}/unit_cost", field="unit_cost", type=kind))
    return broken


def _check_item(line: MovementLineCreate, row: asyncpg.Record, at: str) -> list[FieldError]:
    broken: list[FieldError] = []
    if row["item_status"] == "blocked":
        broken.append(errors.NOT_ACTIVE.at(f"{at}/item", kind="item", reference=row["sku"]))
    if _unit(line) not in (None, row["base_unit"]) and row["numerator"] is None:
        broken.append(UNKNOWN_UNIT.at(f"{at}/unit", unit=line.unit))
    elif _base_quantity(line, row) is None:
        broken.append(
            INEXACT_CONVERSION.at(
                f"{at}/quantity", quantity=line.quantity, unit=line.unit, base_unit=row["base_unit"]
            )
        )
    if row["is_lot_tracked"] and line.lot is None:
        broken.append(errors.LOT_REQUIRED.at(f"{at}/lot", sku=row["sku"]))
    if line.lot is not None and not row["is_lot_tracked"]:
        broken.append(errors.LOT_NOT_TRACKED.at(f"{at}/lot", sku=row["sku"]))
    return broken


def _base_quantity(line: MovementLineCreate, row: asyncpg.Record) -> Decimal | None:
    if row["numerator"] is None:
        return Decimal(line.quantity)
    return convert(line.quantity, int(row["numerator"]), int(row["denominator"]))


def _check_place(
    warehouse: Reference | None, place: str | None, row: asyncpg.Record, prefix: str, at: str
) -> list[FieldError]:
    if warehouse is not None and row[f"{prefix}warehouse_id"] is None:
        return [
            UNKNOWN_REFERENCE.at(
                f"{at}/{prefix}warehouse", kind="warehouse", reference=str(warehouse)
            )
        ]
    if warehouse is not None and not row[f"{prefix}warehouse_active"]:
        return [
            errors.NOT_ACTIVE.at(
                f"{at}/{prefix}warehouse", kind="warehouse", reference=str(warehouse)
            )
        ]
    if row[f"{prefix}location_id"] is None:
        return [
            UNKNOWN_REFERENCE.at(
                f"{at}/{prefix}location", kind="location", reference=place or "(default)"
            )
        ]
    return []


async def _lots(tx: Tx, body: MovementCreate, found: list[asyncpg.Record]) -> LotIds:
    named = [
        NamedLot(row["item_id"], line.lot.code, line.lot.expires_on, f"/lines/{index}/lot")
        for index, (line, row) in enumerate(zip(body.lines, found, strict=True))
        if line.lot is not None
    ]
    enters = policy.ENDS[body.type][0] != policy.HERE
    return await (lots.make if enters else lots.find)(tx, named)


def _line(
    kind: str,
    line: MovementLineCreate,
    row: asyncpg.Record,
    outside: dict[str, UUID],
    ids: LotIds,
    pointer: str,
) -> NewLine:
    source, destination = policy.ENDS[kind]
    status = line.status or "unrestricted"
    from_status, to_status = policy.STATUS_CHANGES.get(kind, (status, status))
    here: UUID = row["location_id"]
    there: UUID = row["to_location_id"] if kind == "transfer" else here
    quantity = _base_quantity(line, row)
    assert quantity is not None
    return NewLine(
        item_id=row["item_id"],
        quantity=quantity,
        from_location_id=here if source == policy.HERE else outside[source],
        to_location_id=there if destination == policy.HERE else outside[destination],
        lot_id=None if line.lot is None else ids[row["item_id"], line.lot.code.lower()],
        from_status=from_status,
        to_status=to_status,
        unit_cost=line.unit_cost,
        expected_on_hand=line.expected_on_hand,
        pointer=pointer,
    )
