"""Sessions: logging in, refreshing, reuse, and ends that are seen everywhere within a second."""

import asyncio
from uuid import uuid4

import asyncpg
import httpx
import pytest

from scm_api.app import create_app
from scm_api.core.runtime import Runtime
from scm_api.process import Urls, make_runtime
from scm_api.settings import Settings
from scm_api.users import sessions
from tests.support import Client
from tests.users.people import Person, code, from_address, join, join_too, logged, new_email


async def test_who_logs_in_works_in_his_organization(api: Client) -> None:
    person = await join(api, ["buyer"])
    assert person.tokens["access_token"].startswith("scm_at_")
    assert person.tokens["refresh_token"].startswith("scm_rt_")
    assert person.tokens["expires_in"] == sessions.ACCESS_SECONDS
    assert person.tokens["refresh_expires_in"] == sessions.REFRESH_SECONDS
    assert (await person.call("GET", "/v1/items")).status_code == 200
    refused = await person.call("POST", "/v1/warehouses", {"code": "W", "name": "W"})
    assert code(refused) == (403, "permission_denied")
    assert await logged(api, person.id) == ["invitation_accepted", "login_succeeded"]


async def test_every_failed_login_has_one_shape(api: Client, admin: asyncpg.Connection) -> None:
    known, inactive, without = [await join(api) for _ in range(3)]
    await admin.execute("update user_account set is_active = false where id = $1", inactive.id)
    await admin.execute(
        "update user_credential set password_hash = null where user_id = $1", without.id
    )
    answers = []
    for email, password in (
        (new_email(), known.password),
        (known.email, "not the password"),
        (known.email, known.password + "\u2003"),
        (inactive.email, inactive.password),
        (without.email, without.password),
    ):
        http = from_address(api.http)
        body = {"email": email, "password": password}
        answer = await http.post("/v1/sessions", json=body)
        answers.append(answer.json() | {"request_id": ""})
        assert code(answer) == (401, "login_failed")
        assert answer.headers["www-authenticate"].startswith("Bearer")
    assert all(answer == answers[0] for answer in answers)
    reasons = await admin.fetch(
        "select user_id, detail->>'reason' as reason from access_log "
        "where kind = 'login_failed' and user_id = any($1) order by id",
        [known.id, inactive.id, without.id],
    )
    assert [tuple(row) for row in reasons] == [
        (known.id, "wrong_password"),
        (known.id, "wrong_password"),
        (inactive.id, "inactive"),
        (without.id, "no_password"),
    ]


async def test_an_email_is_known_in_any_case(api: Client) -> None:
    person = await join(api)
    person.email = person.email.upper()
    assert (await person.log_in()).status_code == 201


async def test_the_organization_of_a_session_can_be_chosen(api: Client, other: Client) -> None:
    person = await join(api, ["buyer"])
    await join_too(other, person, ["warehouse"])
    both = api, other
    first, second = [(await one.ok("GET", "/v1/me"))["organizations"][0]["code"] for one in both]
    await other.ok("POST", "/v1/warehouses", json={"code": "OTHER", "name": "Other"})
    assert (await person.log_in(organization=second)).status_code == 201
    seen = await person.ok("GET", "/v1/warehouses")
    assert [row["code"] for row in seen["data"]] == ["OTHER"]
    header = {"Scm-Organization": first}
    assert (await person.ok("GET", "/v1/warehouses", headers=header))["data"] == []
    unknown = await person.log_in(organization="nowhere")
    assert code(unknown) == (422, "validation_failed")
    me = await person.ok("GET", "/v1/me")
    assert {o["code"]: o["is_current"] for o in me["organizations"]} == {
        first: False,
        second: True,
    }


