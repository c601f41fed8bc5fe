"""Turning what a buyer wrote into orders: references, units, prices and dates, all errors at once.

Every look-up is one statement for the lines of all orders together.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

import asyncpg

from scm_api.core.errors import UNKNOWN_REFERENCE, FieldError, Invalid, Text
from scm_api.core.ids import uuid7
from scm_api.core.schemas import ONE_BILLION, Reference
from scm_api.core.tx import Tx
from scm_api.items import service as items
from scm_api.items.policy import INEXACT_CONVERSION, UNKNOWN_UNIT, ItemFacts
from scm_api.items.units import unit_code
from scm_api.purchase_orders import errors, policy, repository
from scm_api.purchase_orders.document import Line, Schedule
from scm_api.purchase_orders.models import PurchaseOrder
from scm_api.purchase_orders.repository import Company
from scm_api.purchase_orders.schemas import LineCreate, PurchaseOrderCreate, ScheduleCreate
from scm_api.suppliers import service as suppliers
from scm_api.warehouses import service as warehouses
from scm_api.warehouses.service import WarehouseFacts

_ONE = Decimal(1)
_BASE_UNITS = Text("base units", "基本单位")


@dataclass
class Header:
    """What the lines of one order need to know of it, and where the request holds it (`at`)."""

    at: str
    order_id: UUID
    supplier_id: UUID
    supplier_code: str
    currency: str
    exchange_rate: Decimal
    dated_on: date
    company: Company
    warehouse: Reference | None = None
    need_by: date | None = None
    lines: list[Line] = field(default_factory=list)
    warnings: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class _Draft:
    """A line on its way: what was written, whose it is, what it names, and where it stands."""

    body: LineCreate
    header: Header
    at: str
    item: ItemFacts
    line: Line


async def draft_orders(
    tx: Tx, bodies: Sequence[PurchaseOrderCreate], places: Sequence[str]
) -> list[tuple[PurchaseOrder, list[Line]]]:
    """The orders that bodies describe, not yet numbered or stored; `places` are the JSON pointers
    of the bodies. Raises `Invalid` with every broken rule of every order."""
    company = await repository.organization(tx)
    known = await suppliers.resolve(tx, [body.supplier for body in bodies])
    found: list[FieldError] = []
    wanted: list[tuple[Header, Sequence[LineCreate]]] = []
    for body, at in zip(bodies, places, strict=True):
        supplier = known.get(body.supplier)
        if supplier is None:
            where, reference = f"{at}/supplier", str(body.supplier)
            found.append(UNKNOWN_REFERENCE.at(where, kind="supplier", reference=reference))
            continue
        if supplier.status == "blocked":
            found.append(errors.BLOCKED_SUPPLIER.at(f"{at}/supplier", supplier=supplier.code))
        currency = body.currency or supplier.currency
        found += rate_errors(currency, company.base_currency, body.exchange_rate, at)
        header = Header(
            at=at,
            order_id=uuid7(),
            supplier_id=supplier.id,
            supplier_code=supplier.code,
            currency=currency,
            exchange_rate=body.exchange_rate or _ONE,
            dated_on=body.dated_on or company.today,
            company=company,
            warehouse=body.warehouse,
            need_by=body.need_by,
        )
        wanted.append((header, body.lines))
    await draft_lines(tx, wanted, found)
    return [
        (_order(tx, body, header), header.lines)
        for body, (header, _) in zip(bodies, wanted, strict=True)
    ]


def rate_errors(
    currency: str, base_currency: str, rate: Decimal | None, at: str
) -> list[FieldError]:
    """What is wrong with an exchange rate, or with its absence."""
    where = f"{at}/exchange_rate"
    if currency == base_currency:
        return [] if rate in (None, _ONE) else [errors.RATE_NOT_ONE.at(where)]
    if rate is not None:
        return []
    return [errors.RATE_REQUIRED.at(where, currency=currency, base_currency=base_currency)]


def _order(tx: Tx, body: PurchaseOrderCreate, header: Header) -> PurchaseOrder:
    return PurchaseOrder(
        organization_id=tx.organization_id,
        id=header.order_id,
        supplier_id=header.supplier_id,
        status="draft",
        receipt_status="none",
        confirmation_status="none",
        is_on_hold=False,
        revision=1,
        currency=header.currency,
        exchange_rate=header.exchange_rate.quantize(Decimal("1e-10")),
        amount=policy.order_amount(header.lines, header.currency),
        line_count=len(header.lines),
        dated_on=header.dated_on,
        external_ref=body.external_ref,
        note=body.note,
        warnings=header.warnings,
        version=1,
        created_at=tx.now,
        updated_at=tx.now,
    )


async def draft_lines(
    tx: Tx, wanted: Sequence[tuple[Header, Sequence[LineCreate]]], found: list[FieldError]
) -> None:
    """Fill the headers with their lines, priced, and with warnings. Raises `Invalid` with what was
    `found` before and every error of the lines."""
    bodies = [line for _, lines in wanted for line in lines]
    places = {line.warehouse for line in bodies} | {header.warehouse for header, _ in wanted}
    known_items = await items.resolve(tx, list({line.item for line in bodies}))
    known_places = await warehouses.resolve(tx, [p for p in places if p is not None])
    drafts: list[_Draft] = []
    for header, lines in wanted:
        for index, body in enumerate(lines):
            at = f"{header.at}/lines/{index}"
            item = known_items.get(body.item)
            if item is None:
                named = str(body.item)
                found.append(UNKNOWN_REFERENCE.at(f"{at}/item", kind="item", reference=named))
            elif item.status != "active":
                found.append(_not_orderable(f"{at}/item", "item", item.sku, item.status))
            place = _warehouse(body, header, known_places, at, found)
            if item is not None:
                line = _line(tx, body, index + 1, header, item, place, at, found)
                drafts.append(_Draft(body, header, at, item, line))
    await _price_all(tx, drafts, found)
    if found:
        raise Invalid(found)
    for draft in drafts:
        draft.header.lines.append(draft.line)


def _not_orderable(where: str, kind: str, reference: str, status: str) -> FieldError:
    return errors.NOT_ORDERABLE.at(where, kind=kind, reference=reference, status=status)


def _warehouse(
    body: LineCreate,
    header: Header,
    known: dict[Reference, WarehouseFacts],
    at: str,
    found: list[FieldError],
) -> UUID:
    reference = body.warehouse or header.warehouse
    where = f"{at}/warehouse" if body.warehouse else f"{header.at}/warehouse"
    if reference is None:
        found.append(errors.REQUIRED_HERE.at(f"{at}/warehouse", field="warehouse"))
        return header.order_id
    place = known.get(reference)
    error = None
    if place is None:
        error = UNKNOWN_REFERENCE.at(where, kind="warehouse", reference=str(reference))
    elif not place.is_active:
        error = _not_orderable(where, "warehouse", place.code, "inactive")
    if error is not None and error not in found:
        found.append(error)
    return header.order_id if place is None else place.id


def _line(
    tx: Tx,
    body: LineCreate,
    line_no: int,
    header: Header,
    item: ItemFacts,
    warehouse_id: UUID,
    at: str,
    found: list[FieldError],
) -> Line:
    unit, company = _unit(body.unit) or item.base_unit, header.company
    line = Line(
        organization_id=tx.organization_id,
        id=uuid7(),
        order_id=header.order_id,
        line_no=line_no,
        item_id=item.id,
        warehouse_id=warehouse_id,
        supplier_sku=body.supplier_sku,
        unit=unit,
        unit_quantity=body.quantity,
        quantity=base_quantity(item, body.quantity, unit, at, found) or body.quantity,
        unit_price=body.unit_price or Decimal(0),
        price_per=body.price_per or _ONE,
        price_unit=_unit(body.price_unit) or unit,
        price_base_quantity=_ONE,
        over_delivery_percent=_or(body.over_delivery_percent, company.over_delivery_percent),
        under_delivery_percent=_or(body.under_delivery_percent, company.under_delivery_percent),
        is_unlimited_overdelivery=body.is_unlimited_overdelivery,
        source_type=body.source.type if body.source else None,
        source_id=body.source.id if body.source else None,
    )
    need_by = body.need_by or header.need_by
    if body.need_by is not None and body.schedules is not None:
        found.append(errors.EITHER_DATE_OR_SCHEDULES.at(f"{at}/schedules"))
    elif body.schedules is not None:
        set_schedules(line, body.schedules, at, found)
    elif need_by is None:
        found.append(errors.REQUIRED_HERE.at(f"{at}/need_by", field="need_by"))
    else:
        line.schedules = [Schedule(tx.organization_id, uuid7(), line.id, 1, line.quantity, need_by)]
    return line


def _or(said: Decimal | None, default: Decimal) -> Decimal:
    return default if said is None else said


def _unit(word: str | None) -> str | None:
    # People write 箱 or carton for CTN; an unknown word stays as it is and is refused by name.
    return None if word is None else unit_code(word) or word


def base_quantity(
    item: ItemFacts,
    quantity: Decimal,
    unit: str,
    at: str,
    found: list[FieldError],
    names: tuple[str, str] = ("quantity", "unit"),
) -> Decimal | None:
    """A quantity in base units, exactly; None with an error in `found` at the fields `names`."""
    quantity_at, unit_at = (f"{at}/{name}" for name in names)
    base = items.to_base(item, quantity, unit)
    if base is not None and base <= ONE_BILLION:
        return base
    if base is not None:
        found.append(errors.TOO_MUCH.at(quantity_at, limit=ONE_BILLION))
    elif unit not in item.units:
        found.append(UNKNOWN_UNIT.at(unit_at, unit=unit))
    else:
        words = {"quantity": quantity, "unit": unit, "base_unit": item.base_unit}
        found.append(INEXACT_CONVERSION.at(quantity_at, **words))
    return None


def set_schedules(
    line: Line, bodies: Sequence[ScheduleCreate], at: str, found: list[FieldError]
) -> None:
    """Give a line these schedules, unanswered; they must sum to its quantity."""
    line.schedules = []
    for number, body in enumerate(bodies, 1):
        where = f"{at}/schedules/{number - 1}/quantity"
        quantity = ordered_in_base(line, body.quantity, where, found)
        line.schedules.append(
            Schedule(line.organization_id, uuid7(), line.id, number, quantity, body.need_by)
        )
    total = sum((body.quantity for body in bodies), Decimal(0))
    if total != line.unit_quantity:
        words = {"sum": total, "quantity": line.unit_quantity}
        found.append(errors.SCHEDULES_DO_NOT_SUM.at(f"{at}/schedules", **words))


def ordered_in_base(line: Line, quantity: Decimal, where: str, found: list[FieldError]) -> Decimal:
    """A quantity in the line's unit as base units, by the factor the line was ordered with; the
    quantity itself, with an error in `found`, if that is not exact."""
    base = policy.in_base_units(line, quantity)
    if base is None:
        words = {"quantity": quantity, "unit": line.unit, "base_unit": _BASE_UNITS}
        found.append(INEXACT_CONVERSION.at(where, **words))
        return quantity
    if base > ONE_BILLION:
        found.append(errors.TOO_MUCH.at(where, limit=ONE_BILLION))
    return base


async def _price_all(tx: Tx, drafts: Sequence[_Draft], found: list[FieldError]) -> None:
    if not drafts:
        return
    asked = [
        (d.header.supplier_id, d.line.item_id, d.line.quantity, d.header.dated_on) for d in drafts
    ]
    for draft, terms in zip(drafts, await repository.terms(tx, asked), strict=True):
        _price(draft, terms, found)
        line = draft.line
        if policy.unit_cost(line, draft.header.exchange_rate) > ONE_BILLION:
            found.append(errors.TOO_MUCH.at(f"{draft.at}/unit_price", limit=ONE_BILLION))
        if terms is not None:
            line.supplier_sku = line.supplier_sku or terms["supplier_sku"]
            draft.header.warnings += warnings([(line, terms)])


def warnings(lines: Iterable[tuple[Line, asyncpg.Record | None]]) -> list[dict[str, Any]]:
    """What the supplier's terms say against the quantities of lines."""
    return [
        warning
        for line, terms in lines
        if terms is not None
        for warning in policy.quantity_warnings(
            line, terms["minimum_quantity"], terms["order_multiple"], terms["maximum_quantity"]
        )
    ]


def _price(draft: _Draft, terms: asyncpg.Record | None, found: list[FieldError]) -> None:
    body, line, header, item = draft.body, draft.line, draft.header, draft.item
    if body.unit_price is not None:
        names = ("price_per", "price_unit")
        per = base_quantity(item, line.price_per, line.price_unit, draft.at, found, names)
        line.price_base_quantity = per or _ONE
        return
    for name in ("price_per", "price_unit"):
        if getattr(body, name) is not None:
            found.append(errors.PRICE_WITHOUT_PRICE.at(f"{draft.at}/{name}", field=name))
    if terms is None or terms["unit_price"] is None or terms["currency"] != header.currency:
        found.append(
            errors.NO_PRICE.at(
                f"{draft.at}/unit_price",
                supplier=header.supplier_code,
                sku=item.sku,
                date=header.dated_on,
                currency=header.currency,
            )
        )
        return
    line.unit_price, line.price_unit = terms["unit_price"], item.base_unit
    line.price_per = line.price_base_quantity = terms["price_per"]
