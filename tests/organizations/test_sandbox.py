"""Emptying a sandbox: all of its business goes, people and settings stay, others are untouched."""

import asyncio
from datetime import timedelta

import asyncpg
import httpx
import pytest
import pytest_asyncio

from scm_api import wiring
from scm_api.access import service as access
from scm_api.core.db import Base
from scm_api.core.idempotency import IdempotencyKey
from scm_api.core.runtime import Runtime
from scm_api.trail import sealing
from scm_api.trail.verifying import Verification, verify
from tests.contract.world import build, digest
from tests.organizations.support import company, opening, order, person
from tests.support import Client, new_client, problem_codes

assert wiring.registered
TENANT = {t.name for t in Base.metadata.sorted_tables if "organization_id" in t.c}
# What an emptied sandbox keeps, whole or in part; every other table must be empty after a reset.
KEPT = {
    "alert_rule",
    "api_key",
    "duty_rule",
    "event_consumer",
    "holiday",
    "membership",
    "number_series",
    "rate_window",
    "role",
}
KEPT_IN_PART = {"audit_entry", "event", "idempotency_key", "job", "location"}


@pytest_asyncio.fixture(loop_scope="session")
async def sandbox(api: Client) -> Client:
    """A caller in a sandbox of its own."""
    async with api.runtime.database.system() as driver:
        await driver.execute(
            "update organization set is_sandbox = true where id = $1", api.organization_id
        )
        key = await access.create_key(driver, api.organization_id, name="test key")
    return Client(api.runtime, api.http, api.organization_id, key.token)


async def _code(caller: Client) -> str:
    return (await caller.ok("GET", "/v1/organizations/current"))["code"]


async def _reset(caller: Client) -> dict:
    response = await caller.post("/v1/sandbox/reset", {"confirm": await _code(caller)})
    job = await caller.run_job(response)
    assert job["status"] == "succeeded", job
    return job


async def _counts(admin: asyncpg.Connection, caller: Client) -> dict[str, int]:
    sql = " union all ".join(
        f"select '{name}' as name, count(*) from {name} where organization_id = $1"
        for name in sorted(TENANT)
    )
    return {row["name"]: row["count"] for row in await admin.fetch(sql, caller.organization_id)}


async def test_a_reset_empties_every_table_but_those_it_keeps(
    runtime: Runtime, http: httpx.AsyncClient, admin: asyncpg.Connection
) -> None:
    world = await build(runtime, http)
    await world.settle()
    before = await _counts(admin, world)
    job = await _reset(world)
    after = await _counts(admin, world)
    left = {name for name, count in after.items() if count}
    assert left <= KEPT | KEPT_IN_PART
    for name in KEPT & {n for n, count in before.items() if count}:
        assert after[name] == before[name], name
    # The reset itself is the first thing in the new trail and the new feed.
    assert (after["audit_entry"], after["event"], after["job"]) == (1, 1, 1)
    assert after["location"] == 5
    assert job["result"]["removed_rows"] > 500


async def test_every_table_is_either_emptied_or_kept_on_purpose(
    admin: asyncpg.Connection,
) -> None:
    source = await admin.fetchval("select prosrc from pg_proc where proname = 'reset_sandbox'")
    kept = source[source.index("array[") : source.index("];")]
    assert {name for name in TENANT if f"'{name}'" in kept} == KEPT
    assert KEPT_IN_PART < TENANT


async def test_no_other_organization_is_touched(
    sandbox: Client, other: Client, admin: asyncpg.Connection
) -> None:
    await company(other)
    await other.ok("POST", "/v1/purchase-orders", json=order())
    await company(sandbox)
    before = await digest(admin, other.organization_id)
    await _reset(sandbox)
    assert await digest(admin, other.organization_id) == before


async def test_work_goes_on_in_an_emptied_sandbox(sandbox: Client) -> None:
    for _ in range(2):
        await company(sandbox)
        line = {"item": {"sku": "A"}, "warehouse": {"code": "WH-1"}, "quantity": "5"}
        body = {"type": "opening", "lines": [line], "external_ref": "O-1"}
        await sandbox.ok("POST", "/v1/stock-movements", json=body)
        made = await sandbox.ok("POST", "/v1/purchase-orders", json=order())
        assert made["number"] == "PO-000001"
        await sandbox.settle()
        await _reset(sandbox)
        assert (await sandbox.ok("GET", "/v1/items"))["data"] == []


async def test_settings_people_roles_and_rules_stay(sandbox: Client) -> None:
    current = "/v1/organizations/current"
    await company(sandbox)
    await sandbox.ok("PATCH", current, json={"name": "Trial", "over_delivery_percent": "9"})
    day = {"day": "2030-10-01", "name": "国庆节"}
    await sandbox.ok("PUT", f"{current}/holidays", json={"year": 2030, "days": [day]})
    rule = f"{current}/number-rules/purchase_order"
    await sandbox.ok("PUT", rule, json={"pattern": "T{n}", "next": 50})
    li = await person({sandbox.organization_id: ["admin"]}, sandbox)
    await _reset(sandbox)
    read = (await li.call("GET", current, sandbox)).json()
    assert (read["name"], read["over_delivery_percent"]) == ("Trial", "9.0000")
    assert read["sandbox_reset_at"] is not None
    holidays = await sandbox.ok("GET", f"{current}/holidays?year=2030")
    assert len(holidays["data"]) == 1
    assert (await sandbox.ok("GET", rule))["next"] == "T1"


