"""Rules of suppliers that need no database: their calendar, their price lists, their quantities."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_CEILING, ROUND_HALF_EVEN, Decimal
from typing import NamedTuple
from uuid import UUID

FOUR_PLACES = Decimal("0.0001")
SIX_PLACES = Decimal("0.000001")


class Shutdown(NamedTuple):
    """Days on which a supplier neither works nor ships, both ends included."""

    starts_on: date
    ends_on: date


@dataclass(frozen=True, slots=True)
class PriceStep:
    """One step of a price list: `unit_price` buys `price_per` base units, from `minimum_quantity`
    base units up, on the days `valid_from` to `valid_to` (both included; None: no end)."""

    minimum_quantity: Decimal
    unit_price: Decimal
    price_per: Decimal
    currency: str
    valid_from: date
    valid_to: date | None

    @property
    def price_of_one(self) -> Decimal:
        """The price of one base unit, to 6 places."""
        return (self.unit_price / self.price_per).quantize(SIX_PLACES, ROUND_HALF_EVEN)

    def is_valid(self, on: date) -> bool:
        return self.valid_from <= on <= (self.valid_to or date.max)


@dataclass(frozen=True, slots=True)
class MeasuredLeadTime:
    """Mean and sample standard deviation of `count` observed lead times, in days."""

    count: int
    mean_days: Decimal | None
    sd_days: Decimal | None


@dataclass(frozen=True, slots=True)
class ObservedLeadTime:
    """One delivery. `confirmed_on` and `requested_on` are the delivery dates the supplier confirmed
    and we asked for; the order is None for imported history."""

    supplier_id: UUID
    item_id: UUID
    ordered_on: date
    received_on: date
    quantity: Decimal
    confirmed_on: date | None = None
    requested_on: date | None = None
    purchase_order_id: UUID | None = None
    purchase_order_line_id: UUID | None = None
    receipt_id: UUID | None = None

    @property
    def days(self) -> int:
        """Calendar days from order to receipt; goods that came before their order took none."""
        return max((self.received_on - self.ordered_on).days, 0)


def merged(shutdowns: Iterable[tuple[date, date]]) -> list[Shutdown]:
    """The same closed days as ordered periods that neither overlap nor touch."""
    periods: list[Shutdown] = []
    for starts_on, ends_on in sorted(shutdowns):
        last = periods[-1] if periods else None
        if last is not None and starts_on <= last.ends_on + timedelta(days=1):
            periods[-1] = Shutdown(last.starts_on, max(last.ends_on, ends_on))
        else:
            periods.append(Shutdown(starts_on, ends_on))
    return periods


def arrival_on(
    order_date: date, lead_time_days: int, shutdowns: Iterable[tuple[date, date]]
) -> date:
    """The day goods ordered on `order_date` arrive.

    The lead time counts open days only, those outside every shut-down. An order placed during a
    shut-down is taken up on the first open day after it; the lead time then counts the open days
    that follow. So arrival is always an open day, and without shut-downs it is `order_date` +
    `lead_time_days`. Later orders never arrive earlier.
    """
    closed = merged(shutdowns)
    day, remaining = order_date, lead_time_days
    for starts_on, ends_on in closed:
        if ends_on < order_date:
            continue
        if starts_on <= order_date:
            day = ends_on + timedelta(days=1)
            continue
        open_days = (starts_on - day).days - 1
        if remaining <= open_days:
            break
        remaining -= open_days
        day = ends_on
    return day + timedelta(days=remaining)


def order_by(need_by: date, lead_time_days: int, shutdowns: Iterable[tuple[date, date]]) -> date:
    """The last day an order may be placed so that `arrival_on` is not after `need_by`."""
    day, remaining = need_by, lead_time_days
    for starts_on, ends_on in reversed(merged(shutdowns)):
        if starts_on > need_by:
            continue
        if ends_on >= need_by:
            day = starts_on - timedelta(days=1)
            continue
        open_days = (day - ends_on).days - 1
        if remaining <= open_days:
            break
        remaining -= open_days
        day = starts_on
    return day - timedelta(days=remaining)


def effective_price(steps: Iterable[PriceStep], quantity: Decimal, on: date) -> PriceStep | None:
    """The step an order of `quantity` base units gets on a day: of the valid steps it reaches, the
    one with the greatest minimum quantity. None if it reaches no valid step."""
    reached = [s for s in steps if s.is_valid(on) and s.minimum_quantity <= quantity]
    return max(reached, key=lambda step: step.minimum_quantity, default=None)


def overlaps(steps: Sequence[PriceStep]) -> list[tuple[int, int]]:
    """Pairs (index, index of an earlier-starting step) of steps with the same minimum quantity that
    are valid on a common day. Empty means that every quantity has one price on every day."""
    found = []
    open_step: dict[Decimal, int] = {}
    for index in sorted(range(len(steps)), key=lambda i: (steps[i].valid_from, i)):
        step = steps[index]
        before = open_step.get(step.minimum_quantity)
        if before is not None and steps[before].is_valid(step.valid_from):
            found.append((index, before))
        if before is None or _end(steps[before]) < _end(step):
            open_step[step.minimum_quantity] = index
    return found


def mixed_currencies(steps: Sequence[PriceStep]) -> list[int]:
    """Indexes of steps that are valid on a day on which a step in another currency is valid too:
    such prices could not be compared."""
    found = []
    ends: dict[str, date] = {}
    for index in sorted(range(len(steps)), key=lambda i: (steps[i].valid_from, i)):
        step = steps[index]
        if any(c != step.currency and end >= step.valid_from for c, end in ends.items()):
            found.append(index)
        ends[step.currency] = max(ends.get(step.currency, date.min), _end(step))
    return found


def _end(step: PriceStep) -> date:
    return step.valid_to or date.max


def order_quantity(
    needed: Decimal,
    minimum_quantity: Decimal,
    order_multiple: Decimal | None,
    maximum_quantity: Decimal | None,
) -> Decimal | None:
    """The least quantity of one order that covers `needed`: at least the minimum and a whole number
    of multiples. None if that is more than the supplier sells in one order."""
    quantity = max(needed, minimum_quantity)
    if order_multiple is not None:
        packs = (quantity / order_multiple).to_integral_value(ROUND_CEILING)
        quantity = packs * order_multiple
    if maximum_quantity is not None and quantity > maximum_quantity:
        return None
    return quantity.quantize(FOUR_PLACES)


def measured_lead_time(count: int, total: Decimal, squares: Decimal) -> MeasuredLeadTime:
    """Mean and spread from the number, the sum and the sum of squares of observed days."""
    if count == 0:
        return MeasuredLeadTime(0, None, None)
    mean = total / count
    if count == 1:
        return MeasuredLeadTime(1, mean.quantize(FOUR_PLACES), None)
    # Exact sums of whole days; only the rounded mean could take this below zero.
    variance = max(squares - total * mean, Decimal(0)) / (count - 1)
    return MeasuredLeadTime(
        count, mean.quantize(FOUR_PLACES), variance.sqrt().quantize(FOUR_PLACES)
    )
