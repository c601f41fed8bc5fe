"""Use cases of number rules: how documents are numbered from now on."""

from scm_api.core import limits
from scm_api.core.errors import Invalid
from scm_api.core.http import Versions, check_version
from scm_api.core.numbers import BUILT_IN
from scm_api.core.tx import Tx
from scm_api.organizations import number_policy, repository
from scm_api.organizations.events import NumberRuleChanged
from scm_api.organizations.settings_schemas import NumberKind, NumberRulePut, NumberRuleRead


async def list_rules(tx: Tx) -> list[NumberRuleRead]:
    """The rules of all kinds of documents."""
    return [await rule(tx, kind) for kind in BUILT_IN]


async def rule(tx: Tx, kind: str) -> NumberRuleRead:
    """How documents of a kind are numbered, and what the next one would get."""
    organization = await repository.find(tx, tx.organization_id)
    series = await repository.series(tx, kind)
    last, latest, own, restarts, version = (
        (0, None, None, "never", 1)
        if series is None
        else (series[name] for name in ("last", "day", "pattern", "restarts", "version"))
    )
    pattern, day = (
        own or BUILT_IN[kind],
        max(organization["today"], latest or organization["today"]),
    )
    if number_policy.begins_anew(restarts, latest, day):
        last = 0
    if own is not None and last == 0:
        last = await repository.number_floor(tx, kind, pattern, restarts, day)
    return NumberRuleRead(
        kind=kind,
        pattern=pattern,
        restarts=restarts,
        is_built_in=own is None,
        next=await repository.number_text(tx, pattern, last + 1, day),
        version=version,
    )


async def put_rule(
    tx: Tx, kind: NumberKind, body: NumberRulePut, if_match: Versions | None
) -> NumberRuleRead:
    """Number documents of a kind by another rule. Raises `VersionMismatch`, `Invalid`,
    `OutsideLimits`.

    The series is held meanwhile: whoever waits for a number gets one by the new rule.
    """
    limits.require_unconfined(tx)
    broken = number_policy.broken_rules(body.pattern, body.restarts)
    if broken:
        raise Invalid(broken)
    series = await repository.lock_series(tx, kind)
    check_version(series["version"], if_match, body.version)
    today = (await repository.find(tx, tx.organization_id))["today"]
    day = max(today, series["day"] or today)
    last = series["last"] if body.next is None else body.next - 1
    if body.next is None and number_policy.begins_anew(body.restarts, series["day"], day):
        last = 0
    floor = await repository.number_floor(tx, kind, body.pattern, body.restarts, day)
    is_same = (series["pattern"], series["restarts"]) == (body.pattern, body.restarts)
    last = max(last, floor)
    if not is_same or last != series["last"]:
        await repository.write_rule(
            tx, kind, pattern=body.pattern, restarts=body.restarts, last=last, day=day
        )
        tx.emit(
            NumberRuleChanged(
                tx.organization_id, kind=kind, pattern=body.pattern, restarts=body.restarts
            )
        )
    return await rule(tx, kind)
