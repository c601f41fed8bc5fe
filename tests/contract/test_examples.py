"""Every example of the document runs, answers as documented, and can be dry-run and replayed."""

import asyncpg
import pytest

from scm_api.app import bare_app
from scm_api.core.operation_route import OperationRoute
from tests.contract.spec import Operation, assert_documented, operations, writing
from tests.contract.world import digest
from tests.support import Client

# Members of answers that are shown once, and null in a replay.
_SECRETS = {r.unique_id: r.secrets for r in bare_app().routes if isinstance(r, OperationRoute)}

# What even a dry run uses up: the provider gives for its code only once, whoever asks.
_ASKS_OUTSIDE = {"me_link_identity"}


@pytest.mark.parametrize("operation", operations(), ids=str)
async def test_the_example_of_an_operation_answers_as_documented(
    operation: Operation, world: Client
) -> None:
    response = await (await operation.runnable(world)).send(world)
    assert response.status_code in operation.successes, f"{response.status_code} {response.text}"
    assert_documented(operation, response)


@pytest.mark.parametrize("operation", writing(), ids=str)
async def test_a_dry_run_answers_alike_and_leaves_no_trace(
    operation: Operation, world: Client, session_admin: asyncpg.Connection
) -> None:
    call = await operation.runnable(world)
    before = await digest(session_admin, world.organization_id)
    tried = await call.with_(
        query={"dry_run": "true"}, headers={"Idempotency-Key": "only-tried"}
    ).send(world)
    assert tried.headers.get("dry-run") == "true", tried.text
    assert_documented(operation, tried)
    assert await digest(session_admin, world.organization_id) == before
    if operation.id in _ASKS_OUTSIDE:
        call = await operation.runnable(world)
    done = await call.send(world)
    assert done.status_code == tried.status_code


@pytest.mark.parametrize("operation", writing(), ids=str)
async def test_a_replayed_write_gives_the_same_bytes_and_has_one_effect(
    operation: Operation, world: Client, session_admin: asyncpg.Connection
) -> None:
    call = (await operation.runnable(world)).with_(headers={"Idempotency-Key": '"k-1"'})
    first = await call.send(world)
    assert first.is_success, first.text
    assert "idempotent-replayed" not in first.headers
    after = await digest(session_admin, world.organization_id)
    again = await call.with_(headers={"Idempotency-Key": "k-1"}).send(world)
    assert again.status_code == first.status_code
    if secrets := _SECRETS[operation.id]:
        assert any(first.json()[name] for name in secrets)
        assert again.json() == first.json() | dict.fromkeys(secrets)
    else:
        assert again.content == first.content
    assert again.headers["idempotent-replayed"] == "true"
    for name in ("location", "etag", "content-type", "link", "retry-after"):
        assert again.headers.get(name) == first.headers.get(name), name
    assert await digest(session_admin, world.organization_id) == after


@pytest.mark.parametrize("operation", writing(), ids=str)
async def test_a_refused_write_leaves_its_key_free(
    operation: Operation, world: Client, session_admin: asyncpg.Connection
) -> None:
    call = await operation.runnable(world)
    before = await digest(session_admin, world.organization_id)
    headers = {"Idempotency-Key": "k-2", "Content-Type": "text/plain"}
    wrong = call.with_(headers=headers, query={"no_such_parameter": "1"})
    refused = await wrong.send(world)
    assert refused.status_code in (415, 422), refused.text
    assert await digest(session_admin, world.organization_id) == before
    done = await call.with_(headers={"Idempotency-Key": "k-2"}).send(world)
    assert done.is_success, done.text
