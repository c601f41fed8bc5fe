"""Turning what a warehouse wrote into arrivals: lines, places, lots and costs, all errors at once.

Every look-up is one statement for all lines.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeVar
from uuid import UUID

from scm_api.core.errors import UNKNOWN_REFERENCE, FieldError
from scm_api.core.schemas import ONE_BILLION, ItemReference, Reference
from scm_api.core.tx import Tx
from scm_api.items import service as items
from scm_api.items.policy import INEXACT_CONVERSION, UNKNOWN_UNIT, ItemFacts
from scm_api.items.units import unit_code
from scm_api.purchase_orders import policy as order_policy
from scm_api.purchase_orders.document import Line
from scm_api.purchase_orders.errors import TOO_MUCH
from scm_api.purchase_orders.service import Order
from scm_api.receipts import errors, repository
from scm_api.receipts.schemas import ReceiptLineCreate
from scm_api.stock import service as stock
from scm_api.stock.errors import LOT_NOT_TRACKED, LOT_REQUIRED, NOT_ACTIVE
from scm_api.warehouses import service as warehouses
from scm_api.warehouses.service import WarehouseFacts

T = TypeVar("T", ItemFacts, WarehouseFacts)
_DECIDED_BY_ORDER = ("item", "warehouse", "unit_cost")
_ONLY_WITH_ORDER = ("line_no", "order_line_id")


@dataclass
class Arrival:
    """One line of a receipt, understood. Quantities in base units unless named `unit_quantity`."""

    at: str
    body: ReceiptLineCreate
    item: ItemFacts
    warehouse: WarehouseFacts
    order_line: Line | None
    unit: str
    quantity: Decimal
    unit_cost: Decimal | None
    location_id: UUID | None = None
    lot_id: UUID | None = None


async def against_order(
    tx: Tx, order: Order, bodies: Sequence[ReceiptLineCreate], found: list[FieldError]
) -> list[Arrival]:
    """The arrivals on the lines of a locked order; what is wrong is added to `found`."""
    by_number = {line.line_no: line for line in order.lines}
    by_id = {line.id: line for line in order.lines}
    named: list[tuple[str, ReceiptLineCreate, Line]] = []
    for index, body in enumerate(bodies):
        at = f"/lines/{index}"
        for name in _DECIDED_BY_ORDER:
            if getattr(body, name) is not None:
                found.append(errors.NOT_AGAINST_AN_ORDER.at(f"{at}/{name}", field=name))
        if (body.line_no is None) == (body.order_line_id is None):
            found.append(errors.ONE_ORDER_LINE.at(f"{at}/line_no"))
            continue
        if body.line_no is not None:
            line = by_number.get(body.line_no)
        else:
            line = by_id.get(body.order_line_id) if body.order_line_id else None
        if line is None or line.is_closed:
            where = f"{at}/{'line_no' if body.line_no is not None else 'order_line_id'}"
            found.append(errors.UNKNOWN_ORDER_LINE.at(where, order=order.header.number))
            continue
        named.append((at, body, line))
    sold = await items.resolve(tx, list({ItemReference(id=line.item_id) for *_, line in named}))
    places = {Reference(id=line.warehouse_id) for *_, line in named}
    kept = await warehouses.resolve(tx, list(places))
    arrivals = []
    for at, body, line in named:
        item = sold[ItemReference(id=line.item_id)]
        unit = _unit(body.unit) or line.unit
        cost = order_policy.unit_cost(line, order.header.exchange_rate)
        quantity = (
            order_policy.in_base_units(line, body.quantity)
            if unit == line.unit
            else items.to_base(item, body.quantity, unit)
        )
        quantity = _checked(item, body, unit, quantity, at, found)
        place = kept[Reference(id=line.warehouse_id)]
        arrivals.append(Arrival(at, body, item, place, line, unit, quantity, cost))
    await _place(tx, arrivals, found)
    return arrivals


async def without_order(
    tx: Tx, bodies: Sequence[ReceiptLineCreate], found: list[FieldError]
) -> list[Arrival]:
    """The arrivals of goods nobody ordered; what is wrong is added to `found`."""
    sold = await items.resolve(tx, list({b.item for b in bodies if b.item is not None}))
    kept = await warehouses.resolve(tx, list({b.warehouse for b in bodies if b.warehouse}))
    arrivals = []
    for index, body in enumerate(bodies):
        at = f"/lines/{index}"
        for name in _ONLY_WITH_ORDER:
            if getattr(body, name) is not None:
                found.append(errors.ONLY_AGAINST_AN_ORDER.at(f"{at}/{name}", field=name))
        if body.is_final_delivery:
            where = f"{at}/is_final_delivery"
            found.append(errors.ONLY_AGAINST_AN_ORDER.at(where, field="is_final_delivery"))
        item = _found("item", body.item, sold.get(body.item) if body.item else None, at, found)
        place = kept.get(body.warehouse) if body.warehouse else None
        place = _found("warehouse", body.warehouse, place, at, found)
        if item is not None and item.status == "blocked":
            found.append(NOT_ACTIVE.at(f"{at}/item", kind="item", reference=item.sku))
        if place is not None and not place.is_active:
            found.append(NOT_ACTIVE.at(f"{at}/warehouse", kind="warehouse", reference=place.code))
        if item is None or place is None:
            continue
        unit = _unit(body.unit) or item.base_unit
        quantity = _checked(item, body, unit, items.to_base(item, body.quantity, unit), at, found)
        arrivals.append(Arrival(at, body, item, place, None, unit, quantity, body.unit_cost))
    await _place(tx, arrivals, found)
    return arrivals


def _found(
    kind: str,
    reference: ItemReference | Reference | None,
    facts: T | None,
    at: str,
    found: list[FieldError],
) -> T | None:
    if reference is None:
        found.append(errors.REQUIRED_WITHOUT_ORDER.at(f"{at}/{kind}", field=kind))
    elif facts is None:
        found.append(UNKNOWN_REFERENCE.at(f"{at}/{kind}", kind=kind, reference=str(reference)))
    return facts


def _unit(word: str | None) -> str | None:
    return None if word is None else unit_code(word) or word


def _checked(
    item: ItemFacts,
    body: ReceiptLineCreate,
    unit: str,
    quantity: Decimal | None,
    at: str,
    found: list[FieldError],
) -> Decimal:
    if quantity is None and unit not in item.units:
        found.append(UNKNOWN_UNIT.at(f"{at}/unit", unit=unit))
    elif quantity is None:
        words = {"quantity": body.quantity, "unit": unit, "base_unit": item.base_unit}
        found.append(INEXACT_CONVERSION.at(f"{at}/quantity", **words))
    elif quantity > ONE_BILLION:
        found.append(TOO_MUCH.at(f"{at}/quantity", limit=ONE_BILLION))
    return body.quantity if quantity is None else quantity


async def _place(tx: Tx, arrivals: Sequence[Arrival], found: list[FieldError]) -> None:
    """Find the location of each arrival, and check its lot."""
    places = await repository.locations(
        tx, [(arrival.warehouse.id, arrival.body.location) for arrival in arrivals]
    )
    for arrival, location_id in zip(arrivals, places, strict=True):
        arrival.location_id = location_id
        at, sku, lot = arrival.at, arrival.item.sku, arrival.body.lot
        if location_id is None:
            named = arrival.body.location or "default"
            where = f"{at}/location"
            found.append(UNKNOWN_REFERENCE.at(where, kind="location", reference=named))
        if arrival.item.is_lot_tracked and lot is None:
            found.append(LOT_REQUIRED.at(f"{at}/lot", sku=sku))
        if lot is not None and not arrival.item.is_lot_tracked:
            found.append(LOT_NOT_TRACKED.at(f"{at}/lot", sku=sku))


async def make_lots(tx: Tx, arrivals: Sequence[Arrival]) -> None:
    """Give the arrivals the lots they name, made known where they are new."""
    named = [
        stock.NamedLot(
            arrival.item.id, arrival.body.lot.code, arrival.body.lot.expires_on, f"{arrival.at}/lot"
        )
        for arrival in arrivals
        if arrival.body.lot is not None
    ]
    lots = await stock.make_lots(tx, named)
    for arrival in arrivals:
        if arrival.body.lot is not None:
            arrival.lot_id = lots[arrival.item.id, arrival.body.lot.code.lower()]
