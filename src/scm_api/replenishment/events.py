"""What happened to policies, plans and suggestions."""

from dataclasses import dataclass
from datetime import date
from typing import Any, ClassVar
from uuid import UUID

from scm_api.core.events import Event


@dataclass(frozen=True)
class PolicyChanged(Event):
    """A policy was written; `changes` holds `{field: {"old", "new"}}` against what applied before
    in the same scope."""

    type: ClassVar[str] = "replenishment_policy.changed"
    subject_type: ClassVar[str] = "replenishment_policy"

    scope: str
    item_id: UUID | None
    warehouse_id: UUID | None
    category_id: UUID | None
    effective_from: date
    changes: dict[str, Any]


@dataclass(frozen=True)
class PlanCompleted(Event):
    """A plan has been written; `opened`, `changed` and `expired` count its suggestions, of which
    there may be thousands: read them by plan."""

    type: ClassVar[str] = "replenishment_plan.completed"
    subject_type: ClassVar[str] = "replenishment_plan"

    as_of: date
    lines: int
    opened: int
    changed: int
    unchanged: int
    expired: int
    input_hash: str
    result_hash: str


@dataclass(frozen=True)
class SuggestionDecided(Event):
    """Base of what people decide about one suggestion."""

    subject_type: ClassVar[str] = "replenishment_suggestion"

    item_id: UUID
    warehouse_id: UUID


@dataclass(frozen=True)
class SuggestionAccepted(SuggestionDecided):
    type: ClassVar[str] = "replenishment_suggestion.accepted"

    quantity: str
    adjusted_quantity: str | None


@dataclass(frozen=True)
class SuggestionDismissed(SuggestionDecided):
    type: ClassVar[str] = "replenishment_suggestion.dismissed"

    reason: str
    paused_until: date | None


@dataclass(frozen=True)
class SuggestionsConverted(Event):
    """Suggestions became lines of draft purchase orders; the subject is the conversion.

    Both lists hold up to 200 ids; with more than that `is_many` is true and `suggestion_ids` is
    empty: the lines of the orders name them all.
    """

    type: ClassVar[str] = "replenishment_suggestion.converted"
    subject_type: ClassVar[str] = "replenishment_conversion"

    count: int
    purchase_order_ids: list[UUID]
    suggestion_ids: list[UUID]
    is_many: bool
