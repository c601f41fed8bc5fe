"""The rules of purchase orders, as pure functions: states, tolerances, statuses and amounts."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_FLOOR, ROUND_HALF_UP, Decimal, localcontext
from fractions import Fraction
from typing import Any, Protocol

from scm_api.purchase_orders.currencies import round_amount
from scm_api.purchase_orders.document import Line, Schedule

FINAL = frozenset({"closed", "cancelled"})
_OPEN = frozenset({"draft", "approved", "issued"})
_COMPLETED = frozenset({"completed"})
_GIVEN_UP = frozenset({"short_closed", "cancelled_remainder"})


class State(Protocol):
    """What decides which actions are possible."""

    @property
    def status(self) -> str: ...
    @property
    def is_on_hold(self) -> bool: ...
    @property
    def close_reason(self) -> str | None: ...


@dataclass(frozen=True)
class Transition:
    """One row of the state machine: where an action is possible and where it leads (None: stays).

    `held` restricts it to orders (not) on hold, `close_reasons` to orders closed for one of them.
    """

    action: str
    sources: frozenset[str]
    target: str | None = None
    held: bool | None = None
    close_reasons: frozenset[str] | None = None
    is_automatic: bool = False

    def applies(self, order: State) -> bool:
        return (
            order.status in self.sources
            and self.held in (None, order.is_on_hold)
            and (self.close_reasons is None or order.close_reason in self.close_reasons)
        )


TRANSITIONS = (
    Transition("change", frozenset({"draft"})),
    Transition("approve", frozenset({"draft"}), "approved", held=False),
    Transition("unapprove", frozenset({"approved"}), "draft"),
    Transition("issue", frozenset({"approved"}), "issued", held=False),
    Transition("confirm", frozenset({"issued"})),
    Transition("revise", frozenset({"approved", "issued"})),
    Transition("receive", frozenset({"issued"}), held=False),
    # A completed order still takes what its tolerance allows: otherwise the same goods would be
    # accepted in one delivery and refused in two.
    Transition("receive", frozenset({"closed"}), held=False, close_reasons=_COMPLETED),
    Transition("complete", frozenset({"issued"}), "closed", is_automatic=True),
    # ... and opens again when a receipt is reversed.
    Transition("uncomplete", frozenset({"closed"}), "issued", None, _COMPLETED, is_automatic=True),
    Transition("short_close", frozenset({"issued"}), "closed"),
    Transition("cancel", _OPEN, "cancelled"),
    # What has arrived cannot be cancelled: the remainder is, and the order closes.
    Transition("cancel_remainder", frozenset({"issued"}), "closed", is_automatic=True),
    Transition("reopen", frozenset({"closed"}), "issued", close_reasons=_GIVEN_UP),
    Transition("hold", _OPEN, held=False),
    Transition("release", _OPEN | {"closed"}, held=True),
)  # fmt: skip


def transition(order: State, action: str) -> Transition | None:
    """The row of the table that permits the action now, or None."""
    return next((t for t in TRANSITIONS if t.action == action and t.applies(order)), None)


# What the operations of actions need; a test compares it with their routers.
_PERMISSIONS = {
    "approve": "purchase_orders:approve",
    "unapprove": "purchase_orders:approve",
    "receive": "receipts:write",
}


def permission_of(action: str) -> str:
    """The permission that an action needs."""
    return _PERMISSIONS.get(action, "purchase_orders:write")


def allowed_actions(order: State, may: Callable[[str], bool]) -> list[str]:
    """What a caller who has the permissions `may` says can do with the order now, in the table's
    order."""
    possible = dict.fromkeys(
        t.action for t in TRANSITIONS if not t.is_automatic and t.applies(order)
    )
    return [action for action in possible if may(permission_of(action))]


def maximum_quantity(line: Line) -> Decimal | None:
    """The most that may arrive in total: ordered x (1 + over-delivery tolerance); None: no limit.

    It bounds the total, never a single delivery, so any split of the same goods is judged alike.
    """
    if line.is_unlimited_overdelivery:
        return None
    # Quantities have 4 places, so the places cut off here could never be received.
    maximum = line.quantity * (100 + line.over_delivery_percent) / 100
    return maximum.quantize(Decimal("1e-4"), rounding=ROUND_FLOOR)


@dataclass(frozen=True)
class Commitment:
    """What an order binds the organization to at most, in base currency: in all, None without a
    bound, and for a base unit of each line."""

    total: Decimal | None
    unit_costs: Mapping[int, Decimal]


def commitment(lines: Iterable[Line], exchange_rate: Decimal) -> Commitment:
    """What could still be delivered and would have to be paid, tolerances included."""
    total: Decimal | None = Decimal(0)
    unit_costs = {}
    for line in lines:
        unit_costs[line.line_no] = cost = unit_cost(line, exchange_rate)
        maximum = line.received_quantity if line.is_closed else maximum_quantity(line)
        total = None if total is None or maximum is None else total + maximum * cost
    return Commitment(total, unit_costs)


def asks_for_more(before: Commitment, after: Commitment) -> bool:
    """Whether more could be spent than before, or more for a unit."""
    if after.total is None and before.total is not None:
        return True
    if after.total is not None and before.total is not None and after.total > before.total:
        return True
    return any(cost > before.unit_costs.get(n, cost) for n, cost in after.unit_costs.items())


def is_within_tolerance(line: Line, quantity: Decimal) -> bool:
    """Whether `quantity` more may arrive on the line."""
    maximum = maximum_quantity(line)
    return maximum is None or line.received_quantity + quantity <= maximum


def is_delivered(line: Line) -> bool:
    """Whether the supplier has done the line: all there, or short within the tolerance, or said to
    be the final delivery."""
    enough = line.quantity * (100 - line.under_delivery_percent) / 100
    return line.received_quantity > 0 and (
        line.is_final_delivery or line.received_quantity >= enough
    )


def is_done(line: Line) -> bool:
    """Whether nothing more is expected on the line."""
    return line.is_closed or is_delivered(line)


def open_quantity(line: Line) -> Decimal:
    """What is still to come on the line."""
    return Decimal(0) if is_done(line) else max(line.quantity - line.received_quantity, Decimal(0))


def line_status(line: Line) -> str:
    """open, delivered, closed (the rest given up) or cancelled (given up with nothing received)."""
    if is_delivered(line):
        return "delivered"
    if line.is_closed:
        return "closed" if line.received_quantity > 0 else "cancelled"
    return "open"


def line_receipt_status(line: Line) -> str:
    """none, partial, full (enough, or said to be all) or over (more than ordered), of one line."""
    if line.received_quantity == 0:
        return "none"
    if line.received_quantity > line.quantity:
        return "over"
    return "full" if is_delivered(line) else "partial"


def line_confirmation_status(line: Line) -> str:
    """none, partial, confirmed, changed or rejected, of one line."""
    return _summary_of_answers({schedule.confirmation for schedule in line.schedules})


def receipt_status(lines: Iterable[Line]) -> str:
    """none, partial, full or over, of a whole order; cancelled lines do not count."""
    of_lines = {line_receipt_status(line) for line in lines if line_status(line) != "cancelled"}
    if of_lines <= {"none"}:
        return "none"
    if of_lines & {"none", "partial"}:
        return "partial"
    return "over" if "over" in of_lines else "full"


def confirmation_status(lines: Iterable[Line]) -> str:
    """none, partial, confirmed, changed or rejected, of a whole order."""
    wanted = (line for line in lines if line_status(line) != "cancelled")
    return _summary_of_answers({s.confirmation for line in wanted for s in line.schedules})


def _summary_of_answers(answers: set[str]) -> str:
    if answers <= {"none"}:
        return "none"
    if "none" in answers:
        return "partial"
    return next(iter(answers)) if len(answers) == 1 else "changed"


def outcome(lines: Sequence[Line]) -> tuple[str, str | None]:
    """(status, close_reason) of an issued order, by what is left to expect."""
    if not all(is_done(line) for line in lines):
        return "issued", None
    if any(is_delivered(line) for line in lines):
        return "closed", "completed"
    if any(line.received_quantity > 0 for line in lines):
        return "closed", "cancelled_remainder"
    return "cancelled", None


def open_schedules(line: Line) -> list[tuple[Schedule, Decimal]]:
    """The schedules something is still expected on, with how much: what arrived fills the earliest
    first, whatever date it came for."""
    if is_done(line):
        return []
    received, still = line.received_quantity, []
    for schedule in sorted(line.schedules, key=lambda s: (s.due_on, s.schedule_no)):
        filled = min(received, schedule.expected_quantity)
        received -= filled
        if schedule.expected_quantity > filled:
            still.append((schedule, schedule.expected_quantity - filled))
    return still


def next_due_on(lines: Iterable[Line]) -> date | None:
    """The earliest day on which something is still expected."""
    return min((s.due_on for line in lines for s, _ in open_schedules(line)), default=None)


def in_base_units(line: Line, quantity: Decimal) -> Decimal | None:
    """A quantity in the line's unit as base units, by the factor the line was ordered with (the
    item's units may have changed since); None if that has more than 4 decimal places."""
    scaled = Fraction(quantity) * Fraction(line.quantity) / Fraction(line.unit_quantity) * 10_000
    if scaled.denominator != 1:
        return None
    return Decimal(scaled.numerator).scaleb(-4)


