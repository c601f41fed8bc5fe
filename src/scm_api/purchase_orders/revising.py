"""Changing an approved or issued order: a new revision that says what was and what is."""

from decimal import Decimal
from typing import Any

from pydantic_core import to_jsonable_python

from scm_api.core.errors import FieldError, Invalid
from scm_api.core.http import Versions
from scm_api.core.redaction import SEE_COSTS
from scm_api.core.schemas import ONE_BILLION
from scm_api.core.tx import Tx
from scm_api.purchase_orders import drafting, errors, policy, repository
from scm_api.purchase_orders.deciding import APPROVE, decide
from scm_api.purchase_orders.document import Line
from scm_api.purchase_orders.events import CHANGES_AT_MOST, OrderRevised
from scm_api.purchase_orders.models import PurchaseOrder
from scm_api.purchase_orders.saving import Order, event, lock, settle
from scm_api.purchase_orders.schemas import LineChange, OrderRevise

_PLAIN = (
    "unit_price",
    "over_delivery_percent",
    "under_delivery_percent",
    "is_unlimited_overdelivery",
    "is_closed",
)
# Old values come with the places they are stored with; new ones are shown alike.
_PLACES = {"unit_price": 6, "exchange_rate": 10}


async def revise(tx: Tx, key: str, body: OrderRevise, if_match: Versions | None) -> PurchaseOrder:
    """Change open lines and the exchange rate; gives a new revision, or the same order if nothing
    really changes. What changed on a line must be confirmed again.

    A revision by which more could be spent, or more a piece, decides anew on what was approved: it
    needs what an approval needs. Prices are changed by who sees them; else the answers would tell.

    Raises `NotFound`, `VersionMismatch`, `PreconditionRequired`, `IllegalTransition`, `Invalid`,
    `PermissionDenied`, `SegregationOfDuties`, `AmountLimitExceeded`.
    """
    names_money = isinstance(body.exchange_rate, Decimal) or any(
        "unit_price" in line.model_fields_set for line in body.lines
    )
    if names_money:
        tx.principal.require(SEE_COSTS)
    order = await lock(tx, key, "revise", if_match, body.version, version_required=True)
    header, found = order.header, list[FieldError]()
    approved = policy.commitment(order.lines, header.exchange_rate)
    before = _snapshot(order, header.exchange_rate)
    rate = header.exchange_rate
    if isinstance(body.exchange_rate, Decimal):
        base_currency = (await repository.organization(tx)).base_currency
        rate = body.exchange_rate
        found += drafting.rate_errors(header.currency, base_currency, rate, "")
    for index, wanted in enumerate(body.lines):
        _change_line(order, wanted, f"/lines/{index}", found)
    for index, wanted in enumerate(body.lines):
        line = order.line(wanted.line_no)
        if line is not None and policy.unit_cost(line, rate) > ONE_BILLION:
            found.append(errors.TOO_MUCH.at(f"/lines/{index}/unit_price", limit=ONE_BILLION))
    if found:
        raise Invalid(found)
    after = _snapshot(order, rate)
    changes = difference(before, after)
    if not changes:
        return header
    changed = [line for line in order.lines if before[_path(line)] != after[_path(line)]]
    values = {
        "exchange_rate": rate,
        "revision": header.revision + 1,
        "warnings": await _warnings(tx, order),
    }
    await settle(tx, order, values, reason=body.reason, lines=changed, schedules=changed)
    if policy.asks_for_more(approved, policy.commitment(order.lines, rate)):
        tx.principal.require(APPROVE)
        await decide(tx, order)
    await repository.insert_revision(tx, header, body.reason, changes)
    tx.emit(
        event(
            OrderRevised,
            order,
            revision=header.revision,
            reason=body.reason,
            change_count=len(changes),
            changes=changes[:CHANGES_AT_MOST],
        )
    )
    return header


