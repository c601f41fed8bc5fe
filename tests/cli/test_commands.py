"""The commands of `scm-api`, on databases of an operator's own kind."""

import asyncio
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
from typer.testing import CliRunner, Result

from scm_api.access.errors import DutyConflict, KeyRevoked
from scm_api.cli import app, main
from scm_api.core.backup import BackupError
from scm_api.core.embedded import EmbeddedPostgres
from scm_api.core.errors import Duplicate, Invalid, NotFound
from scm_api.core.migrate import head_revision
from scm_api.process import Urls
from scm_api.settings import settings
from scm_api.users.errors import AlreadyMember
from tests.scratch import execute, scratch_database


def use(monkeypatch: pytest.MonkeyPatch, urls: Urls, *, is_admin: bool = True) -> None:
    """Let commands find a database by their environment, as an operator would."""
    monkeypatch.setenv("SCM_DATABASE_URL", urls.app)
    monkeypatch.setenv("SCM_MIGRATION_DATABASE_URL", urls.admin if is_admin else "")
    settings.cache_clear()


@pytest.fixture
def scratch(postgres: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch) -> Iterator[Urls]:
    """A migrated database, named by the environment."""
    with asyncio.Runner() as runner:
        context = scratch_database(postgres)
        urls = runner.run(context.__aenter__())
        use(monkeypatch, urls)
        yield urls
        runner.run(context.__aexit__(None, None, None))
    monkeypatch.undo()
    settings.cache_clear()


