"""One's own account: who one is, and one's password."""

import asyncio
from typing import Any
from uuid import UUID

import asyncpg
from pydantic_core import from_json

from scm_api.core.tx import Limits
from tests.support import Client, new_client
from tests.users.people import code, invite, join, join_too, logged

_LIMITS = ("warehouses", "categories")


async def test_a_person_reads_what_he_may_in_all_his_organizations(
    api: Client, other: Client
) -> None:
    role = {"code": "expediter", "name": "Expediter", "permissions": ["items:read"]}
    await other.ok("POST", "/v1/roles", json=role)
    person = await join(api, ["warehouse"], amount_limit="10")
    await join_too(other, person, ["expediter"])
    me = await person.ok("GET", "/v1/me")
    assert (me["kind"], me["id"], me["user_id"]) == ("user", str(person.id), str(person.id))
    assert (me["email"], me["session_id"]) == (person.email, person.tokens["session_id"])
    here, there = sorted(me["organizations"], key=lambda o: o["is_current"], reverse=True)
    assert (here["id"], here["amount_limit"]) == (str(api.organization_id), "10.0000")
    assert "stock:post" in here["permissions"]
    assert here["warehouses"] is None
    assert (there["roles"], there["permissions"]) == (["expediter"], ["items:read"])


async def test_a_key_reads_what_it_may(api: Client) -> None:
    place = await api.ok("POST", "/v1/warehouses", json={"code": "WH-1", "name": "One"})
    limited = await new_client(
        api.runtime, api.http, permissions=("items:read",), organization_id=api.organization_id
    )
    me = await limited.ok("GET", "/v1/me")
    assert (me["kind"], me["name"], me["user_id"], me["version"]) == (
        "api_key",
        "test key",
        None,
        None,
    )
    (organization,) = me["organizations"]
    assert organization["permissions"] == ["items:read"]
    limits = Limits(warehouses=frozenset([UUID(place["id"])]))
    confined = await new_client(
        api.runtime, api.http, limits=limits, organization_id=api.organization_id
    )
    (organization,) = (await confined.ok("GET", "/v1/me"))["organizations"]
    assert organization["warehouses"] == [{"id": place["id"], "code": "WH-1", "name": "One"}]


async def test_limits_are_named_in_each_of_ones_organizations(api: Client, other: Client) -> None:
    for client, number in ((api, 1), (other, 2)):
        place = {"code": f"WH-{number}", "name": f"Place {number}"}
        await client.ok("POST", "/v1/warehouses", json=place)
        await client.ok("POST", "/v1/categories", json={"code": f"C-{number}", "name": "Parts"})
    person = await join(api, warehouses=[{"code": "WH-1"}])
    body: dict[str, Any] = {"warehouses": [{"code": "WH-2"}], "categories": [{"code": "C-2"}]}
    invited = await invite(other, person.email, **body)
    await person.ok("POST", "/v1/me/invitations", {"token": invited["invitation_token"]})
    for client in (api, other):
        header = {"Scm-Organization": str(client.organization_id)}
        me = await person.ok("GET", "/v1/me", headers=header)
        shown = {
            o["id"]: [None if o[n] is None else [p["code"] for p in o[n]] for n in _LIMITS]
            for o in me["organizations"]
        }
        assert shown == {
            str(api.organization_id): [["WH-1"], None],
            str(other.organization_id): [["WH-2"], ["C-2"]],
        }


async def test_a_personal_key_names_its_person_and_acts_for_no_password(api: Client) -> None:
    person = await join(api, ["admin"])
    body = {"name": "script", "roles": ["buyer"], "is_personal": True}
    key = await person.ok("POST", "/v1/api-keys", body)
    person.tokens = {"access_token": key["token"]}
    me = await person.ok("GET", "/v1/me")
    assert (me["kind"], me["user_id"], me["email"]) == ("api_key", str(person.id), person.email)
    change = {"old_password": person.password, "new_password": "a new phrase 42"}
    for method, path, json in (
        ("PATCH", "/v1/me", {"name": "Somebody"}),
        ("POST", "/v1/me/password", change),
        ("POST", "/v1/me/totp", {"password": person.password}),
        ("GET", "/v1/me/sessions", None),
    ):
        assert code(await person.call(method, path, json)) == (403, "person_required")


async def test_a_profile_is_changed_by_its_version(api: Client) -> None:
    person = await join(api)
    before = (await person.ok("GET", "/v1/me"))["version"]
    body = {"name": "李伟", "language": "zh-CN", "version": before}
    changed = await person.ok("PATCH", "/v1/me", body)
    assert (changed["name"], changed["language"], changed["version"]) == (
        "李伟",
        "zh-CN",
        before + 1,
    )
    assert code(await person.call("PATCH", "/v1/me", body)) == (412, "version_mismatch")
    same = await person.ok("PATCH", "/v1/me", {"name": "李伟"})
    assert same["version"] == before + 1
    assert (await person.ok("PATCH", "/v1/me", {"language": None}))["language"] is None


async def test_a_changed_profile_is_told_to_the_organizations_one_belongs_to(
    api: Client, other: Client, admin: asyncpg.Connection
) -> None:
    person = await join(api)
    await join_too(other, person, ["buyer"])
    third = await new_client(api.runtime, api.http)
    await invite(third, person.email)
    await person.ok("PATCH", "/v1/me", {"name": "李伟", "language": "zh-CN"})
    await person.ok("PATCH", "/v1/me", {"name": "李伟"})
    rows = await admin.fetch(
        "select about_organization_id, detail::text, address, request_id from access_log "
        "where user_id = $1 and kind = 'profile_changed'",
        person.id,
    )
    assert {row["about_organization_id"] for row in rows} == {
        api.organization_id,
        other.organization_id,
    }
    assert len(rows) == 2
    assert from_json(rows[0]["detail"])["changes"] == {
        "name": {"old": "Li Wei", "new": "李伟"},
        "language": {"old": None, "new": "zh-CN"},
    }
    assert rows[0]["address"]
    assert rows[0]["request_id"]


async def test_a_profile_has_no_tag_for_it_shows_more_than_has_a_version(api: Client) -> None:
    person = await join(api)
    assert "etag" not in (await person.call("GET", "/v1/me")).headers
    changed = await person.call("PATCH", "/v1/me", {"name": "Li Na"})
    assert changed.status_code == 200
    assert "etag" not in changed.headers


async def test_a_new_password_ends_all_other_sessions(api: Client) -> None:
    person = await join(api)
    old = person.tokens
    await person.log_in()
    body = {"old_password": person.password, "new_password": "qwertyuiop"}
    weak = await person.call("POST", "/v1/me/password", body)
    assert [e["pointer"] for e in weak.json()["errors"]] == ["#/new_password"]
    body["new_password"] = person.email.split("@")[0] + "!2026"
    weak = await person.call("POST", "/v1/me/password", body)
    assert [e["code"] for e in weak.json()["errors"]] == ["password_personal"]
    body["new_password"] = "a new phrase 42"
    await person.ok("POST", "/v1/me/password", body)
    assert "password_changed" in await logged(api, person.id)
    refresh = {"refresh_token": old["refresh_token"]}
    assert (await person.http.post("/v1/sessions/refresh", json=refresh)).status_code == 401
    await asyncio.sleep(1)
    assert (await person.call("GET", "/v1/me")).status_code == 200
    assert (await person.log_in()).status_code == 401
    person.password = "a new phrase 42"
    assert (await person.log_in()).status_code == 201
