"""Segregation of duties in an organization: its rules, what a grant breaks, who did what.

Who wrote a document is known from its events. A person is one, whichever session or key he used,
and so is a key with whoever made it: two that share a maker are one person's two hands.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar
from uuid import UUID

import asyncpg
from pydantic_core import to_jsonable_python

from scm_api.access.catalogue import known_permissions
from scm_api.access.duty_policy import (
    DEFAULTS,
    ORDER_CREATOR_APPROVES,
    Conflict,
    Duty,
    conflicts,
)
from scm_api.access.errors import (
    BOTH_SIDES,
    BUILT_IN_SIDES,
    SIDES_REQUIRED,
    UNKNOWN_PERMISSION,
    DutyConflict,
    SegregationOfDuties,
)
from scm_api.access.schemas import DutyRulePut
from scm_api.core import limits
from scm_api.core.errors import FieldError, Invalid, NotFound, Text, VersionMismatch
from scm_api.core.events import Event
from scm_api.core.http import Versions, check_version
from scm_api.core.tx import Tx

__all__ = ["ORDER_CREATOR_APPROVES", "check", "check_grant", "find_conflicts", "rules"]


@dataclass(frozen=True)
class DutyWarned(Event):
    """Somebody used both sides of a rule, whose mode is warn, on one document, the subject."""

    type: ClassVar[str] = "duty_rule.warned"
    subject_type: ClassVar[str] = "document"

    rule: str


_RULES = "select * from duty_rule where organization_id = $1 order by code"


async def rules(tx: Tx) -> dict[str, Duty]:
    """All rules as they apply, the built-in ones first, by code."""
    return _as_they_apply(await tx.fetch(_RULES, tx.organization_id))


def _as_they_apply(found: Sequence[asyncpg.Record]) -> dict[str, Duty]:
    rows = {row["code"]: row for row in found}
    built_in = {
        code: replace(duty, mode=rows[code]["mode"], version=rows[code]["version"])
        if code in rows
        else duty
        for code, duty in DEFAULTS.items()
    }
    return built_in | {code: _own(row) for code, row in rows.items() if code not in DEFAULTS}


def _own(row: Mapping[str, Any] | asyncpg.Record) -> Duty:
    return Duty(
        row["code"],
        Text.of(row["name"]),
        row["mode"],
        tuple(row["first"]),
        tuple(row["second"]),
        version=row["version"],
        is_built_in=False,
    )


async def get(tx: Tx, code: str) -> Duty:
    """One rule as it applies. Raises `NotFound`."""
    found = (await rules(tx)).get(code)
    if found is None:
        raise NotFound(kind="duty rule", reference=code)
    return found


async def find_conflicts(tx: Tx, permissions: frozenset[str]) -> list[Conflict]:
    """What a set of permissions breaks, before it is granted."""
    return conflicts(permissions, (await rules(tx)).values())


async def check_grant(tx: Tx, permissions: frozenset[str]) -> list[Conflict]:
    """The conflicts of a grant that are only reported; raises `DutyConflict` for one of mode block.

    Whatever gives somebody permissions (a key, a membership, a role) calls this first.
    """
    return _unless_refused(await find_conflicts(tx, permissions))


async def check_grant_in(
    driver: asyncpg.Connection, organization_id: UUID, permissions: frozenset[str]
) -> list[Conflict]:
    """`check_grant` in a system transaction, as the command line needs it."""
    applying = _as_they_apply(await driver.fetch(_RULES, organization_id))
    return _unless_refused(conflicts(permissions, applying.values()))


def _unless_refused(found: list[Conflict]) -> list[Conflict]:
    refused = [one for one in found if one.effect == "refused"]
    if refused:
        raise DutyConflict(
            rules=[one.duty.code for one in refused],
            permissions=sorted({p for one in refused for p in (*one.first, *one.second)}),
            holders=[],
        )
    return found


_WROTE = """
select coalesce(
         (select mode from duty_rule where organization_id = $1 and code = $2), $3) as mode,
       exists (
         select from event e
         left join api_key k on k.organization_id = e.organization_id and k.id = e.principal_id
         where e.organization_id = $1 and e.subject_id = $4 and e.type = any($5)
           and array[e.principal_id, e.user_id] || coalesce(k.maker_ids, '{}') && $6::uuid[]
       ) as has_written
