"""The self-check: silent on a healthy database, and each kind of damage found, with its mend."""

import asyncpg
import pytest

from scm_api.core.embedded import EmbeddedPostgres
from scm_api.core.self_check import self_check
from scm_api.process import Urls
from scm_api.settings import Settings
from tests.scratch import execute, scratch_database


async def findings(
    urls: Urls, settings: Settings | None = None, *, is_embedded: bool = True
) -> list[tuple[str, str, str]]:
    connection = await asyncpg.connect(urls.app)
    try:
        found = await self_check(connection, settings or Settings(), is_embedded=is_embedded)
    finally:
        await connection.close()
    return [(finding.check, finding.what, finding.mend) for finding in found]


async def test_a_healthy_database_has_no_findings(postgres: EmbeddedPostgres) -> None:
    async with scratch_database(postgres) as urls:
        assert await findings(urls) == []


@pytest.mark.parametrize(
    ("damage", "check", "words", "mend"),
    [
        (
            "alter table item disable row level security",
            "row_security",
            "Table item has no row-level security",
            'alter table "item" enable row level security;',
        ),
        (
            "alter table item no force row level security",
            "row_security",
            "Row-level security of table item does not bind its owner",
            'alter table "item" force row level security;',
        ),
        (
            "alter table organization disable row level security",
            "row_security",
            "Table organization has no row-level security",
            'alter table "organization" enable row level security;',
        ),
        (
            "create policy everybody on item using (true)",
            "row_security",
            "A policy of table item does not ask for the organization",
            "Drop that policy; see \\d item.",
        ),
        (
            "create table note (organization_id uuid, id uuid unique);"
            "alter table note enable row level security; alter table note force row level security;"
            "create table remark (organization_id uuid, note_id uuid references note (id));"
            "alter table remark enable row level security;"
            "alter table remark force row level security",
            "foreign_keys",
            "Foreign key remark_note_id_fkey of remark may point at another organization's note",
            "Make it again with (organization_id, ...) references note (organization_id, ...).",
        ),
        (
            "update alembic_version set version_num = '0000'",
            "migrations",
            "The database is at revision 0000",
            "Run `scm-api migrate`.",
        ),
        (
            "grant update on stock_movement to scm_app",
            "append_only",
            "may UPDATE stock_movement",
            "revoke update on stock_movement from scm_app, public;",
        ),
        (
            "grant update (data) on event to scm_app",
            "append_only",
            "may UPDATE event",
            "revoke update on event from scm_app, public;",
        ),
        (
            "grant delete on event to public",
            "append_only",
            "may DELETE event",
            "revoke delete on event from scm_app, public;",
        ),
        (
            "grant update on purchase_order_revision to scm_app",
            "append_only",
            "may UPDATE purchase_order_revision",
            "revoke update on purchase_order_revision from scm_app, public;",
        ),
        (
            "create function peek() returns setof item language sql security definer"
            " as 'select * from item'",
            "definer",
            "Function peek() runs with the rights of",
            "alter function peek() security invoker;",
        ),
        (
            "alter function find_items(text[], text[]) reset search_path",
            "definer",
            "has no fixed search path",
            "alter function find_items(text[],text[]) set search_path = public, pg_temp;",
        ),
        (
            "alter function find_items(text[], text[]) security invoker",
            "definer",
            "does not run with the rights of scm_owner",
            "alter function find_items(text[],text[]) owner to scm_owner; "
            "alter function find_items(text[],text[]) security definer;",
        ),
        (
            "alter function reset_sandbox(uuid) reset search_path",
            "definer",
            "Function reset_sandbox(uuid) has no fixed search path",
            "alter function reset_sandbox(uuid) set search_path = public, pg_temp;",
        ),
    ],
)
async def test_damage_is_found_and_its_mend_is_named(
    postgres: EmbeddedPostgres, damage: str, check: str, words: str, mend: str
) -> None:
    async with scratch_database(postgres) as urls:
        await execute(urls, damage)
        found = await findings(urls)
        assert [(kind, advice) for kind, _, advice in found] == [(check, mend)]
        assert words in found[0][1]


