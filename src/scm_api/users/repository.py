"""SQL of an organization's members. What lies outside organizations is read in a system view."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import select

from scm_api.access.limits import stored
from scm_api.access.models import Membership
from scm_api.access.system_view import system_view
from scm_api.core.pages import Conditions, PageOf, sql_page
from scm_api.core.tx import Limits, Tx
from scm_api.users.links import Statements
from scm_api.users.member_schemas import MemberFilter, MemberStatus


@dataclass
class Member:
    """A membership and what of the person's account the organization may know."""

    id: UUID
    email: str
    name: str
    status: MemberStatus
    roles: list[str]
    warehouse_ids: list[UUID] | None
    category_ids: list[UUID] | None
    amount_limit: Decimal | None
    has_second_factor: bool
    last_login_at: datetime | None
    invitation_expires_at: datetime | None
    joined_at: datetime | None
    version: int
    created_at: datetime
    updated_at: datetime


_NAME = "case when m.status = 'invited' then coalesce(m.invited_as, u.email) else u.name end"
# Until the invitation is accepted, everything looks as if there were no account yet.
_COLUMNS = f"""
m.user_id as id, u.email, m.status, m.roles, m.warehouse_ids, m.category_ids, m.amount_limit,
m.joined_at, m.version, m.created_at, m.updated_at,
{_NAME} as name,
m.status <> 'invited' and exists (
  select from user_credential c where c.user_id = m.user_id and c.totp_confirmed_at is not null
) as has_second_factor,
case when m.status <> 'invited' then (
  select max(s.created_at) from user_session s
  where s.user_id = m.user_id
    and coalesce(s.chosen_organization_id, m.organization_id) = m.organization_id
) end as last_login_at,
case when m.status = 'invited' then (
  select max(l.expires_at) from one_time_link l
  where l.user_id = m.user_id and l.for_organization_id = m.organization_id
    and l.kind = 'invitation' and l.used_at is null
) end as invitation_expires_at
"""
_SOURCE = "membership m join user_account u on u.id = m.user_id"
_ID_OF = f"""
select m.user_id from {_SOURCE} where m.organization_id = $1 and lower(u.email) = lower($2)
"""
_NAMES = tuple(Member.__dataclass_fields__)


async def find(tx: Tx, user_id: UUID) -> Member | None:
    """The member with this id."""
    async with system_view(tx):
        row = await tx.fetchrow(
            f"select {_COLUMNS} from {_SOURCE} where m.organization_id = $1 and m.user_id = $2",
            tx.organization_id,
            user_id,
        )
    return None if row is None else Member(**dict(row))


async def id_of(tx: Tx, email: str) -> UUID | None:
    """The id of the member with this e-mail."""
    found: UUID | None = await tx.fetchval(_ID_OF, tx.organization_id, email)
    return found


async def list_members(tx: Tx, wanted: MemberFilter) -> PageOf:
    """A page of members by e-mail; its rows are `Member`s."""
    conditions = Conditions()
    conditions.add("m.organization_id = {}", tx.organization_id)
    if wanted.status is not None:
        conditions.add("m.status = {}", wanted.status)
    if wanted.role is not None:
        conditions.add(
            "exists (select from unnest(m.roles) r where lower(r) = lower({}))", wanted.role
        )
    if wanted.q is not None:
        # What is shown is searched: of the invited, the account's own name is not.
        found = (
            f"strpos(lower(u.email), lower({{}})) > 0 or strpos(lower({_NAME}), lower({{}})) > 0"
        )
        conditions.add(f"({found})", wanted.q, wanted.q)
    order = [("lower(u.email)", str), ("m.user_id", UUID)]
    async with system_view(tx):
        page = await sql_page(tx, _COLUMNS, _SOURCE, conditions, wanted, order)
    rows = [Member(**{name: row[name] for name in _NAMES}) for row in page.rows]
    return PageOf(rows, page.next_cursor, page.total)


async def membership(tx: Tx, user_id: UUID) -> Membership | None:
    """The membership of a person, to be changed."""
    statement = select(Membership).where(
        Membership.organization_id == tx.organization_id, Membership.user_id == user_id
    )
    return (await tx.session.execute(statement)).scalar_one_or_none()


_ADD = """
insert into membership (organization_id, id, user_id, status, roles, warehouse_ids, category_ids,
                        amount_limit, invited_as)
values ($1, gen_random_uuid(), $2, 'invited', $3, $4, $5, $6, $7)
on conflict do nothing returning true
"""


async def add(
    statements: Statements,
    organization_id: UUID,
    user_id: UUID,
    name: str,
    roles: list[str],
    limits: Limits,
) -> bool:
    """Add a person as invited; False if he belongs to the organization already."""
    arguments = (roles, stored(limits.warehouses), stored(limits.categories), limits.amount, name)
    return bool(await statements.fetchval(_ADD, organization_id, user_id, *arguments))


# Locked in one order: of two administrators who demote each other, the second finds himself alone.
_ADMINISTRATORS = """
select m.user_id from membership m join user_account u on u.id = m.user_id
where m.organization_id = $1 and m.status = 'active' and u.is_active
  and exists (select from unnest(m.roles) r where lower(r) = 'admin')
  and m.warehouse_ids is null and m.category_ids is null and m.amount_limit is null
order by m.id for update of m
"""


async def administrators(tx: Tx) -> list[UUID]:
    """The people who can do everything in the organization, locked."""
    return [row["user_id"] for row in await tx.fetch(_ADMINISTRATORS, tx.organization_id)]


_REMOVE = """
delete from membership where organization_id = $1 and id = $2 and version = $3 returning true
"""
_REVOKE_KEYS = """
update api_key set revoked_at = now(), version = version + 1, updated_at = now()
where organization_id = $1 and user_id = $2 and revoked_at is null
"""


async def remove(tx: Tx, membership: Membership) -> bool:
    """End a membership and revoke the person's keys here; False if it was changed meanwhile."""
    if not await tx.fetchval(_REMOVE, tx.organization_id, membership.id, membership.version):
        return False
    await tx.execute(_REVOKE_KEYS, tx.organization_id, membership.user_id)
    return True


async def belongs_elsewhere(tx: Tx, user_id: UUID) -> bool:
    """Whether another organization has the person too, if only invited. In a system view; until
    the end of the transaction nobody can invite him."""
    # What refers to an account locks its row.
    await tx.execute("select from user_account where id = $1 for update", user_id)
    found: bool = await tx.fetchval(
        "select exists (select from membership where user_id = $1 and organization_id <> $2)",
        user_id,
        tx.organization_id,
    )
    return found
