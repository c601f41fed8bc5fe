"""What happened to items and categories."""

from dataclasses import dataclass
from typing import Any, ClassVar

from scm_api.core.events import Event


@dataclass(frozen=True)
class ItemCreated(Event):
    type: ClassVar[str] = "item.created"
    subject_type: ClassVar[str] = "item"

    sku: str


@dataclass(frozen=True)
class ItemChanged(Event):
    """`changes` holds `{field: {"old": ..., "new": ...}}`."""

    type: ClassVar[str] = "item.changed"
    subject_type: ClassVar[str] = "item"

    sku: str
    changes: dict[str, Any]


@dataclass(frozen=True)
class CategoryCreated(Event):
    type: ClassVar[str] = "category.created"
    subject_type: ClassVar[str] = "category"

    code: str


@dataclass(frozen=True)
class CategoryChanged(Event):
    """`changes` holds `{field: {"old": ..., "new": ...}}`."""

    type: ClassVar[str] = "category.changed"
    subject_type: ClassVar[str] = "category"

    code: str
    changes: dict[str, Any]