async def test_following_the_mend_heals_the_damage(postgres: EmbeddedPostgres) -> None:
    async with scratch_database(postgres) as urls:
        await execute(urls, "grant update (data) on event to scm_app")
        await execute(urls, "alter table item no force row level security")
        for _, _, mend in await findings(urls):
            await execute(urls, mend)
        assert await findings(urls) == []


async def test_an_empty_database_is_refused(postgres: EmbeddedPostgres) -> None:
    async with scratch_database(postgres, is_migrated=False) as urls:
        assert [kind for kind, _, _ in await findings(urls)] == ["migrations"]


async def test_a_superuser_is_refused(postgres: EmbeddedPostgres) -> None:
    async with scratch_database(postgres) as urls:
        assert urls.admin is not None
        found = await findings(Urls(urls.admin, None))
        assert ("role", "scm_admin is a superuser: row-level security is off.") in [
            finding[:2] for finding in found
        ]


async def test_a_role_past_row_security_or_of_the_owner_is_refused(
    postgres: EmbeddedPostgres,
) -> None:
    async with scratch_database(postgres) as urls:
        await execute(
            urls, "create role strong login bypassrls; grant scm_owner, scm_app to strong"
        )
        try:
            found = await findings(Urls(urls.app.replace("scm_app", "strong"), None))
        finally:
            await execute(urls, "drop role strong")
        said = [what for kind, what, _ in found if kind == "role"]
        assert said == [
            "strong has BYPASSRLS: it sees every organization's rows.",
            "strong is, or may become, the owner of the tables (scm_owner).",
        ]


async def test_an_open_cors_setting_is_refused(postgres: EmbeddedPostgres) -> None:
    async with scratch_database(postgres) as urls:
        for origins in (("*",), ("https://*.example.com",)):
            found = await findings(urls, Settings(cors_origins=origins))
            assert [kind for kind, _, _ in found] == ["cors"]
        assert await findings(urls, Settings(cors_origins=("https://erp.example.com",))) == []


async def test_a_server_of_an_operator_must_be_durable(postgres: EmbeddedPostgres) -> None:
    # The tests' own server is fast because it is not durable: just what must be found.
    async with scratch_database(postgres) as urls:
        found = await findings(urls, is_embedded=False)
        assert [what.split(" ")[0] for _, what, _ in found] == [
            "fsync",
            "full_page_writes",
            "synchronous_commit",
        ]
        assert {kind for kind, _, _ in found} == {"durability"}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (
            {"database_url": "postgresql://scm_app:change-me-app@db/scm"},
            "SCM_DATABASE_URL logs in with a password out of an example.",
        ),
        (
            {"migration_database_url": "postgresql://postgres:postgres@db/scm"},
            "SCM_MIGRATION_DATABASE_URL logs in with a password out of an example.",
        ),
        ({"seal_key": "too short"}, "SCM_SEAL_KEY is too easy to guess"),
        ({"oidc_client_secret": "password"}, "SCM_OIDC_CLIENT_SECRET is too easy to guess"),
    ],
)
async def test_secrets_out_of_examples_are_found(
    postgres: EmbeddedPostgres, urls: Urls, settings: dict[str, str], words: str
) -> None:
    found = await findings(urls, Settings(**settings))
    assert [(check, words in what) for check, what, _ in found] == [("secrets", True)]
    assert all("change-me" not in what and "too short" not in what for _, what, _ in found)


async def test_strong_secrets_are_none_of_its_business(urls: Urls) -> None:
    strong = {"database_url": "postgresql://scm_app:kX8v0T3yQzqW@db/scm", "seal_key": "k" * 44}
    assert await findings(urls, Settings(**strong)) == []
