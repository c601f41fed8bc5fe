"""Sealing: what was written since the last seal becomes a batch with a Merkle root, chained to the
batch before. Rule: a row is sealed once it can have no late predecessor, and never again.
"""

import hmac
import struct
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from hashlib import sha256
from uuid import UUID

import asyncpg
import structlog

from scm_api.core.outbox import Position
from scm_api.core.runtime import Runtime
from scm_api.core.tx import Principal, Source, Tx
from scm_api.stock.events import StockPosted
from scm_api.trail import merkle, streams
from scm_api.trail.streams import AUDIT, EVENT, LEDGER, START

logger = structlog.get_logger(__name__)

MOST_ROWS = 5_000
# A document's lines are sealed with it, whole.
MOST_LEAVES = 10_000
NO_SEAL = bytes(merkle.HASH_LENGTH)
LEAF_LENGTH = 16 + merkle.HASH_LENGTH
_DOMAIN = b"scm-api seal 1\x00"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Seal:
    """A sealed batch as it is stored, but for its leaves."""

    organization_id: UUID
    stream: str
    no: int
    format: int
    first_tx_order: int
    first_seq: int
    last_tx_order: int
    last_seq: int
    row_count: int
    root: bytes
    seal: bytes
    is_keyed: bool
    sealed_at: datetime

    @property
    def last(self) -> Position:
        return Position(self.last_tx_order, self.last_seq)


COLUMNS = ", ".join(field.name for field in fields(Seal))


def seal_hash(batch: Seal, previous: bytes, key: bytes | None) -> bytes:
    """SHA-256, or HMAC-SHA-256 with a key, over the previous seal (zeros: none) and all that a
    batch says; `batch.seal` itself is not read."""
    stream = batch.stream.encode()
    content = b"".join(
        (
            _DOMAIN,
            previous,
            batch.organization_id.bytes,
            struct.pack(">B", len(stream)),
            stream,
            struct.pack(
                ">8q?",
                batch.no,
                batch.format,
                batch.first_tx_order,
                batch.first_seq,
                batch.last_tx_order,
                batch.last_seq,
                batch.row_count,
                _microseconds(batch.sealed_at),
                batch.is_keyed,
            ),
            batch.root,
        )
    )
    return sha256(content).digest() if key is None else hmac.digest(key, content, "sha256")


def _microseconds(moment: datetime) -> int:
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def key_of(runtime: Runtime) -> bytes | None:
    """The key seals are made with, if the operator has set one."""
    secret = runtime.settings.seal_key
    return secret.get_secret_value().encode() if secret is not None else None


def leaf_hashes(leaves: bytes) -> list[bytes]:
    """The hashes of stored leaves, without the ids."""
    return [leaves[at + 16 : at + LEAF_LENGTH] for at in range(0, len(leaves), LEAF_LENGTH)]


_BEHIND = """
with ground as materialized (select event_horizon() as horizon)
select o.id from organization o, ground
where exists (
  select from audit_entry r, (
    select coalesce(max(l.last_tx_order), -1) as tx_order, coalesce(max(l.last_seq), -1) as seq
    from (select last_tx_order, last_seq from audit_seal s
          where s.organization_id = o.id and s.stream = 'audit' order by s.no desc limit 1) l) l
  where r.organization_id = o.id and (r.tx_order, r.seq) > (l.tx_order, l.seq)
    and r.tx_order < ground.horizon)
or exists (
  select from event r, (
    select coalesce(max(l.last_tx_order), -1) as tx_order, coalesce(max(l.last_seq), -1) as seq
    from (select last_tx_order, last_seq from audit_seal s
          where s.organization_id = o.id and s.stream = 'event' order by s.no desc limit 1) l) l
  where r.organization_id = o.id and (r.tx_order, r.seq) > (l.tx_order, l.seq)
    and r.tx_order < ground.horizon)
"""


async def run_once(runtime: Runtime) -> int:
    """Seal all that waits, organization by organization; gives the number of batches.

    Where another worker is at it, nothing is done.
    """
    async with runtime.database.system() as driver:
        behind = [row["id"] for row in await driver.fetch(_BEHIND)]
    made = 0
    for organization_id in behind:
        while batches := await seal_next(runtime, organization_id):
            made += len(batches)
    return made


