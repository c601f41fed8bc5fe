"""What happened to purchase orders. `item_warehouses` names the positions concerned; with more than
200 it is empty and `is_many` is true: read the order's lines."""

from dataclasses import dataclass, field
from typing import Any, ClassVar

from scm_api.core.events import Event

NAMED_AT_MOST = 200
CHANGES_AT_MOST = 50


@dataclass(frozen=True)
class OrderEvent(Event):
    """Base: which order, from whom, about which positions."""

    subject_type: ClassVar[str] = "purchase_order"

    number: str
    supplier_id: str
    status: str
    item_warehouses: list[tuple[str, str]] = field(default_factory=list)
    is_many: bool = False


@dataclass(frozen=True)
class OrderCreated(OrderEvent):
    type: ClassVar[str] = "purchase_order.created"


@dataclass(frozen=True)
class OrderChanged(OrderEvent):
    """A draft was changed; `changes` holds `{field: {"old", "new"}}` of the header."""

    type: ClassVar[str] = "purchase_order.changed"

    changes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class OrderApproved(OrderEvent):
    type: ClassVar[str] = "purchase_order.approved"


@dataclass(frozen=True)
class OrderUnapproved(OrderEvent):
    type: ClassVar[str] = "purchase_order.unapproved"


@dataclass(frozen=True)
class OrderIssued(OrderEvent):
    type: ClassVar[str] = "purchase_order.issued"


@dataclass(frozen=True)
class OrderConfirmed(OrderEvent):
    """The supplier answered; `confirmation_status` is the order's now."""

    type: ClassVar[str] = "purchase_order.confirmed"

    confirmation_status: str = "none"


@dataclass(frozen=True)
class OrderRevised(OrderEvent):
    """A new revision; `changes` holds the first 50 of `change_count` changed values."""

    type: ClassVar[str] = "purchase_order.revised"

    revision: int = 1
    reason: str = ""
    change_count: int = 0
    changes: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class OrderClosed(OrderEvent):
    type: ClassVar[str] = "purchase_order.closed"

    close_reason: str = "completed"
    reason: str = ""


@dataclass(frozen=True)
class OrderReopened(OrderEvent):
    type: ClassVar[str] = "purchase_order.reopened"

    reason: str = ""


@dataclass(frozen=True)
class OrderCancelled(OrderEvent):
    type: ClassVar[str] = "purchase_order.cancelled"

    reason: str = ""


@dataclass(frozen=True)
class OrderHeld(OrderEvent):
    type: ClassVar[str] = "purchase_order.held"

    reason: str = ""


@dataclass(frozen=True)
class OrderReleased(OrderEvent):
    type: ClassVar[str] = "purchase_order.released"
