"""A hundred random tamperings by a superuser: each is found, and named exactly."""

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import asyncpg
import pytest_asyncio

from scm_api.trail import sealing
from scm_api.trail.verifying import Verification
from tests.support import Client
from tests.trail.world import post, seal, small_company, verified

SEALED = ("audit_entry", "event", "stock_document", "stock_movement", "audit_seal")
EDITS = {
    "audit_entry": {
        "reason": "coalesce(reason, '') || '!'",
        "principal_name": "principal_name || 'x'",
        "changes": 'changes || \'{"forged": {"old": 1, "new": 2}}\'',
        "recorded_at": "recorded_at - interval '1 microsecond'",
        "object_id": "gen_random_uuid()",
        "user_id": "gen_random_uuid()",
        "address": "coalesce(address, '') || '1'",
    },
    "event": {
        "data": "data || '{\"forged\": true}'",
        "type": "type || '.x'",
        "subject_id": "gen_random_uuid()",
        "principal_id": "gen_random_uuid()",
        "recorded_at": "recorded_at + interval '1 day'",
    },
    "stock_document": {
        "reason": "reason || 'x'",
        "occurred_at": "occurred_at - interval '1 hour'",
        "principal_id": "gen_random_uuid()",
        "reference": "coalesce(reference, '') || 'x'",
    },
    "stock_movement": {
        "quantity": "quantity + 0.0001",
        "value": "value + 1",
        "occurred_at": "occurred_at - interval '1 hour'",
        "to_location_id": "gen_random_uuid()",
    },
}
SEAL_EDITS = {
    "root": "set_byte(root, 0, 255 - get_byte(root, 0))",
    "seal": "set_byte(seal, 31, 255 - get_byte(seal, 31))",
    "leaves": "set_byte(leaves, 20, 255 - get_byte(leaves, 20))",
    "row_count": "row_count + 1",
    "last_seq": "last_seq + 1",
    "first_tx_order": "first_tx_order - 1",
    "sealed_at": "sealed_at - interval '1 second'",
    "is_keyed": "not is_keyed",
}
Found = set[tuple[str, str, str]]


@dataclass
class Sealed:
    """A sealed organization, a superuser, and copies of its rows to put back."""

    api: Client
    admin: asyncpg.Connection
    chance: random.Random

    async def rows(self, table: str) -> list[asyncpg.Record]:
        place = "document_id, line_no" if table == "stock_movement" else "id"
        if table == "audit_seal":
            place = "stream, no"
        return await self.admin.fetch(
            f"select * from {table} where organization_id = $1 order by {place}",
            self.api.organization_id,
        )

    async def any_row(self, table: str) -> asyncpg.Record:
        return self.chance.choice(await self.rows(table))

    async def run(self, sql: str, *args: Any) -> None:
        changed = await self.admin.execute(sql, *args)
        assert int(changed.rpartition(" ")[2]) > 0, sql

    async def verify(self, *heads: bytes) -> Verification:
        return await verified(self.api.runtime, self.api.organization_id, heads)

    async def put_back(self) -> None:
        for table in SEALED:
            await self.admin.execute(
                f"delete from {table} where organization_id = $1", self.api.organization_id
            )
            await self.admin.execute(
                f"insert into {table} overriding system value select * from copy_of_{table}"
            )


@pytest_asyncio.fixture(loop_scope="session")
async def sealed(api: Client, admin: asyncpg.Connection) -> Sealed:
    await small_company(api, items=5)
    chance = random.Random(20261122)
    for n in range(12):
        lines = [(f"I-{i}", "1") for i in chance.sample(range(5), chance.randint(1, 4))]
        posted = await post(api, "adjustment_in" if n % 2 else "sales_issue", lines)
        if n % 5 == 0:
            path = f"/v1/stock-movements/{posted['id']}/reverse"
            await api.ok("POST", path, json={"reason": "mistake"})
        await api.ok("PATCH", "/v1/items/sku=I-0", json={"name": f"Renamed {n}"})
        await seal(api)
    await admin.execute("set session_replication_role = replica")
    for table in SEALED:
        await admin.execute(
            f"create temp table copy_of_{table} as select * from {table}"
            f" where organization_id = '{api.organization_id}'"
        )
    return Sealed(api, admin, chance)


