"""What happened to warehouses."""

from dataclasses import dataclass
from typing import Any, ClassVar

from scm_api.core.events import Event


@dataclass(frozen=True)
class WarehouseCreated(Event):
    type: ClassVar[str] = "warehouse.created"
    subject_type: ClassVar[str] = "warehouse"

    code: str


@dataclass(frozen=True)
class WarehouseChanged(Event):
    """`changes` holds `{field: {"old": ..., "new": ...}}`."""

    type: ClassVar[str] = "warehouse.changed"
    subject_type: ClassVar[str] = "warehouse"

    code: str
    changes: dict[str, Any]