async def seal_next(runtime: Runtime, organization_id: UUID) -> list[Seal]:
    """Seal the next batch of each stream of one organization, in one transaction; empty if nothing
    waits or another worker is at it."""
    principal = Principal("system", organization_id, "sealing", organization_id, frozenset("*"))
    key = key_of(runtime)
    async with runtime.database.transaction(
        principal, now=runtime.clock(), source=Source("sealing")
    ) as tx:
        await tx.execute(streams.IN_UTC)
        if not await tx.fetchval(
            "select pg_try_advisory_xact_lock(hashtextextended('seal:' || $1::text, 0))",
            str(organization_id),
        ):
            return []
        made = [await _seal_rows(tx, AUDIT, key), await _seal_rows(tx, EVENT, key)]
        if made[-1] is not None:
            made.append(await _seal_documents(tx, made[-1].last, key))
        await tx.driver.execute("commit")
    sealed = [seal for seal in made if seal is not None]
    for seal in sealed:
        logger.info(
            "sealed",
            organization_id=str(organization_id),
            stream=seal.stream,
            no=seal.no,
            seal=seal.seal.hex(),
        )
    return sealed


async def last_seal(tx: Tx, stream: str) -> Seal | None:
    """The newest seal of a stream."""
    row = await tx.fetchrow(
        f"""
        select {COLUMNS} from audit_seal where organization_id = $1 and stream = $2
        order by no desc limit 1
        """,
        tx.organization_id,
        stream,
    )
    return row and Seal(**row)


_END_OF_BATCH = """
select tx_order, seq from (
  select tx_order, seq, sum({leaves}) over (order by tx_order, seq) as leaves,
         row_number() over (order by tx_order, seq) as place
  from {table}
  where organization_id = $1 and (tx_order, seq) > ($2::bigint, $3::bigint)
    and tx_order < event_horizon()
  order by tx_order, seq limit $4
) waiting
where place = 1 or leaves <= $5
order by tx_order desc, seq desc limit 1
"""
_LINES = f"""
1 + case when type = '{StockPosted.type}' then (data->>'line_count')::int else 0 end
"""


async def _seal_rows(tx: Tx, stream: str, key: bytes | None) -> Seal | None:
    before = await last_seal(tx, stream)
    after = before.last if before else START
    end = await tx.fetchrow(
        _END_OF_BATCH.format(
            table=streams.TABLES[stream], leaves=_LINES if stream == EVENT else "1"
        ),
        tx.organization_id,
        *after,
        MOST_ROWS,
        MOST_LEAVES,
    )
    if end is None:
        return None
    sql = streams.rows_in_order(stream, streams.NEWEST_FORMAT)
    rows = await tx.fetch(sql, tx.organization_id, *after, *end)
    first, last = (Position(row["tx_order"], row["seq"]) for row in (rows[0], rows[-1]))
    return await _store(tx, stream, before, first, last, rows, key)


async def _seal_documents(tx: Tx, until: Position, key: bytes | None) -> Seal | None:
    """Seal the stock documents whose events are sealed, each with its lines."""
    before = await last_seal(tx, LEDGER)
    posted = await tx.fetch(
        """
        select subject_id, tx_order, seq from event
        where organization_id = $1 and (tx_order, seq) > ($2::bigint, $3::bigint)
          and (tx_order, seq) <= ($4::bigint, $5::bigint) and type = $6
        order by tx_order, seq
        """,
        tx.organization_id,
        *(before.last if before else START),
        *until,
        StockPosted.type,
    )
    if not posted:
        return None
    sql = streams.documents_in_order(streams.NEWEST_FORMAT)
    rows = await tx.fetch(sql, tx.organization_id, [row["subject_id"] for row in posted])
    first, last = (Position(row["tx_order"], row["seq"]) for row in (posted[0], posted[-1]))
    return await _store(tx, LEDGER, before, first, last, rows, key)


async def _store(
    tx: Tx,
    stream: str,
    before: Seal | None,
    first: Position,
    last: Position,
    rows: Sequence[asyncpg.Record],
    key: bytes | None,
) -> Seal:
    """Write the seal over rows with `id` and `leaf`."""
    batch = Seal(
        organization_id=tx.organization_id,
        stream=stream,
        no=before.no + 1 if before else 1,
        format=streams.NEWEST_FORMAT,
        first_tx_order=first.tx_order,
        first_seq=first.seq,
        last_tx_order=last.tx_order,
        last_seq=last.seq,
        row_count=len(rows),
        root=merkle.root([row["leaf"] for row in rows]),
        seal=NO_SEAL,
        is_keyed=key is not None,
        sealed_at=tx.now,
    )
    batch = replace(batch, seal=seal_hash(batch, before.seal if before else NO_SEAL, key))
    names = [field.name for field in fields(Seal)]
    places = ", ".join(f"${n}" for n in range(1, len(names) + 2))
    await tx.execute(
        f"insert into audit_seal ({', '.join(names)}, leaves) values ({places})",
        *(getattr(batch, name) for name in names),
        b"".join(row["id"].bytes + row["leaf"] for row in rows),
    )
    return batch