def name(table: str, row: asyncpg.Record) -> str:
    if table == "stock_movement":
        return f"{row['document_id']}/{row['line_no']}"
    return f"{row['stream']}/{row['no']}" if table == "audit_seal" else str(row["id"])


KEYS = {
    "stock_movement": "document_id = $2 and line_no = $3",
    "audit_seal": "stream = $2 and no = $3",
}


def key(table: str, row: asyncpg.Record) -> tuple[str, tuple[Any, ...]]:
    where = f"organization_id = $1 and {KEYS.get(table, 'id = $2')}"
    if table == "stock_movement":
        return where, (row["organization_id"], row["document_id"], row["line_no"])
    if table == "audit_seal":
        return where, (row["organization_id"], row["stream"], row["no"])
    return where, (row["organization_id"], row["id"])


async def edit_a_field(at: Sealed) -> Found:
    table = at.chance.choice(list(EDITS))
    column, value = at.chance.choice(list(EDITS[table].items()))
    row = await at.any_row(table)
    where, args = key(table, row)
    await at.run(f"update {table} set {column} = {value} where {where}", *args)
    return {("changed", table, name(table, row))}


async def edit_a_quantity(at: Sealed) -> Found:
    row = await at.any_row("stock_movement")
    where, args = key("stock_movement", row)
    await at.run(f"update stock_movement set quantity = quantity * 2 where {where}", *args)
    return {("changed", "stock_movement", name("stock_movement", row))}


async def delete_a_row(at: Sealed) -> Found:
    table = at.chance.choice(("audit_entry", "event", "stock_movement"))
    row = await at.any_row(table)
    where, args = key(table, row)
    await at.run(f"delete from {table} where {where}", *args)
    return {("deleted", table, name(table, row))}


async def delete_a_document(at: Sealed) -> Found:
    row = await at.any_row("stock_document")
    where, args = key("stock_document", row)
    lines = [r for r in await at.rows("stock_movement") if r["document_id"] == row["id"]]
    await at.run(f"delete from stock_document where {where}", *args)
    await at.run("delete from stock_movement where document_id = $1", row["id"])
    gone = {("deleted", "stock_movement", name("stock_movement", line)) for line in lines}
    return gone | {("deleted", "stock_document", str(row["id"]))}


async def insert_a_row(at: Sealed) -> Found:
    """A row of the past that looks like another: who says when it came?"""
    table = at.chance.choice(("audit_entry", "event"))
    row = await at.any_row(table)
    where, args = key(table, row)
    new = await at.admin.fetchval(
        f"""
        insert into {table} overriding system value
        select (jsonb_populate_record(t, jsonb_build_object('id', gen_random_uuid()))).*
        from {table} t where {where} returning id
        """,
        *args,
    )
    return {("inserted", table, str(new))}


async def insert_a_line(at: Sealed) -> Found:
    row = await at.any_row("stock_document")
    no = row["line_count"] + at.chance.choice((1, 7))
    await at.run(
        """
        insert into stock_movement
        select (jsonb_populate_record(m, jsonb_build_object('line_no', $3::int))).*
        from stock_movement m where organization_id = $1 and document_id = $2 and line_no = 1
        """,
        row["organization_id"],
        row["id"],
        no,
    )
    return {("inserted", "stock_movement", f"{row['id']}/{no}")}


async def insert_a_document(at: Sealed) -> Found:
    row = await at.any_row("stock_document")
    new = await at.admin.fetchval(
        """
        insert into stock_document
        select (jsonb_populate_record(d, jsonb_build_object(
          'id', gen_random_uuid(), 'external_ref', null, 'reversal_of', null))).*
        from stock_document d where organization_id = $1 and id = $2 returning id
        """,
        row["organization_id"],
        row["id"],
    )
    return {("inserted", "stock_document", str(new))}