async def test_who_belongs_to_several_organizations_must_name_one(
    api: Client, other: Client
) -> None:
    person = await join(api, ["admin"])
    await join_too(other, person, ["admin"])
    await person.log_in()
    both = api, other
    codes = [(await one.ok("GET", "/v1/me"))["organizations"][0]["code"] for one in both]
    warehouse = {"code": "W", "name": "W"}
    for method, body in (("GET", None), ("POST", warehouse)):
        for params in ({}, {"dry_run": "true"} if body else {}):
            refused = await person.call(
                method,
                "/v1/warehouses",
                body,
                params=params,
                headers={"Idempotency-Key": "once", "Accept-Language": "zh"},
            )
            assert code(refused) == (400, "organization_required")
            assert refused.json()["header"] == "Scm-Organization"
            assert "Scm-Organization" in refused.json()["detail"]
            assert not any(one in refused.text for one in codes)
    for one in both:
        assert (await one.ok("GET", "/v1/warehouses"))["data"] == []
    # The key that a refusal came with is still free.
    header = {"Scm-Organization": codes[1], "Idempotency-Key": "once"}
    await person.ok("POST", "/v1/warehouses", warehouse, headers=header)
    me = await person.ok("GET", "/v1/me")
    assert [o["is_current"] for o in me["organizations"]] == [False, False]
    mine = await person.ok("GET", "/v1/organizations")
    assert {o["code"]: o["is_current"] for o in mine["data"]} == dict.fromkeys(codes, False)
    await person.ok("PATCH", "/v1/me", {"name": "New"}, headers={"Idempotency-Key": "me"})
    across = await person.ok("GET", "/v1/warehouses?organization=*")
    assert [(w["organization"]["code"], w["code"]) for w in across["data"]] == [(codes[1], "W")]
    await person.ok("POST", "/v1/sessions/revoke")


async def test_who_left_the_organization_of_his_session_does_not_slip_into_another(
    api: Client, other: Client
) -> None:
    person = await join(api, ["buyer"])
    await join_too(other, person, ["buyer"])
    chosen = (await other.ok("GET", "/v1/me"))["organizations"][0]["code"]
    await person.log_in(organization=chosen)
    await other.ok("DELETE", f"/v1/users/{person.id}")
    refused = await person.call("GET", "/v1/warehouses")
    assert code(refused) == (400, "organization_required")


async def _refresh(person: Person, token: str) -> httpx.Response:
    return await person.http.post("/v1/sessions/refresh", json={"refresh_token": token})


async def test_a_refresh_token_gives_new_tokens_once(api: Client) -> None:
    person = await join(api)
    first = person.tokens["refresh_token"]
    answer = await _refresh(person, first)
    assert answer.status_code == 200
    renewed = answer.json()
    assert renewed["refresh_token"] != first
    person.tokens = renewed
    assert (await person.call("GET", "/v1/me")).status_code == 200
    assert (await _refresh(person, renewed["refresh_token"])).status_code == 200


async def test_a_refresh_token_that_comes_again_ends_the_whole_session(
    api: Client, admin: asyncpg.Connection
) -> None:
    person = await join(api)
    first = person.tokens["refresh_token"]
    second = (await _refresh(person, first)).json()
    reused = await _refresh(person, first)
    assert code(reused) == (401, "unauthenticated")
    # The revocation was committed although the answer was a refusal.
    why = await admin.fetchval(
        "select revoked_why from user_session where id = $1", second["session_id"]
    )
    assert why == "refresh_reused"
    assert (await _refresh(person, second["refresh_token"])).status_code == 401
    person.tokens = second
    assert (await person.call("GET", "/v1/me")).status_code == 401
    assert "refresh_reused" in await logged(api, person.id)


async def test_of_two_refreshes_at_once_one_wins_and_the_other_ends_the_session(
    api: Client, admin: asyncpg.Connection
) -> None:
    for _ in range(5):
        person = await join(api)
        token = person.tokens["refresh_token"]
        answers = await asyncio.gather(*(_refresh(person, token) for _ in range(4)))
        assert sorted(answer.status_code for answer in answers) == [200, 401, 401, 401]
        why = await admin.fetchval(
            "select revoked_why from user_session where id = $1", person.tokens["session_id"]
        )
        assert why == "refresh_reused"


@pytest.mark.parametrize(
    "token", ["scm_rt_aaaaaaaaaaaaaaaa_x", "scm_at_b_c", "x", "scm_rt__", "scm_rt_" + "é" * 9]
)
async def test_what_is_no_refresh_token_is_refused_alike(api: Client, token: str) -> None:
    http = from_address(api.http)
    answer = await http.post("/v1/sessions/refresh", json={"refresh_token": token})
    assert code(answer) == (401, "unauthenticated")


async def test_an_access_token_does_not_refresh_nor_a_refresh_token_open(api: Client) -> None:
    person = await join(api)
    tokens = person.tokens
    assert (await _refresh(person, tokens["access_token"])).status_code == 401
    person.tokens = {"access_token": tokens["refresh_token"]}
    assert (await person.call("GET", "/v1/me")).status_code == 401


