"""No secret of a person is anywhere but where he keeps it: not in a table, not in a log."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
import structlog

from scm_api.core.db import Base
from scm_api.users import jobs
from tests.support import Client
from tests.users.people import Person, code, from_address, invite, join, new_email


async def _found_in(admin: asyncpg.Connection, secret: str) -> list[str]:
    """The tables that have a text in some row, be it in bytes."""
    found = []
    for table in Base.metadata.sorted_tables:
        rows = await admin.fetchval(
            f"select count(*) from {table.name} t where position($1 in t::text) > 0 "
            "or position(encode(convert_to($1, 'UTF8'), 'hex') in t::text) > 0",
            secret,
        )
        found += [table.name] * bool(rows)
    return found


@pytest.fixture
def lines() -> Iterator[list[Any]]:
    """Everything that is logged meanwhile, as it was before secrets are blanked."""
    configured = structlog.get_config()["wrapper_class"]
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(0))
    try:
        with structlog.testing.capture_logs() as captured:
            yield captured
    finally:
        structlog.configure(wrapper_class=configured)


async def test_no_secret_is_stored_or_logged(
    api: Client, admin: asyncpg.Connection, lines: list[Any]
) -> None:
    keyed = {"Idempotency-Key": f"k-{uuid4()}"}
    password, changed = "a phrase nobody has 1", "a phrase nobody has 2"
    email = new_email()
    body = {"email": email, "name": "Li Wei", "roles": ["buyer"]}
    invited = (await api.post("/v1/users", body, headers=keyed)).json()
    person = Person(from_address(api.http), email, invited["id"], password)
    accept = {"token": invited["invitation_token"], "password": password}
    assert (await person.http.post("/v1/invitations/accept", json=accept)).status_code == 200
    assert (await person.log_in()).status_code == 201
    tokens = person.tokens
    await person.log_in(device_token="scm_dv_x_not-one-of-ours")
    again = await api.ok("POST", "/v1/users", json=body | {"email": new_email()})
    reset = await api.ok("POST", f"/v1/users/{person.id}/password-reset", headers=keyed)
    totp = await person.ok("POST", "/v1/me/totp", {"password": password}, headers=keyed)
    change = {"old_password": password, "new_password": changed}
    await person.ok("POST", "/v1/me/password", change, headers=keyed)
    person.password = "a phrase nobody has 3"
    assert code(await person.log_in()) == (401, "login_failed")
    secrets = [
        password,
        changed,
        person.password,
        invited["invitation_token"].rsplit("_", 1)[1],
        again["invitation_token"].rsplit("_", 1)[1],
        reset["reset_token"].rsplit("_", 1)[1],
        *(tokens[n].split("_", 3)[3] for n in ("access_token", "refresh_token", "device_token")),
        "not-one-of-ours",
    ]
    for secret in secrets:
        assert await _found_in(admin, secret) == []
        assert secret not in str(lines)
    assert lines
    # A code cannot be checked without the secret: it lies with the credentials, and only there.
    assert await _found_in(admin, totp["secret"]) == ["user_credential"]
    assert totp["secret"] not in str(lines)


async def test_a_replay_shows_no_secret_again_and_keeps_no_digest_of_a_password(
    api: Client, admin: asyncpg.Connection
) -> None:
    keyed = {"Idempotency-Key": f"k-{uuid4()}"}
    body = {"email": new_email(), "name": "Li Wei", "roles": ["buyer"]}
    first = await api.post("/v1/users", body, headers=keyed)
    again = await api.post("/v1/users", body, headers=keyed)
    assert again.headers["idempotent-replayed"] == "true"
    assert first.json()["invitation_token"]
    assert (again.json()["invitation_token"], again.json()["id"]) == (None, first.json()["id"])
    prints = []
    for number in range(2):
        person = await join(api)
        change = {"old_password": person.password, "new_password": f"a new phrase {number}"}
        await person.ok("POST", "/v1/me/password", change, headers=keyed)
        prints.append(
            await admin.fetchval(
                "select fingerprint from idempotency_key where principal_id = $1", person.id
            )
        )
    assert prints[0] == prints[1]


async def test_what_has_expired_is_purged_and_nothing_else(
    api: Client, admin: asyncpg.Connection
) -> None:
    person, other = await join(api), await join(api)
    await invite(api, new_email())
    await from_address(api.http).post(
        "/v1/sessions", json={"email": person.email, "password": "not the password"}
    )
    ages = (
        "update session_token set expires_at = now() - interval '2 days' where session_id = $1",
        "update user_session set expires_at = now() - interval '91 days' where id = $1",
    )
    for age in ages:
        await admin.execute(age, person.tokens["session_id"])
    await admin.execute(
        "update one_time_link set expires_at = now() - interval '31 days' where user_id = $1",
        person.id,
    )
    await admin.execute(
        "update known_device set last_used_at = now() - interval '181 days' where user_id = $1",
        person.id,
    )
    await admin.execute("update login_throttle set last_at = now() - interval '2 days'")
    await jobs.purge(api.runtime)
    for table in ("user_session", "known_device", "one_time_link"):
        counts = [
            await admin.fetchval(f"select count(*) from {table} where user_id = $1", one.id)
            for one in (person, other)
        ]
        assert counts == [0, 1], table
    assert await admin.fetchval("select count(*) from login_throttle") == 0
    assert (await other.call("GET", "/v1/me")).status_code == 200
