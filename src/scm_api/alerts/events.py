"""What happened to alerts. Their numbers stand in `evidence`, so that a message needs no call."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from scm_api.core.events import Event


@dataclass(frozen=True)
class AlertEvent(Event):
    """Base: which kind of alert, about what."""

    subject_type: ClassVar[str] = "alert"

    kind: str
    severity: str
    item_id: UUID | None
    warehouse_id: UUID | None
    order_id: UUID | None
    order_line_id: UUID | None


@dataclass(frozen=True)
class AlertRaised(AlertEvent):
    """A condition began, or still holds after its snooze (`raised_count` above 1)."""

    type: ClassVar[str] = "alert.raised"

    raised_count: int
    evidence: dict[str, Any]


@dataclass(frozen=True)
class AlertResolved(AlertEvent):
    """The condition ended (`auto`), or somebody settled it (`manual`)."""

    type: ClassVar[str] = "alert.resolved"

    resolution: str
    reason: str | None


@dataclass(frozen=True)
class AlertAcknowledged(AlertEvent):
    type: ClassVar[str] = "alert.acknowledged"


@dataclass(frozen=True)
class AlertSnoozed(AlertEvent):
    type: ClassVar[str] = "alert.snoozed"

    until: datetime


@dataclass(frozen=True)
class AlertAssigned(AlertEvent):
    type: ClassVar[str] = "alert.assigned"

    assignee: str | None


@dataclass(frozen=True)
class AlertRuleChanged(Event):
    """`changes` holds `{field: {"old": ..., "new": ...}}`; the subject is the organization."""

    type: ClassVar[str] = "alert_rule.changed"
    subject_type: ClassVar[str] = "organization"

    kind: str
    changes: dict[str, Any]