def command(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def succeeds(*arguments: str) -> str:
    result = command(*arguments)
    assert result.exit_code == 0, (result.output, result.exception)
    return result.output


def fetch(urls: Urls, sql: str) -> list[asyncpg.Record]:
    async def run() -> list[asyncpg.Record]:
        connection = await asyncpg.connect(urls.admin)
        try:
            rows: list[asyncpg.Record] = await connection.fetch(sql)
            return rows
        finally:
            await connection.close()

    return asyncio.run(run())


def damage(urls: Urls, sql: str) -> None:
    asyncio.run(execute(urls, sql))


def test_a_key_is_made_listed_and_revoked(scratch: Urls) -> None:
    succeeds("organizations", "create", "acme", "--currency", "EUR", "--time-zone", "Europe/Rome")
    assert "acme" in succeeds("organizations", "list")
    said = succeeds("keys", "create", "-o", "acme", "--permission", "items:read", "--days", "30")
    (row,) = fetch(scratch, "select *, expires_at - created_at as life from api_key")
    assert (row["permissions"], row["life"].days) == (["items:read"], 29)
    assert f"scm_live_{row['public']}_" in said
    listed = succeeds("keys", "list", "--organization", "acme")
    assert str(row["id"]) in listed
    assert "scm_live" not in listed
    succeeds("keys", "revoke", str(row["id"]))
    (row,) = fetch(scratch, "select revoked_at from api_key")
    assert row["revoked_at"] is not None


def test_the_first_administrator_is_invited_by_a_link_that_is_kept_as_a_digest(
    scratch: Urls,
) -> None:
    succeeds("organizations", "create", "acme")
    invite = ("users", "create", "-o", "acme", "--email", "Boss@example.com")
    token = succeeds(*invite).split()[-1]
    (row,) = fetch(
        scratch,
        "select u.email, m.status, m.roles, l.kind, l.secret_sha256 from user_account u "
        "join membership m on m.user_id = u.id join one_time_link l on l.user_id = u.id",
    )
    assert row["email"] == "boss@example.com"
    assert (row["status"], row["roles"], row["kind"]) == ("invited", ["admin"], "invitation")
    assert token.startswith("scm_in_")
    assert hashlib.sha256(token.split("_", 3)[3].encode()).digest() == row["secret_sha256"]
    assert isinstance(command(*invite).exception, AlreadyMember)
    assert isinstance(command(*invite[:-1], "no address").exception, Invalid)
    assert isinstance(command(*invite, "--role", "wizard").exception, NotFound)


def test_the_first_administrator_gets_no_role_that_breaks_a_duty(scratch: Urls) -> None:
    succeeds("organizations", "create", "acme")
    damage(
        scratch,
        "insert into role (organization_id, id, code, name, permissions) select id, "
        "gen_random_uuid(), 'Both', 'Both', '{receipts:write,invoices:write}' from organization",
    )
    invite = ("users", "create", "-o", "acme", "--email", "boss@example.com", "--role")
    assert isinstance(command(*invite, "both").exception, DutyConflict)
    assert fetch(scratch, "select from user_account") == []
    succeeds(*invite, "warehouse")


def test_somebody_locked_out_gets_a_link_that_is_kept_as_a_digest(scratch: Urls) -> None:
    succeeds("organizations", "create", "acme")
    succeeds("users", "create", "-o", "acme", "--email", "boss@example.com")
    token = succeeds("users", "reset", "--email", "Boss@example.com").split()[-1]
    sql = (
        "select for_organization_id, secret_sha256 from one_time_link where kind = 'password_reset'"
    )
    (row,) = fetch(scratch, sql)
    assert token.startswith("scm_pr_")
    assert hashlib.sha256(token.split("_", 3)[3].encode()).digest() == row["secret_sha256"]
    assert row["for_organization_id"] is None
    damage(
        scratch,
        "insert into user_credential (user_id, totp_secret, totp_confirmed_at) "
        "select id, 'JBSWY3DPEHPK3PXP', now() from user_account",
    )
    succeeds("users", "reset", "--email", "boss@example.com", "--remove-totp")
    (row,) = fetch(scratch, "select totp_secret, totp_confirmed_at from user_credential")
    assert tuple(row) == (None, None)
    kinds = [row["kind"] for row in fetch(scratch, "select kind from access_log order by id")]
    assert kinds == ["password_reset_offered", "totp_removed", "password_reset_offered"]
    refused = command("users", "reset", "--email", "nobody@example.com")
    assert isinstance(refused.exception, NotFound)


def test_a_key_is_made_of_roles_for_a_warehouse_and_rotated(scratch: Urls) -> None:
    succeeds("organizations", "create", "acme")
    damage(
        scratch,
        "insert into warehouse (organization_id, id, code, name, time_zone) "
        "select id, gen_random_uuid(), 'WH-1', 'One', 'UTC' from organization",
    )
    of_buyer = ("keys", "create", "-o", "acme", "--role", "Buyer")
    first = succeeds(*of_buyer, "--warehouse", "wh-1").split()[-1]
    sql = "select k.*, w.id as warehouse_id from api_key k, warehouse w"
    (row,) = fetch(scratch, sql)
    assert (row["roles"], row["permissions"]) == (["buyer"], [])
    assert row["warehouse_ids"] == [row["warehouse_id"]]
    assert "buyer" in succeeds("keys", "list", "-o", "acme")
    second = succeeds("keys", "rotate", str(row["id"]), "--overlap-hours", "2").split()[-1]
    assert second != first
    assert second[:25] == first[:25] == f"scm_live_{row['public']}"
    (after,) = fetch(scratch, sql)
    assert after["previous_sha256"] == row["secret_sha256"] != after["secret_sha256"]
    succeeds("keys", "rotate", str(row["id"]))
    (after,) = fetch(scratch, sql)
    assert after["previous_sha256"] is None
    for unknown in (("--role", "emperor"), ("--warehouse", "WH-9"), ("--permission", "a:b")):
        assert isinstance(command(*of_buyer, *unknown).exception, NotFound), unknown
    succeeds("keys", "revoke", str(row["id"]))
    assert isinstance(command("keys", "rotate", str(row["id"])).exception, KeyRevoked)


def test_sandboxes_and_groups_are_made_and_listed(scratch: Urls) -> None:
    succeeds("organizations", "create", "acme", "--group", "holding")
    succeeds("organizations", "create", "trial", "--sandbox")
    succeeds("organizations", "group", "trial", "HOLDING", "--name", "The Holding")
    rows = fetch(
        scratch,
        "select o.code, o.is_sandbox, g.code as in_group, g.name from organization o "
        "join organization_group g on g.id = o.group_id order by o.code",
    )
    assert [tuple(row.values()) for row in rows] == [
        ("acme", False, "holding", "The Holding"),
        ("trial", True, "holding", "The Holding"),
    ]
    listed = succeeds("organizations", "list")
    assert listed.count("holding") == 2
    assert listed.count("yes") == 1
    assert "scm_test_" in succeeds("keys", "create", "-o", "trial")
    assert isinstance(command("organizations", "group", "nobody", "x").exception, NotFound)


def test_what_is_there_twice_or_not_at_all_is_refused(scratch: Urls) -> None:
    succeeds("organizations", "create", "acme")
    assert isinstance(command("organizations", "create", "ACME").exception, Duplicate)
    assert isinstance(command("keys", "create", "-o", "nobody").exception, NotFound)
    assert isinstance(command("keys", "revoke", str(uuid4())).exception, NotFound)


def test_a_mistake_is_answered_in_one_line(
    scratch: Urls, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["scm-api", "keys", "create", "-o", "nobody"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n")) == ("", 1)
    assert "nobody" in said.err


def test_migrate_makes_roles_and_schema_in_an_operators_database(
    postgres: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    with asyncio.Runner() as runner:
        context = scratch_database(postgres, is_migrated=False)
        urls = runner.run(context.__aenter__())
        use(monkeypatch, urls, is_admin=False)
        assert command("migrate").exit_code == 1
        use(monkeypatch, urls)
        for _ in range(2):  # the second finds nothing to do
            succeeds("migrate")
        (row,) = fetch(urls, "select version_num from alembic_version")
        assert row["version_num"] == head_revision()
        (row,) = fetch(urls, "select tableowner from pg_tables where tablename = 'item'")
        assert row["tableowner"] == "scm_owner"
        runner.run(context.__aexit__(None, None, None))
    monkeypatch.undo()
    settings.cache_clear()


def test_doctor_and_serve_refuse_a_database_that_leaks(scratch: Urls) -> None:
    damage(scratch, "alter table item disable row level security")
    for arguments in (("doctor",), ("serve", "--port", "0"), ("worker",)):
        result = command(*arguments)
        assert result.exit_code == 1, result.output
        assert "Table item has no row-level security" in result.output
        assert 'mend: alter table "item" enable row level security;' in result.output


STOCK = """
insert into organization (id, code, name, base_currency)
values ('00000000-0000-0000-0000-00000000000a', 'acme', 'Acme', 'EUR');
set app.organization_id = '00000000-0000-0000-0000-00000000000a';
insert into item (organization_id, id, sku, sku_key, name, base_unit)
values (current_setting('app.organization_id')::uuid, '00000000-0000-0000-0000-00000000000b', 'A',
        'a', 'A', 'EA');
insert into warehouse (organization_id, id, code, name, time_zone)
values (current_setting('app.organization_id')::uuid, '00000000-0000-0000-0000-00000000000c', 'W',
        'W', 'UTC');
insert into stock_position (organization_id, item_id, warehouse_id, on_hand, unrestricted, value,
                            updated_at)
values (current_setting('app.organization_id')::uuid, '00000000-0000-0000-0000-00000000000b',
        '00000000-0000-0000-0000-00000000000c', 5, 5, 10, now());
"""


def test_audit_passes_what_adds_up_and_shows_what_does_not(scratch: Urls) -> None:
    assert "0 organization(s)" in succeeds("audit")
    damage(scratch, STOCK)  # five units that no movement brought
    result = command("audit")
    assert result.exit_code == 1
    assert "position = sum of movements" in result.output
    assert "5.0000 units worth 10.0000" in result.output
    assert "acme" in result.output


def test_a_dump_restores_into_the_same_rows(scratch: Urls, tmp_path: Path) -> None:
    succeeds("organizations", "create", "acme")
    file = tmp_path / "all.dump"
    succeeds("db", "dump", str(file))
    assert file.stat().st_mode & 0o777 == 0o600
    succeeds("organizations", "create", "later")
    refused = command("db", "restore", str(file))
    assert isinstance(refused.exception, BackupError)
    assert "not empty" in str(refused.exception)
    succeeds("db", "restore", str(file), "--force")
    assert [row["code"] for row in fetch(scratch, "select code from organization")] == ["acme"]


def test_openapi_is_written_sorted_and_checked(tmp_path: Path) -> None:
    file = tmp_path / "openapi.json"
    assert command("openapi", "--check", str(file)).exit_code == 1
    succeeds("openapi", str(file))
    document = json.loads(file.read_text())
    assert file.read_text() == (
        json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    )
    assert succeeds("openapi", "-") == file.read_text()
    succeeds("openapi", "--check", str(file))
    file.write_text(file.read_text().replace("scm-api", "other-api"))
    result = command("openapi", "--check", str(file))
    assert result.exit_code == 1
    assert "Write it anew" in result.output


def test_the_operator_sees_every_refusal_even_of_keys_nobody_has(scratch: Urls) -> None:
    succeeds("organizations", "create", "acme")
    insert = """
        insert into access_log (id, kind, address, happened_at, about_organization_id, detail)
        values (gen_random_uuid(), 'key_unknown', '192.0.2.7', '2026-01-05', null, '{}'),
               (gen_random_uuid(), 'login_failed', '192.0.2.8', '2026-03-05',
                (select id from organization), '{"reason": "wrong_password"}')
        returning id
    """
    fetch(scratch, insert)
    said = succeeds("audit", "accesses").splitlines()
    rows = [line for line in said if "192.0.2." in line]
    assert ["login_failed" in row for row in rows] == [True, False]
    assert all(word in rows[0] for word in ("2026-03-05 00:00:00", "acme", "wrong_password"))
    later = succeeds("audit", "accesses", "--since", "2026-02-01")
    assert ("192.0.2.8" in later, "192.0.2.7" in later) == (True, False)
