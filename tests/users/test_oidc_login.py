"""Logging in through the identity provider: who is recognised, linked and refused."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import httpx
import pytest
import pytest_asyncio

from scm_api.core.runtime import Runtime
from tests.users.oidc_idp import OTHER_RSA_KEY, REDIRECT_URI
from tests.users.oidc_world import Caller, calling, person, world

AUTHORIZATIONS = "/v1/sessions/oidc/authorizations"
LINKING = "/v1/me/identities"


@pytest_asyncio.fixture(loop_scope="session")
async def caller(runtime: Runtime) -> AsyncIterator[Caller]:
    """An application with a provider of its own."""
    async with world(runtime) as made:
        yield made


def _code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


REFUSED = 401, "login_failed"


async def test_an_invited_person_logs_in_and_is_a_member(caller: Caller, runtime: Runtime) -> None:
    someone = await person(runtime)
    answer = await caller.log_in(
        sub="new", email=someone.email.upper(), email_verified=True, azp="scm client"
    )
    assert answer.status_code == 201, answer.text
    assert (await caller.read(answer.json()["access_token"])).status_code == 200
    async with runtime.database.system() as driver:
        joined = await driver.fetchrow(
            "select status, joined_at from membership where user_id = $1", someone.id
        )
        trail = await driver.fetchrow(
            "select * from audit_entry where organization_id = $1 and object_type = 'membership' "
            "and action = 'changed'",
            someone.organization_id,
        )
        session = await driver.fetchrow("select * from user_session where user_id = $1", someone.id)
    assert joined["status"] == "active"
    assert joined["joined_at"] is not None
    assert (trail["principal_kind"], trail["user_id"]) == ("user", someone.id)
    assert (session["method"], session["address"]) == ("oidc", caller.address)
    assert await caller.kinds() == ["identity_linked", "login_succeeded"]


async def test_once_linked_the_address_does_not_matter_any_more(
    caller: Caller, runtime: Runtime
) -> None:
    someone = await person(runtime)
    await caller.log_in(sub="new", email=someone.email, email_verified=True)
    assert (await caller.log_in(sub="new", email="other@example.com")).status_code == 201
    stranger = await caller.log_in(sub="newer", email=someone.email, email_verified=True)
    assert _code(stranger) == REFUSED
    assert (await caller.kinds())[-1] == "identity_is_another"


async def test_a_bearer_token_links_an_invited_person_by_the_same_rule(
    caller: Caller, runtime: Runtime
) -> None:
    someone = await person(runtime)
    token = caller.idp.token(sub="new", email=someone.email, email_verified=True)
    assert (await caller.read(token)).status_code == 200
    assert (await caller.read(caller.idp.token(sub="new"))).status_code == 200


async def test_of_two_identities_with_one_address_only_the_first_is_linked(
    caller: Caller, runtime: Runtime
) -> None:
    someone = await person(runtime)
    tokens = [
        caller.idp.token(sub=f"new-{n}", email=someone.email, email_verified=True) for n in range(6)
    ]
    answers = await asyncio.gather(*(caller.read(token) for token in tokens))
    assert sorted(a.status_code for a in answers) == [200] + [401] * 5


@pytest.mark.parametrize(
    ("account", "claims", "kind"),
    [
        ({}, {"email_verified": False}, "identity_unknown"),
        ({}, {"email_verified": "true"}, "identity_unknown"),
        ({}, {"email_verified": None}, "identity_unknown"),
        ({}, {"email": None}, "identity_unknown"),
        ({}, {"email": "nobody@example.com"}, "identity_unknown"),
        ({"email": "\u212aelvin"}, {"email": "\u212aelvin"}, "identity_unknown"),
        ({"status": "suspended"}, {}, "identity_not_invited"),
        ({"has_password": True}, {}, "identity_needs_linking"),
        ({"is_active": False}, {}, "identity_unknown"),
        ({"subject": "new", "is_active": False}, {}, "person_inactive"),
        ({"subject": "another"}, {}, "identity_is_another"),
    ],
)
async def test_who_may_not_come_in_is_refused_alike(
    caller: Caller, runtime: Runtime, account: dict[str, Any], claims: dict[str, Any], kind: str
) -> None:
    if "email" in account:
        account = account | {"email": f"{account['email']}-{uuid4().hex}@example.com"}
    someone = await person(runtime, issuer=caller.idp.url, **account)
    said = {"sub": "new", "email": someone.email, "email_verified": True, **claims}
    answer = await caller.log_in(**said)
    assert _code(answer) == REFUSED
    assert answer.json()["errors"] == []
    assert await caller.kinds() == [kind]
    async with runtime.database.system() as driver:
        assert not await driver.fetchval(
            "select 1 from user_session where user_id = $1", someone.id
        )


@pytest.mark.parametrize(
    ("claims", "kind"),
    [
        ({"nonce": "another"}, "oidc_nonce_wrong"),
        ({"nonce": None}, "oidc_nonce_wrong"),
        ({"azp": "somebody else"}, "jwt_audience"),
        ({"aud": "somebody else"}, "jwt_audience"),
        ({"iss": "https://evil.example"}, "jwt_issuer"),
        ({"exp": int(time.time()) - 100}, "jwt_expired"),
        ({"key": OTHER_RSA_KEY}, "jwt_signature"),
        ({"token": "no token"}, "jwt_malformed"),
        ({"token": 5}, "oidc_answer_malformed"),
    ],
)
async def test_a_wrong_id_token_logs_nobody_in(
    caller: Caller, runtime: Runtime, claims: dict[str, Any], kind: str
) -> None:
    await person(runtime, status="active", subject="known", issuer=caller.idp.url)
    assert _code(await caller.log_in(sub="known", **claims)) == REFUSED
    assert await caller.kinds() == [kind]


async def test_a_state_counts_once_whatever_comes_of_it(caller: Caller, runtime: Runtime) -> None:
    await person(runtime, status="active", subject="known", issuer=caller.idp.url)
    begun = await caller.begin()
    state, code = caller.idp.authorize(begun["authorization_url"], sub="known")
    assert _code(await caller.finish(state, "guessed")) == REFUSED
    assert _code(await caller.finish(state, code)) == REFUSED
    assert await caller.kinds() == ["oidc_code_refused", "oidc_state_unknown"]
    again = caller.idp.authorize((await caller.begin())["authorization_url"], sub="known")
    both = await asyncio.gather(caller.finish(*again), caller.finish(*again))
    assert sorted(answer.status_code for answer in both) == [201, 401]


async def test_a_dry_run_opens_no_session_and_guessing_in_it_counts(
    caller: Caller, runtime: Runtime
) -> None:
    someone = await person(runtime, status="active", subject="known", issuer=caller.idp.url)
    path = "/v1/sessions/oidc?dry_run=true"
    back = caller.idp.authorize((await caller.begin())["authorization_url"], sub="known")
    body = dict(zip(("state", "code"), back, strict=True))
    tried = await caller.http.post(path, json=body)
    assert (tried.status_code, tried.headers["dry-run"]) == (201, "true")
    assert (await caller.read(tried.json()["access_token"])).status_code == 401
    async with runtime.database.system() as driver:
        assert not await driver.fetchval(
            "select 1 from user_session where user_id = $1", someone.id
        )
    assert _code(await caller.http.post(path, json=body)) == REFUSED, "the code is used up"
    assert await caller.kinds() == ["session_unknown", "oidc_code_refused"]


async def test_a_login_ends_ten_minutes_after_its_beginning(
    caller: Caller, runtime: Runtime
) -> None:
    await person(runtime, status="active", subject="known", issuer=caller.idp.url)
    begun = await caller.begin()
    assert begun["expires_in"] == 600
    async with runtime.database.system() as driver:
        await driver.execute("update oidc_flow set expires_at = expires_at - interval '601 s'")
    back = caller.idp.authorize(begun["authorization_url"], sub="known")
    assert _code(await caller.finish(*back)) == REFUSED
    await caller.begin()
    async with runtime.database.system() as driver:
        assert await driver.fetchval("select count(*) from oidc_flow where expires_at < now()") == 0


async def test_the_code_of_one_login_is_worth_nothing_in_another(
    caller: Caller, runtime: Runtime
) -> None:
    await person(runtime, status="active", subject="known", issuer=caller.idp.url)
    mine, his = await caller.begin(), await caller.begin()
    _, stolen = caller.idp.authorize(his["authorization_url"], sub="known")
    assert _code(await caller.finish(mine["state"], stolen)) == REFUSED
    assert await caller.kinds() == ["oidc_code_refused"]


@pytest.mark.parametrize("uri", [REDIRECT_URI + "/", REDIRECT_URI.upper(), "https://evil.example"])
async def test_a_login_returns_only_where_the_operator_allows(caller: Caller, uri: str) -> None:
    answer = await caller.http.post(AUTHORIZATIONS, json={"redirect_uri": uri})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["code"] == "unknown_redirect_uri"


async def test_without_a_provider_the_operations_say_so(caller: Caller, runtime: Runtime) -> None:
    async with calling(runtime, caller.idp, oidc_issuer=None) as without:
        answer = await without.http.post(AUTHORIZATIONS, json={"redirect_uri": REDIRECT_URI})
        assert _code(answer) == (409, "oidc_not_configured")
        assert _code(await without.finish("state", "code")) == (409, "oidc_not_configured")
        assert (await without.read(caller.idp.token())).status_code == 401
        assert await without.kinds() == ["token_malformed"]


async def test_a_login_waits_for_a_provider_that_is_away(caller: Caller, runtime: Runtime) -> None:
    await person(runtime, status="active", subject="known", issuer=caller.idp.url)
    back = caller.idp.authorize((await caller.begin())["authorization_url"], sub="known")
    caller.idp.is_down = True
    assert _code(await caller.finish(*back)) == (503, "unavailable")
    caller.idp.is_down = False
    assert (await caller.finish(*back)).status_code == 201


async def _linking(caller: Caller, token: str, **claims: Any) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}"}
    begun = await caller.http.post(
        f"{LINKING}/authorizations", json={"redirect_uri": REDIRECT_URI}, headers=headers
    )
    if begun.status_code != 201:
        return begun
    back = caller.idp.authorize(begun.json()["authorization_url"], **claims)
    assert _code(await caller.finish(*back)) == REFUSED, "a link is no login"
    body = dict(zip(("state", "code"), back, strict=True))
    return await caller.http.post(LINKING, json=body, headers=headers)


async def _session(caller: Caller, runtime: Runtime, subject: str) -> tuple[Any, str]:
    someone = await person(runtime, status="active", subject=subject, issuer=caller.idp.url)
    token = (await caller.log_in(sub=subject)).json()["access_token"]
    async with runtime.database.system() as driver:
        await driver.execute(
            "insert into user_credential (user_id, password_hash) values ($1, 'argon2')", someone.id
        )
    return someone, token


async def test_a_person_links_and_unlinks_himself_by_a_fresh_login(
    caller: Caller, runtime: Runtime
) -> None:
    someone, token = await _session(caller, runtime, "known")
    headers = {"Authorization": f"Bearer {token}"}
    assert (await _linking(caller, token, sub="mine")).json()["code"] == "identity_linked"
    assert (await caller.http.delete(LINKING, headers=headers)).status_code == 204
    assert _code(await caller.http.delete(LINKING, headers=headers)) == (404, "not_found")
    linked = await _linking(caller, token, sub="mine", email="whatever@example.com")
    assert (linked.status_code, linked.json()["subject"]) == (201, "mine")
    listed = (await caller.http.get(LINKING, headers=headers)).json()["data"]
    assert [one["subject"] for one in listed] == ["mine"]
    assert (await caller.log_in(sub="mine")).status_code == 201
    assert _code(await caller.log_in(sub="known")) == REFUSED
    async with runtime.database.system() as driver:
        await driver.execute(
            "update user_session set created_at = now() - interval '11 min' where user_id = $1",
            someone.id,
        )
    assert _code(await _linking(caller, token, sub="x")) == (403, "fresh_login_required")


async def test_an_identity_belongs_to_one_account(caller: Caller, runtime: Runtime) -> None:
    await person(runtime, status="active", subject="his", issuer=caller.idp.url)
    _, token = await _session(caller, runtime, "mine")
    headers = {"Authorization": f"Bearer {token}"}
    assert (await caller.http.delete(LINKING, headers=headers)).status_code == 204
    assert _code(await _linking(caller, token, sub="his")) == (409, "identity_linked")


async def test_the_only_way_in_is_not_removed(caller: Caller, runtime: Runtime) -> None:
    await person(runtime, status="active", subject="known", issuer=caller.idp.url)
    token = (await caller.log_in(sub="known")).json()["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    assert _code(await caller.http.delete(LINKING, headers=headers)) == (409, "only_way_in")