def _change_line(order: Order, wanted: LineChange, at: str, found: list[FieldError]) -> None:
    line = order.line(wanted.line_no)
    fields = wanted.model_dump(exclude_unset=True, exclude={"line_no", "schedules"})
    if line is None or (policy.is_done(line) and fields.get("is_closed") is not False):
        found.append(errors.UNKNOWN_LINE.at(f"{at}/line_no", line_no=wanted.line_no))
        return
    for name in _PLAIN:
        if name in fields:
            setattr(line, name, fields[name])
    if "quantity" in fields:
        where = f"{at}/quantity"
        line.quantity, line.unit_quantity = (
            drafting.ordered_in_base(line, fields["quantity"], where, found),
            fields["quantity"],
        )
        if line.quantity < line.received_quantity:
            found.append(errors.BELOW_RECEIVED.at(where, received=line.received_quantity))
    if not policy.is_within_tolerance(line, Decimal(0)):
        maximum = policy.maximum_quantity(line)
        found.append(errors.MORE_THAN_TOLERATED.at(f"{at}/over_delivery_percent", maximum=maximum))
    _change_schedules(line, wanted, fields, at, found)


def _change_schedules(
    line: Line, wanted: LineChange, fields: dict[str, Any], at: str, found: list[FieldError]
) -> None:
    if "schedules" in wanted.model_fields_set:
        assert isinstance(wanted.schedules, list)
        if "need_by" in fields:
            found.append(errors.EITHER_DATE_OR_SCHEDULES.at(f"{at}/schedules"))
        drafting.set_schedules(line, wanted.schedules, at, found)
        return
    if not {"quantity", "need_by"} & fields.keys():
        return
    if len(line.schedules) > 1:
        words = {"line_no": line.line_no, "count": len(line.schedules)}
        found.append(errors.SCHEDULE_REQUIRED.at(f"{at}/schedules", **words))
        return
    only = line.schedules[0]
    need_by = fields.get("need_by", only.need_by)
    if (only.quantity, only.need_by) != (line.quantity, need_by):
        only.quantity, only.need_by = line.quantity, need_by
        only.forget_answer()


async def _warnings(tx: Tx, order: Order) -> list[dict[str, Any]]:
    header = order.header
    asked = [
        (header.supplier_id, line.item_id, line.quantity, header.dated_on) for line in order.lines
    ]
    terms = await repository.terms(tx, asked)
    return drafting.warnings(zip(order.lines, terms, strict=True))


def _path(line: Line) -> str:
    return f"/lines/{line.line_no}"


def _snapshot(order: Order, exchange_rate: Decimal) -> dict[str, Any]:
    """What a buyer may change, by path: lines and schedules by their numbers."""
    return {"/exchange_rate": _shown("exchange_rate", exchange_rate)} | {
        _path(line): {
            "/quantity": _shown("quantity", line.unit_quantity),
            **{f"/{name}": _shown(name, getattr(line, name)) for name in _PLAIN},
            **{
                f"/schedules/{part.schedule_no}/{name}": _shown(name, getattr(part, name))
                for part in line.schedules
                for name in ("quantity", "need_by")
            },
        }
        for line in order.lines
    }


def _shown(name: str, value: Any) -> Any:
    if isinstance(value, Decimal):
        return value.quantize(Decimal(1).scaleb(-_PLACES.get(name, 4)))
    return value


def difference(before: dict[str, Any], after: dict[str, Any]) -> list[dict[str, Any]]:
    """`{path, old, new}` of every value that differs; None stands for what is not there."""
    changes: list[dict[str, Any]] = []
    for path in sorted(before.keys() | after.keys()):
        old, new = before.get(path), after.get(path)
        if isinstance(old, dict) or isinstance(new, dict):
            inner = difference(old or {}, new or {})
            changes += [{**found, "path": path + found["path"]} for found in inner]
        elif old != new:
            changes.append(to_jsonable_python({"path": path, "old": old, "new": new}))
    return changes
