"""Nobody reads or touches another organization: every operation is called with another's ids in
every place that takes one, and the database is asked directly."""

from dataclasses import replace
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest

from scm_api.core.runtime import Runtime
from tests.contract.attacks import MARK, TENANT_TABLES, Victim, attacks, leaks, sums
from tests.contract.evil import FULL, SEED, sample
from tests.contract.spec import Operation, operations
from tests.contract.world import build, copy
from tests.support import Client, new_client

ATTACKS_EACH = 15


@pytest.mark.parametrize("operation", operations(), ids=str)
async def test_ids_of_another_organization_lead_nowhere(
    operation: Operation,
    victim: Victim,
    runtime: Runtime,
    http: httpx.AsyncClient,
    template: Client,
    session_admin: asyncpg.Connection,
) -> None:
    attacker = await copy(session_admin, template)
    call = await operation.runnable(attacker)
    found = list(attacks(operation, call, victim))
    for attack, right in found if FULL else sample(found, ATTACKS_EACH, SEED):
        response = await attack.send(attacker)
        assert response.status_code < 500, (attack, response.text)
        assert not leaks(response, attack, victim), (attack, response.text)
        assert not right or response.status_code in right, (attack, response.text)
    assert await sums(session_admin, victim) == victim.sums
    await _assert_no_foreign_ids(session_admin, attacker.organization_id, victim)


async def _assert_no_foreign_ids(
    admin: asyncpg.Connection, organization_id: UUID, victim: Victim
) -> None:
    """No foreign key column of the organization holds an id of the victim."""
    for table in TENANT_TABLES:
        for column in {c.name for fk in table.foreign_keys for c in [fk.parent]}:
            if column == "organization_id":
                continue
            stolen = await admin.fetchval(
                f"select count(*) from {table.name} "
                f"where organization_id = $1 and {column}::text = any($2::text[])",
                organization_id,
                sorted(victim.all_ids),
            )
            assert stolen == 0, f"{table.name}.{column}"


# What belongs to a person is no organization's.
LISTS = [
    o
    for o in operations()
    if {"cursor", "after"} & {p["name"] for p in o.parameters} and not o.id.startswith("me_")
]


@pytest.mark.parametrize("operation", LISTS, ids=str)
async def test_a_cursor_of_another_organization_shows_nothing_of_it(
    operation: Operation, victim: Victim, template: Client
) -> None:
    call = operation.example().with_(query={"limit": 1})
    page = (await call.send(victim.api)).json()
    name, cursor = (
        ("after", page.get("next_after"))
        if "next_after" in page
        else ("cursor", page["next_cursor"])
    )
    if cursor is None:
        return
    mine = call.with_(query={name: cursor, "limit": 500})
    response = await mine.send(template)
    assert response.status_code in (200, 422)
    assert not leaks(response, mine, victim)


async def test_an_idempotency_key_of_another_organization_replays_nothing(
    victim: Victim, world: Client, session_admin: asyncpg.Connection
) -> None:
    secret = await build(world.runtime, world.http, MARK)
    headers = {"Idempotency-Key": "guessable"}
    body = {"code": "WH-7", "name": f"Hidden{MARK}"}
    assert (await secret.post("/v1/warehouses", body, headers=headers)).status_code == 201
    mine = await world.post("/v1/warehouses", {**body, "name": "Mine"}, headers=headers)
    assert mine.status_code == 201
    assert "idempotent-replayed" not in mine.headers
    assert MARK not in mine.text


async def test_the_feed_shows_one_organization_only(victim: Victim, template: Client) -> None:
    events = (await template.ok("GET", "/v1/events?limit=1000"))["data"]
    assert events
    for event in events:
        assert not [id for id in victim.all_ids if id in str(event)]


async def test_sql_as_the_application_sees_one_organization_only(
    victim: Victim, runtime: Runtime, template: Client
) -> None:
    async with runtime.database.transaction(template.principal(), now=runtime.clock()) as tx:
        for table in TENANT_TABLES:
            seen = await tx.fetchval(
                f"select count(*) from {table.name} where organization_id <> $1",
                template.organization_id,
            )
            assert seen == 0, table.name
        assert await tx.fetchval("select count(*) from organization") == 1


async def test_sql_without_an_organization_sees_nothing(victim: Victim, runtime: Runtime) -> None:
    async with runtime.database.raw("begin") as (_, driver):
        for table in [*(t.name for t in TENANT_TABLES), "organization"]:
            assert await driver.fetchval(f"select count(*) from {table}") == 0, table


async def test_the_process_itself_sees_no_business_data(victim: Victim, runtime: Runtime) -> None:
    allowed = {"job", "event", "event_consumer", "idempotency_key"}
    allowed |= {"api_key", "membership", "role", "duty_rule", "audit_entry", "audit_seal"}
    async with runtime.database.system() as driver:
        for table in TENANT_TABLES:
            seen = await driver.fetchval(f"select count(*) from {table.name}")
            assert seen == 0 or table.name in allowed, table.name


