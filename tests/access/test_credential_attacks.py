"""Every credential that does not count gets the very answer of a missing one; why it does not count
stands in the access log alone."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest
import pytest_asyncio

from scm_api.access import service as access
from scm_api.access.authentication import digest, new_token
from scm_api.app import create_app
from scm_api.core.ids import uuid7
from scm_api.core.runtime import Runtime
from scm_api.core.tx import ANONYMOUS
from scm_api.users import sessions

PATHS = ("/v1/warehouses", "/v1/me/identities")


@dataclass
class Attacker:
    """Calls from an address of its own, and knows the database to prepare its victims."""

    runtime: Runtime
    http: httpx.AsyncClient
    address: str

    async def send(self, path: str, authorization: str | bytes | None) -> httpx.Response:
        """Read a path with an Authorization header as it is given."""
        headers: list[tuple[bytes, bytes]] = [(b"x-request-id", b"one-request")]
        if authorization is not None:
            raw = authorization.encode() if isinstance(authorization, str) else authorization
            headers.append((b"authorization", raw))
        return await self.http.get(path, headers=headers)

    async def log(self) -> list[str]:
        """What the access log says of this address, in order, logins aside."""
        async with self.runtime.database.system() as driver:
            rows = await driver.fetch(
                "select kind from access_log "
                "where address = $1 and kind <> 'login_succeeded' order by id",
                self.address,
            )
        return [row["kind"] for row in rows]

    async def key(self, *, is_sandbox: bool = False, change: str = "") -> str:
        """A good key in an organization of its own, then changed by SQL."""
        async with self.runtime.database.system() as driver:
            organization_id = await access.create_organization(
                driver,
                code=f"org-{uuid4().hex[:12]}",
                name="Test company",
                base_currency="CNY",
                is_sandbox=is_sandbox,
            )
            key = await access.create_key(driver, organization_id, name="victim")
            if change:
                await driver.execute(f"update api_key set {change} where id = $1", key.id)
        return key.token

    async def rotated(self, ends: str) -> tuple[str, str]:
        """A key's token before and after a rotation whose overlap ends then."""
        old, new = await self.key(), new_token("scm_live")
        _, _, public, secret = old.split("_", 3)
        async with self.runtime.database.system() as driver:
            await driver.execute(
                f"""
                update api_key set secret_sha256 = $2, previous_sha256 = $3, rotated_at = now(),
                       previous_expires_at = now() + interval '{ends}'
                where public = $1
                """,
                public,
                new.digest,
                digest(secret),
            )
        return old, f"scm_live_{public}_{new.text.split('_', 3)[3]}"

    async def session(self, change: Callable[[asyncpg.Connection, UUID], Awaitable[Any]]) -> Any:
        """The tokens of a member's session, then changed."""
        user_id = uuid7()
        async with self.runtime.database.system() as driver:
            organization_id = await access.create_organization(
                driver, code=f"org-{uuid4().hex[:12]}", name="Test", base_currency="CNY"
            )
            await driver.execute(
                "insert into user_account (id, email, name) values ($1, $2, 'Li Wei')",
                user_id,
                f"{user_id}@example.com",
            )
            await driver.execute(
                "insert into membership (organization_id, id, user_id, status, roles, joined_at) "
                "values ($1, $2, $3, 'active', '{admin}', now())",
                organization_id,
                uuid7(),
                user_id,
            )
        clock = self.runtime.clock
        async with self.runtime.database.transaction(ANONYMOUS, now=clock(), is_system=True) as tx:
            tokens = await sessions.start(tx, user_id, method="password", address=self.address)
            await tx.execute("commit")
        async with self.runtime.database.system() as driver:
            await change(driver, user_id)
        return tokens


@pytest_asyncio.fixture(loop_scope="session")
async def attacker(runtime: Runtime) -> AsyncIterator[Attacker]:
    """Somebody at an address nobody called from yet."""
    made = {"rate_limit_address_per_minute": 0, "key_cache_seconds": 0}
    its = replace(runtime, settings=runtime.settings.model_copy(update=made))
    address = str(uuid4())
    transport = httpx.ASGITransport(
        create_app(its), raise_app_exceptions=False, client=(address, 1)
    )
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
        yield Attacker(its, http, address)


