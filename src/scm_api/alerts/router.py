"""HTTP of alerts and alert rules."""

from typing import Annotated

from fastapi import Path, Query

from scm_api.alerts import service
from scm_api.alerts.rules import Kind
from scm_api.alerts.schemas import (
    AlertAction,
    AlertAssign,
    AlertFilter,
    AlertList,
    AlertRead,
    AlertResolve,
    AlertRuleList,
    AlertRuleRead,
    AlertRuleWrite,
    AlertSnooze,
)
from scm_api.core.errors import IllegalTransition, NotFound, VersionMismatch
from scm_api.core.http import IfMatch, OpenTx, ReplyTo, operation, router
from scm_api.core.redaction import SEE_COSTS

alerts = router("alerts")
rules = router("alert-rules")

AlertKey = Annotated[
    str,
    Path(max_length=80, description="A UUID or `number=AL-000001`.", examples=["number=AL-000001"]),
]
RuleKind = Annotated[Kind, Path(description="A kind of alert.", examples=["low_stock"])]
_REFUSALS = [NotFound, IllegalTransition, VersionMismatch]


@alerts.get("", summary="List alerts", **operation("alerts:read", across="rows"))
async def list_(tx: OpenTx, reply: ReplyTo, wanted: Annotated[AlertFilter, Query()]) -> AlertList:
    """Alerts, newest first."""
    page, data = await service.list_all(tx, wanted)
    reply.next_page(page.next_cursor)
    return AlertList(**page.body(data))


@alerts.get("/{alert}", summary="Read an alert", **operation("alerts:read", errors=[NotFound]))
async def get(tx: OpenTx, reply: ReplyTo, alert: AlertKey) -> AlertRead:
    """One alert with its evidence and what could be done."""
    found = await service.get(tx, alert)
    reply.etag(found.version)
    return found


@alerts.post(
    "/{alert}/acknowledge",
    summary="Acknowledge an alert",
    **operation("alerts:write", errors=_REFUSALS),
)
async def acknowledge(
    tx: OpenTx, reply: ReplyTo, alert: AlertKey, body: AlertAction, if_match: IfMatch
) -> AlertRead:
    """Say that somebody cares; it stays acknowledged until its condition ends."""
    found = await service.acknowledge(tx, alert, body, if_match)
    reply.etag(found.version)
    return found


@alerts.post(
    "/{alert}/snooze", summary="Snooze an alert", **operation("alerts:write", errors=_REFUSALS)
)
async def snooze(
    tx: OpenTx, reply: ReplyTo, alert: AlertKey, body: AlertSnooze, if_match: IfMatch
) -> AlertRead:
    """Silence it until a time; if the condition still holds then, it is open again."""
    found = await service.snooze(tx, alert, body, if_match)
    reply.etag(found.version)
    return found


@alerts.post(
    "/{alert}/resolve", summary="Resolve an alert", **operation("alerts:write", errors=_REFUSALS)
)
async def resolve(
    tx: OpenTx, reply: ReplyTo, alert: AlertKey, body: AlertResolve, if_match: IfMatch
) -> AlertRead:
    """Settle it by hand. A condition that still holds raises a new alert at its next evaluation:
    snooze what shall wait."""
    found = await service.resolve(tx, alert, body, if_match)
    reply.etag(found.version)
    return found


@alerts.post(
    "/{alert}/assign", summary="Assign an alert", **operation("alerts:write", errors=_REFUSALS)
)
async def assign(
    tx: OpenTx, reply: ReplyTo, alert: AlertKey, body: AlertAssign, if_match: IfMatch
) -> AlertRead:
    """Say who takes care of it."""
    found = await service.assign(tx, alert, body, if_match)
    reply.etag(found.version)
    return found


@rules.get("", name="list", summary="List alert rules", **operation("alert_rules:read"))
async def list_rules(tx: OpenTx) -> AlertRuleList:
    """The rules of all kinds as they apply here."""
    found = await service.rules(tx)
    return AlertRuleList(data=[service.rule_read(rule) for rule in found.values()])


@rules.get("/{kind}", name="get", summary="Read an alert rule", **operation("alert_rules:read"))
async def get_rule(tx: OpenTx, reply: ReplyTo, kind: RuleKind) -> AlertRuleRead:
    """One kind's rule as it applies here."""
    found = await service.rule(tx, kind)
    reply.etag(found.version)
    return found


@rules.put(
    "/{kind}",
    name="put",
    summary="Write an alert rule",
    **operation("alert_rules:write", errors=[VersionMismatch], additional_permissions=[SEE_COSTS]),
)
async def put_rule(
    tx: OpenTx, reply: ReplyTo, kind: RuleKind, body: AlertRuleWrite, if_match: IfMatch
) -> AlertRuleRead:
    """Replace a rule; every subject is then evaluated by it. To change `minimum_value` takes
    `costs:read` too; without it the threshold stays."""
    written = await service.change_rule(tx, kind, body, if_match)
    reply.etag(written.version)
    return written


routers = [alerts, rules]
