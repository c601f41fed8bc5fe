"""Taking the supplier's answer to an issued order, line by line."""

from datetime import date
from decimal import Decimal

from scm_api.core.errors import FieldError, Invalid
from scm_api.core.http import Versions
from scm_api.core.tx import Tx
from scm_api.purchase_orders import errors, policy
from scm_api.purchase_orders.document import Line, Schedule
from scm_api.purchase_orders.drafting import ordered_in_base
from scm_api.purchase_orders.events import OrderConfirmed
from scm_api.purchase_orders.models import PurchaseOrder
from scm_api.purchase_orders.saving import Order, event, lock, save
from scm_api.purchase_orders.schemas import Confirmation, LineConfirmation


async def confirm(tx: Tx, key: str, body: Confirmation, if_match: Versions | None) -> PurchaseOrder:
    """Record what the supplier answered; what it confirmed is what is expected from now on.

    Raises `Invalid` and what `lock` raises.
    """
    order = await lock(tx, key, "confirm", if_match, body.version, version_required=True)
    found: list[FieldError] = []
    if body.lines is None:
        answered = [line for line in order.lines if not policy.is_done(line)]
        for line in answered:
            _accept(line.schedules, None, None)
    else:
        answered = _answer_lines(order, body.lines, found)
    if found:
        raise Invalid(found)
    await save(tx, order, {}, schedules=answered)
    status = order.header.confirmation_status
    tx.emit(event(OrderConfirmed, order, confirmation_status=status))
    return order.header


def _answer_lines(
    order: Order, bodies: list[LineConfirmation], found: list[FieldError]
) -> list[Line]:
    answered: dict[int, Line] = {}
    for index, body in enumerate(bodies):
        at = f"/lines/{index}"
        line = order.line(body.line_no)
        if line is None or policy.is_done(line):
            found.append(errors.UNKNOWN_LINE.at(f"{at}/line_no", line_no=body.line_no))
            continue
        answered[line.line_no] = line
        _answer(line, body, at, found)
        _check_total(line, at, found)
    return list(answered.values())


def _answer(line: Line, body: LineConfirmation, at: str, found: list[FieldError]) -> None:
    parts = line.schedules
    if body.schedule_no is not None:
        parts = [part for part in parts if part.schedule_no == body.schedule_no]
        if not parts:
            words = {"line_no": line.line_no, "schedule_no": body.schedule_no}
            found.append(errors.UNKNOWN_SCHEDULE.at(f"{at}/schedule_no", **words))
            return
    if body.answer == "rejected":
        if body.quantity is not None or body.confirmed_on is not None:
            found.append(errors.NOT_WITH_REJECTION.at(f"{at}/answer"))
        for part in parts:
            part.reject()
        return
    if body.quantity is not None and len(parts) > 1:
        words = {"line_no": line.line_no, "count": len(parts)}
        found.append(errors.SCHEDULE_REQUIRED.at(f"{at}/schedule_no", **words))
        return
    quantity = None
    if body.quantity is not None:
        quantity = ordered_in_base(line, body.quantity, f"{at}/quantity", found)
    _accept(parts, quantity, body.confirmed_on)


def _accept(parts: list[Schedule], quantity: Decimal | None, on: date | None) -> None:
    for part in parts:
        part.answer(part.quantity if quantity is None else quantity, on or part.need_by)


def _check_total(line: Line, at: str, found: list[FieldError]) -> None:
    maximum = policy.maximum_quantity(line)
    confirmed = sum((part.expected_quantity for part in line.schedules), Decimal(0))
    if maximum is not None and confirmed > maximum:
        found.append(errors.MORE_THAN_TOLERATED.at(f"{at}/quantity", maximum=maximum))
