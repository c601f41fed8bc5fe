"""A person reaches the organizations he belongs to and no other, whatever he names."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import pytest
import pytest_asyncio

from scm_api.core.runtime import Runtime
from tests.contract.attacks import MARK, OF_PEOPLE, Victim, attacks, forged, leaks, sums
from tests.contract.conftest import CopyWorld
from tests.contract.evil import FULL, SEED, sample
from tests.contract.spec import Operation, assert_documented, assert_problem, operations
from tests.contract.world import digest
from tests.support import Client, new_client
from tests.users.people import Person, invite, join

ATTACKS_EACH = 6
HOME_MARK = "Own-Secret-91bc"


@dataclass
class Naming(Client):
    """A person who names the organization of every request."""

    async def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        headers = {"Scm-Organization": str(self.organization_id), **options.pop("headers", {})}
        return await super().call(method, path, headers=headers, **options)


@dataclass
class Outsider:
    """An administrator of an organization of his own, where he is logged in."""

    home: Client
    person: Person

    def naming(self, organization_id: UUID) -> Naming:
        """He, speaking of an organization."""
        token = self.person.tokens["access_token"]
        return Naming(self.home.runtime, self.home.http, organization_id, token)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def outsider(runtime: Runtime, http: httpx.AsyncClient) -> Outsider:
    """Somebody who does not belong to the victim."""
    home = await new_client(runtime, http)
    await home.ok("POST", "/v1/warehouses", json={"code": "WH-9", "name": HOME_MARK})
    return Outsider(home, await join(home, ["admin"]))


async def _enter(admin: asyncpg.Connection, organization_id: UUID, person: Person) -> None:
    """Make somebody an administrator of a further organization."""
    await admin.execute(
        """
        insert into membership (organization_id, id, user_id, status, roles, joined_at)
        values ($1, gen_random_uuid(), $2, 'active', '{admin}', now())
        """,
        organization_id,
        person.id,
    )


@pytest.mark.parametrize("operation", [o for o in operations() if o.is_permitted], ids=str)
async def test_who_belongs_to_two_organizations_reaches_the_named_one_and_no_third(
    operation: Operation,
    outsider: Outsider,
    victim: Victim,
    world: Client,
    session_admin: asyncpg.Connection,
) -> None:
    await _enter(session_admin, world.organization_id, outsider.person)
    caller = outsider.naming(world.organization_id)
    call = await operation.runnable(caller)
    at_home = await digest(session_admin, outsider.home.organization_id)
    found = list(attacks(operation, call, victim))
    for attack, right in found if FULL else sample(found, ATTACKS_EACH, SEED):
        response = await attack.send(caller)
        assert response.status_code < 500, (attack, response.text)
        assert not leaks(response, attack, victim), (attack, response.text)
        assert not right or response.status_code in right, (attack, response.text)
        assert HOME_MARK not in response.text, (attack, response.text)
    assert await sums(session_admin, victim) == victim.sums
    assert await digest(session_admin, outsider.home.organization_id) == at_home


@pytest.mark.parametrize("operation", [o for o in operations() if not o.is_public], ids=str)
async def test_an_organization_of_others_is_as_unknown_as_none(
    operation: Operation, outsider: Outsider, victim: Victim
) -> None:
    async def refused(name: str) -> dict[str, Any]:
        call = operation.example().with_(headers={"Scm-Organization": name})
        response = await call.send(caller)
        body: dict[str, Any] = assert_problem(response, 404, "not_found")
        assert_documented(operation, response)
        assert body.pop("request_id")
        assert body.pop("reference") == name
        return {**body, "detail": body["detail"].replace(name, "...")}

    caller = outsider.naming(outsider.home.organization_id)
    nobodys = await refused("no-such-organization")
    for name in victim.names:
        assert await refused(name) == nobodys


async def test_a_token_of_theirs_opens_nothing_without_its_secret_or_in_the_wrong_place(
    victim: Victim, http: httpx.AsyncClient, session_admin: asyncpg.Connection
) -> None:
    places = {
        "access_token": None,
        "refresh_token": "/v1/sessions/refresh",
        "invitation_token": "/v1/invitations/accept",
    }
    for name, token in victim.tokens().items():
        for place, path in places.items():
            for tried in [forged(token), *([token] if place != name else [])]:
                if path is None:
                    headers = {"Authorization": f"Bearer {tried}"}
                    answer = await http.get("/v1/me", headers=headers)
                    assert_problem(answer, 401, "unauthenticated")
                    continue
                body = {"token": tried, "password": "correct horse 42 battery"}
                if place == "refresh_token":
                    body = {"refresh_token": tried}
                answer = await http.post(path, json=body)
                assert 400 <= answer.status_code < 500, (name, place, answer.text)
                assert MARK.strip() not in answer.text
    assert await sums(session_admin, victim) == victim.sums


async def test_inviting_one_of_their_people_tells_nothing_of_him(
    victim: Victim, copy_world: CopyWorld, session_admin: asyncpg.Connection
) -> None:
    world = await copy_world()
    invited = await invite(world, victim.member.email, ["buyer"], name="As I call him")
    read = await world.ok("GET", f"/v1/users/{invited['id']}")
    listed = await world.ok("GET", "/v1/users")
    trail = await world.ok("GET", "/v1/audit")
    for told in (invited, read, listed, trail):
        assert MARK.strip() not in str(told)
    assert read["name"] == "As I call him"
    assert await sums(session_admin, victim) == victim.sums


async def test_sql_as_the_application_sees_members_and_no_secret_of_any_person(
    victim: Victim, runtime: Runtime, world: Client
) -> None:
    member = await join(world)
    async with runtime.database.transaction(world.principal(), now=runtime.clock()) as tx:
        seen = {row["id"] for row in await tx.fetch("select id from user_account")}
        assert member.id in seen
        assert not seen & set(victim.people)
        for table in {*OF_PEOPLE, "session_token", "login_throttle", "oidc_flow"}:
            if table != "user_account":
                assert await tx.fetchval(f"select count(*) from {table}") == 0, table
        assert await tx.fetchval("select count(*) from organization_group") == 0
        theirs = "select count(*) from access_log where about_organization_id is distinct from $1"
        assert await tx.fetchval(theirs, world.organization_id) == 0


async def test_sql_of_an_organization_does_not_change_even_its_own_people(
    runtime: Runtime, world: Client
) -> None:
    member = await join(world)
    async with runtime.database.transaction(world.principal(), now=runtime.clock()) as tx:
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
            await tx.execute("update user_account set name = 'Mine' where id = $1", member.id)
