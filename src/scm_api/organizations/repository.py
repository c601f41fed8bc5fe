"""All SQL of organizations and their groups."""

from collections.abc import Mapping
from datetime import date
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy import select

from scm_api.access.models import ApiKey, Membership, Organization, OrganizationGroup
from scm_api.core import pages
from scm_api.core.pages import PageOf, PageParams
from scm_api.core.tx import Tx


async def find(tx: Tx, organization_id: UUID) -> asyncpg.Record:
    """An organization with the code of its group, and its date now (`today`)."""
    row = await tx.fetchrow(
        """
        select o.*, g.code as "group", ($2::timestamptz at time zone o.time_zone)::date as today
        from organization o left join organization_group g on g.id = o.group_id where o.id = $1
        """,
        organization_id,
        tx.now,
    )
    assert row is not None
    return row


async def list_mine(tx: Tx, wanted: PageParams) -> PageOf:
    """(organization, group code, roles) of those the caller belongs to, by code."""
    principal = tx.principal
    source: Any = Membership if principal.key_id is None else ApiKey
    mine = (
        (Membership.user_id == principal.user_id, Membership.status == "active")
        if principal.key_id is None
        else (ApiKey.organization_id == tx.organization_id, ApiKey.id == principal.key_id)
    )
    statement = (
        select(Organization, OrganizationGroup.code, source.roles)
        .join(source, source.organization_id == Organization.id)
        .outerjoin(OrganizationGroup, OrganizationGroup.id == Organization.group_id)
        .where(*mine)
    )
    return await pages.page(
        tx, statement, wanted, [(Organization.code, False), (Organization.id, False)]
    )


async def list_my_groups(tx: Tx) -> list[asyncpg.Record]:
    """A row for each of the caller's organizations in a group, in order."""
    principal = tx.principal
    return await tx.fetch(
        """
        select g.id, g.code, g.name, o.id as organization_id, o.code as organization_code,
               o.name as organization_name
        from organization_group g join organization o on o.group_id = g.id
        where case when $1::uuid is null
          then o.id = $2
          else exists (select from membership m where m.organization_id = o.id
                         and m.user_id = $1 and m.status = 'active') end
        order by lower(g.code), lower(o.code)
        """,
        principal.user_id if principal.key_id is None else None,
        tx.organization_id,
    )


async def update(tx: Tx, version: int, values: Mapping[str, Any]) -> bool:
    """Set columns of the organization and count its version up; False if somebody else did."""
    places = "".join(f", {name} = ${n}" for n, name in enumerate(values, 4))
    return bool(
        await tx.fetchval(
            f"update organization set version = version + 1, updated_at = $3{places} "
            "where id = $1 and version = $2 returning true",
            tx.organization_id,
            version,
            tx.now,
            *values.values(),
        )
    )


async def has_documents(tx: Tx) -> bool:
    """Whether anything was posted or ordered yet."""
    return bool(
        await tx.fetchval(
            """
            select exists (select from stock_document where organization_id = $1)
                or exists (select from purchase_order where organization_id = $1)
            """,
            tx.organization_id,
        )
    )


async def lock_books(tx: Tx) -> None:
    """Wait for the postings under way and hold back new ones until this transaction ends."""
    await tx.execute(
        "select pg_advisory_xact_lock(hashtextextended('books of ' || $1, 0))",
        str(tx.organization_id),
    )


async def lock_group(tx: Tx, code: str) -> UUID | None:
    """The group with a code, which stays until the transaction ends."""
    found: UUID | None = await tx.fetchval(
        "select id from organization_group where lower(code) = lower($1) for share", code
    )
    return found


async def insert_group(tx: Tx, group_id: UUID, code: str) -> bool:
    """Make a group named as its code; False if somebody else has just made it."""
    return bool(
        await tx.fetchval(
            """
            insert into organization_group (id, code, name) values ($1, $2, $2)
            on conflict do nothing returning true
            """,
            group_id,
            code,
        )
    )


async def delete_empty_group(tx: Tx, group_id: UUID) -> None:
    """Forget a group that no organization belongs to any more."""
    await tx.execute(
        """
        delete from organization_group g
        where g.id = $1 and not exists (select from organization o where o.group_id = g.id)
        """,
        group_id,
    )


async def roles_in_group(tx: Tx, user_id: UUID, group_id: UUID) -> list[asyncpg.Record]:
    """A person's roles in each organization of a group, with what that one's own roles grant."""
    return await tx.fetch(
        """
        select m.roles, coalesce((
          select jsonb_object_agg(lower(r.code), to_jsonb(r.permissions)) from role r
          where r.organization_id = m.organization_id), '{}') as own
        from membership m join organization o on o.id = m.organization_id
        where m.user_id = $1 and m.status = 'active' and o.group_id = $2
        """,
        user_id,
        group_id,
    )


async def make_admin(tx: Tx, organization_id: UUID, membership_id: UUID, user_id: UUID) -> None:
    """Make a person the administrator of a new organization."""
    await tx.execute(
        """
        insert into membership (organization_id, id, user_id, status, roles, joined_at)
        values ($1, $2, $3, 'active', '{admin}', $4)
        """,
        organization_id,
        membership_id,
        user_id,
        tx.now,
    )


