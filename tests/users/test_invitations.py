"""Invitations: good once, for a week, for the person invited."""

import asyncio
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import pyotp
import pytest

from scm_api.app import create_app
from scm_api.process import Urls, make_runtime
from scm_api.settings import Settings
from tests.support import Client
from tests.users.people import (
    PASSWORD,
    Person,
    code,
    from_address,
    invite,
    join,
    join_too,
    new_email,
)

_ACCEPT = "/v1/invitations/accept"


async def _accept(api: Client, token: str, **more: Any) -> httpx.Response:
    body = {"token": token, "password": PASSWORD, **more}
    return await from_address(api.http).post(_ACCEPT, json=body)


async def test_a_new_person_chooses_name_and_password(api: Client) -> None:
    email = new_email()
    invited = await invite(api, email)
    short = await _accept(api, invited["invitation_token"], password="short")
    assert [e["code"] for e in short.json()["errors"]] == ["password_length"]
    same = await _accept(api, invited["invitation_token"], password=email)
    assert [e["code"] for e in same.json()["errors"]] == ["password_personal"]
    accepted = await _accept(api, invited["invitation_token"], name="李伟")
    assert accepted.status_code == 200, accepted.text
    assert accepted.json()["email"] == email
    assert accepted.json()["organization_id"] == str(api.organization_id)
    member = await api.ok("GET", f"/v1/users/{invited['id']}")
    assert (member["name"], member["status"]) == ("李伟", "active")


async def test_the_trail_names_the_person_who_accepted(
    api: Client, admin: asyncpg.Connection
) -> None:
    person = await join(api)
    row = await admin.fetchrow(
        "select principal_kind, principal_id, user_id, request_id, address, operation "
        "from audit_entry where organization_id = $1 and object_type = 'membership' "
        "and parent_id = $2 and action = 'changed'",
        api.organization_id,
        person.id,
    )
    assert tuple(row)[:3] == ("user", person.id, person.id)
    assert row["operation"] == "sessions_accept_invitation"
    assert row["request_id"]
    assert row["address"].startswith("10.")


async def test_a_link_is_good_once_and_until_the_next(api: Client) -> None:
    invited = await invite(api, new_email())
    second = await api.ok("POST", f"/v1/users/{invited['id']}/invitation")
    replaced = await _accept(api, invited["invitation_token"])
    assert code(replaced) == (409, "link_not_valid")
    token = second["invitation_token"]
    answers = await asyncio.gather(*(_accept(api, token) for _ in range(3)))
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409]


async def test_a_link_is_good_for_seven_days(api: Client, admin: asyncpg.Connection) -> None:
    invited = await invite(api, new_email())
    user_id = UUID(invited["id"])
    span = await admin.fetchval(
        "select expires_at - created_at from one_time_link where user_id = $1", user_id
    )
    assert span.days == 7
    await admin.execute("update one_time_link set expires_at = now() where user_id = $1", user_id)
    late = await _accept(api, invited["invitation_token"])
    assert code(late) == (409, "link_not_valid")


@pytest.mark.parametrize("token", ["x", "scm_in_aaaa_bbbb", "scm_pr_a_b", "scm_in__", "ü" * 30])
async def test_what_is_no_link_is_refused_alike(api: Client, token: str) -> None:
    assert code(await _accept(api, token)) == (409, "link_not_valid")


async def test_a_membership_that_was_taken_back_cannot_be_accepted(api: Client) -> None:
    invited = await invite(api, new_email())
    assert (await api.call("DELETE", f"/v1/users/{invited['id']}")).status_code == 204
    assert code(await _accept(api, invited["invitation_token"])) == (409, "link_not_valid")


async def test_who_has_an_account_proves_it_with_its_password(api: Client, other: Client) -> None:
    person = await join(api)
    invited = await invite(other, person.email)
    token = invited["invitation_token"]
    wrong = await _accept(other, token, password="chosen by a thief")
    assert code(wrong) == (401, "login_failed")
    # The failure counted and the link is still good; the account's password is what it was.
    accepted = await _accept(other, token, name="Not taken over")
    assert accepted.status_code == 200
    me = await person.ok("GET", "/v1/me")
    assert (me["name"], len(me["organizations"])) == ("Li Wei", 2)
    assert (await person.log_in()).status_code == 201


