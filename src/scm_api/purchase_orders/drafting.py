"""Turning what a buyer wrote into orders: references, units, prices and dates, all errors at once.

Every look-up is one statement for the lines of all orders together.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

import asyncpg

from scm_api.core.errors import UNKNOWN_REFERENCE, FieldError, Invalid
from scm_api.core.ids import uuid7
from scm_api.core.schemas import ONE_BILLION, ItemReference, Reference
from scm_api.core.tx import Tx
from scm_api.items import service as items
from scm_api.items.policy import INEXACT_CONVERSION, UNKNOWN_UNIT
from scm_api.purchase_orders import errors, policy, repository
from scm_api.purchase_orders.document import Line, Schedule
from scm_api.purchase_orders.models import PurchaseOrder
from scm_api.purchase_orders.schemas import LineCreate, PurchaseOrderCreate, ScheduleCreate
from scm_api.suppliers import service as suppliers
from scm_api.warehouses import service as warehouses

_ONE = Decimal(1)


@dataclass
class Header:
    """What a line takes from its order."""

    order_id: UUID
    supplier_id: UUID
    supplier_code: str
    currency: str
    exchange_rate: Decimal
    dated_on: date
    warehouse: Reference | None = None
    need_by: date | None = None


@dataclass
class Wanted:
    """The lines of one order to be made, and where the request holds them."""

    header: Header
    lines: Sequence[LineCreate]
    at: str


@dataclass
class Drafted:
    """The finished lines of one order, and what the buyer should know of them."""

    lines: list[Line] = field(default_factory=list)
    warnings: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class _Known:
    items: dict[ItemReference, Any]
    warehouses: dict[Reference, Any]


async def draft_orders(
    tx: Tx, bodies: Sequence[PurchaseOrderCreate], places: Sequence[str]
) -> list[tuple[PurchaseOrder, list[Line]]]:
    """The orders that bodies describe, not yet numbered or stored; `places` are the JSON pointers
    of the bodies. Raises `Invalid` with every broken rule of every order."""
    base_currency, today = await repository.organization(tx)
    known = await suppliers.resolve(tx, [body.supplier for body in bodies])
    found: list[FieldError] = []
    wanted: list[Wanted] = []
    for body, at in zip(bodies, places, strict=True):
        supplier = known.get(body.supplier)
        if supplier is None:
            reference = str(body.supplier)
            found.append(
                UNKNOWN_REFERENCE.at(f"{at}/supplier", kind="supplier", reference=reference)
            )
            continue
        if supplier.status == "blocked":
            found.append(errors.BLOCKED_SUPPLIER.at(f"{at}/supplier", supplier=supplier.code))
        currency = body.currency or supplier.currency
        found += rate_errors(currency, base_currency, body.exchange_rate, at)
        header = Header(
            order_id=uuid7(),
            supplier_id=supplier.id,
            supplier_code=supplier.code,
            currency=currency,
            exchange_rate=body.exchange_rate or _ONE,
            dated_on=body.dated_on or today,
            warehouse=body.warehouse,
            need_by=body.need_by,
        )
        wanted.append(Wanted(header, body.lines, at))
    drafts = await draft_lines(tx, wanted, found)
    return [
        (_order(tx, body, each.header, drafted), drafted.lines)
        for body, each, drafted in zip(bodies, wanted, drafts, strict=True)
    ]


def rate_errors(
    currency: str, base_currency: str, rate: Decimal | None, at: str
) -> list[FieldError]:
    """What is wrong with an exchange rate, or with its absence."""
    if currency == base_currency:
        return [] if rate in (None, _ONE) else [errors.RATE_NOT_ONE.at(f"{at}/exchange_rate")]
    if rate is not None:
        return []
    where = f"{at}/exchange_rate"
    return [errors.RATE_REQUIRED.at(where, currency=currency, base_currency=base_currency)]


def _order(
    tx: Tx, body: PurchaseOrderCreate, header: Header, drafted: Drafted
) -> PurchaseOrder:
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
        exchange_rate=header.exchange_rate,
        amount=policy.order_amount(drafted.lines, header.currency),
        line_count=len(drafted.lines),
        dated_on=header.dated_on,
        external_ref=body.external_ref,
        note=body.note,
        warnings=drafted.warnings,
        version=1,
        created_at=tx.now,
        updated_at=tx.now,
    )


async def draft_lines(
    tx: Tx, wanted: Sequence[Wanted], found: list[FieldError]
) -> list[Drafted]:
    """The lines of orders, priced. Raises `Invalid` with `found` and every error of the lines."""
    everything = [line for each in wanted for line in each.lines]
    places = {line.warehouse for line in everything} | {each.header.warehouse for each in wanted}
    known = _Known(
        await items.resolve(tx, list({line.item for line in everything})),
        await warehouses.resolve(tx, [place for place in places if place is not None]),
    )
    drafts: list[Drafted] = []
    priced: list[tuple[LineCreate, Line, Header, str]] = []
    for each in wanted:
        drafted = Drafted()
        for index, body in enumerate(each.lines):
            at = f"{each.at}/lines/{index}"
            line = _line(tx, body, index + 1, each.header, known, at, found)
            if line is not None:
                drafted.lines.append(line)
                priced.append((body, line, each.header, at))
        drafts.append(drafted)
    if priced:
        asked = [(h.supplier_id, line.item_id, line.quantity, h.dated_on) for _, line, h, _ in priced]
        for (body, line, header, at), terms in zip(
            priced, await repository.terms(tx, asked), strict=True
        ):
            _price(body, line, header, terms, known, at, found)
            _take_terms(line, terms, body)
    if found:
        raise Invalid(found)
    for drafted, each in zip(drafts, wanted, strict=True):
        drafted.warnings = await_free_warnings(each, priced, drafted)
    return drafts
