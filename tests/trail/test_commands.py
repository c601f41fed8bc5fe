"""`scm-api audit verify` and `head` in an operator's database, restored, and beside a worker."""

import asyncio
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import httpx
import pytest
import pytest_asyncio

from scm_api.app import create_app
from scm_api.core import backup
from scm_api.core.embedded import EmbeddedPostgres
from scm_api.process import Urls, make_runtime
from scm_api.settings import Settings
from scm_api.worker import Worker
from tests.scratch import execute, scratch_database
from tests.support import Client, new_client
from tests.trail.world import post, seal, small_company, verified

Place = tuple[Urls, Client]


@pytest_asyncio.fixture(loop_scope="session")
async def place(
    postgres: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Place]:
    """A database of its own with a sealed company in it, named by the environment."""
    async with scratch_database(postgres) as urls:
        runtime = make_runtime(Settings(seal_seconds=0.05), urls)
        transport = httpx.ASGITransport(create_app(runtime))
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
            api = await new_client(runtime, http)
            await small_company(api)
            await seal(api)
            monkeypatch.setenv("SCM_DATABASE_URL", urls.app)
            monkeypatch.setenv("SCM_MIGRATION_DATABASE_URL", urls.admin or "")
            yield urls, api
        await runtime.database.dispose()


@dataclass
class Answer:
    """How a command ended and what it said."""

    exit_code: int
    output: str


async def command(*arguments: str) -> Answer:
    """Run `scm-api audit` as an operator does, in a process of its own."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "scm_api", "audit", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    return Answer(process.returncode or 0, output.decode())


async def test_verify_counts_what_holds_and_names_what_does_not(place: Place) -> None:
    urls, _ = place
    code = await _code(urls)
    good = await command("verify")
    assert good.exit_code == 0, good.output
    assert "Verified: 1 organization(s)" in good.output
    assert "0 rows wait" in good.output
    changed = "update stock_movement set quantity = quantity + 1 where line_no = 2"
    await execute(urls, f"set session_replication_role = replica; {changed}")
    bad = await command("verify", "--organization", code)
    assert bad.exit_code == 1
    for word in (code, "changed", "stock_movement", "/2", "seal 1"):
        assert word in bad.output, bad.output
    # The books do not add up either, as the plain audit says.
    assert (await command()).exit_code == 1
    assert (await command("verify", "-o", "nobody")).exit_code == 1


async def _code(urls: Urls) -> str:
    connection = await asyncpg.connect(urls.admin)
    try:
        code: str = await connection.fetchval("select code from organization")
        return code
    finally:
        await connection.close()


async def test_heads_kept_elsewhere_show_that_the_newest_seals_are_gone(
    place: Place, tmp_path: Path
) -> None:
    urls, _ = place
    printed = (await command("head")).output
    lines = printed.splitlines()
    assert [line.split()[1:3] for line in lines] == [
        ["audit", "1"],
        ["event", "1"],
        ["ledger", "1"],
    ]
    file = tmp_path / "heads.txt"
    file.write_text(printed)
    seals = [line.split()[3] for line in lines]
    assert (await command("verify", "--heads", str(file))).exit_code == 0
    assert (await command("verify", "--head", seals[0], "--head", seals[1])).exit_code == 0
    await execute(urls, "delete from audit_seal where stream = 'event'")
    assert (await command("verify")).exit_code == 0
    for arguments in (("--heads", str(file)), ("--head", seals[1])):
        gone = await command("verify", *arguments)
        assert gone.exit_code == 1
        assert "missing" in gone.output
        assert seals[1] in gone.output
    assert (await command("verify", "--head", "no-hex")).exit_code == 2


async def test_a_restored_database_verifies_and_goes_on_where_it_was(
    place: Place, postgres: EmbeddedPostgres, tmp_path: Path
) -> None:
    """Also where the last change left an audit entry and no event, and the new cluster's
    transaction ids are far behind."""
    urls, api = place
    await execute(urls, "update item set name = 'By hand'")
    await execute(urls, "update feed_offset set value = value + 100000")
    await api.ok("POST", "/v1/categories", json={"code": "LATE", "name": "Late"})
    await execute(urls, "update item set name = 'By hand again'")
    await seal(api)
    heads = (await command("head")).output
    file = tmp_path / "all.dump"
    await backup.dump(urls.admin or "", file)
    async with scratch_database(postgres, is_migrated=False) as other:
        await backup.restore(other.admin or "", file)
        await execute(other, "update feed_offset set value = 0; select feed_after_restore()")
        runtime = make_runtime(Settings(), other)
        restored = Client(runtime, api.http, api.organization_id, api.token)
        noted = [bytes.fromhex(line.split()[3]) for line in heads.splitlines()]
        result = await verified(runtime, api.organization_id, noted)
        assert (result.findings, result.waiting, result.heads) == ([], 0, set(noted))
        await execute(other, "update item set name = 'After the restore'")
        assert await seal(restored)
        result = await verified(runtime, api.organization_id, noted)
        assert (result.findings, result.waiting) == ([], 0)
        await runtime.database.dispose()


async def test_a_worker_seals_while_it_runs(place: Place) -> None:
    _, api = place
    worker = Worker(api.runtime, chores=())
    running = asyncio.create_task(worker.run())
    try:
        await post(api, "sales_issue", [("I-0", "1")])
        for _ in range(400):
            if not (await verified(api.runtime, api.organization_id)).waiting:
                break
            await asyncio.sleep(0.05)
    finally:
        worker.stop()
        await running
    result = await verified(api.runtime, api.organization_id)
    assert result.findings == []
    assert result.seals >= 5
