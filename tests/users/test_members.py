"""The people of an organization: nobody gives, takes or opens more than he has himself."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from tests.support import Client, new_client
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


async def _manager(api: Client) -> Person:
    """Somebody who manages people and is a buyer, and no more."""
    body: dict[str, Any] = {
        "code": f"manager-{uuid4().hex[:6]}",
        "name": "Manager",
        "permissions": ["users:read", "users:write"],
    }
    await api.ok("POST", "/v1/roles", json=body)
    return await join(api, [body["code"], "buyer"])


async def test_members_are_listed_with_what_they_may(api: Client) -> None:
    await api.ok("POST", "/v1/warehouses", json={"code": "WH-1", "name": "One"})
    limits = {"warehouses": [{"code": "WH-1"}], "amount_limit": "50000"}
    first = await join(api, ["BUYER"], **limits)
    pending = await invite(api, new_email(), ["warehouse"])
    listed = (await api.ok("GET", "/v1/users"))["data"]
    assert [row["email"] for row in listed] == sorted(row["email"] for row in listed)
    by_id = {row["id"]: row for row in listed}
    assert by_id.keys() == {str(first.id), pending["id"]}
    row = by_id[str(first.id)]
    assert (row["status"], row["roles"]) == ("active", ["buyer"])
    assert [one["code"] for one in row["warehouses"]] == ["WH-1"]
    assert (row["categories"], row["amount_limit"]) == (None, "50000.0000")
    assert row["last_login_at"] is not None
    assert row["has_second_factor"] is False
    assert (by_id[pending["id"]]["status"], by_id[pending["id"]]["joined_at"]) == ("invited", None)
    invited = await api.ok("GET", "/v1/users", params={"status": "invited"})
    assert [row["id"] for row in invited["data"]] == [pending["id"]]
    buyers = await api.ok("GET", "/v1/users", params={"role": "Buyer", "include_total": True})
    assert ([row["id"] for row in buyers["data"]], buyers["total"]) == ([str(first.id)], 1)
    page = await api.ok("GET", "/v1/users", params={"limit": 1})
    rest = await api.ok("GET", "/v1/users", params={"limit": 1, "cursor": page["next_cursor"]})
    assert [page["data"][0]["id"], rest["data"][0]["id"]] == [row["id"] for row in listed]


async def test_people_are_found_by_a_part_of_what_is_shown_of_them(
    api: Client, other: Client
) -> None:
    person = await join(api)
    await person.ok("PATCH", "/v1/me", {"name": "Ömer 100%_"})
    known = await join(other)
    await known.ok("PATCH", "/v1/me", {"name": "Secret Name"})
    pending = await invite(api, known.email, name="Somebody Else")

    async def found(part: str) -> list[str]:
        return [u["id"] for u in (await api.ok("GET", "/v1/users", params={"q": part}))["data"]]

    assert await found(person.email[3:].upper()) == [str(person.id)]
    assert await found("ÖMER") == [str(person.id)]
    assert await found("%_") == [str(person.id)]
    assert await found("body els") == [pending["id"]]
    # The name an account has elsewhere is not told by searching for it, either.
    assert await found("secret") == []
    assert sorted(await found("@example.com")) == sorted([str(person.id), pending["id"]])


async def test_a_member_is_named_by_id_or_email(api: Client, other: Client) -> None:
    person, stranger = await join(api), await join(other)
    read = await api.ok("GET", f"/v1/users/{person.id}")
    for key in (f"email={person.email}", f"email={person.email.upper()}", person.email):
        assert await api.ok("GET", f"/v1/users/{key}") == read
    changed = await api.ok("PATCH", f"/v1/users/email={person.email}", json={"roles": ["planner"]})
    assert changed["roles"] == ["planner"]
    for key in (f"email={stranger.email}", "email=", "ref=1", "x", str(stranger.id)):
        assert code(await api.get(f"/v1/users/{key}")) == (404, "not_found")
    await api.ok("DELETE", f"/v1/users/email={person.email}")
    assert code(await api.get(f"/v1/users/{person.id}")) == (404, "not_found")


async def test_people_of_another_organization_are_not_there(api: Client, other: Client) -> None:
    person = await join(api)
    path = f"/v1/users/{person.id}"
    for method, where, body in (
        ("GET", path, None),
        ("PATCH", path, {"roles": ["buyer"]}),
        ("DELETE", path, None),
        ("POST", f"{path}/invitation", None),
        ("POST", f"{path}/password-reset", None),
    ):
        options = {} if body is None else {"json": body}
        assert code(await other.call(method, where, **options)) == (404, "not_found")
    assert (await other.ok("GET", "/v1/users"))["data"] == []


async def test_an_invitation_does_not_tell_that_there_is_an_account(
    api: Client, other: Client, admin: asyncpg.Connection
) -> None:
    known = await join(other, ["admin"])
    await known.ok("PATCH", "/v1/me", {"name": "Her true name"})
    unknown = new_email()
    answers = []
    for email in (known.email, unknown):
        invited = await invite(api, email, ["buyer"])
        read = await api.ok("GET", f"/v1/users/{invited['id']}")
        for told in (invited, read):
            assert told.pop("email") == email
            for name in ("id", "created_at", "updated_at", "invitation_expires_at"):
                assert told.pop(name)
        assert invited.pop("invitation_token")
        answers.append((invited, read))
    assert answers[0] == answers[1]
    # Ids say nothing of their age.
    ids = await admin.fetch(
        "select id from user_account where email = any($1)", [known.email, unknown]
    )
    assert {row["id"].version for row in ids} == {4}


async def test_roles_and_limits_change_what_is_possible_at_once(api: Client) -> None:
    person = await join(api, ["auditor"])
    path = f"/v1/users/{person.id}"
    assert (await person.call("GET", "/v1/users")).status_code == 200
    etag = (await api.get(path)).headers["etag"]
    changed = await api.patch(path, {"roles": ["sales"]}, headers={"If-Match": etag})
    assert (changed.status_code, changed.json()["roles"]) == (200, ["sales"])
    assert changed.headers["etag"] == '"3"'
    stale = await api.patch(path, {"roles": ["buyer"]}, headers={"If-Match": etag})
    assert code(stale) == (412, "version_mismatch")
    await asyncio.sleep(1)
    refused = await person.call("GET", "/v1/users")
    assert refused.json()["required_permission"] == "users:read"
    await api.ok("PATCH", path, json={"status": "suspended"})
    await asyncio.sleep(1)
    assert code(await person.call("GET", "/v1/items")) == (403, "permission_denied")
    assert (await person.ok("GET", "/v1/me"))["organizations"] == []
    await api.ok("PATCH", path, json={"status": "active"})
    await asyncio.sleep(1)
    assert (await person.call("GET", "/v1/items")).status_code == 200


@pytest.mark.parametrize(
    ("body", "exceeds"),
    [
        ({"roles": ["admin"]}, ["*"]),
        ({"roles": ["buyer", "auditor"]}, ["audit:read"]),
    ],
)
async def test_nobody_grants_more_than_he_has(
    api: Client, body: dict[str, Any], exceeds: list[str]
) -> None:
    manager, colleague = await _manager(api), await join(api, ["buyer"])
    answers = [
        await manager.call(
            "POST", "/v1/users", {"email": new_email(), "name": "Accomplice", **body}
        ),
        await manager.call("PATCH", f"/v1/users/{colleague.id}", body),
    ]
    for answer in answers:
        assert code(answer) == (403, "permission_escalation")
        assert set(exceeds) <= set(answer.json()["exceeds"])
    assert (await api.ok("GET", f"/v1/users/{colleague.id}"))["roles"] == ["buyer"]


async def test_nobody_grants_wider_limits_than_his_own(api: Client) -> None:
    for place in ("WH-1", "WH-2"):
        await api.ok("POST", "/v1/warehouses", json={"code": place, "name": place})
    manager = await _manager(api)
    own = {"warehouses": [{"code": "WH-1"}], "amount_limit": "1000"}
    await api.ok("PATCH", f"/v1/users/{manager.id}", json=own)
    await asyncio.sleep(1)
    for limits, exceeds in (
        ({}, ["warehouses", "amount_limit"]),
        ({**own, "warehouses": [{"code": "WH-2"}]}, ["warehouses"]),
        ({**own, "amount_limit": "1000.01"}, ["amount_limit"]),
        ({**own, "amount_limit": None}, ["amount_limit"]),
    ):
        body = {"email": new_email(), "name": "Li Wei", "roles": ["buyer"], **limits}
        answer = await manager.call("POST", "/v1/users", body)
        assert code(answer) == (403, "permission_escalation")
        assert answer.json()["exceeds"] == exceeds
    member = await invite(manager, new_email(), ["buyer"], **own)
    answer = await manager.call("PATCH", f"/v1/users/{member['id']}", {"amount_limit": None})
    assert code(answer) == (403, "permission_escalation")


async def test_who_has_less_has_no_hold_on_who_has_more(api: Client) -> None:
    manager, boss = await _manager(api), await join(api, ["admin"])
    pending = await invite(api, new_email(), ["admin"])
    for method, path, body in (
        ("PATCH", f"/v1/users/{boss.id}", {"roles": ["buyer"]}),
        ("PATCH", f"/v1/users/{boss.id}", {"status": "suspended"}),
        ("DELETE", f"/v1/users/{boss.id}", None),
        ("POST", f"/v1/users/{boss.id}/password-reset", None),
        # The link would make him that administrator.
        ("POST", f"/v1/users/{pending['id']}/invitation", None),
    ):
        assert code(await manager.call(method, path, body)) == (403, "permission_escalation")


async def test_nobody_changes_himself(api: Client) -> None:
    boss = await join(api, ["admin"])
    await join(api, ["admin"])
    path = f"/v1/users/{boss.id}"
    for method, where, body in (
        ("PATCH", path, {"roles": ["buyer"]}),
        ("PATCH", path, {"amount_limit": None}),
        ("DELETE", path, None),
        ("POST", f"{path}/password-reset", None),
    ):
        assert code(await boss.call(method, where, body)) == (403, "own_membership")


async def test_the_last_administrator_stays(api: Client) -> None:
    boss, second = await join(api, ["admin"]), await join(api, ["buyer"])
    path = f"/v1/users/{boss.id}"

    async def ways_out() -> set[tuple[int, str]]:
        return {
            code(await api.patch(path, {"roles": ["buyer"]})),
            code(await api.patch(path, {"status": "suspended"})),
            code(await api.patch(path, {"amount_limit": "5"})),
            code(await api.call("DELETE", path)),
        }

    assert await ways_out() == {(409, "last_administrator")}
    # A suspended or limited administrator is none who could help.
    await api.ok("PATCH", f"/v1/users/{second.id}", json={"roles": ["admin"], "amount_limit": "9"})
    assert await ways_out() == {(409, "last_administrator")}
    await api.ok("PATCH", f"/v1/users/{second.id}", json={"amount_limit": None})
    await api.ok("PATCH", f"/v1/users/{second.id}", json={"status": "suspended"})
    assert await ways_out() == {(409, "last_administrator")}
    await api.ok("PATCH", f"/v1/users/{second.id}", json={"status": "active"})
    assert (await api.call("DELETE", path)).status_code == 204


async def test_two_administrators_who_demote_each_other_leave_one(api: Client) -> None:
    for _ in range(3):
        here = await new_client(api.runtime, api.http)
        both = [await join(here, ["admin"]) for _ in range(2)]
        answers = await asyncio.gather(
            *(
                one.call("PATCH", f"/v1/users/{two.id}", {"roles": ["buyer"]})
                for one, two in (both, reversed(both))
            )
        )
        # The slower one is refused, if not as a buyer already.
        assert sorted(answer.status_code for answer in answers)[0] == 200
        assert {answer.status_code for answer in answers} <= {200, 403, 409}
        left = await here.ok("GET", "/v1/users", params={"role": "admin"})
        assert len(left["data"]) == 1


async def test_who_leaves_loses_everything_here_and_nothing_elsewhere(
    api: Client, other: Client
) -> None:
    person = await join(api, ["admin"])
    await join(api, ["admin"])
    await join_too(other, person, ["buyer"])
    key = await person.ok(
        "POST", "/v1/api-keys", {"name": "k", "roles": ["admin"], "is_personal": True}
    )
    assert (await api.call("DELETE", f"/v1/users/{person.id}")).status_code == 204
    await asyncio.sleep(1)
    headers = {"Authorization": f"Bearer {key['token']}"}
    assert (await api.http.get("/v1/me", headers=headers)).status_code == 401
    me = await person.ok("GET", "/v1/me")
    assert [one["roles"] for one in me["organizations"]] == [["buyer"]]
    # Invited again, his old keys stay revoked.
    await join_too(api, person, ["admin"])
    await asyncio.sleep(1)
    assert (await api.http.get("/v1/me", headers=headers)).status_code == 401


async def test_roles_that_break_a_duty_are_refused_or_reported(api: Client) -> None:
    roles = ["warehouse", "finance"]
    body: dict[str, Any] = {"email": new_email(), "name": "Li Wei", "roles": roles}
    refused = await api.post("/v1/users", body)
    assert code(refused) == (409, "duty_conflict")
    body["roles"] = ["warehouse", "approver"]
    reported = await api.ok("POST", "/v1/users", json=body)
    assert [one["rule"] for one in reported["duty_conflicts"]] == ["receiver_approves_orders"]
    path = f"/v1/users/{reported['id']}"
    assert code(await api.patch(path, {"roles": [*body["roles"], "finance"]})) == (
        409,
        "duty_conflict",
    )


async def test_unknown_roles_and_places_are_named(api: Client) -> None:
    body = {
        "email": new_email(),
        "name": "Li Wei",
        "roles": ["buyer", "wizard"],
    }
    answer = await api.post("/v1/users", body)
    assert [e["pointer"] for e in answer.json()["errors"]] == ["#/roles/1"]
    answer = await api.post("/v1/users", body | {"roles": ["buyer"], "warehouses": [{"code": "X"}]})
    assert [e["pointer"] for e in answer.json()["errors"]] == ["#/warehouses/0"]
    for email in ("no-at", "a@b", "a b@c.de", "ü@example.com", "x@" + "y" * 260 + ".de"):
        answer = await api.post("/v1/users", body | {"email": email, "roles": ["buyer"]})
        assert [e["pointer"] for e in answer.json()["errors"]] == ["#/email"], email


async def test_who_is_here_already_is_not_invited_again(api: Client) -> None:
    person = await join(api)
    body = {"email": person.email.upper(), "name": "Li Wei", "roles": ["buyer"]}
    assert code(await api.post("/v1/users", body)) == (409, "already_member")
    again = await api.post(f"/v1/users/{person.id}/invitation")
    assert code(again) == (409, "already_member")
    pending = new_email()
    invited = await invite(api, pending)
    body["email"] = pending
    assert code(await api.post("/v1/users", body)) == (409, "invitation_pending")
    path = f"/v1/users/{invited['id']}"
    assert code(await api.patch(path, {"status": "active"})) == (409, "invitation_pending")
    reset = await api.post(f"{path}/password-reset")
    assert code(reset) == (409, "invitation_pending")


async def test_a_reset_link_makes_no_account_of_another_organization_ours(
    api: Client, other: Client
) -> None:
    person = await join(api)
    path = f"/v1/users/{person.id}/password-reset"
    early = await api.ok("POST", path)
    await join_too(other, person, ["buyer"])
    assert code(await api.post(path)) == (409, "account_shared")
    # Nor does one that was made before.
    body = {"token": early["reset_token"], "password": "a new phrase 42"}
    answer = await api.http.post("/v1/password-resets", json=body)
    assert code(answer) == (409, "link_not_valid")
    assert (await person.log_in()).status_code == 201


async def test_a_reset_sets_the_password_once_and_ends_all_sessions(api: Client) -> None:
    person = await join(api)
    device = person.tokens["device_token"]
    path = f"/v1/users/{person.id}/password-reset"
    first, second = (await api.ok("POST", path)), (await api.ok("POST", path))
    reset = "/v1/password-resets"
    body = {"token": first["reset_token"], "password": "a new phrase 42"}
    assert code(await person.http.post(reset, json=body)) == (409, "link_not_valid")
    body["token"] = second["reset_token"]
    weak = await person.http.post(reset, json=body | {"password": "qwertyuiop"})
    assert [e["code"] for e in weak.json()["errors"]] == ["password_common"]
    assert (await person.http.post(reset, json=body)).status_code == 204
    assert code(await person.http.post(reset, json=body)) == (409, "link_not_valid")
    refresh = {"refresh_token": person.tokens["refresh_token"]}
    answer = await person.http.post("/v1/sessions/refresh", json=refresh)
    assert answer.status_code == 401
    assert code(await person.log_in()) == (401, "login_failed")
    person.password = "a new phrase 42"
    again = await person.log_in(device_token=device)
    assert again.status_code == 201
    assert again.json()["device_token"] is not None


async def test_a_link_of_one_kind_opens_no_other(api: Client) -> None:
    person = await join(api)
    link = await api.ok("POST", f"/v1/users/{person.id}/password-reset")
    invited = await invite(api, new_email())
    for path, token in (
        ("/v1/invitations/accept", link["reset_token"]),
        ("/v1/password-resets", invited["invitation_token"]),
    ):
        body = {"token": token, "password": PASSWORD}
        assert code(await from_address(api.http).post(path, json=body)) == (409, "link_not_valid")


async def test_a_change_of_a_member_stands_in_the_trail(
    api: Client, admin: asyncpg.Connection
) -> None:
    boss, person = await join(api, ["admin"]), await join(api, ["buyer"])
    await boss.ok("PATCH", f"/v1/users/{person.id}", {"roles": ["planner"]})
    row = await admin.fetchrow(
        "select changes::text, user_id from audit_entry where organization_id = $1 "
        "and object_type = 'membership' and parent_id = $2 order by seq desc limit 1",
        api.organization_id,
        person.id,
    )
    assert row is not None
    assert '"old": ["buyer"]' in row["changes"]
    assert row["user_id"] == boss.id
    assert isinstance(row["user_id"], UUID)
