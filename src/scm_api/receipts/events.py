"""What happened to receipts. `item_warehouses` names the positions concerned; with more than 200
it is empty and `is_many` is true: read the receipt's lines."""

from dataclasses import dataclass
from typing import ClassVar

from scm_api.core.events import Event

NAMED_AT_MOST = 200


@dataclass(frozen=True)
class ReceiptEvent(Event):
    """Base: which receipt, of which order, from whom, about which positions."""

    subject_type: ClassVar[str] = "receipt"

    number: str
    order_id: str | None
    supplier_id: str | None
    line_count: int
    item_warehouses: list[tuple[str, str]]
    is_many: bool


@dataclass(frozen=True)
class ReceiptPosted(ReceiptEvent):
    type: ClassVar[str] = "receipt.posted"


@dataclass(frozen=True)
class ReceiptReversed(ReceiptEvent):
    type: ClassVar[str] = "receipt.reversed"

    reason: str