async def _refused(attacker: Attacker, authorization: str | bytes, kind: str) -> None:
    for path in PATHS:
        nothing = await attacker.send(path, None)
        refused = await attacker.send(path, authorization)
        assert nothing.status_code == 401
        assert (refused.status_code, refused.content) == (401, nothing.content)
        assert dict(refused.headers) == dict(nothing.headers)
    # The second refusal within the minute is only counted.
    assert await attacker.log() == [kind]


def _parts(token: str) -> tuple[str, str, str]:
    head, kind, public, secret = token.split("_", 3)
    return f"{head}_{kind}", public, secret


Spoil = Callable[[str], str | bytes]
SPOILED: dict[str, tuple[str, Spoil]] = {
    "unknown public part": ("key_unknown", lambda t: f"scm_live_{'a' * 16}_{_parts(t)[2]}"),
    "wrong secret": ("key_secret_wrong", lambda t: f"scm_live_{_parts(t)[1]}_{'A' * 43}"),
    "no secret": ("key_secret_wrong", lambda t: f"scm_live_{_parts(t)[1]}_"),
    "the digest as secret": (
        "key_secret_wrong",
        lambda t: f"scm_live_{_parts(t)[1]}_{digest(_parts(t)[2]).hex()}",
    ),
    "truncated": ("key_secret_wrong", lambda t: t[:-1]),
    "without its secret": ("token_malformed", lambda t: t.rpartition("_" + _parts(t)[2])[0]),
    "a character more": ("key_secret_wrong", lambda t: t + "A"),
    "a space more": ("key_secret_wrong", lambda t: t + " x"),
    "two spaces before": ("token_malformed", lambda t: " " + t),
    "in quotes": ("token_malformed", lambda t: f'"{t}"'),
    "public part in capitals": (
        "key_unknown",
        lambda t: f"scm_live_{_parts(t)[1].upper()}_{_parts(t)[2]}",
    ),
    "secret in the other case": (
        "key_secret_wrong",
        lambda t: f"scm_live_{_parts(t)[1]}_{_parts(t)[2].swapcase()}",
    ),
    "prefix in capitals": ("token_malformed", str.upper),
    "a prefix of nobody": ("token_malformed", lambda t: t.replace("scm_live", "scm_root")),
    "letters that look alike": ("token_malformed", lambda t: t.replace("c", "\u0441", 1)),
    "full-width letters": ("token_malformed", lambda t: t.replace("s", "\uff53", 1)),
    "no UTF-8": ("token_malformed", lambda t: t.encode() + b"\xff\xfe"),
    "a zero-width space": ("token_malformed", lambda t: t + "\u200b"),
    "NUL at the end": ("token_malformed", lambda t: t.encode() + b"\0"),
    "NUL in the public part": (
        "token_malformed",
        lambda t: t.replace(_parts(t)[1], _parts(t)[1] + "\0").encode(),
    ),
    "SQL in the public part": ("key_unknown", lambda t: f"scm_live_' or true --_{_parts(t)[2]}"),
    "a pattern as public part": ("key_unknown", lambda t: f"scm_live_%_{_parts(t)[2]}"),
    "a key of tests in a live organization": (
        "key_of_other_kind",
        lambda t: t.replace("scm_live", "scm_test"),
    ),
    "a key as an access token": ("session_unknown", lambda t: t.replace("scm_live", "scm_at")),
    "100 kB": ("token_malformed", lambda t: t + "A" * 100_000),
    "1 kB": ("token_malformed", lambda t: t + "A" * 1_000),
    "nothing": ("token_malformed", lambda _: ""),
}


@pytest.mark.parametrize(("kind", "spoil"), SPOILED.values(), ids=SPOILED)
async def test_a_spoiled_key_is_no_key(attacker: Attacker, kind: str, spoil: Spoil) -> None:
    token = await attacker.key()
    spoiled = spoil(token)
    raw = spoiled.encode() if isinstance(spoiled, str) else spoiled
    sent = b"Bearer " + raw
    await _refused(attacker, sent, kind)
    assert (await attacker.send(PATHS[0], f"Bearer {token}")).status_code == 200


@pytest.mark.parametrize("scheme", ["Basic ", "Token ", "Bearer\t", "", "ApiKey "])
async def test_a_key_counts_as_a_bearer_token_only(attacker: Attacker, scheme: str) -> None:
    await _refused(attacker, scheme + await attacker.key(), "token_malformed")


