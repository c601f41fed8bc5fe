"""The access log: nothing that was refused is lost, and guessing costs the guesser."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest

from scm_api.access import access_log
from scm_api.access.access_kinds import KINDS
from scm_api.access.models import AccessLog
from scm_api.app import create_app
from scm_api.core.budgets import Budgets
from scm_api.core.runtime import Credentials, Runtime
from tests.support import Client, new_client

UNKNOWN = f"scm_live_{'a' * 16}_{'A' * 43}"


async def counts(admin: asyncpg.Connection, address: str) -> list[tuple[str, int]]:
    rows = await admin.fetch(
        "select kind, count from access_log where address = $1 order by id", address
    )
    return [(row["kind"], row["count"]) for row in rows]


@asynccontextmanager
async def calling(runtime: Runtime, address: str, **settings: Any) -> AsyncIterator[Client]:
    """A key of a new organization, at an address, in a process of its own."""
    its = replace(runtime, settings=runtime.settings.model_copy(update=settings), budgets=Budgets())
    transport = httpx.ASGITransport(create_app(its), client=(address, 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
        yield await new_client(its, http)


def with_token(api: Client, token: str) -> Client:
    return replace(api, token=token)


async def test_counts_are_written_when_the_minute_is_over_and_at_the_end(
    runtime: Runtime, admin: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1_000_000.0
    monkeypatch.setattr(access_log.time, "monotonic", lambda: now)
    first, second = (Credentials("x", address=f"address {uuid4()}") for _ in range(2))
    for _ in range(5):
        await access_log.note(runtime, "key_unknown", first)
    assert await counts(admin, str(first.address)) == [("key_unknown", 1)]
    now += 61
    await access_log.note(runtime, "token_malformed", second)
    assert await counts(admin, str(first.address)) == [("key_unknown", 1), ("key_unknown", 4)]
    await access_log.note(runtime, "token_malformed", second)
    await access_log.flush(runtime)
    await access_log.flush(runtime)
    found = await counts(admin, str(second.address))
    assert found == [("token_malformed", 1), ("token_malformed", 1)]


async def test_the_application_writes_its_counts_when_it_ends(
    runtime: Runtime, admin: asyncpg.Connection
) -> None:
    written = []

    class Kept:
        """The run's database, which goes on after the application has ended."""

        system = staticmethod(runtime.database.system)

        async def dispose(self) -> None:
            written.extend(await counts(admin, str(someone.address)))

    someone = Credentials("x", address=f"address {uuid4()}")
    app = create_app(replace(runtime, database=Kept()))  # type: ignore[arg-type]
    async with app.router.lifespan_context(app):
        for _ in range(3):
            await access_log.note(runtime, "key_unknown", someone)
    assert written == [("key_unknown", 1), ("key_unknown", 2)]


async def test_who_guesses_beyond_the_budget_of_his_address_costs_no_statement(
    runtime: Runtime, admin: asyncpg.Connection
) -> None:
    address = "203.0.113.77"
    await admin.execute("delete from access_log where address = $1", address)
    settings = {"rate_limit_address_per_minute": 3, "key_cache_seconds": 0}
    async with calling(runtime, address, **settings) as api:
        assert (await api.get("/v1/items")).status_code == 200
        guesses = [with_token(api, f"{UNKNOWN[:-1]}{n}") for n in range(6)]
        answers = [(await guess.get("/v1/items")).status_code for guess in guesses]
        assert answers == [401, 401, 401, 429, 429, 429]
        async with api.counted() as statements:
            refused = await with_token(api, f"{UNKNOWN}z").get("/v1/items")
            oversized = await with_token(api, "A" * 9_000).get("/v1/items")
        assert (refused.status_code, oversized.status_code, statements) == (429, 429, [])
        assert refused.json()["violated-policies"] == ["address"]
        # Whoever has a key that was accepted before is not kept out by a neighbour's guesses.
        assert (await api.get("/v1/items")).status_code == 200
    await access_log.flush(runtime)
    found = await counts(admin, address)
    assert found == [("key_unknown", 1), ("address_limited", 1), *found[2:]]
    assert sorted(found[2:]) == [("address_limited", 4), ("key_unknown", 2)]


async def test_a_revoked_key_is_no_proof_any_more(runtime: Runtime) -> None:
    settings = {"rate_limit_address_per_minute": 1, "key_cache_seconds": 0}
    async with calling(runtime, "203.0.113.78", **settings) as api:
        made = await api.ok("POST", "/v1/api-keys", json={"name": "k", "roles": ["buyer"]})
        other = with_token(api, made["token"])
        assert (await other.get("/v1/items")).status_code == 200
        await api.ok("POST", f"/v1/api-keys/{made['id']}/revoke")
        answers = [(await other.get("/v1/items")).status_code for _ in range(3)]
    assert answers == [401, 429, 429]


async def test_no_address_is_limited_where_the_limit_is_off(runtime: Runtime) -> None:
    settings = {"rate_limit_address_per_minute": 0}
    async with calling(runtime, "203.0.113.79", **settings) as api:
        answers = {(await with_token(api, UNKNOWN).get("/v1/items")).status_code for _ in range(9)}
    assert answers == {401}


def test_every_kind_fits_its_column_and_is_explained_in_a_sentence() -> None:
    longest = AccessLog.__table__.c.kind.type.length
    assert longest is not None
    assert all(len(kind) <= longest for kind in KINDS)
    assert all(words[0].isupper() and words.endswith(".") for words in KINDS.values())
