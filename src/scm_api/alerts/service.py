"""Use cases of alerts: what people do with them, and the rules they set."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from scm_api.alerts import messages, repository
from scm_api.alerts.evaluation import (
    Outcome,
    evaluate,
    evaluate_orders,
    rules,
    subject,
    sweep,
)
from scm_api.alerts.events import (
    AlertAcknowledged,
    AlertAssigned,
    AlertResolved,
    AlertRuleChanged,
    AlertSnoozed,
)
from scm_api.alerts.models import Alert
from scm_api.alerts.rules import DEFAULTS, Kind, Rule
from scm_api.alerts.schemas import (
    AlertAction,
    AlertAssign,
    AlertedOrder,
    AlertFilter,
    AlertRead,
    AlertResolve,
    AlertRuleRead,
    AlertRuleWrite,
    AlertSnooze,
    AlertThresholds,
    SuggestedAction,
)
from scm_api.core import documents, limits
from scm_api.core import errors as problems
from scm_api.core.documents import Key
from scm_api.core.errors import (
    IllegalTransition,
    Invalid,
    NotFound,
    Text,
    VersionMismatch,
)
from scm_api.core.http import Versions, check_version
from scm_api.core.pages import PageOf
from scm_api.core.problems import from_validation
from scm_api.core.redaction import SEE_COSTS
from scm_api.core.schemas import ItemLink, Link
from scm_api.core.tx import Tx
from scm_api.items import service as items
from scm_api.purchase_orders import service as purchase_orders
from scm_api.suppliers import service as suppliers
from scm_api.warehouses import service as warehouses

__all__ = [
    "Outcome",
    "acknowledge",
    "assign",
    "change_rule",
    "evaluate",
    "evaluate_orders",
    "get",
    "list_all",
    "resolve",
    "rule",
    "rules",
    "snooze",
    "sweep",
]

NOT_AHEAD = problems.Rule(
    "not_in_the_future",
    Text("Must lie ahead, at most {days} days.", "须为将来时间,最多 {days} 天之后。"),
)
_SNOOZE_AT_MOST = timedelta(days=3660)
NOT_OF_THIS_KIND = problems.Rule(
    "threshold_of_another_kind",
    Text("A rule for {kind} has no {name}.", "{kind} 规则没有 {name}。"),
)
# Action -> the states it is possible in.
_POSSIBLE = {
    "acknowledge": ("open", "snoozed"),
    "snooze": ("open", "acknowledged", "snoozed"),
    "resolve": ("open", "acknowledged", "snoozed"),
    "assign": ("open", "acknowledged", "snoozed"),
}


async def get(tx: Tx, key: str) -> AlertRead:
    """The alert behind a path key: a UUID or `number=AL-000001`. Raises `NotFound`."""
    row = await repository.find(tx, Key.parse(key, natural="number"))
    if row is None:
        raise NotFound(kind="alert", reference=key)
    return (await _reads(tx, [row]))[0]


async def list_all(tx: Tx, wanted: AlertFilter) -> tuple[PageOf, list[AlertRead]]:
    """Alerts, newest first. Raises `Invalid` for a filter that names nothing."""
    subjects = {
        "item_id": await items.filter_id(tx, wanted.item),
        "warehouse_id": await warehouses.filter_id(tx, wanted.warehouse),
        "supplier_id": await suppliers.filter_id(tx, wanted.supplier),
        "order_id": await purchase_orders.filter_id(tx, wanted.order),
    }
    page = await repository.list_alerts(tx, wanted, subjects)
    return page, await _reads(tx, page.rows)


async def _reads(tx: Tx, rows: Sequence[Any]) -> list[AlertRead]:
    found = [read(row) for row in rows]
    if tx.principal.limits.warehouses is not None:
        # What another warehouse could give or take is for those who keep both.
        own = await repository.warehouse_codes(tx, tx.principal.limits.warehouses)
        for alert in found:
            alert.actions = [a for a in alert.actions if _warehouses_of(a) <= own]
    return found


def _warehouses_of(action: SuggestedAction) -> set[str]:
    named = [action.params.warehouse, *(line.warehouse for line in action.params.lines or ())]
    named += [line.to_warehouse for line in action.params.lines or ()]
    return {place.code for place in named if place is not None}


def read(row: Any) -> AlertRead:
    """An alert as the API shows it."""
    alert: Alert = row.Alert
    names = {"sku": row.sku, "warehouse": row.warehouse_code}
    columns = {
        name: getattr(alert, name) for name in AlertRead.model_fields if hasattr(alert, name)
    }
    return AlertRead.model_validate(
        columns
        | {
            "message": messages.sentence(alert.kind, alert.latest, "en", **names),
            "message_zh": messages.sentence(alert.kind, alert.latest, "zh-CN", **names),
            "item": None
            if alert.item_id is None
            else ItemLink(id=alert.item_id, sku=row.sku, name=row.item_name),
            "warehouse": None
            if alert.warehouse_id is None
            else Link(id=alert.warehouse_id, code=row.warehouse_code, name=row.warehouse_name),
            "supplier": None
            if alert.supplier_id is None
            else Link(id=alert.supplier_id, code=row.supplier_code, name=row.supplier_name),
            "order": None
            if alert.order_id is None
            else AlertedOrder(id=alert.order_id, number=row.order_number, line_no=row.line_no),
        }
    )


async def acknowledge(tx: Tx, key: str, body: AlertAction, if_match: Versions | None) -> AlertRead:
    """Somebody has seen it and cares. Raises `NotFound`, `IllegalTransition`, `VersionMismatch`."""
    alert = await _locked(tx, key, "acknowledge", body, if_match)
    values = {
        "status": "acknowledged",
        "acknowledged_at": tx.now,
        "acknowledged_by": tx.principal.name,
        "snoozed_until": None,
    }
    await documents.write(tx, alert, values, kind="alert")
    tx.emit(AlertAcknowledged(alert.id, **_subject(alert)))
    return await get(tx, key)


async def snooze(tx: Tx, key: str, body: AlertSnooze, if_match: Versions | None) -> AlertRead:
    """Silence it until a time. Raises like `acknowledge`, and `Invalid` for a time gone by or
    more than ten years ahead."""
    alert = await _locked(tx, key, "snooze", body, if_match)
    if not tx.now < body.until <= tx.now + _SNOOZE_AT_MOST:
        raise Invalid([NOT_AHEAD.at("/until", days=_SNOOZE_AT_MOST.days)])
    values = {"status": "snoozed", "snoozed_until": body.until}
    await documents.write(tx, alert, values, kind="alert")
    tx.emit(AlertSnoozed(alert.id, **_subject(alert), until=body.until))
    return await get(tx, key)


async def resolve(tx: Tx, key: str, body: AlertResolve, if_match: Versions | None) -> AlertRead:
    """Settle it by hand. If the condition still holds when it is next evaluated, a new alert is
    raised. Raises like `acknowledge`."""
    alert = await _locked(tx, key, "resolve", body, if_match)
    values = {
        "status": "resolved",
        "resolution": "manual",
        "resolved_at": tx.now,
        "resolved_by": tx.principal.name,
        "reason": body.reason,
        "snoozed_until": None,
    }
    await documents.write(tx, alert, values, kind="alert")
    tx.emit(AlertResolved(alert.id, **_subject(alert), resolution="manual", reason=body.reason))
    return await get(tx, key)


async def assign(tx: Tx, key: str, body: AlertAssign, if_match: Versions | None) -> AlertRead:
    """Say who takes care of it. Raises like `acknowledge`."""
    alert = await _locked(tx, key, "assign", body, if_match)
    await documents.write(tx, alert, {"assignee": body.assignee}, kind="alert")
    tx.emit(AlertAssigned(alert.id, **_subject(alert), assignee=body.assignee))
    return await get(tx, key)


async def _locked(
    tx: Tx, key: str, action: str, body: AlertAction, if_match: Versions | None
) -> Alert:
    async with limits.own_part(tx):
        alert = await repository.lock_one(tx, Key.parse(key, natural="number"))
    if alert is None:
        raise NotFound(kind="alert", reference=key)
    check_version(alert.version, if_match, body.version)
    if alert.status not in _POSSIBLE[action]:
        raise IllegalTransition(
            kind="alert",
            reference=key,
            state=alert.status,
            action=action,
            allowed=[name for name, states in _POSSIBLE.items() if alert.status in states],
        )
    return alert


def _subject(alert: Alert) -> dict[str, Any]:
    return subject(vars(alert))


async def rule(tx: Tx, kind: Kind) -> AlertRuleRead:
    """One kind's rule as it applies."""
    return rule_read((await rules(tx))[kind])


