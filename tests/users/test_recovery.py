"""Somebody who is locked out gets in again, and nobody gets in by helping him."""

import asyncio
import json
from typing import Any

import asyncpg
import pyotp
import pytest

from scm_api.core.errors import NotFound
from scm_api.users.links import NewLink
from scm_api.users.recovery import reset_by_operator
from tests.support import Client, new_client
from tests.users.people import Person, code, invite, join, join_too, logged, new_email

_PATHS = (("POST", "password-reset"), ("DELETE", "totp"), ("DELETE", "sessions"))


async def _with_totp(person: Person) -> None:
    begun = await person.ok("POST", "/v1/me/totp", {"password": person.password})
    body = {"totp_code": pyotp.TOTP(begun["secret"]).now()}
    await person.ok("POST", "/v1/me/totp/confirm", body)


async def _is_out(person: Person) -> bool:
    """Whether the person's refresh token is worthless."""
    body = {"refresh_token": person.tokens["refresh_token"]}
    return (await person.http.post("/v1/sessions/refresh", json=body)).status_code == 401


async def _detail(api: Client, person: Person, kind: str) -> list[tuple[Any, Any]]:
    async with api.runtime.database.system() as driver:
        rows = await driver.fetch(
            "select about_organization_id, detail::text from access_log "
            "where user_id = $1 and kind = $2 order by id",
            person.id,
            kind,
        )
    return [(row["about_organization_id"], json.loads(row["detail"])) for row in rows]


async def test_who_lost_his_authenticator_logs_in_after_an_administrator_removed_it(
    api: Client,
) -> None:
    boss, person = await join(api, ["admin"]), await join(api)
    path = f"/v1/users/{person.id}/totp"
    assert code(await boss.call("DELETE", path)) == (409, "no_second_factor")
    assert not await _is_out(person)
    await person.log_in()
    await _with_totp(person)
    assert code(await person.log_in()) == (401, "second_factor_required")
    await boss.ok("DELETE", path)
    assert await _is_out(person)
    assert (await person.log_in()).status_code == 201
    assert (await person.ok("GET", "/v1/me"))["has_second_factor"] is False
    assert await _detail(api, person, "totp_removed") == [
        (api.organization_id, {"by": str(boss.id)})
    ]
    assert code(await boss.call("DELETE", path)) == (409, "no_second_factor")


async def test_an_administrator_ends_somebodys_sessions(api: Client) -> None:
    boss, person, bystander = await join(api, ["admin"]), await join(api), await join(api)
    await boss.ok("DELETE", f"/v1/users/email={person.email}/sessions")
    assert await _is_out(person)
    assert not await _is_out(bystander)
    assert (await person.log_in()).status_code == 201
    assert "sessions_ended" in await logged(api, person.id)


async def test_nobody_opens_or_closes_an_account_that_belongs_elsewhere_too(
    api: Client, other: Client
) -> None:
    person = await join(api)
    await _with_totp(person)
    # An invitation is enough: he may accept it at any moment.
    await invite(other, person.email)
    for method, what in _PATHS:
        answer = await api.call(method, f"/v1/users/{person.id}/{what}")
        assert code(answer) == (409, "account_shared"), what
        # Of those who are only invited, nothing is done at all.
        answer = await other.call(method, f"/v1/users/{person.id}/{what}")
        assert code(answer) == (409, "invitation_pending"), what
    assert not await _is_out(person)
    assert code(await person.log_in()) == (401, "second_factor_required")


async def test_nobody_opens_an_account_that_may_more_than_he_or_is_his_own(
    api: Client, other: Client
) -> None:
    role = {"code": "manager", "name": "Manager", "permissions": ["users:read", "users:write"]}
    await api.ok("POST", "/v1/roles", json=role)
    await api.ok("POST", "/v1/warehouses", json={"code": "WH-1", "name": "One"})
    manager = await join(api, ["manager"])
    buyer, stranger = await join(api), await join(other)
    for method, what in _PATHS:
        answer = await manager.call(method, f"/v1/users/{buyer.id}/{what}")
        assert code(answer) == (403, "permission_escalation"), what
        answer = await manager.call(method, f"/v1/users/{manager.id}/{what}")
        assert code(answer) == (403, "own_membership"), what
        for key in (stranger.id, f"email={stranger.email}"):
            answer = await manager.call(method, f"/v1/users/{key}/{what}")
            assert code(answer) == (404, "not_found"), what
    reader = await new_client(
        api.runtime, api.http, permissions=("users:read",), organization_id=api.organization_id
    )
    for method, what in _PATHS:
        answer = await reader.call(method, f"/v1/users/{buyer.id}/{what}")
        assert code(answer) == (403, "permission_denied"), what


async def _by_operator(api: Client, email: str, **more: bool) -> NewLink:
    async with api.runtime.database.system() as driver:
        return await reset_by_operator(driver, email, **more)


async def test_the_operator_opens_an_account_of_two_organizations(
    api: Client, other: Client
) -> None:
    person = await join(api)
    await join_too(other, person, ["admin"])
    third = await new_client(api.runtime, api.http)
    await invite(third, person.email)
    await _with_totp(person)
    link = await _by_operator(api, person.email.upper())
    assert not await _is_out(person)
    await person.log_in()
    body = {"token": link.token, "password": "a new phrase 42"}
    assert (await person.http.post("/v1/password-resets", json=body)).status_code == 204
    person.password = "a new phrase 42"
    # A password alone does not open it: the second factor goes only if asked for.
    assert code(await person.log_in()) == (401, "second_factor_required")
    await _by_operator(api, person.email, also_totp=True)
    assert (await person.log_in()).status_code == 201
    told = [(api.organization_id, {"by": "operator"}), (other.organization_id, {"by": "operator"})]
    for kind, times in (("password_reset_offered", 2), ("totp_removed", 1)):
        rows = await _detail(api, person, kind)
        assert sorted(rows, key=str) == sorted(told * times, key=str)


async def test_the_operator_who_removes_a_second_factor_ends_the_sessions(api: Client) -> None:
    person = await join(api)
    await _by_operator(api, person.email, also_totp=True)
    assert await _is_out(person)
    with pytest.raises(NotFound):
        await _by_operator(api, new_email())


_INVITE = """
insert into membership (organization_id, id, user_id, roles)
values ($1, gen_random_uuid(), $2, '{buyer}')
"""
_WAITING = """
select exists (select from pg_stat_activity
               where wait_event_type = 'Lock' and query like '%user_account%for update')
"""


@pytest.mark.parametrize(("method", "what"), _PATHS)
async def test_an_account_that_is_invited_elsewhere_at_that_moment_stays_closed(
    api: Client, other: Client, admin: asyncpg.Connection, method: str, what: str
) -> None:
    person = await join(api)
    async with admin.transaction():
        await admin.execute(_INVITE, other.organization_id, person.id)
        task = asyncio.create_task(api.call(method, f"/v1/users/{person.id}/{what}"))
        while not await admin.fetchval(_WAITING):
            assert not task.done(), task.result().text
            await asyncio.sleep(0.02)
            await admin.execute("select pg_stat_clear_snapshot()")
    assert code(await task) == (409, "account_shared")
    assert not await _is_out(person)
