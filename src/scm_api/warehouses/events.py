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
class LocationCreated(Event):
    type: ClassVar[str] = "location.created"
    subject_type: ClassVar[str] = "location"

    warehouse: str
    code: str
    kind: str


@dataclass(frozen=True)
class LocationChanged(Event):
    """`changes` holds `{field: {"old": ..., "new": ...}}`."""

    type: ClassVar[str] = "location.changed"
    subject_type: ClassVar[str] = "location"

    warehouse: str
    code: str
    changes: dict[str, Any]


@dataclass(frozen=True)
class WarehouseChanged(Event):
    """`changes` holds `{field: {"old": ..., "new": ...}}`."""

    type: ClassVar[str] = "warehouse.changed"
    subject_type: ClassVar[str] = "warehouse"

    code: str
    changes: dict[str, Any]