def rule_read(rule: Rule) -> AlertRuleRead:
    """A rule as the API shows it."""
    return AlertRuleRead(
        kind=rule.kind,
        is_enabled=rule.is_enabled,
        severity=rule.severity,
        thresholds=AlertThresholds(**rule.thresholds.model_dump()),
        version=rule.version,
    )


async def change_rule(
    tx: Tx, kind: Kind, body: AlertRuleWrite, if_match: Versions | None
) -> AlertRuleRead:
    """Replace a rule; the change shows in alerts when they are next evaluated, which is at once
    for the whole organization. A threshold in money stays as it is unless the caller sees costs.
    Raises `Invalid`, `VersionMismatch`, `PermissionDenied`."""
    before = (await rules(tx))[kind]
    check_version(before.version, if_match, body.version)
    thresholds = _typed(kind, body.thresholds)
    if body.thresholds.minimum_value is not None:
        # Else one could ask, value by value, what a surplus is worth.
        tx.principal.require(SEE_COSTS)
    elif kind == "overstock" and not tx.principal.may(SEE_COSTS):
        thresholds.minimum_value = before.thresholds.minimum_value
    after = Rule(
        kind,
        body.severity or DEFAULTS[kind].severity,
        thresholds,
        body.is_enabled,
        before.version + 1,
    )
    changes = _changes(rule_read(before), rule_read(after))
    if not changes:
        return rule_read(before)
    if not await repository.write_rule(tx, after):
        raise VersionMismatch(current_version=before.version + 1)
    tx.emit(AlertRuleChanged(tx.organization_id, kind=kind, changes=changes))
    return rule_read(after)


def _typed(kind: Kind, given: AlertThresholds) -> Any:
    model = type(DEFAULTS[kind].thresholds)
    values = given.model_dump(exclude_none=True)
    strange = [name for name in values if name not in model.model_fields]
    if strange:
        raise Invalid(
            [NOT_OF_THIS_KIND.at(f"/thresholds/{name}", kind=kind, name=name) for name in strange]
        )
    try:
        return model(**values)
    except ValidationError as error:
        places = [{**e, "loc": ("body", "thresholds", *e["loc"])} for e in error.errors()]
        raise from_validation(RequestValidationError(places)) from error


def _changes(before: AlertRuleRead, after: AlertRuleRead) -> dict[str, Any]:
    old, new = before.model_dump(mode="json"), after.model_dump(mode="json")
    return {
        name: {"old": old[name], "new": new[name]}
        for name in new
        if name != "version" and old[name] != new[name]
    }