def _divide(dividend: Decimal, divisor: Decimal, places: int) -> Decimal:
    with localcontext() as context:
        context.prec = 60
        return (dividend / divisor).quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP)


def line_amount(line: Line) -> Decimal:
    """What the line costs, to 4 places: quantity x price / priced quantity. Of a line given up,
    only what arrived."""
    quantity = line.received_quantity if line.is_closed else line.quantity
    with localcontext() as context:
        context.prec = 60
        return _divide(quantity * line.unit_price, line.price_base_quantity, 4)


def order_amount(lines: Iterable[Line], currency: str) -> Decimal:
    """What the order costs, rounded to the currency's minor unit: the only place that rounds so."""
    return round_amount(sum((line_amount(line) for line in lines), Decimal(0)), currency)


def unit_cost(line: Line, exchange_rate: Decimal) -> Decimal:
    """What one base unit costs in the organization's base currency, to 6 places."""
    with localcontext() as context:
        context.prec = 60
        return _divide(line.unit_price * exchange_rate, line.price_base_quantity, 6)


def quantity_warnings(
    line: Line, minimum: Decimal, multiple: Decimal | None, maximum: Decimal | None
) -> list[dict[str, Any]]:
    """What the supplier's terms say against the line: warnings, since a buyer may know better."""
    broken: list[tuple[str, Decimal]] = []
    if line.quantity < minimum:
        broken.append(("below_minimum_quantity", minimum))
    if multiple is not None and line.quantity % multiple:
        broken.append(("not_order_multiple", multiple))
    if maximum is not None and line.quantity > maximum:
        broken.append(("above_maximum_quantity", maximum))
    return [
        {
            "code": code,
            "line_no": line.line_no,
            "params": {"quantity": format(line.quantity, "f"), "limit": format(limit, "f")},
        }
        for code, limit in broken
    ]
