"""What is posted to the ledger and what comes back: plain values between services."""

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID


@dataclass(frozen=True)
class Place:
    """A location as the ledger needs it: `warehouse_id` is None for the outside world."""

    warehouse_id: UUID | None
    is_transit: bool
    may_be_negative: bool


@dataclass(frozen=True)
class NewLine:
    """One line to post. Quantities are in base units; locations by id, outside ones included."""

    item_id: UUID
    quantity: Decimal
    from_location_id: UUID
    to_location_id: UUID
    lot_id: UUID | None = None
    from_status: str = "unrestricted"
    to_status: str = "unrestricted"
    unit_cost: Decimal | None = None
    """Cost of one base unit of what enters from outside, in base currency; None = the average."""
    value: Decimal | None = None
    """A value fixed beforehand (reversals); None = computed."""
    expected_on_hand: Decimal | None = None
    pointer: str = ""
    """Where the caller's request holds this line, for error messages."""


@dataclass(frozen=True)
class NewDocument:
    """A posting: all of its lines or none."""

    type: str
    lines: list[NewLine]
    occurred_at: datetime
    reason: str = ""
    reference_type: str | None = None
    reference_id: UUID | None = None
    reference: str | None = None
    external_ref: str | None = None
    reversal_of: UUID | None = None


@dataclass(frozen=True)
class PostedLine:
    """What became of a line: its value and the position's on hand after the document."""

    line_no: int
    value: Decimal
    on_hand_after: Decimal


@dataclass(frozen=True)
class PostedDocument:
    """A posted document."""

    id: UUID
    type: str
    occurred_at: datetime
    recorded_at: datetime
    lines: list[PostedLine] = field(default_factory=list)


@dataclass(frozen=True)
class Inbound:
    """An open quantity that will arrive at a warehouse on a date."""

    source_line_id: UUID
    source_number: str
    item_id: UUID
    warehouse_id: UUID
    due_on: date
    quantity: Decimal
    is_confirmed: bool = False


@dataclass(frozen=True)
class Levels:
    """What planning decided for a position; quantities in base units, demand per day."""

    item_id: UUID
    warehouse_id: UUID
    daily_demand: Decimal
    safety_stock: Decimal
    reorder_point: Decimal
    order_up_to: Decimal


@dataclass(frozen=True)
class Shortfall:
    """A line that could not be served, what its place had instead, and what the whole warehouse
    had available of the item."""

    line: NewLine
    warehouse_id: UUID
    problem: str
    available: Decimal
    position_available: Decimal
