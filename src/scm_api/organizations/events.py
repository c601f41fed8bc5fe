"""What happened to an organization itself."""

from dataclasses import dataclass
from typing import Any, ClassVar

from scm_api.core.events import Event


@dataclass(frozen=True)
class OrganizationChanged(Event):
    """`changes` holds `{field: {"old": ..., "new": ...}}`."""

    type: ClassVar[str] = "organization.changed"
    subject_type: ClassVar[str] = "organization"

    code: str
    changes: dict[str, Any]


@dataclass(frozen=True)
class HolidaysChanged(Event):
    """The days of a year that differ from the work week were set."""

    type: ClassVar[str] = "organization.holidays_changed"
    subject_type: ClassVar[str] = "organization"

    year: int
    day_count: int


@dataclass(frozen=True)
class NumberRuleChanged(Event):
    """Documents of a kind are numbered by another rule from now on."""

    type: ClassVar[str] = "organization.number_rule_changed"
    subject_type: ClassVar[str] = "organization"

    kind: str
    pattern: str
    restarts: str


@dataclass(frozen=True)
class FiscalPeriodClosed(Event):
    """Nothing is posted up to the last day of the period any more."""

    type: ClassVar[str] = "fiscal_period.closed"
    subject_type: ClassVar[str] = "organization"

    period: str
    ends_on: str


@dataclass(frozen=True)
class FiscalPeriodReopened(Event):
    """The latest closed period takes postings again."""

    type: ClassVar[str] = "fiscal_period.reopened"
    subject_type: ClassVar[str] = "organization"

    period: str
    reason: str


@dataclass(frozen=True)
class SandboxReset(Event):
    """A sandbox was emptied; this is the first thing in its new feed."""

    type: ClassVar[str] = "sandbox.reset"
    subject_type: ClassVar[str] = "organization"

    removed_rows: int
