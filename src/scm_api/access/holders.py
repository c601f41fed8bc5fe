"""Who holds permissions in an organization: what a change of a role or of a rule does to them.

A personal key never has more than its person, so that people and impersonal keys are everybody.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from scm_api.access import catalogue
from scm_api.access.duty_policy import Conflict, Duty, conflicts
from scm_api.access.errors import DutyConflict
from scm_api.access.permissions import permissions_of
from scm_api.access.schemas import HolderConflictRead
from scm_api.access.schemas import conflict_reads as duty_conflict_reads
from scm_api.core.language import Language
from scm_api.core.tx import Tx


@dataclass(frozen=True)
class Holder:
    """A person (by the account's id) or key with what it was given."""

    kind: Literal["person", "key"]
    id: UUID
    name: str
    roles: Sequence[str]
    permissions: frozenset[str]

    def effective(self, own: Mapping[str, Iterable[str]]) -> frozenset[str]:
        """All it may, where the organization's own roles, by code in lower case, are these."""
        return self.permissions | permissions_of(self.roles, own)


HolderConflict = tuple[Holder, Conflict]

# Who is suspended or invited may come back without anything being granted. $2 null: all.
_HOLDERS = """
select 'person' as kind, m.user_id as id, coalesce(m.invited_as, u.name, '') as name, m.roles,
       '{}'::text[] as permissions
from membership m left join user_account u on u.id = m.user_id
where m.organization_id = $1
  and ($2::text is null or exists (select from unnest(m.roles) r where lower(r) = $2))
union all
select 'key', k.id, k.name, k.roles, k.permissions
from api_key k
where k.organization_id = $1 and k.revoked_at is null and k.user_id is null
  and ($2::text is null or exists (select from unnest(k.roles) r where lower(r) = $2))
order by kind, name, id
"""


async def load(tx: Tx, role: str | None = None) -> list[Holder]:
    """People and unrevoked keys that hold a role, or any; in one statement."""
    rows = await tx.fetch(_HOLDERS, tx.organization_id, role and role.lower())
    return [
        Holder(row["kind"], row["id"], row["name"], row["roles"], frozenset(row["permissions"]))
        for row in rows
    ]


async def of_rule(tx: Tx, duty: Duty) -> list[HolderConflict]:
    """Who holds both sides of a rule already."""
    own = await _own(tx)
    return [(h, c) for h in await load(tx) for c in conflicts(h.effective(own), [duty])]


async def check_role(
    tx: Tx, role: str, permissions: Sequence[str], rules: Iterable[Duty]
) -> list[HolderConflict]:
    """What a role's new permissions join in the hands of its holders that they did not hold
    together before. Raises `DutyConflict` for a rule of mode block."""
    before = await _own(tx)
    after = {**before, role.lower(): permissions}
    kept = list(rules)
    found = [
        (holder, conflict)
        for holder in await load(tx, role)
        for conflict in _joined(kept, holder.effective(before), holder.effective(after))
    ]
    refused = [(holder, one) for holder, one in found if one.effect == "refused"]
    if refused:
        raise DutyConflict(
            rules=_each(refused, lambda _, one: [one.duty.code]),
            permissions=_each(refused, lambda _, one: [*one.first, *one.second]),
            holders=_each(refused, lambda holder, _: [holder.name]),
        )
    return found


def _joined(rules: Iterable[Duty], before: frozenset[str], after: frozenset[str]) -> list[Conflict]:
    known = {one.duty.code for one in conflicts(before, rules)}
    return [one for one in conflicts(after, rules) if one.duty.code not in known]


def _each(
    found: Iterable[HolderConflict], words: Callable[[Holder, Conflict], list[str]]
) -> list[str]:
    return sorted({word for holder, one in found for word in words(holder, one)})


def conflict_reads(found: Iterable[HolderConflict], language: Language) -> list[HolderConflictRead]:
    """Conflicts of holders in the caller's language."""
    return [
        HolderConflictRead(kind=holder.kind, id=holder.id, holder=holder.name, **dict(read))
        for holder, conflict in found
        for read in duty_conflict_reads([conflict], language)
    ]


async def _own(tx: Tx) -> dict[str, Any]:
    return {code: role.permissions for code, role in (await catalogue.own_roles(tx)).items()}
