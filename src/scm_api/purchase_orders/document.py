"""An order's lines in memory, as the tables hold them: what the rules read and the service changes.

Quantities are in base units unless the name says otherwise.
"""

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from uuid import UUID


@dataclass
class Schedule:
    """A part of a line due on a date of its own, with the supplier's answer."""

    organization_id: UUID
    id: UUID
    line_id: UUID
    schedule_no: int
    quantity: Decimal
    need_by: date
    confirmation: str = "none"
    confirmed_quantity: Decimal | None = None
    confirmed_on: date | None = None

    @property
    def due_on(self) -> date:
        """The day it is expected: as confirmed, else as requested."""
        return self.confirmed_on or self.need_by

    @property
    def expected_quantity(self) -> Decimal:
        """What the supplier said will come, else what we asked for."""
        if self.confirmation == "rejected":
            return Decimal(0)
        return self.quantity if self.confirmed_quantity is None else self.confirmed_quantity

    def answer(self, quantity: Decimal, on: date) -> None:
        """Take the supplier's answer: the same as asked is confirmed, anything else changed."""
        as_asked = quantity == self.quantity and on == self.need_by
        self.confirmation = "confirmed" if as_asked else "changed"
        self.confirmed_quantity, self.confirmed_on = quantity, on

    def forget_answer(self) -> None:
        """What was asked changed, so the supplier must answer again."""
        self.confirmation, self.confirmed_quantity, self.confirmed_on = "none", None, None

    def reject(self) -> None:
        """The supplier will not deliver this part."""
        self.confirmation, self.confirmed_quantity, self.confirmed_on = "rejected", None, None


@dataclass
class Line:
    """One item to one warehouse, with its schedules in order."""

    organization_id: UUID
    id: UUID
    order_id: UUID
    line_no: int
    item_id: UUID
    warehouse_id: UUID
    supplier_sku: str | None
    unit: str
    unit_quantity: Decimal
    quantity: Decimal
    unit_price: Decimal
    price_per: Decimal
    price_unit: str
    price_base_quantity: Decimal
    over_delivery_percent: Decimal = Decimal(0)
    under_delivery_percent: Decimal = Decimal(0)
    is_unlimited_overdelivery: bool = False
    received_quantity: Decimal = Decimal(0)
    is_final_delivery: bool = False
    is_closed: bool = False
    source_type: str | None = None
    source_id: UUID | None = None
    schedules: list[Schedule] = field(default_factory=list)
