"""Bodies of alerts and alert rules."""

from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer

from scm_api.alerts.rules import Kind, Severity
from scm_api.core.pages import PageParams
from scm_api.core.redaction import COST
from scm_api.core.schemas import (
    Boolean,
    Instant,
    Integer,
    ItemKey,
    ItemLink,
    Link,
    Name,
    Number,
    Page,
    Percent,
    QuantityOrZero,
    Read,
    Strict,
    SupplierKey,
    WarehouseKey,
)

Status = Literal["open", "acknowledged", "snoozed", "resolved"]
ActionName = Literal[
    "create_order",
    "transfer",
    "expedite_order",
    "postpone_order",
    "revise_order",
    "confirm_order",
    "review",
]


OrderKey = Annotated[
    str,
    Field(
        max_length=80,
        description="A purchase order: `PO-000001`, `number=...`, `ref=...` or a UUID.",
    ),
]


class AlertFilter(PageParams):
    """Which alerts to list."""

    status: list[Status] = Field(default_factory=list, description="Any of these; all if absent.")
    kind: list[Kind] = Field(default_factory=list, description="Any of these; all if absent.")
    severity: list[Severity] = Field(
        default_factory=list, description="Any of these; all if absent."
    )
    item: ItemKey | None = None
    warehouse: WarehouseKey | None = None
    supplier: SupplierKey | None = None
    order: OrderKey | None = None


class Evidence(Read):
    """The numbers an alert stands on; which ones depends on its kind. Quantities are in base units,
    values in base currency, all decimals as strings."""

    model_config = ConfigDict(extra="allow", from_attributes=True)

    as_of: datetime = Field(description="When the condition was evaluated.")


class ActionItem(Read):
    """An item as a request names it."""

    sku: str


class ActionPlace(Read):
    """A warehouse or supplier as a request names it."""

    code: str


class _Sparse(Read):
    """A body to send: what it does not need is not there."""

    @model_serializer(mode="wrap")
    def _without_nulls(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in handler(self).items() if value is not None}


class ActionLine(_Sparse):
    """A line of a suggested transfer or order."""

    item: ActionItem
    quantity: Number = Field(description="In base units.")
    warehouse: ActionPlace | None = None
    to_warehouse: ActionPlace | None = None


class ActionParams(_Sparse):
    """The body of a suggested call; fields it does not need are absent."""

    type: Literal["transfer"] | None = None
    supplier: ActionPlace | None = None
    warehouse: ActionPlace | None = None
    need_by: date | None = None
    lines: list[ActionLine] | None = None


class SuggestedAction(Read):
    """A call of this API that would help, ready to send."""

    action: ActionName
    method: Literal["GET", "POST"]
    href: str
    params: ActionParams = Field(description="The body to send; empty where it is up to you.")


class AlertedOrder(Read):
    """The purchase order (and line) an alert is about."""

    id: UUID
    number: str
    line_no: int | None


class AlertRead(Read):
    """Something that needs attention."""

    id: UUID
    number: str
    kind: Kind
    severity: Severity
    status: Status
    message: str = Field(description="The alert in one English sentence.")
    message_zh: str = Field(description="The same in Chinese.")
    item: ItemLink | None
    warehouse: Link | None
    supplier: Link | None
    order: AlertedOrder | None
    evidence: Evidence = Field(description="The numbers it was raised on.")
    latest: Evidence = Field(description="The same numbers when the condition was last seen.")
    actions: list[SuggestedAction]
    first_raised_at: datetime
    last_seen_at: datetime = Field(
        description="When it was last seen; the same numbers again within an hour do not count."
    )
    raised_count: int = Field(description="1, and 1 more for every snooze it outlasted.")
    assignee: str | None
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    snoozed_until: datetime | None
    resolved_at: datetime | None
    resolution: Literal["auto", "manual"] | None
    resolved_by: str | None
    reason: str | None = Field(
        description="Why it was resolved; condition_ended or rule_disabled if by itself."
    )
    version: int


class AlertList(Page[AlertRead]):
    """A page of alerts."""


class AlertAction(Strict):
    """An action that needs nothing but the version it was decided on."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{}]})

    version: Integer | None = Field(default=None, description="The version read; or send If-Match.")


class AlertSnooze(AlertAction):
    """Not now."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"until": "2030-01-07T01:00:00Z"}]}
    )

    until: Instant = Field(description="It comes back then, if the condition still holds.")


class AlertResolve(AlertAction):
    """Why it is settled."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"reason": "Ordered by telephone"}]}
    )

    reason: Name


class AlertAssign(AlertAction):
    """Who takes care of it."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"assignee": "Li"}]})

    assignee: Name | None = Field(description="null gives it back to everybody.")


class AlertThresholds(Strict):
    """The thresholds of a rule. Each belongs to the kind named; others are refused."""

    only_with_demand: Boolean | None = Field(
        default=None, description="stocked_out: only where there is demand."
    )
    default_lead_time_days: Integer | None = Field(
        default=None, ge=1, le=730, description="potential_stockout: where no supplier tells one."
    )
    counts_overdue_supply: Boolean | None = Field(
        default=None, description="potential_stockout: rely on supply that is overdue."
    )
    at_reorder_point: Boolean | None = Field(
        default=None, description="low_stock: available + on order at or below the reorder point."
    )
    below_safety_stock: Boolean | None = Field(
        default=None, description="low_stock: available below the safety stock."
    )
    surplus_percent: Percent | None = Field(
        default=None, description="overstock: tolerated share above the order-up-to level."
    )
    minimum_value: Annotated[QuantityOrZero | None, COST] = Field(
        default=None,
        description="overstock: least value of the surplus, in base currency; to change it takes "
        "`costs:read`.",
    )
    cover_days: Integer | None = Field(
        default=None, ge=1, le=3650, description="overstock: the level where nothing is planned."
    )
    compared_days: Integer | None = Field(
        default=None, ge=2, le=180, description="negative_cover_trend: how far to look back."
    )
    remaining_percent: Percent | None = Field(
        default=None, description="negative_cover_trend: cover now below this share of then."
    )
    grace_days: Integer | None = Field(
        default=None, ge=0, le=365, description="late_order: days after the due date."
    )
    after_days: Integer | None = Field(
        default=None, ge=0, le=365, description="unconfirmed_order: days after the issue."
    )

    @model_serializer(mode="wrap")
    def _only_its_own(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in handler(self).items() if value is not None}


class AlertRuleWrite(Strict):
    """A rule. Thresholds left out have their defaults."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"is_enabled": True, "severity": "high", "thresholds": {"below_safety_stock": True}}
            ]
        },
    )

    is_enabled: Boolean = True
    severity: Severity | None = Field(default=None, description="The kind's default if absent.")
    thresholds: AlertThresholds = Field(default_factory=AlertThresholds)
    version: Integer | None = Field(default=None, description="The version read; or send If-Match.")


class AlertRuleRead(Read):
    """A rule as it applies; version 1 is the default that nobody has changed."""

    kind: Kind
    is_enabled: bool
    severity: Severity
    thresholds: AlertThresholds = Field(description="Those of its kind.")
    version: int


class AlertRuleList(Read):
    """The rules of all kinds."""

    data: list[AlertRuleRead]
