"""The tolerance rule of receipts, as a pure function."""

from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from scm_api.purchase_orders import policy as order_policy
from scm_api.purchase_orders.document import Line


class Excess(NamedTuple):
    """The delivery at `place` that goes too far, and how much could still have come with it."""

    place: int
    receivable: Decimal


def over_tolerance(deliveries: Iterable[tuple[Line, Decimal]]) -> list[Excess]:
    """The deliveries (line, base quantity) of one receipt that exceed what their lines tolerate.

    Judged is the total ever received, so it makes no difference how the goods were split over
    receipts or over the lines of one.
    """
    coming: dict[UUID, Decimal] = {}
    found = []
    for place, (line, quantity) in enumerate(deliveries):
        before = coming.get(line.id, Decimal(0))
        coming[line.id] = before + quantity
        maximum = order_policy.maximum_quantity(line)
        if maximum is not None and line.received_quantity + before + quantity > maximum:
            receivable = maximum - line.received_quantity - before
            found.append(Excess(place, max(receivable, Decimal(0))))
    return found
