"""Roles: templates, roles of one's own, and what they come to."""

import asyncio
from typing import Any

import asyncpg
import pytest

from scm_api.access.permissions import TEMPLATES
from tests.access.test_keys import SOON_SECONDS, colleague, make, member
from tests.support import Client, problem_codes

ROLES = "/v1/roles"


async def make_role(api: Client, *permissions: str, code: str = "clerk") -> dict[str, Any]:
    body = {"code": code, "name": code.capitalize(), "permissions": list(permissions)}
    made: dict[str, Any] = await api.ok("POST", ROLES, json=body)
    return made


async def test_templates_are_there_in_both_languages(api: Client) -> None:
    listed = (await api.ok("GET", ROLES))["data"]
    assert [role["code"] for role in listed if role["is_template"]] == list(TEMPLATES)
    buyer = next(role for role in listed if role["code"] == "buyer")
    assert buyer["name"] == "Buyer"
    assert buyer["permissions"] == sorted(TEMPLATES["buyer"].permissions)
    chinese = await api.ok("GET", f"{ROLES}/code=buyer", headers={"Accept-Language": "zh-CN"})
    assert chinese["name"] == "采购员"


async def test_a_role_of_ones_own_grants_what_it_says(api: Client) -> None:
    made = await make_role(api, "items:read", "warehouses:read")
    assert made["permissions"] == ["items:read", "warehouses:read"]
    listed = (await api.ok("GET", ROLES))["data"]
    assert listed[-1] == made
    for key in (made["id"], "clerk", "code=CLERK"):
        assert await api.ok("GET", f"{ROLES}/{key}") == made
    _, caller = await make(api, roles=["Clerk"])
    assert (await caller.get("/v1/items")).status_code == 200
    assert (await caller.get("/v1/suppliers")).status_code == 403


async def test_a_changed_role_is_felt_by_its_holders_within_a_second(api: Client) -> None:
    await make_role(api, "items:read")
    _, caller = await make(api, roles=["clerk"])
    assert (await caller.get("/v1/suppliers")).status_code == 403
    stale = await api.patch(f"{ROLES}/clerk", {"name": "x"}, headers={"If-Match": '"9"'})
    assert stale.status_code == 412
    body = {"permissions": ["suppliers:read"]}
    changed = await api.patch(f"{ROLES}/clerk", body, headers={"If-Match": '"1"'})
    assert (changed.status_code, changed.headers["etag"]) == (200, '"2"')
    await asyncio.sleep(SOON_SECONDS)
    assert (await caller.get("/v1/suppliers")).status_code == 200
    assert (await caller.get("/v1/items")).status_code == 403


async def test_nobody_makes_or_edits_a_role_beyond_himself(api: Client) -> None:
    await make_role(api, "items:read", "stock:post", code="strong")
    keeper = await colleague(api, "roles:write", "roles:read", "items:read")
    own = {"code": "own", "name": "Own", "permissions": ["items:read"]}
    assert (await keeper.post(ROLES, own)).status_code == 201
    more = own | {"code": "more", "permissions": ["items:read", "stock:post"]}
    for refused in (
        await keeper.post(ROLES, more),
        await keeper.patch(f"{ROLES}/own", {"permissions": ["stock:post"]}),
        await keeper.patch(f"{ROLES}/strong", {"permissions": ["items:read"]}),
        await keeper.patch(f"{ROLES}/strong", {"name": "Weak"}),
        await keeper.call("DELETE", f"{ROLES}/strong"),
    ):
        assert refused.status_code == 403, refused.text
        assert refused.json()["code"] == "permission_escalation"
        assert refused.json()["exceeds"] == ["stock:post"]


async def test_who_is_limited_makes_no_roles_for_the_unlimited(api: Client) -> None:
    await api.ok("POST", "/v1/warehouses", json={"code": "WH-1", "name": "One"})
    _, keeper = await make(
        api, permissions=["roles:write", "items:read"], warehouses=[{"code": "WH-1"}]
    )
    refused = await keeper.post(
        ROLES, {"code": "own", "name": "Own", "permissions": ["items:read"]}
    )
    assert refused.json()["exceeds"] == ["warehouses"]


@pytest.mark.parametrize("code", ["buyer", "ADMIN"])
async def test_a_template_stays_as_it_is(api: Client, code: str) -> None:
    taken = await api.post(ROLES, {"code": code, "name": "x", "permissions": ["items:read"]})
    assert problem_codes(taken) == ["template_code"]
    for refused in (
        await api.patch(f"{ROLES}/{code}", {"name": "x"}),
        await api.call("DELETE", f"{ROLES}/{code}"),
    ):
        assert (refused.status_code, refused.json()["code"]) == (409, "role_is_template")


async def test_codes_are_unique_whatever_their_case(api: Client) -> None:
    await make_role(api, "items:read")
    again = await api.post(ROLES, {"code": "CLERK", "name": "x", "permissions": ["items:read"]})
    assert (again.status_code, again.json()["field"]) == (409, "code")