async def swap_two_rows(at: Sealed) -> Found:
    table = at.chance.choice(("audit_entry", "event"))
    rows = await at.rows(table)
    one, two = at.chance.sample(rows, 2)
    for row, place in ((one, two), (two, one)):
        where, args = key(table, row)
        await at.run(
            f"update {table} set tx_order = $3, seq = default where {where}",
            *args,
            place["tx_order"],
        )
        await _set_seq(at, table, row, place["seq"])
    return {("reordered", table, str(row["id"])) for row in (one, two)}


async def _set_seq(at: Sealed, table: str, row: asyncpg.Record, seq: int) -> None:
    """An identity column is not updated but written anew."""
    where, args = key(table, row)
    await at.admin.execute(
        f"create temp table moved as select * from {table}"
        f" where organization_id = '{args[0]}' and id = '{args[1]}'"
    )
    await at.admin.execute("update moved set seq = $1", seq)
    await at.run(f"delete from {table} where {where}", *args)
    await at.run(f"insert into {table} overriding system value select * from moved")
    await at.admin.execute("drop table moved")


async def edit_a_seal(at: Sealed) -> Found:
    column, value = at.chance.choice(list(SEAL_EDITS.items()))
    row = await at.any_row("audit_seal")
    where, args = key("audit_seal", row)
    await at.run(f"update audit_seal set {column} = {value} where {where}", *args)
    return {("broken", "audit_seal", name("audit_seal", row))}


async def delete_a_seal(at: Sealed) -> Found:
    """Any but the last of its stream."""
    rows = await at.rows("audit_seal")
    last = {row["stream"]: row["no"] for row in rows}
    row = at.chance.choice([row for row in rows if row["no"] < last[row["stream"]]])
    where, args = key("audit_seal", row)
    await at.run(f"delete from audit_seal where {where}", *args)
    return {("missing", "audit_seal", name("audit_seal", row))}


TAMPERINGS: list[Callable[[Sealed], Awaitable[Found]]] = [
    edit_a_field,
    edit_a_quantity,
    delete_a_row,
    delete_a_document,
    insert_a_row,
    insert_a_line,
    insert_a_document,
    swap_two_rows,
    edit_a_seal,
    delete_a_seal,
]


async def test_a_hundred_tamperings_are_found_and_named(sealed: Sealed) -> None:
    assert (await sealed.verify()).findings == []
    wrong = []
    for n in range(100):
        tamper = TAMPERINGS[n % len(TAMPERINGS)]
        expected = await tamper(sealed)
        found = [finding[:3] for finding in (await sealed.verify()).findings]
        if set(found) != expected or len(found) != len(expected):
            wrong.append((n, tamper.__name__, expected, found))
        await sealed.put_back()
    assert wrong == []
    assert (await sealed.verify()).findings == []


async def test_only_a_seal_noted_elsewhere_shows_that_the_newest_are_gone(sealed: Sealed) -> None:
    heads = {row["stream"]: row for row in await sealed.rows("audit_seal")}
    noted = [row["seal"] for row in heads.values()]
    assert (await sealed.verify(*noted)).heads == set(noted)
    for row in heads.values():
        where, args = key("audit_seal", row)
        await sealed.run(f"delete from audit_seal where {where}", *args)
        result = await sealed.verify(*noted)
        assert result.findings == []
        assert set(noted) - result.heads == {row["seal"]}
        await sealed.put_back()


async def test_rows_sealed_anew_after_a_forgery_do_not_fit_the_noted_seal(sealed: Sealed) -> None:
    """Whoever takes the seals away, forges a row and lets the worker seal it again is found out by
    the head, and by nothing else."""
    heads = {row["stream"]: row for row in await sealed.rows("audit_seal")}
    noted = heads["audit"]["seal"]
    await sealed.run(
        "delete from audit_seal where organization_id = $1 and stream = 'audit'",
        sealed.api.organization_id,
    )
    await sealed.run(
        "update audit_entry set principal_name = 'somebody else' where organization_id = $1",
        sealed.api.organization_id,
    )
    assert await sealing.seal_next(sealed.api.runtime, sealed.api.organization_id)
    result = await sealed.verify(noted)
    assert (result.findings, result.heads) == ([], set())
    await sealed.put_back()