async def test_guessing_a_password_by_a_link_waits_like_a_login(api: Client, other: Client) -> None:
    person = await join(api)
    token = (await invite(other, person.email))["invitation_token"]
    http = from_address(api.http)
    body = {"token": token, "password": "not the password"}
    answers = [await http.post(_ACCEPT, json=body) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [401] * 5 + [429]


async def test_who_is_logged_in_accepts_his_own_invitations_only(
    api: Client, other: Client
) -> None:
    person, stranger = await join(api), await join(api)
    invited = await invite(other, person.email)
    body = {"token": invited["invitation_token"]}
    path = "/v1/me/invitations"
    assert code(await stranger.call("POST", path, body)) == (409, "link_not_valid")
    assert code(await api.post(path, body)) == (403, "person_required")
    accepted = await person.ok("POST", path, body)
    assert accepted["organization_id"] == str(other.organization_id)
    assert code(await person.call("POST", path, body)) == (409, "link_not_valid")


async def test_of_two_organizations_the_first_sets_up_the_account(
    api: Client, other: Client
) -> None:
    email = new_email()
    tokens = [(await invite(one, email))["invitation_token"] for one in (api, other)]
    assert (await _accept(api, tokens[0])).status_code == 200
    taken = await _accept(other, tokens[1], password="another phrase 42")
    assert code(taken) == (401, "login_failed")
    assert (await _accept(other, tokens[1])).status_code == 200


async def test_links_lead_to_the_public_address_behind_a_fragment(api: Client, urls: Urls) -> None:
    runtime = make_runtime(Settings(public_url="https://scm.example.com/app/"), urls)
    try:
        transport = httpx.ASGITransport(create_app(runtime), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
            there = Client(runtime, http, api.organization_id, api.token)
            invited = await invite(there, new_email())
            person = await join(api)
            reset = await there.ok("POST", f"/v1/users/{person.id}/password-reset")
    finally:
        await runtime.database.dispose()
    assert invited["invitation_url"] == (
        f"https://scm.example.com/app/invitation#token={invited['invitation_token']}"
    )
    assert reset["reset_url"].startswith("https://scm.example.com/app/password-reset#token=scm_pr_")


async def test_without_a_public_address_there_is_only_the_token(api: Client) -> None:
    invited = await invite(api, new_email())
    assert invited["invitation_url"] is None


async def test_a_dry_run_accepts_nothing(api: Client) -> None:
    email = new_email()
    invited = await invite(api, email)
    http = from_address(api.http)
    body = {"token": invited["invitation_token"], "password": PASSWORD}
    assert (await http.post(f"{_ACCEPT}?dry_run=true", json=body)).status_code == 200
    assert (await Person(http, email, UUID(invited["id"])).log_in()).status_code == 401
    assert (await http.post(_ACCEPT, json=body)).status_code == 200


async def _look(api: Client, token: str, kind: str = "invitations") -> httpx.Response:
    return await from_address(api.http).post(f"/v1/{kind}/look", json={"token": token})


async def test_a_look_tells_what_accepting_takes_and_uses_nothing_up(
    api: Client, other: Client
) -> None:
    email = new_email()
    invited = await invite(api, email)
    seen = (await _look(api, invited["invitation_token"])).json()
    organization = (await api.ok("GET", "/v1/me"))["organizations"][0]["name"]
    expires_at = (await api.ok("GET", f"/v1/users/{invited['id']}"))["invitation_expires_at"]
    assert seen == {
        "kind": "invitation",
        "email": email,
        "organization_name": organization,
        "has_account": False,
        "needs_code": False,
        "expires_at": expires_at,
    }
    assert (await _accept(api, invited["invitation_token"])).status_code == 200
    assert code(await _look(api, invited["invitation_token"])) == (409, "link_not_valid")
    # Whoever has an account is asked for its password, and for a code if it has a second factor.
    person = await join(other)
    token = (await invite(api, person.email))["invitation_token"]
    seen = (await _look(api, token)).json()
    assert (seen["has_account"], seen["needs_code"]) == (True, False)
    begun = await person.ok("POST", "/v1/me/totp", {"password": person.password})
    body = {"totp_code": pyotp.TOTP(begun["secret"]).now()}
    assert not (await _look(api, token)).json()["needs_code"]
    await person.ok("POST", "/v1/me/totp/confirm", body)
    assert (await _look(api, token)).json()["needs_code"]


@pytest.mark.parametrize("token", ["", "x", "scm_in_a_b", "scm_in_" + "a" * 12 + "_" + "b" * 43])
async def test_a_look_at_what_is_no_link_is_refused(api: Client, token: str) -> None:
    for kind in ("invitations", "password-resets"):
        answer = await _look(api, token, kind)
        assert code(answer) == ((409, "link_not_valid") if token else (422, "validation_failed"))


async def test_a_look_at_a_reset_tells_the_email_until_it_is_used(
    api: Client, other: Client
) -> None:
    person = await join(api)
    link = await api.ok("POST", f"/v1/users/{person.id}/password-reset")
    seen = await _look(api, link["reset_token"], "password-resets")
    assert seen.json() == {
        "kind": "password_reset",
        "email": person.email,
        "expires_at": link["expires_at"],
    }
    assert code(await _look(api, link["reset_token"])) == (409, "link_not_valid")
    # As for the reset itself: the account has become another organization's, too.
    await join_too(other, person, ["buyer"])
    refused = await _look(api, link["reset_token"], "password-resets")
    assert code(refused) == (409, "link_not_valid")


async def test_a_password_that_is_the_organizations_name_is_refused(api: Client) -> None:
    invited = await invite(api, new_email())
    organization = (await api.ok("GET", "/v1/me"))["organizations"][0]["code"]
    named = await _accept(api, invited["invitation_token"], password=f"2026 {organization}!!")
    assert [e["code"] for e in named.json()["errors"]] == ["password_personal"]
