"""What happened to suppliers and to what they supply."""

from dataclasses import dataclass
from typing import Any, ClassVar

from scm_api.core.events import Event


@dataclass(frozen=True)
class SupplierCreated(Event):
    type: ClassVar[str] = "supplier.created"
    subject_type: ClassVar[str] = "supplier"

    code: str


@dataclass(frozen=True)
class SupplierChanged(Event):
    """`changes` holds `{field: {"old": ..., "new": ...}}`; a shut-down is the field `shutdown`."""

    type: ClassVar[str] = "supplier.changed"
    subject_type: ClassVar[str] = "supplier"

    code: str
    changes: dict[str, Any]


@dataclass(frozen=True)
class SupplierItemChanged(Event):
    """The terms of one supplier for one item are new or changed. A price in `changes` is
    `[minimum_quantity, unit_price, price_per, currency, valid_from, valid_to]`."""

    type: ClassVar[str] = "supplier_item.changed"
    subject_type: ClassVar[str] = "supplier_item"

    supplier_code: str
    sku: str
    is_new: bool
    changes: dict[str, Any]
