"""API keys: shown once, never beyond their maker, rotated with overlap, revoked everywhere."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import pytest

from scm_api.access import service as access
from scm_api.app import create_app
from scm_api.core.ids import uuid7
from scm_api.core.runtime import Runtime
from scm_api.core.tx import Limits
from scm_api.process import Urls, make_runtime
from scm_api.settings import Settings
from tests.support import Client, new_client, problem_codes

KEYS = "/v1/api-keys"
SOON_SECONDS = 1.2


def with_token(api: Client, token: str) -> Client:
    return Client(api.runtime, api.http, api.organization_id, token)


async def make(api: Client, **body: Any) -> tuple[Any, Client]:
    made = await api.ok("POST", KEYS, json={"name": "key", **body})
    return made, with_token(api, made["token"])


async def colleague(api: Client, *permissions: str, limits: Limits | None = None) -> Client:
    """Another key of the same organization, limited as said."""
    more = {} if limits is None else {"limits": limits}
    return await new_client(
        api.runtime,
        api.http,
        permissions=permissions,
        organization_id=api.organization_id,
        **more,
    )


async def test_a_key_is_shown_once_and_may_what_it_was_given(api: Client) -> None:
    made, key = await make(api, permissions=["warehouses:read"], roles=["Supplier"])
    assert made["token"].startswith("scm_live_")
    assert made["prefix"] == made["token"][:13] + "..."
    assert (await key.get("/v1/warehouses")).status_code == 200
    refused = await key.get("/v1/items")
    assert refused.json()["required_permission"] == "items:read"
    read = await api.get(f"{KEYS}/{made['id']}")
    assert "token" not in read.json()
    assert read.json()["roles"] == ["supplier"]
    assert read.json()["last_used_at"] is not None
    secret = made["token"].rsplit("_", 1)[1]
    listed = await api.get(KEYS)
    assert secret not in listed.text
    assert secret not in read.text
    assert made["id"] in [one["id"] for one in listed.json()["data"]]


async def test_no_trace_of_a_secret_stays_in_the_database(
    api: Client, admin: asyncpg.Connection
) -> None:
    headers = {"Idempotency-Key": "make-one"}
    body = {"name": "key", "permissions": ["warehouses:read"]}
    made = (await api.post(KEYS, body, headers=headers)).json()
    again = (await api.post(KEYS, body, headers=headers)).json()
    assert again == made | {"token": None}
    rotated = await api.ok("POST", f"{KEYS}/{made['id']}/rotate", json={})
    secrets = [token.split("_", 3)[3] for token in (made["token"], rotated["token"])]
    for table in ("api_key", "audit_entry", "event", "idempotency_key", "access_log"):
        text = await admin.fetchval(f"select string_agg(t::text, ' ') from {table} t") or ""
        assert all(secret not in text for secret in secrets), table


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "grants_nothing"),
        ({"permissions": ["stock:steal"]}, "unknown_permission"),
        ({"roles": ["emperor"]}, "unknown_role"),
        ({"permissions": ["items:read"], "expires_at": "2020-01-01T00:00:00Z"}, "in_the_past"),
        ({"permissions": ["items:read"], "is_personal": True}, "not_a_person"),
        (
            {"permissions": ["items:read"], "warehouses": [{"code": "WH-1"}, {"code": "NO"}]},
            "unknown_reference",
        ),
        ({"permissions": ["items:read"], "categories": [{"code": "NO"}]}, "unknown_reference"),
    ],
)
async def test_what_makes_no_sense_is_refused_by_name(
    api: Client, body: dict[str, Any], code: str
) -> None:
    await api.ok("POST", "/v1/warehouses", json={"code": "WH-1", "name": "One"})
    refused = await api.post(KEYS, {"name": "key", **body})
    assert refused.status_code == 422
    assert problem_codes(refused) == [code]


async def test_nobody_makes_a_key_that_may_more_than_he(api: Client) -> None:
    keeper = await colleague(api, "api_keys:write", "api_keys:read", "items:read")
    made = await keeper.post(KEYS, {"name": "same", "permissions": ["items:read"]})
    assert made.status_code == 201
    for more, exceeds in (
        ({"permissions": ["items:read", "stock:post"]}, ["stock:post"]),
        ({"permissions": ["*"]}, ["*"]),
        ({"roles": ["admin"]}, ["*"]),
    ):
        refused = await keeper.post(KEYS, {"name": "more", **more})
        assert refused.status_code == 403
        assert refused.json()["code"] == "permission_escalation"
        assert refused.json()["exceeds"] == exceeds
    path = f"{KEYS}/{made.json()['id']}"
    assert (await keeper.patch(path, {"permissions": ["stock:post"]})).status_code == 403


async def test_nobody_takes_over_a_key_that_may_more_than_he(api: Client) -> None:
    strong, _ = await make(api, permissions=["*"])
    keeper = await colleague(api, "api_keys:write", "items:read")
    path = f"{KEYS}/{strong['id']}"
    for refused in (
        await keeper.post(f"{path}/rotate", {}),
        await keeper.patch(path, {"permissions": ["items:read"]}),
        await keeper.patch(path, {"name": "mine"}),
    ):
        assert refused.json()["code"] == "permission_escalation", refused.text
    # To stop a key takes no more than being trusted with keys.
    assert (await keeper.post(f"{path}/revoke")).status_code == 200


async def test_a_key_that_ends_makes_none_that_lives_longer(api: Client) -> None:
    _, ending = await make(api, permissions=["*"], expires_at="2098-01-01T00:00:00Z")
    for later in (None, "2098-01-02T00:00:00Z"):
        refused = await ending.post(
            KEYS, {"name": "x", "permissions": ["items:read"], "expires_at": later}
        )
        assert problem_codes(refused) == ["outlives_its_maker"]
    sooner = {"name": "x", "permissions": ["items:read"], "expires_at": "2097-12-31T00:00:00Z"}
    assert (await ending.post(KEYS, sooner)).status_code == 201


async def test_a_key_that_ends_renews_none_that_lives_longer(api: Client) -> None:
    endless, _ = await make(api, permissions=["items:read"])
    _, ending = await make(api, permissions=["*"], expires_at="2098-01-01T00:00:00Z")
    refused = await ending.post(f"{KEYS}/{endless['id']}/rotate", {"overlap_hours": 1})
    assert problem_codes(refused) == ["outlives_its_maker"]
    me = next(k for k in (await api.ok("GET", KEYS))["data"] if k["expires_at"])
    assert (await ending.post(f"{KEYS}/{me['id']}/rotate", {})).status_code == 200


async def test_a_key_works_in_its_own_organization_whatever_is_asked(
    api: Client, other: Client
) -> None:
    mine = (await api.ok("GET", "/v1/organizations/current"))["code"]
    for named in (mine, mine.upper(), str(api.organization_id)):
        assert (await api.get("/v1/items", headers={"Scm-Organization": named})).status_code == 200
    for named in (str(other.organization_id), "nothing"):
        refused = await api.get("/v1/items", headers={"Scm-Organization": named})
        assert (refused.status_code, refused.json()["code"]) == (404, "not_found")


async def test_limits_are_kept_shown_and_never_widened(api: Client) -> None:
    places = {}
    for code in ("WH-1", "WH-2"):
        body = {"code": code, "name": code}
        places[code] = (await api.ok("POST", "/v1/warehouses", json=body))["id"]
    parent = await api.ok("POST", "/v1/categories", json={"code": "C", "name": "C"})
    below = {"code": "C-1", "name": "C-1", "parent": {"code": "C"}}
    await api.ok("POST", "/v1/categories", json=below)
    made, _ = await make(
        api,
        permissions=["items:read"],
        warehouses=[{"code": "wh-1"}],
        categories=[{"id": parent["id"]}],
        amount_limit="1000.50",
    )
    assert [place["code"] for place in made["warehouses"]] == ["WH-1"]
    assert [one["code"] for one in made["categories"]] == ["C"]
    assert made["amount_limit"] == "1000.5000"

    own = {
        "warehouses": [{"code": "WH-1"}],
        "categories": [{"code": "C"}],
        "amount_limit": "1000.50",
    }
    _, keeper = await make(api, permissions=["api_keys:write", "items:read"], **own)
    granted = {"name": "narrower", "permissions": ["items:read"], **own}
    assert (await keeper.post(KEYS, granted | {"categories": [{"code": "C-1"}]})).is_success
    for field, value, exceeds in (
        ("warehouses", [{"code": "WH-1"}, {"code": "WH-2"}], "warehouses"),
        ("warehouses", None, "warehouses"),
        ("categories", None, "categories"),
        ("amount_limit", "1000.51", "amount_limit"),
        ("amount_limit", None, "amount_limit"),
    ):
        refused = await keeper.post(KEYS, granted | {field: value})
        assert refused.status_code == 403, refused.text
        assert refused.json()["exceeds"] == [exceeds]
    changed = await api.patch(f"{KEYS}/{made['id']}", {"warehouses": None})
    assert changed.json()["warehouses"] is None


async def test_a_change_is_guarded_by_the_version_and_felt_at_once(api: Client) -> None:
    made, key = await make(api, permissions=["warehouses:read"])
    path = f"{KEYS}/{made['id']}"
    assert (await key.get("/v1/items")).status_code == 403
    body = {"permissions": ["items:read"], "name": "renamed"}
    stale = await api.patch(path, body, headers={"If-Match": '"7"'})
    assert stale.status_code == 412
    changed = await api.patch(path, body, headers={"If-Match": '"1"'})
    assert changed.headers["etag"] == '"2"'
    assert changed.json()["name"] == "renamed"
    await asyncio.sleep(SOON_SECONDS)
    assert (await key.get("/v1/items")).status_code == 200
    assert (await key.get("/v1/warehouses")).status_code == 403


async def test_rotation_keeps_the_old_secret_for_the_overlap_only(
    api: Client, admin: asyncpg.Connection
) -> None:
    made, old = await make(api, permissions=["warehouses:read"])
    path = f"{KEYS}/{made['id']}"
    rotated = await api.ok("POST", f"{path}/rotate", json={"overlap_hours": 1})
    new = with_token(api, rotated["token"])
    assert rotated["token"] != made["token"]
    assert rotated["prefix"] == made["prefix"]
    ends = datetime.fromisoformat(rotated["previous_expires_at"]) - datetime.now(UTC)
    assert timedelta(minutes=59) < ends <= timedelta(hours=1)
    await asyncio.sleep(SOON_SECONDS)
    assert (await old.get("/v1/warehouses")).status_code == 200
    assert (await new.get("/v1/warehouses")).status_code == 200
    sql = "update api_key set previous_expires_at = now() where id = $1"
    await admin.execute(sql, UUID(made["id"]))
    await asyncio.sleep(SOON_SECONDS)
    assert (await old.get("/v1/warehouses")).status_code == 401
    assert (await new.get("/v1/warehouses")).status_code == 200


async def test_rotation_without_overlap_ends_the_old_secret(api: Client) -> None:
    made, old = await make(api, permissions=["warehouses:read"])
    rotated = await api.ok("POST", f"{KEYS}/{made['id']}/rotate", json={})
    assert rotated["previous_expires_at"] is None
    await asyncio.sleep(SOON_SECONDS)
    assert (await old.get("/v1/warehouses")).status_code == 401
    assert (await with_token(api, rotated["token"]).get("/v1/warehouses")).status_code == 200


async def test_a_revoked_key_is_refused_within_a_second_by_every_process(
    api: Client, urls: Urls
) -> None:
    made, key = await make(api, permissions=["warehouses:read"])
    second = make_runtime(Settings(), urls)
    transport = httpx.ASGITransport(create_app(second), raise_app_exceptions=False)
    try:
        async with httpx.AsyncClient(transport=transport, base_url="http://second") as http:
            elsewhere = Client(second, http, api.organization_id, key.token)
            for caller in (key, elsewhere):
                assert (await caller.get("/v1/warehouses")).status_code == 200
            revoked = await api.ok("POST", f"{KEYS}/{made['id']}/revoke")
            since = time.monotonic()
            assert revoked["status"] == "revoked"
            for caller in (key, elsewhere):
                asked = time.monotonic()
                while (answer := await caller.get("/v1/warehouses")).status_code == 200:
                    assert asked - since < 1.0
                    await asyncio.sleep(0.02)
                    asked = time.monotonic()
                assert answer.status_code == 401
    finally:
        await second.database.dispose()
    path = f"{KEYS}/{made['id']}"
    for refused in (await api.patch(path, {"name": "x"}), await api.post(f"{path}/rotate", {})):
        assert refused.status_code == 409
        assert refused.json()["code"] == "key_revoked"
    again = await api.ok("POST", f"{path}/revoke")
    assert again["revoked_at"] == revoked["revoked_at"]


async def test_keys_are_listed_by_their_state(api: Client, admin: asyncpg.Connection) -> None:
    states = {}
    for state in ("active", "expired", "revoked"):
        made, _ = await make(
            api, permissions=["items:read"], expires_at="2099-01-01T00:00:00Z", name=state
        )
        states[state] = made["id"]
    sql = "update api_key set expires_at = '2020-01-01' where id = $1"
    await admin.execute(sql, UUID(states["expired"]))
    await api.ok("POST", f"{KEYS}/{states['revoked']}/revoke")
    for state, id in states.items():
        listed = await api.ok("GET", KEYS, params={"status": state})
        found = {one["id"]: one["status"] for one in listed["data"]}
        assert found.pop(id) == state
        assert set(found.values()) <= {"active"}
    two = await api.ok("GET", KEYS, params={"status": ["expired", "revoked"]})
    assert {one["id"] for one in two["data"]} == {states["expired"], states["revoked"]}


async def test_a_sandbox_has_test_keys_and_only_there_they_work(
    api: Client, runtime: Runtime, http: httpx.AsyncClient, admin: asyncpg.Connection
) -> None:
    sandbox = await new_client(runtime, http)
    sql = "update organization set is_sandbox = $2 where id = $1"
    await admin.execute(sql, sandbox.organization_id, True)
    async with runtime.database.system() as driver:
        key = await access.create_key(driver, sandbox.organization_id, name="test")
    assert key.token.startswith("scm_test_")
    assert (await sandbox.get("/v1/warehouses")).status_code == 401  # a live key, in a sandbox now
    tester = with_token(sandbox, key.token)
    made = await tester.ok("POST", KEYS, json={"name": "t", "permissions": ["warehouses:read"]})
    assert made["is_test"] is True
    assert made["token"].startswith("scm_test_")
    assert made["prefix"].startswith("scm_test_")
    caller = with_token(sandbox, made["token"])
    assert (await caller.get("/v1/warehouses")).status_code == 200
    as_live = with_token(sandbox, made["token"].replace("scm_test_", "scm_live_"))
    assert (await as_live.get("/v1/warehouses")).status_code == 401
    await admin.execute(sql, sandbox.organization_id, False)
    await asyncio.sleep(SOON_SECONDS)
    assert (await caller.get("/v1/warehouses")).status_code == 401


async def test_a_key_of_another_organization_does_not_exist_here(
    api: Client, other: Client
) -> None:
    made, _ = await make(other, permissions=["items:read"])
    path = f"{KEYS}/{made['id']}"
    assert (await api.get(path)).status_code == 404
    assert (await api.patch(path, {"name": "mine"})).status_code == 404
    assert (await api.post(f"{path}/rotate", {})).status_code == 404
    assert (await api.post(f"{path}/revoke")).status_code == 404


async def member(admin: asyncpg.Connection, api: Client, *roles: str) -> tuple[UUID, UUID]:
    """A person of the organization; gives the ids of person and membership."""
    user_id, membership_id = uuid7(), uuid7()
    sql = "insert into user_account (id, email, name) values ($1, $2, 'Li Na')"
    await admin.execute(sql, user_id, f"{user_id}@example.com")
    await admin.execute(
        """
        insert into membership (organization_id, id, user_id, status, roles, joined_at)
        values ($1, $2, $3, 'active', $4, now())
        """,
        api.organization_id,
        membership_id,
        user_id,
        list(roles),
    )
    return user_id, membership_id


async def bind(admin: asyncpg.Connection, key_id: str, user_id: UUID) -> None:
    sql = "update api_key set user_id = $2, maker_ids = array[$2::uuid] where id = $1"
    await admin.execute(sql, UUID(key_id), user_id)


async def test_a_personal_key_belongs_to_its_person_alone(
    api: Client, admin: asyncpg.Connection
) -> None:
    user_id, membership_id = await member(admin, api, "admin")
    first, person = await make(api, permissions=["*"])
    await bind(admin, first["id"], user_id)
    made, personal = await make(person, permissions=["items:read"], is_personal=True)
    assert made["person"] == {"id": str(user_id), "name": "Li Na"}
    assert (await personal.get("/v1/items")).status_code == 200
    # Somebody else with every permission cannot act as that person.
    refused = await api.post(f"{KEYS}/{made['id']}/rotate", {})
    assert (refused.status_code, refused.json()["code"]) == (403, "key_of_another_person")
    assert (await person.post(f"{KEYS}/{made['id']}/rotate", {})).status_code == 200
    # It never may more than its person may now.
    sql = "update membership set roles = '{supplier}' where id = $1"
    await admin.execute(sql, membership_id)
    await asyncio.sleep(SOON_SECONDS)
    assert (await person.get("/v1/items")).status_code == 403
    await admin.execute("update membership set status = 'suspended' where id = $1", membership_id)
    await asyncio.sleep(SOON_SECONDS)
    assert (await person.get("/v1/problems")).status_code == 401