async def test_expired_tokens_and_sessions_open_nothing(
    api: Client, admin: asyncpg.Connection
) -> None:
    person = await join(api)
    session_id = person.tokens["session_id"]
    await admin.execute(
        "update session_token set expires_at = now() where session_id = $1 and kind = 'access'",
        session_id,
    )
    assert (await person.call("GET", "/v1/me")).status_code == 401
    person.tokens = (await _refresh(person, person.tokens["refresh_token"])).json()
    assert (await person.call("GET", "/v1/me")).status_code == 200
    # The end of the session is absolute, whatever its tokens say.
    await admin.execute("update user_session set expires_at = now() where id = $1", session_id)
    assert (await _refresh(person, person.tokens["refresh_token"])).status_code == 401


async def test_no_token_outlives_its_session(api: Client, admin: asyncpg.Connection) -> None:
    person = await join(api)
    await admin.execute(
        "update user_session set expires_at = now() + interval '60 s' where id = $1",
        person.tokens["session_id"],
    )
    renewed = (await _refresh(person, person.tokens["refresh_token"])).json()
    assert renewed["expires_in"] <= 60
    assert renewed["refresh_expires_in"] <= 60


async def test_logging_out_ends_this_session_only(api: Client) -> None:
    person = await join(api)
    here = person.tokens
    await person.log_in()
    there = person.tokens
    person.tokens = here
    assert (await person.call("POST", "/v1/sessions/revoke")).status_code == 204
    assert (await _refresh(person, here["refresh_token"])).status_code == 401
    assert (await _refresh(person, there["refresh_token"])).status_code == 200


async def test_sessions_are_listed_and_ended_one_by_one_or_all(api: Client) -> None:
    person, stranger = await join(api), await join(api)
    first = person.tokens["session_id"]
    await person.log_in()
    page = await person.ok("GET", "/v1/me/sessions", params={"limit": 1, "include_total": True})
    assert (page["total"], page["data"][0]["id"], page["has_more"]) == (2, first, True)
    listed = (await person.ok("GET", "/v1/me/sessions"))["data"]
    assert [(row["id"] == first, row["is_current"]) for row in listed] == [
        (True, False),
        (False, True),
    ]
    path = f"/v1/me/sessions/{first}"
    assert code(await stranger.call("DELETE", path)) == (404, "not_found")
    assert (await person.call("DELETE", path)).status_code == 204
    assert code(await person.call("DELETE", path)) == (404, "not_found")
    assert (await person.call("DELETE", "/v1/me/sessions")).status_code == 204
    assert (await _refresh(person, person.tokens["refresh_token"])).status_code == 401
    assert (await _refresh(stranger, stranger.tokens["refresh_token"])).status_code == 200


async def test_an_end_is_seen_by_another_process_within_a_second(api: Client, urls: Urls) -> None:
    person = await join(api)
    second: Runtime = make_runtime(Settings(db_pool_size=2), urls)
    try:
        transport = httpx.ASGITransport(create_app(second), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://second") as there:
            headers = {"Authorization": f"Bearer {person.tokens['access_token']}"}
            assert (await there.get("/v1/me", headers=headers)).status_code == 200
            assert (await person.call("POST", "/v1/sessions/revoke")).status_code == 204
            await asyncio.sleep(1.0)
            assert (await there.get("/v1/me", headers=headers)).status_code == 401
            assert (await person.call("GET", "/v1/me")).status_code == 401
    finally:
        await second.database.dispose()


async def test_a_key_has_no_session_to_end(api: Client) -> None:
    for method, path in (
        ("POST", "/v1/sessions/revoke"),
        ("GET", "/v1/me/sessions"),
        ("DELETE", "/v1/me/sessions"),
        ("DELETE", f"/v1/me/sessions/{uuid4()}"),
    ):
        assert code(await api.call(method, path)) == (403, "person_required")


async def test_unknown_refresh_tokens_of_one_address_are_one_row(
    api: Client, admin: asyncpg.Connection
) -> None:
    count = "select coalesce(sum(count), 0), count(*) from access_log where kind = $1"
    before = await admin.fetchrow(count, "refresh_unknown")
    for _ in range(5):
        refused = await api.http.post(
            "/v1/sessions/refresh", json={"refresh_token": f"scm_rt_{'a' * 16}_{'b' * 43}"}
        )
        assert refused.status_code == 401
    after = await admin.fetchrow(count, "refresh_unknown")
    assert after[0] - before[0] == 5
    assert after[1] - before[1] <= 1
