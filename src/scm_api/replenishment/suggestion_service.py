"""Use cases of suggestions: read and explain them, accept, dismiss, convert into orders."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any
from uuid import UUID

import asyncpg

from scm_api.core import limits
from scm_api.core.documents import write
from scm_api.core.errors import (
    UNKNOWN_REFERENCE,
    FieldError,
    IllegalTransition,
    Invalid,
    NotFound,
)
from scm_api.core.http import Versions, check_version
from scm_api.core.ids import uuid7
from scm_api.core.pages import PageOf
from scm_api.core.schemas import ONE_BILLION, ItemReference, Reference
from scm_api.core.tx import Tx
from scm_api.items import service as items
from scm_api.purchase_orders import service as purchase_orders
from scm_api.purchase_orders.errors import TOO_MUCH
from scm_api.purchase_orders.schemas import LineCreate, PurchaseOrderCreate, Source
from scm_api.replenishment import plan_repository, recipe
from scm_api.replenishment import suggestion_repository as repository
from scm_api.replenishment.errors import (
    ALREADY_CONVERTED,
    NO_PRICE,
    NO_SUPPLIER,
    NothingLeftToConvert,
    PlanRunning,
)
from scm_api.replenishment.events import (
    SuggestionAccepted,
    SuggestionDismissed,
    SuggestionsConverted,
)
from scm_api.replenishment.models import ReplenishmentSuggestion
from scm_api.replenishment.suggestion_schemas import (
    Accept,
    Convert,
    Converted,
    ConvertedOrder,
    Dismiss,
    SuggestionFilter,
    SuggestionSelection,
)
from scm_api.suppliers import service as suppliers
from scm_api.warehouses import service as warehouses

KIND = "replenishment suggestion"
LINES_PER_ORDER = 1000
AT_ONCE = 5000
_NAMED_IN_EVENT = 200
# (supplier, currency) and the suggestions that become one order.
_Part = tuple[tuple[UUID, str], list[asyncpg.Record]]
_ACTIONS = {"open": ["accept", "dismiss", "convert"], "accepted": ["dismiss", "convert"]}


async def get(tx: Tx, suggestion_id: UUID) -> Any:
    """(suggestion, item, warehouse, supplier). Raises `NotFound`."""
    row = await repository.find(tx, suggestion_id)
    if row is None:
        raise NotFound(kind=KIND, reference=str(suggestion_id))
    return row


async def list_all(tx: Tx, wanted: SuggestionFilter) -> PageOf:
    """The oldest order day first. Raises `Invalid` for a filter that names nothing."""
    chosen = await _selection(tx, wanted)
    return await repository.list_suggestions(tx, wanted, statuses=wanted.status, **chosen)


async def explain(tx: Tx, suggestion_id: UUID) -> dict[str, Any]:
    """How a suggestion came about (`recipe.explain`). Raises `NotFound`."""
    suggestion, item, warehouse, _ = await get(tx, suggestion_id)
    return {
        **recipe.explain(suggestion.recipe),
        "plan_id": suggestion.plan_id,
        "item": item,
        "warehouse": warehouse,
    }


async def explain_place(tx: Tx, item_key: str, warehouse_key: str) -> dict[str, Any]:
    """Why the latest plan suggests an order for an item in a warehouse, or why not.

    Raises `NotFound`, also when no plan has considered it yet.
    """
    item = await items.get(tx, item_key)
    warehouse = await warehouses.get(tx, warehouse_key)
    line = await plan_repository.latest_line(tx, item.id, warehouse.id)
    if line is None:
        raise NotFound(kind="plan line of", reference=f"{item.sku} in {warehouse.code}")
    return {
        **recipe.explain(line["recipe"]),
        "plan_id": line["plan_id"],
        "item": item,
        "warehouse": warehouse,
    }


async def accept(tx: Tx, suggestion_id: UUID, body: Accept, if_match: Versions | None) -> Any:
    """Accept an open suggestion. Raises `NotFound`, `VersionMismatch`, `IllegalTransition`."""
    suggestion = await _open(tx, suggestion_id, body.version, if_match, "accept", ("open",))
    adjusted = body.adjusted_quantity
    if adjusted == suggestion.quantity:
        adjusted = None
    await write(
        tx,
        suggestion,
        {
            "status": "accepted",
            "adjusted_quantity": adjusted,
            "reason": body.reason,
            "decided_at": tx.now,
            "decided_by": tx.principal.name,
        },
        kind=KIND,
    )
    tx.emit(
        SuggestionAccepted(
            suggestion.id,
            item_id=suggestion.item_id,
            warehouse_id=suggestion.warehouse_id,
            quantity=str(suggestion.quantity),
            adjusted_quantity=None if adjusted is None else str(adjusted),
        )
    )
    return await get(tx, suggestion_id)


async def dismiss(tx: Tx, suggestion_id: UUID, body: Dismiss, if_match: Versions | None) -> Any:
    """Turn a suggestion down, if asked with a pause during which none is made.

    Raises `NotFound`, `VersionMismatch`, `IllegalTransition`.
    """
    suggestion = await _open(
        tx, suggestion_id, body.version, if_match, "dismiss", ("open", "accepted")
    )
    await write(
        tx,
        suggestion,
        {
            "status": "dismissed",
            "reason": body.reason,
            "paused_until": body.paused_until,
            "decided_at": tx.now,
            "decided_by": tx.principal.name,
        },
        kind=KIND,
    )
    tx.emit(
        SuggestionDismissed(
            suggestion.id,
            item_id=suggestion.item_id,
            warehouse_id=suggestion.warehouse_id,
            reason=body.reason,
            paused_until=body.paused_until,
        )
    )
    return await get(tx, suggestion_id)


async def convert(tx: Tx, body: Convert) -> Converted:
    """Make draft purchase orders, one a supplier and currency, of open and accepted suggestions.

    All or none. Raises `PlanRunning` while a plan is made, which would not see these orders and
    order again; `NothingLeftToConvert`; and `Invalid` naming what cannot be ordered and why.
    """
    if not await plan_repository.hold_off_plans(tx):
        raise PlanRunning(headers={"Retry-After": "2"})
    async with limits.own_part(tx):
        rows, has_more = await _chosen(tx, body)
    places = {} if body.ids is None else {id: f"/ids/{n}" for n, id in enumerate(body.ids)}
    _check(places, rows)
    groups: dict[tuple[UUID, str], list[asyncpg.Record]] = {}
    for row in sorted(rows, key=lambda r: (r["supplier_code"], r["currency"], r["sku"], r["id"])):
        groups.setdefault((row["supplier_id"], row["currency"]), []).append(row)
    parts = [
        (key, group[begin : begin + LINES_PER_ORDER])
        for key, group in groups.items()
        for begin in range(0, len(group), LINES_PER_ORDER)
    ]
    today = await plan_repository.today(tx)
    try:
        orders = await purchase_orders.create_many(
            tx, [_order(key, group, body, today) for key, group in parts]
        )
    except Invalid as problem:
        raise Invalid(_as_asked(places, parts, problem.errors)) from problem
    made = [
        ConvertedOrder(
            id=order.id,
            number=order.number,
            supplier_id=key[0],
            currency=key[1],
            lines=len(group),
            suggestion_ids=[row["id"] for row in group],
        )
        for order, (key, group) in zip(orders, parts, strict=True)
    ]
    # The rows refer to the orders, which must be there first.
    await repository.mark_converted(tx, [(id, o.id) for o in made for id in o.suggestion_ids])
    ids = [row["id"] for row in rows]
    is_many = len(ids) > _NAMED_IN_EVENT
    tx.emit(
        SuggestionsConverted(
            uuid7(),
            count=len(ids),
            purchase_order_ids=[order.id for order in made][:_NAMED_IN_EVENT],
            suggestion_ids=[] if is_many else ids,
            is_many=is_many,
        )
    )
    return Converted(converted=len(ids), has_more=has_more, orders=made)


def _order(
    key: tuple[UUID, str], group: Sequence[asyncpg.Record], body: Convert, today: date
) -> PurchaseOrderCreate:
    supplier_id, currency = key
    return PurchaseOrderCreate(
        supplier=Reference(id=supplier_id),
        currency=currency,
        exchange_rate=body.exchange_rates.get(currency),
        lines=[
            LineCreate(
                item=ItemReference(id=row["item_id"]),
                warehouse=Reference(id=row["warehouse_id"]),
                quantity=row["quantity"],
                need_by=max(row["arrives_on"], today),
                source=Source(type="suggestion", id=row["id"]),
            )
            for row in group
        ],
    )


async def _chosen(tx: Tx, body: Convert) -> tuple[list[asyncpg.Record], bool]:
    """The suggestions to convert, locked, and whether there are more than one call takes."""
    statuses = ("accepted",) if body.only_accepted else ("open", "accepted")
    if body.ids is None:
        assert body.where is not None
        try:
            chosen = await _selection(tx, body.where)
        except Invalid as problem:
            # The same keys as in the list, but here they stand in the body.
            raise Invalid(
                [
                    replace(e, pointer=f"/where/{e.parameter}", parameter=None)
                    for e in problem.errors
                ]
            ) from problem
        rows = await repository.lock_where(tx, statuses, **chosen, limit=AT_ONCE + 1)
        if not rows:
            raise NothingLeftToConvert(count=0)
        return rows[:AT_ONCE], len(rows) > AT_ONCE
    rows = await repository.lock_ids(tx, body.ids)
    known = {row["id"]: row["status"] for row in rows}
    errors = [
        UNKNOWN_REFERENCE.at(f"/ids/{n}", kind=KIND, reference=str(id))
        for n, id in enumerate(body.ids)
        if id not in known
    ]
    if errors:
        raise Invalid(errors)
    live = [row for row in rows if row["status"] in statuses]
    if not live:
        raise NothingLeftToConvert(count=len(body.ids))
    if len(live) < len(rows):
        raise Invalid(
            [
                ALREADY_CONVERTED.at(f"/ids/{n}", id=str(id), status=known[id])
                for n, id in enumerate(body.ids)
                if known[id] not in statuses
            ]
        )
    return live, False


def _check(places: Mapping[UUID, str], rows: Sequence[asyncpg.Record]) -> None:
    errors: list[FieldError] = []
    for row in rows:
        at = places.get(row["id"], "/where")
        if row["supplier_id"] is None:
            errors.append(NO_SUPPLIER.at(at, sku=row["sku"]))
        elif row["unit_price"] is None:
            errors.append(NO_PRICE.at(at, supplier=row["supplier_code"], sku=row["sku"]))
        elif row["quantity"] > ONE_BILLION:
            # The supplier's minimum, rounded up to the multiple, may exceed what a line takes.
            errors.append(TOO_MUCH.at(at, limit=ONE_BILLION, sku=row["sku"]))
    if errors:
        raise Invalid(errors)


def _as_asked(
    places: Mapping[UUID, str], parts: Sequence[_Part], errors: Sequence[FieldError]
) -> list[FieldError]:
    """Errors of the orders, which the caller never saw, at what was asked for: a line's at its
    suggestion, an exchange rate's at that rate, any other of an order at all its suggestions."""
    moved: list[FieldError] = []
    seen: set[tuple[str, str, str]] = set()
    for error in errors:
        # /orders/0/supplier or /orders/0/lines/3/item
        _, _, order, name, *rest = str(error.pointer).split("/")
        (_, currency), group = parts[int(order)]
        if name == "exchange_rate":
            pointers = [f"/exchange_rates/{currency}"]
        else:
            meant = [group[int(rest[0])]] if name == "lines" else group
            pointers = [places.get(row["id"], "/where") for row in meant]
        for pointer in pointers:
            # Many suggestions share `/where`, and many orders a currency: once says it all.
            told = (pointer, error.rule.code, repr(error.params))
            if told not in seen:
                seen.add(told)
                moved.append(replace(error, pointer=pointer))
    return moved


async def _selection(tx: Tx, wanted: SuggestionSelection) -> dict[str, Any]:
    return {
        "item_id": await items.filter_id(tx, wanted.item),
        "warehouse_id": await warehouses.filter_id(tx, wanted.warehouse),
        "supplier_id": await suppliers.filter_id(tx, wanted.supplier),
        "plan_id": wanted.plan_id,
        "needed_on_lte": wanted.needed_on_lte,
    }


async def _open(
    tx: Tx,
    suggestion_id: UUID,
    version: int | None,
    if_match: Versions | None,
    action: str,
    statuses: tuple[str, ...],
) -> ReplenishmentSuggestion:
    async with limits.own_part(tx):
        row: ReplenishmentSuggestion = (await get(tx, suggestion_id))[0]
    check_version(row.version, if_match, version)
    if row.status not in statuses:
        raise IllegalTransition(
            kind=KIND,
            reference=str(suggestion_id),
            state=row.status,
            action=action,
            allowed=_ACTIONS.get(row.status, []),
        )
    return row