async def holidays(tx: Tx, from_on: date, to_on: date) -> list[asyncpg.Record]:
    """The days of a span that differ from the work week, in order."""
    return await tx.fetch(
        """
        select day, name, is_working from holiday
        where organization_id = $1 and day between $2 and $3 order by day
        """,
        tx.organization_id,
        from_on,
        to_on,
    )


async def replace_holidays(
    tx: Tx, from_on: date, to_on: date, days: list[tuple[date, str, bool]]
) -> None:
    """Make the days of a span that differ from the work week exactly these."""
    await tx.execute(
        """
        delete from holiday
        where organization_id = $1 and day between $2 and $3 and day <> all ($4::date[])
        """,
        tx.organization_id,
        from_on,
        to_on,
        [day for day, _, _ in days],
    )
    await tx.execute(
        """
        insert into holiday (organization_id, day, name, is_working)
        select $1, h.* from unnest($2::date[], $3::text[], $4::boolean[]) h(day, name, is_working)
        on conflict (organization_id, day) do update
          set name = excluded.name, is_working = excluded.is_working
          where (holiday.name, holiday.is_working) is distinct from
                (excluded.name, excluded.is_working)
        """,
        tx.organization_id,
        [day for day, _, _ in days],
        [name for _, name, _ in days],
        [is_working for _, _, is_working in days],
    )


async def series(tx: Tx, kind: str) -> asyncpg.Record | None:
    """The number series of a kind of documents; None before its first number or rule."""
    return await tx.fetchrow(
        "select * from number_series where organization_id = $1 and kind = $2",
        tx.organization_id,
        kind,
    )


async def lock_series(tx: Tx, kind: str) -> asyncpg.Record:
    """The series, made if need be, held until the transaction ends: nobody takes a number."""
    await tx.execute(
        """
        insert into number_series (organization_id, kind, last) values ($1, $2, 0)
        on conflict do nothing
        """,
        tx.organization_id,
        kind,
    )
    row = await tx.fetchrow(
        "select * from number_series where organization_id = $1 and kind = $2 for update",
        tx.organization_id,
        kind,
    )
    assert row is not None
    return row


async def number_floor(tx: Tx, kind: str, pattern: str, restarts: str, day: date) -> int:
    """The highest count that documents already show in a form a rule may give them."""
    floor: int = await tx.fetchval(
        "select number_floor($1, $2, $3, $4, $5)", tx.organization_id, kind, pattern, restarts, day
    )
    return floor


async def number_text(tx: Tx, pattern: str, count: int, day: date) -> str:
    """A number as a pattern writes it."""
    text: str = await tx.fetchval("select number_text($1, $2, $3)", pattern, count, day)
    return text


async def write_rule(
    tx: Tx, kind: str, *, pattern: str, restarts: str, last: int, day: date
) -> None:
    """Number documents of a kind by a rule from now on, after the count `last`."""
    await tx.execute(
        """
        update number_series
        set pattern = $3, restarts = $4, last = $5, day = greatest(day, $6), version = version + 1
        where organization_id = $1 and kind = $2
        """,
        tx.organization_id,
        kind,
        pattern,
        restarts,
        last,
        day,
    )


async def periods(tx: Tx, from_on: date, to_on: date) -> list[asyncpg.Record]:
    """What is stored of the periods that begin in a span, and who closed them."""
    return await tx.fetch(
        """
        select p.starts_on, p.closed_at, p.closed_by,
               case when k.id is null then 'user' else 'api_key' end as closer_kind,
               coalesce(k.name, u.name) as closer_name
        from fiscal_period p
        left join api_key k on k.organization_id = p.organization_id and k.id = p.closed_by
        left join user_account u on u.id = p.closed_by
        where p.organization_id = $1 and p.starts_on between $2 and $3
        """,
        tx.organization_id,
        from_on,
        to_on,
    )


async def latest_closed(tx: Tx) -> asyncpg.Record | None:
    """The latest closed period: up to its end nothing is posted."""
    return await tx.fetchrow(
        """
        select code, starts_on, ends_on, closed_at, closed_by from fiscal_period
        where organization_id = $1 and closed_at is not null order by starts_on desc limit 1
        """,
        tx.organization_id,
    )


async def write_period(tx: Tx, *, code: str, starts_on: date, ends_on: date, closed: bool) -> None:
    """Write that a period is closed by the caller now, or open."""
    await tx.execute(
        """
        insert into fiscal_period (organization_id, starts_on, ends_on, code, closed_at, closed_by)
        values ($1, $2, $3, $4, $5, $6)
        on conflict (organization_id, starts_on) do update
          set ends_on = excluded.ends_on, code = excluded.code, closed_at = excluded.closed_at,
              closed_by = excluded.closed_by
        """,
        tx.organization_id,
        starts_on,
        ends_on,
        code,
        tx.now if closed else None,
        tx.principal.actor_id if closed else None,
    )


async def other_running_jobs(tx: Tx, job_id: UUID) -> int:
    """How many other jobs of the organization run."""
    count: int = await tx.fetchval(
        """
        select count(*) from job
        where organization_id = $1 and status = 'running' and id <> $2
        """,
        tx.organization_id,
        job_id,
    )
    return count


async def empty_sandbox(tx: Tx) -> int:
    """Remove every row of business of this sandbox; gives how many there were."""
    await tx.execute("set local statement_timeout = 0; set local lock_timeout = 0")
    removed: int = await tx.fetchval("select reset_sandbox($1)", tx.organization_id)
    return removed