async def test_rows_cannot_be_written_into_another_organization(
    victim: Victim, runtime: Runtime, template: Client
) -> None:
    theirs = victim.api.organization_id
    for table in TENANT_TABLES:
        async with runtime.database.transaction(template.principal(), now=runtime.clock()) as tx:
            columns = ", ".join(f'"{c.name}"' for c in table.c if c.computed is None)
            values = columns.replace('"organization_id"', "$1")
            copied = f"insert into {table.name} ({columns}) overriding system value select {values}"
            has_rows = await tx.fetchval(f"select exists (select from {table.name})")
            if has_rows:
                with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
                    await tx.execute(f"{copied} from {table.name} limit 1", theirs)


FOREIGN_KEYS = [
    (table.name, constraint.column_keys, constraint.referred_table.name)
    for table in TENANT_TABLES
    for constraint in sorted(table.foreign_key_constraints, key=lambda c: c.column_keys)
    if "organization_id" in constraint.referred_table.c
]


def test_every_foreign_key_between_organizations_rows_carries_the_organization() -> None:
    assert FOREIGN_KEYS
    for table, columns, referred in FOREIGN_KEYS:
        assert columns[0] == "organization_id", f"{table} -> {referred}: {columns}"


async def test_a_row_cannot_point_into_another_organization(
    victim: Victim, session_admin: asyncpg.Connection, template: Client
) -> None:
    """Even the superuser, whom row-level security does not bind, is refused by the keys."""
    tried = 0
    for table, columns, referred in FOREIGN_KEYS:
        target = victim.ids.get(referred)
        if target is None or len(columns) != 2:
            continue
        transaction = session_admin.transaction()
        await transaction.start()
        try:
            changed = await session_admin.execute(
                f"update {table} set {columns[1]} = $2 where organization_id = $1",
                template.organization_id,
                UUID(target[0]),
            )
            assert changed == "UPDATE 0", f"{table}.{columns[1]} accepted a foreign row"
        except asyncpg.IntegrityConstraintViolationError:
            tried += 1
        finally:
            await transaction.rollback()
    assert tried >= 20


# Search reads this one through a function of the owner that names the organization itself.
READ_BY_ITS_OWNER = {"item_search"}
APPEND_ONLY = (
    "event",
    "stock_movement",
    "stock_document",
    "shortage",
    "purchase_order_revision",
)


@pytest.mark.parametrize("table", APPEND_ONLY)
async def test_what_is_append_only_cannot_be_changed_or_deleted(
    table: str, runtime: Runtime, template: Client
) -> None:
    for sql in (
        f"update {table} set organization_id = organization_id",
        f"delete from {table}",
        f"truncate {table}",
    ):
        async with runtime.database.transaction(template.principal(), now=runtime.clock()) as tx:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await tx.execute(sql)


async def test_every_tenant_table_enforces_row_level_security(
    session_admin: asyncpg.Connection,
) -> None:
    rows = await session_admin.fetch(
        """
        select c.relname, c.relrowsecurity as is_bound, c.relforcerowsecurity as is_owner_bound,
               pg_get_userbyid(c.relowner) as owner
        from pg_class c join pg_attribute a on a.attrelid = c.oid
        where a.attname = 'organization_id' and c.relkind in ('r', 'p', 'v', 'm')
          and c.relnamespace = 'public'::regnamespace
        """
    )
    assert {row["relname"] for row in rows} == {table.name for table in TENANT_TABLES}
    for row in rows:
        assert row["is_bound"], row["relname"]
        assert row["is_owner_bound"] or row["relname"] in READ_BY_ITS_OWNER, row["relname"]
        assert row["owner"] != "scm_app", row["relname"]


async def test_the_application_role_has_no_way_around(session_admin: asyncpg.Connection) -> None:
    role = await session_admin.fetchrow("select * from pg_roles where rolname = 'scm_app'")
    assert role is not None
    for right in ("rolsuper", "rolbypassrls", "rolcreaterole", "rolcreatedb", "rolreplication"):
        assert not role[right], right


async def test_a_revoked_key_opens_nothing(runtime: Runtime, http: httpx.AsyncClient) -> None:
    caller = await new_client(runtime, http)
    async with runtime.database.system() as driver:
        await driver.execute(
            "update api_key set revoked_at = now() where organization_id = $1",
            caller.organization_id,
        )
    assert (await caller.get("/v1/items")).status_code == 401
    stranger = replace(caller, token=f"scm_live_{'a' * 16}_{uuid4().hex}")
    assert (await stranger.get("/v1/items")).status_code == 401