"""


async def check(tx: Tx, code: str, document_id: UUID) -> None:
    """Let the caller do the second part of a rule on a document only if he did not do the first:
    neither he, nor a key of his, nor whoever made the key that calls.

    Raises `SegregationOfDuties` where the rule blocks; where it warns, an event about the document
    records it.
    """
    duty = DEFAULTS[code]
    row = await tx.fetchrow(
        _WROTE,
        tx.organization_id,
        code,
        duty.mode,
        document_id,
        list(duty.written_by),
        list(tx.principal.chain),
    )
    assert row is not None
    has_written = row["has_written"] or any(
        event.subject_id == document_id and event.type in duty.written_by for event in tx.events
    )
    if row["mode"] == "off" or not has_written:
        return
    if row["mode"] == "block":
        raise SegregationOfDuties(
            rule=code, actor=tx.principal.name, actor_id=tx.principal.actor_id
        )
    tx.emit(DutyWarned(document_id, rule=code))


async def put(tx: Tx, code: str, body: DutyRulePut, if_match: Versions | None) -> Duty:
    """Write a rule: the mode of a built-in one, all of one's own. Raises `Invalid`,
    `VersionMismatch`, `OutsideLimits`."""
    limits.require_unconfined(tx)
    code = code.lower()
    known = (await rules(tx)).get(code)
    check_version(known.version if known else 0, if_match, body.version)
    duty = _wanted(code, body)
    written = await tx.fetchrow(
        """
        insert into duty_rule (organization_id, code, name, mode, first, second, version)
        values ($1, $2, $3, $4, $5, $6, $7)
        on conflict (organization_id, code) do update
        set name = excluded.name, mode = excluded.mode, first = excluded.first,
            second = excluded.second, version = duty_rule.version + 1, updated_at = now()
        where duty_rule.version = $8
        returning version
        """,
        tx.organization_id,
        code,
        duty.name.en,
        duty.mode,
        list(duty.first),
        list(duty.second),
        2 if code in DEFAULTS else 1,
        known.version if known else 0,
    )
    if written is None:
        raise VersionMismatch(current_version=(await get(tx, code)).version)
    return replace(duty, version=written["version"])


def _wanted(code: str, body: DutyRulePut) -> Duty:
    built_in = DEFAULTS.get(code)
    if built_in is not None:
        given = [n for n in ("name", "first", "second") if getattr(body, n) is not None]
        if given:
            raise Invalid([BUILT_IN_SIDES.at(f"/{name}", code=code) for name in given])
        return replace(built_in, mode=body.mode)
    if body.name is None or body.first is None or body.second is None:
        missing = [n for n in ("name", "first", "second") if getattr(body, n) is None]
        raise Invalid([SIDES_REQUIRED.at(f"/{name}") for name in missing])
    found = [*_unknown("first", body.first), *_unknown("second", body.second)]
    both = sorted(set(body.first) & set(body.second))
    if both:
        found.append(BOTH_SIDES.at("/second", permissions=both))
    if found:
        raise Invalid(found)
    row = {"code": code, "version": 1, **to_jsonable_python(body.model_dump(exclude={"version"}))}
    return _own(row)


def _unknown(side: str, permissions: Sequence[str]) -> list[FieldError]:
    known = known_permissions()
    return [
        UNKNOWN_PERMISSION.at(f"/{side}/{place}", permission=permission)
        for place, permission in enumerate(permissions)
        if permission not in known
    ]


async def remove(tx: Tx, code: str, if_match: Versions | None) -> None:
    """Bring a built-in rule back to its default, or do away with one's own. Raises `NotFound`,
    `VersionMismatch`, `OutsideLimits`."""
    limits.require_unconfined(tx)
    code = code.lower()
    known = await get(tx, code)
    check_version(known.version, if_match)
    await tx.execute(
        "delete from duty_rule where organization_id = $1 and code = $2", tx.organization_id, code
    )