@pytest.mark.parametrize(
    ("change", "is_sandbox", "kind"),
    [
        ("expires_at = now() - interval '1 s'", False, "key_expired"),
        ("revoked_at = now()", False, "key_revoked"),
        ("is_test = true", False, "key_of_other_kind"),
        ("is_test = false", True, "key_of_other_kind"),
    ],
)
async def test_a_key_that_has_ended_or_belongs_elsewhere_is_refused(
    attacker: Attacker, change: str, is_sandbox: bool, kind: str
) -> None:
    token = await attacker.key(is_sandbox=is_sandbox, change=change)
    await _refused(attacker, f"Bearer {token}", kind)


async def test_a_key_of_tests_in_live_clothes_is_refused(attacker: Attacker) -> None:
    token = await attacker.key(is_sandbox=True)
    assert token.startswith("scm_test_")
    assert (await attacker.send(PATHS[0], f"Bearer {token}")).status_code == 200
    live = token.replace("scm_test", "scm_live")
    await _refused(attacker, f"Bearer {live}", "key_of_other_kind")


async def test_a_live_key_and_a_sandbox_that_was_made_live_do_not_go_together(
    attacker: Attacker,
) -> None:
    token = await attacker.key(is_sandbox=True, change="is_test = false")
    live = token.replace("scm_test", "scm_live")
    await _refused(attacker, f"Bearer {live}", "key_of_other_kind")


async def test_a_secret_that_was_rotated_away_ends_with_its_overlap(attacker: Attacker) -> None:
    old, new = await attacker.rotated("1 min")
    for token in (old, new):
        assert (await attacker.send(PATHS[0], f"Bearer {token}")).status_code == 200
    old, new = await attacker.rotated("-1 s")
    assert (await attacker.send(PATHS[0], f"Bearer {new}")).status_code == 200
    await _refused(attacker, f"Bearer {old}", "key_rotated_away")


async def _nothing(_: asyncpg.Connection, __: UUID) -> None:
    """The session stays as it is."""


def _update(sql: str) -> Callable[[asyncpg.Connection, UUID], Awaitable[Any]]:
    return lambda driver, user_id: driver.execute(sql, user_id)


OF_SESSION = "session_id in (select id from user_session where user_id = $1)"
SESSIONS = {
    "session_revoked": "update user_session set revoked_at = now(), revoked_why = 'logged_out' "
    "where user_id = $1",
    "session_expired": f"update session_token set expires_at = now() where {OF_SESSION}",
    "person_inactive": "update user_account set is_active = false where id = $1",
    "session_unknown": f"delete from session_token where {OF_SESSION}",
}


@pytest.mark.parametrize(("kind", "sql"), SESSIONS.items(), ids=SESSIONS)
async def test_an_access_token_ends_with_its_session_and_its_person(
    attacker: Attacker, kind: str, sql: str
) -> None:
    tokens = await attacker.session(_update(sql))
    await _refused(attacker, f"Bearer {tokens.access_token}", kind)


async def test_a_session_ends_for_all_its_tokens(attacker: Attacker) -> None:
    sql = "update user_session set expires_at = now() where user_id = $1"
    tokens = await attacker.session(_update(sql))
    await _refused(attacker, f"Bearer {tokens.access_token}", "session_expired")


@pytest.mark.parametrize(
    ("kind", "name", "swap"),
    [
        ("token_malformed", "refresh_token", ("", "")),
        ("session_unknown", "refresh_token", ("scm_rt", "scm_at")),
        ("key_unknown", "access_token", ("scm_at", "scm_live")),
        ("key_unknown", "refresh_token", ("scm_rt", "scm_test")),
    ],
)
async def test_a_token_of_a_session_counts_as_what_it_is_only(
    attacker: Attacker, kind: str, name: str, swap: tuple[str, str]
) -> None:
    tokens = await attacker.session(_nothing)
    assert (await attacker.send(PATHS[0], f"Bearer {tokens.access_token}")).status_code == 200
    await _refused(attacker, f"Bearer {getattr(tokens, name).replace(*swap)}", kind)


async def test_no_part_of_a_secret_stands_in_the_access_log(
    attacker: Attacker, admin: asyncpg.Connection
) -> None:
    secret = _parts(await attacker.key())[2]
    await attacker.send(PATHS[0], f"Bearer scm_live_{'b' * 16}_{secret}")
    rows = await admin.fetch(
        "select l::text from access_log l where address = $1", attacker.address
    )
    assert len(rows) == 1
    assert secret not in str(rows)
    assert "b" * 16 not in str(rows)