async def test_the_trail_and_the_feed_begin_anew_with_who_did_it(sandbox: Client) -> None:
    await company(sandbox)
    await _reset(sandbox)
    async with sandbox.runtime.database.transaction(
        sandbox.principal(), now=sandbox.runtime.clock()
    ) as tx:
        (entry,) = await tx.fetch("select * from audit_entry")
    assert entry["object_type"] == "organization"
    assert entry["changes"]["sandbox_reset_at"]["new"] is not None
    assert entry["principal_name"] == "test key"
    (event,) = (await sandbox.ok("GET", "/v1/events"))["data"]
    assert event["type"] == "sandbox.reset"


async def test_only_a_sandbox_and_only_by_its_name(sandbox: Client, other: Client) -> None:
    refused = await other.post("/v1/sandbox/reset", {"confirm": await _code(other)})
    assert (refused.status_code, refused.json()["code"]) == (409, "not_a_sandbox")
    unnamed = await sandbox.post("/v1/sandbox/reset", {"confirm": await _code(other)})
    assert problem_codes(unnamed) == ["not_confirmed"]


async def test_the_database_itself_empties_nothing_else(sandbox: Client, other: Client) -> None:
    runtime = sandbox.runtime
    for target, acting in ((other, other), (sandbox, other), (other, sandbox)):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with runtime.database.transaction(acting.principal(), now=runtime.clock()) as tx:
                await tx.execute("select reset_sandbox($1)", target.organization_id)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with runtime.database.system() as driver:
            await driver.execute("select reset_sandbox($1)", sandbox.organization_id)


async def test_a_reset_asked_for_twice_with_one_key_runs_once(
    sandbox: Client, admin: asyncpg.Connection
) -> None:
    body = {"confirm": await _code(sandbox)}
    headers = {"Idempotency-Key": "reset-1"}
    first = await sandbox.post("/v1/sandbox/reset", body, headers=headers)
    await sandbox.run_job(first)
    await company(sandbox)
    second = await sandbox.post("/v1/sandbox/reset", body, headers=headers)
    assert second.json() == first.json()
    assert len((await sandbox.ok("GET", "/v1/items"))["data"]) == 1
    table = IdempotencyKey.__tablename__
    kept = await admin.fetchval(
        f"select count(*) from {table} where organization_id = $1", sandbox.organization_id
    )
    assert kept == 1


async def test_it_waits_for_no_other_job_but_says_so(
    sandbox: Client, admin: asyncpg.Connection
) -> None:
    await company(sandbox)
    await admin.execute(
        """
        insert into job (organization_id, id, kind, status, params, principal, created_at,
                         expires_at)
        values ($1, gen_random_uuid(), 'plan.run', 'running', '{}', '{}', now(), now() + $2)
        """,
        sandbox.organization_id,
        timedelta(days=1),
    )
    response = await sandbox.post("/v1/sandbox/reset", {"confirm": await _code(sandbox)})
    job = await sandbox.run_job(response)
    assert (job["status"], job["error"]["code"]) == ("failed", "jobs_running")
    assert len((await sandbox.ok("GET", "/v1/items"))["data"]) == 1


async def test_a_live_organization_s_key_does_not_open_a_sandbox(sandbox: Client) -> None:
    """The key made before the organization became a sandbox is of the other kind."""
    made = await new_client(sandbox.runtime, sandbox.http, organization_id=sandbox.organization_id)
    assert made.token.startswith("scm_test_")
    assert (await made.get("/v1/items")).status_code == 200


async def test_the_trail_of_an_emptied_sandbox_is_sound(sandbox: Client) -> None:
    async def verified() -> Verification:
        await sealing.run_once(sandbox.runtime)
        async with sandbox.runtime.database.transaction(
            sandbox.principal(), now=sandbox.runtime.clock(), read_only=True
        ) as tx:
            return await verify(tx, sealing.key_of(sandbox.runtime))

    await company(sandbox)
    before = await verified()
    assert (before.seals > 0, before.findings) == (True, [])
    await _reset(sandbox)
    after = await verified()
    assert (after.rows, after.findings) == (2, [])


async def test_what_is_written_during_a_reset_leaves_nothing_half_there(
    sandbox: Client, admin: asyncpg.Connection
) -> None:
    await company(sandbox)
    response = await sandbox.post("/v1/sandbox/reset", {"confirm": await _code(sandbox)})

    async def post() -> int:
        return (await sandbox.post("/v1/stock-movements", opening())).status_code

    job, *told = await asyncio.gather(sandbox.run_job(response), *(post() for _ in range(20)))
    assert job["status"] == "succeeded", job
    # Before the reset the item was there, after it there is none to post.
    assert set(told) <= {201, 409, 422}
    counts = await _counts(admin, sandbox)
    assert counts["item"] == counts["stock_movement"] == counts["stock_position"] == 0
