"""Sealing: every row once, in order, by one worker at a time."""

import asyncio
import hmac
from hashlib import sha256

import asyncpg
import pytest

from scm_api.core.runtime import Runtime
from scm_api.process import Urls, make_runtime
from scm_api.settings import Settings
from scm_api.trail import merkle, sealing
from tests.support import Client
from tests.trail.world import post, seal, small_company, verified


async def test_everything_written_is_sealed_once_and_verifies(
    api: Client, admin: asyncpg.Connection
) -> None:
    await small_company(api)
    made = await seal(api)
    assert {one.stream for one in made} == {"audit", "event", "ledger"}
    counts = {
        name: await admin.fetchval(
            f"select count(*) from {name} where organization_id = $1", api.organization_id
        )
        for name in ("audit_entry", "event", "stock_document", "stock_movement")
    }
    assert counts["stock_movement"] == 3
    result = await verified(api.runtime, api.organization_id)
    assert result.findings == []
    assert (result.rows, result.waiting) == (sum(counts.values()), 0)
    assert await seal(api) == []


async def test_batches_are_chained_and_bounded(
    api: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    await small_company(api, items=6)
    monkeypatch.setattr(sealing, "MOST_ROWS", 4)
    monkeypatch.setattr(sealing, "MOST_LEAVES", 5)
    made = [one for one in await seal(api) if one.stream == "audit"]
    assert [one.no for one in made] == list(range(1, len(made) + 1))
    assert max(one.row_count for one in made) <= 4
    assert len(made) > 3
    previous = sealing.NO_SEAL
    for one in made:
        assert one.seal == sealing.seal_hash(one, previous, None)
        previous = one.seal
    result = await verified(api.runtime, api.organization_id)
    assert (result.findings, result.waiting) == ([], 0)


async def test_what_a_seal_says_is_covered_by_it_and_by_the_key(api: Client) -> None:
    await small_company(api, items=1)
    one = (await seal(api))[0]
    assert one.seal == sealing.seal_hash(one, sealing.NO_SEAL, None)
    keyed = sealing.seal_hash(one, sealing.NO_SEAL, b"secret")
    assert keyed not in (one.seal, sealing.seal_hash(one, sealing.NO_SEAL, b"other"))
    assert len(keyed) == len(hmac.digest(b"", b"", "sha256")) == len(sha256().digest())


async def test_a_row_of_a_transaction_that_is_still_open_is_not_passed_by(
    api: Client, urls: Urls
) -> None:
    """An earlier transaction may commit later: what came after it waits for it."""
    await seal(api)
    slow = await asyncpg.connect(urls.admin)
    try:
        async with slow.transaction():
            await slow.execute(
                "insert into category (organization_id, id, code, name)"
                " values ($1, gen_random_uuid(), 'SLOW', 'Slow')",
                api.organization_id,
            )
            await api.ok("POST", "/v1/warehouses", json={"code": "W", "name": "Main"})
            assert await seal(api) == []
            assert (await verified(api.runtime, api.organization_id)).waiting > 0
        assert await seal(api)
        result = await verified(api.runtime, api.organization_id)
        assert (result.findings, result.waiting) == ([], 0)
    finally:
        await slow.close()


async def test_many_workers_at_once_seal_each_row_once(api: Client) -> None:
    await small_company(api)
    for _ in range(5):
        await post(api, "sales_issue", [("I-0", "1")])
        await asyncio.gather(*(seal(api) for _ in range(6)))
    await seal(api)
    result = await verified(api.runtime, api.organization_id)
    assert (result.findings, result.waiting) == ([], 0)


async def test_one_round_seals_the_organizations_that_wait_and_then_rests(
    api: Client, other: Client
) -> None:
    await small_company(api, items=1)
    await small_company(other, items=1)
    while await sealing.run_once(api.runtime):
        pass
    for caller in (api, other):
        result = await verified(caller.runtime, caller.organization_id)
        assert (result.findings, result.waiting) == ([], 0)
    async with api.counted() as sent:
        assert await sealing.run_once(api.runtime) == 0
    assert len([sql for sql in sent if "audit_seal" in sql]) == 1


async def test_the_application_can_neither_change_nor_delete_a_seal(api: Client) -> None:
    await small_company(api, items=1)
    await seal(api)
    for sql in (
        "update audit_seal set root = seal",
        "delete from audit_seal",
        "update audit_entry set reason = 'x'",
        "delete from audit_entry",
        "truncate audit_entry",
    ):
        async with api.runtime.database.transaction(api.principal(), now=api.runtime.clock()) as tx:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await tx.driver.execute(sql)


async def test_seals_made_with_a_key_need_it_and_cannot_be_made_without(
    api: Client, urls: Urls, admin: asyncpg.Connection
) -> None:
    await small_company(api, items=2)
    await seal(api)
    keyed = make_runtime(Settings(seal_key="correct horse"), urls)
    wrong = make_runtime(Settings(seal_key="battery staple"), urls)
    try:
        await post(api, "sales_issue", [("I-0", "1")])
        await sealing.seal_next(keyed, api.organization_id)
        result = await verified(keyed, api.organization_id)
        assert (result.findings, result.waiting) == ([], 0)
        assert 0 < result.unkeyed < result.seals
        for runtime in (wrong, api.runtime):
            broken = await verified(runtime, api.organization_id)
            assert broken.findings
            assert {finding.problem for finding in broken.findings} == {"broken"}
        # Somebody without the key makes the last batch anew.
        await admin.execute(
            "delete from audit_seal where organization_id = $1 and is_keyed and stream = 'event'",
            api.organization_id,
        )
        await sealing.seal_next(_without_key(urls), api.organization_id)
        assert (await verified(keyed, api.organization_id)).findings == []
        await post(api, "sales_issue", [("I-0", "1")])
        await sealing.seal_next(keyed, api.organization_id)
        await post(api, "sales_issue", [("I-0", "1")])
        await sealing.seal_next(_without_key(urls), api.organization_id)
        assert [
            (finding.problem, finding.id.split("/")[0])
            for finding in (await verified(keyed, api.organization_id)).findings
        ] == [("broken", "event"), ("broken", "ledger")]
    finally:
        await keyed.database.dispose()
        await wrong.database.dispose()


def _without_key(urls: Urls) -> Runtime:
    return make_runtime(Settings(), urls)


def test_an_empty_batch_has_the_root_of_nothing() -> None:
    assert merkle.root([]) == sha256().digest()
