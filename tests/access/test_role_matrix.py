"""docs/role-matrix.csv is what the program says, and what it does: every cell is called."""

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
import pytest_asyncio

from scm_api.access.authentication import new_token
from scm_api.access.catalogue import known_permissions
from scm_api.access.matrix import rows, to_csv
from scm_api.access.permissions import EVERYTHING, TEMPLATES
from scm_api.app import bare_app
from scm_api.core.http import PERMISSIONS, operation, router
from scm_api.core.ids import uuid7
from scm_api.core.operation_route import PUBLIC, SELF, OperationRoute
from scm_api.core.redaction import redact
from tests.access.test_keys import member
from tests.contract.spec import Call, Operation, operations
from tests.contract.world import copy
from tests.support import Client

DOCUMENT = Path(__file__).parents[2] / "docs" / "role-matrix.csv"
ROUTES = {r.unique_id: r for r in bare_app().router.routes if isinstance(r, OperationRoute)}
MATRIX = {row["operation"]: row for row in csv.DictReader(DOCUMENT.read_text().splitlines())}
# What is nobody's daily work: the administrator's alone. Of a new permission somebody must decide.
ADMINISTRATOR_ONLY = {
    "api_keys:write",
    "duty_rules:write",
    "metrics:read",
    "organizations:create",
    "organizations:write",
    "receipts:write_without_order",
    "roles:write",
    "sandbox:reset",
    "users:write",
    "warehouses:write",
}
# What is refused for a password, code or token in the body, not for who asks.
ABOUT_PROOFS = {
    SELF: {"proof_failed"},
    PUBLIC: {"login_failed", "login_throttled", "unauthenticated"},
}
# Templates grant these already; the operations that need them come with their rooms.
YET_TO_COME = {"invoices:read", "invoices:write"}


def test_the_document_is_what_the_program_says() -> None:
    text = to_csv(rows(bare_app().router.routes))
    assert DOCUMENT.read_text(encoding="utf-8") == text, "run: python scripts/role_matrix.py"


def test_every_operation_and_every_template_has_its_cell() -> None:
    assert MATRIX.keys() == {op.id for op in operations()}
    for row in MATRIX.values():
        assert {row[code] for code in TEMPLATES} <= {"yes", "no", "hidden costs"}


# Their examples begin at an identity provider, which is not there; who may call is told anyway.
AT_A_PROVIDER = {"me_link_identity", "me_unlink_identities", "sessions_create_oidc"}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def company(session_admin: asyncpg.Connection, template: Client) -> Client:
    """The example world, called with every permission; every write here is only tried."""
    return await copy(session_admin, template)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def callers(session_admin: asyncpg.Connection, company: Client) -> dict[str, Client]:
    """A person of each template role, logged in."""
    return {code: await _log_in(session_admin, company, code) for code in TEMPLATES}


async def _log_in(admin: asyncpg.Connection, api: Client, role: str) -> Client:
    user_id, _ = await member(admin, api, role)
    session_id, token = uuid7(), new_token("scm_at")
    await admin.execute(
        """
        insert into user_session (id, user_id, method, expires_at)
        values ($1, $2, 'password', now() + interval '1 hour')
        """,
        session_id,
        user_id,
    )
    await admin.execute(
        """
        insert into session_token (public, session_id, kind, secret_sha256, expires_at)
        values ($1, $2, 'access', $3, now() + interval '1 hour')
        """,
        token.public,
        session_id,
        token.digest,
    )
    return replace(api, token=token.text)


@pytest.mark.parametrize("op", operations(), ids=str)
async def test_every_role_may_exactly_what_its_cell_says(
    op: Operation, company: Client, callers: dict[str, Client]
) -> None:
    call = op.example() if op.id in AT_A_PROVIDER else await op.runnable(company)
    if op.writes:
        call = call.with_(query={"dry_run": "true"})
    for code, caller in callers.items():
        await _check(op, call, MATRIX[op.id][code], await call.send(caller))


async def _check(op: Operation, call: Call, cell: str, response: httpx.Response) -> None:
    told = f"{call.method} {call.url}: {cell}, {response.status_code} {response.text[:300]}"
    if cell == "no":
        assert response.status_code == 403, told
        assert response.json()["code"] == "permission_denied", told
        assert response.json()["required_permission"] == op.permission
        return
    assert response.status_code < 500, told
    needed = response.json().get("required_permission") if response.status_code == 403 else None
    if needed in op.spec.get("x-additional-permissions", ()):
        return  # What this very example needs besides, as the operation says.
    if response.status_code in (401, 403, 429):
        assert response.json()["code"] in ABOUT_PROOFS.get(op.permission, ()), told
    if response.is_success and response.content:
        shown, costs = response.json(), ROUTES[op.id].costs
        is_hidden = shown == json.loads(redact(response.content, costs))
        assert is_hidden or cell == "yes", told


@pytest.mark.parametrize("op", [o for o in operations() if o.method == "get"], ids=str)
async def test_who_may_see_costs_sees_them(
    op: Operation, company: Client, callers: dict[str, Client]
) -> None:
    costs = ROUTES[op.id].costs
    call = await op.runnable(company)
    told = await call.send(company)
    if not costs or not _tells_costs(told, costs):
        return
    for code, caller in callers.items():
        if MATRIX[op.id][code] == "yes":
            assert _tells_costs(await call.send(caller), costs), code


def _tells_costs(response: httpx.Response, costs: Any) -> bool:
    return bool(response.json() != json.loads(redact(response.content, costs)))


def test_a_permission_of_the_administrator_alone_is_known_as_such() -> None:
    named = {p for t in TEMPLATES.values() for p in t.permissions} - {EVERYTHING}
    assert known_permissions() - named == ADMINISTRATOR_ONLY


def test_what_templates_grant_some_operation_needs() -> None:
    named = {p for t in TEMPLATES.values() for p in t.permissions} - {EVERYTHING, "costs:read"}
    assert named - PERMISSIONS == YET_TO_COME


def test_a_route_without_a_declared_permission_stops_the_start_up() -> None:
    made = router("things")

    async def undeclared() -> None:
        """Nobody said who may do this."""

    with pytest.raises(TypeError, match="declare operation"):
        made.get("/forgotten")(undeclared)
    made.get("/declared", **operation("problems:read"))(undeclared)
    assert [route.path for route in made.routes] == ["/v1/things/declared"]


def test_every_route_of_the_application_is_an_operation_or_known_not_to_be() -> None:
    paths = {r.path for r in bare_app().router.routes if not isinstance(r, OperationRoute)}
    assert not {path for path in paths if path.startswith("/v1")}