async def test_a_role_in_use_is_not_deleted(api: Client, admin: asyncpg.Connection) -> None:
    role = await make_role(api, "items:read")
    made, _ = await make(api, roles=["clerk"])
    _, membership_id = await member(admin, api, "clerk")
    refused = await api.call("DELETE", f"{ROLES}/clerk")
    assert (refused.status_code, refused.json()["code"]) == (409, "role_in_use")
    assert (refused.json()["people"], refused.json()["keys"]) == (1, 1)
    await api.ok("POST", f"/v1/api-keys/{made['id']}/revoke")
    await admin.execute("update membership set roles = '{buyer}' where id = $1", membership_id)
    assert (await api.call("DELETE", f"{ROLES}/{role['id']}")).status_code == 204
    assert (await api.get(f"{ROLES}/clerk")).status_code == 404


async def test_a_role_cannot_be_granted_while_it_is_deleted(api: Client) -> None:
    """Else its code would stay behind, for a new role to fill with other permissions."""
    await make_role(api, "items:read")
    grants = [api.post("/v1/api-keys", {"name": "k", "roles": ["clerk"]}) for _ in range(4)]
    answers = await asyncio.gather(*grants, api.call("DELETE", f"{ROLES}/clerk"))
    deleted = answers[-1].status_code
    outcomes = [answer.status_code for answer in answers[:-1]]
    assert deleted in (204, 409)
    assert all(code in (201, 422) for code in outcomes), outcomes
    assert not (deleted == 204 and 201 in outcomes)


async def test_unknown_permissions_and_roles_are_refused(api: Client) -> None:
    body = {"code": "r", "name": "r", "permissions": ["items:read", "items:eat"]}
    refused = await api.post(ROLES, body)
    assert problem_codes(refused) == ["unknown_permission"]
    assert refused.json()["errors"][0]["pointer"] == "#/permissions/1"
    checked = await api.post(f"{ROLES}/check", {"roles": ["buyer", "emperor"]})
    assert checked.json()["errors"][0]["pointer"] == "#/roles/1"


async def test_a_check_tells_before_anything_is_granted(api: Client) -> None:
    keeper = await colleague(api, "roles:read", "problems:read")
    told = await keeper.ok(
        "POST", f"{ROLES}/check", json={"roles": ["supplier"], "permissions": ["items:read"]}
    )
    assert told["permissions"] == ["items:read", "problems:read"]
    assert told["exceeds"] == ["items:read"]
    assert told["duty_conflicts"] == []


async def test_every_permission_says_what_it_is_for(api: Client) -> None:
    await make_role(api, "suppliers:write")
    listed = {one["permission"]: one for one in (await api.ok("GET", "/v1/permissions"))["data"]}
    assert listed["items:read"]["operations"][:2] == ["categories_get", "categories_list"]
    assert listed["suppliers:write"]["roles"] == ["admin", "buyer", "clerk"]
    assert "alert_rules_put" in listed["costs:read"]["operations"]


async def test_roles_of_another_organization_do_not_exist_here(api: Client, other: Client) -> None:
    role = await make_role(other, "items:read")
    assert (await api.get(f"{ROLES}/{role['id']}")).status_code == 404
    refused = await api.post("/v1/api-keys", {"name": "k", "roles": ["clerk"]})
    assert problem_codes(refused) == ["unknown_role"]


async def test_a_changed_role_gives_no_holder_separated_duties(
    api: Client, admin: asyncpg.Connection
) -> None:
    role = {"code": "clerk", "name": "Clerk", "permissions": ["invoices:read"]}
    made = await api.ok("POST", ROLES, json=role)
    receiver, _ = await make(api, name="Gate", roles=["warehouse", "Clerk"])
    user_id, _ = await member(admin, api, "warehouse", "clerk")
    await make(api, name="Unconcerned", roles=["clerk"])
    path = f"{ROLES}/{made['id']}"
    wider = {"permissions": ["invoices:read", "invoices:write"]}
    refused = await api.patch(path, wider)
    assert (refused.status_code, refused.json()["code"]) == (409, "duty_conflict")
    assert refused.json()["holders"] == ["Gate", "Li Na"]
    assert refused.json()["rules"] == ["receiver_posts_invoice"]
    assert "Gate, Li Na" in refused.json()["detail"]
    # Where the rule only warns, they are named in the answer; who blocks later is told of them.
    rule = "/v1/duty-rules/receiver_posts_invoice"
    warned = await api.ok("PUT", rule, json={"mode": "warn"})
    assert [c["holder"] for c in warned["holder_conflicts"]] == ["test key"]  # it may everything
    changed = await api.ok("PATCH", path, json=wider)
    named = [(c["kind"], c["id"], c["rule"]) for c in changed["holder_conflicts"]]
    assert named == [
        ("key", receiver["id"], "receiver_posts_invoice"),
        ("person", str(user_id), "receiver_posts_invoice"),
    ]
    blocked = await api.ok("PUT", rule, json={"mode": "block"})
    told = {(c["id"], c["effect"]) for c in blocked["holder_conflicts"]}
    assert {(receiver["id"], "refused"), (str(user_id), "refused")} <= told
    # What they hold already is not refused again, so that it can be taken away step by step.
    narrower = await api.ok("PATCH", path, json={"permissions": ["invoices:write"]})
    assert narrower["holder_conflicts"] == []
    await api.ok("POST", f"/v1/api-keys/{receiver['id']}/revoke")
    blocked = await api.ok("PUT", rule, json={"mode": "block"})
    assert receiver["id"] not in {c["id"] for c in blocked["holder_conflicts"]}
