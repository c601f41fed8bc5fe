"""Verification: everything sealed is read and hashed anew; what differs is named, row by row.

Rule: it only reads, in one snapshot an organization, one batch in memory at a time.
"""

from collections.abc import AsyncIterator, Container, Iterable, Mapping
from dataclasses import dataclass, field, fields
from hmac import compare_digest
from typing import NamedTuple
from uuid import UUID

from scm_api.core.outbox import Position
from scm_api.core.tx import Tx
from scm_api.stock.events import StockPosted
from scm_api.trail import merkle, streams
from scm_api.trail.sealing import (
    COLUMNS,
    LEAF_LENGTH,
    NO_SEAL,
    Seal,
    leaf_hashes,
    seal_hash,
)
from scm_api.trail.streams import AUDIT, EVENT, LEDGER, START

CHANGED, DELETED, INSERTED, REORDERED = "changed", "deleted", "inserted", "reordered"
BROKEN, MISSING = "broken", "missing"
_SEALS_AT_ONCE = 10


class Finding(NamedTuple):
    """One row that is not what was sealed."""

    problem: str
    """changed, deleted, inserted or reordered; of a seal: broken, or missing."""
    table: str
    id: str
    """The row's id; `<document>/<line>` of a movement, `<stream>/<no>` of a seal."""
    position: str
    """Where it stands, or stood."""


@dataclass
class Verification:
    """What was verified of one organization, and what is wrong."""

    rows: int = 0
    seals: int = 0
    unkeyed: int = 0
    waiting: int = 0
    """Rows that no seal covers yet."""
    heads: set[bytes] = field(default_factory=set)
    """The expected seals that were found."""
    findings: list[Finding] = field(default_factory=list)


async def verify(tx: Tx, key: bytes | None, heads: Container[bytes] = ()) -> Verification:
    """Verify one organization in a snapshot; `heads` are seals noted elsewhere, to look for."""
    await tx.execute(streams.IN_UTC)
    result = Verification()
    for stream in (AUDIT, EVENT):
        await _Rows(tx, stream, key, heads, result).run()
    forged = await _documents_without_event(tx)
    await _Documents(tx, LEDGER, key, heads, result, forged=forged).run()
    return result


class _Leaf(NamedTuple):
    hash: bytes
    place: int
    position: str


@dataclass
class _Stream:
    """The verification of one stream: the chain of its seals, and each batch."""

    tx: Tx
    stream: str
    key: bytes | None
    heads: Container[bytes]
    result: Verification
    last: Position = START

    async def run(self) -> None:
        """Verify all seals in order, then what lies outside of them."""
        chain = _Chain(self.stream, self.key)
        was_sound = True
        async for seal, leaves in self._seals():
            self.result.seals += 1
            self.result.unkeyed += not seal.is_keyed
            if seal.seal in self.heads:
                self.result.heads.add(seal.seal)
            if seal.is_keyed and self.key is None:
                where = "made with a key: set SCM_SEAL_KEY to verify from here on"
                self.find(BROKEN, "audit_seal", f"{self.stream}/{seal.no}", where)
                break
            findings = chain.check(seal, leaves)
            self.result.findings += findings
            is_sound = all(finding.problem != BROKEN for finding in findings)
            if is_sound:
                self.result.rows += seal.row_count
                # After a seal that is missing or broken nobody knows where its batch ended.
                is_joined = was_sound and not findings
                first = Position(seal.first_tx_order, seal.first_seq - 1)
                await self.batch(seal, leaves, self.last if is_joined else first)
            was_sound = is_sound
            self.last = seal.last
        await self.end()

    async def _seals(self) -> AsyncIterator[tuple[Seal, bytes]]:
        names = [column.name for column in fields(Seal)]
        no: int | None = None
        while True:
            rows = await self.tx.fetch(
                f"""
                select {COLUMNS}, leaves from audit_seal
                where organization_id = $1 and stream = $2 and ($3::bigint is null or no > $3)
                order by no limit {_SEALS_AT_ONCE}
                """,
                self.tx.organization_id,
                self.stream,
                no,
            )
            for row in rows:
                yield Seal(**{name: row[name] for name in names}), row["leaves"]
            if len(rows) < _SEALS_AT_ONCE:
                return
            no = rows[-1]["no"]

    async def batch(self, seal: Seal, leaves: bytes, start: Position) -> None:
        raise NotImplementedError

    async def end(self) -> None:
        raise NotImplementedError

    def find(self, problem: str, table: str, id: object, position: str) -> None:
        """Report one row."""
        self.result.findings.append(Finding(problem, table, str(id), position))


class _Chain:
    """Whether each seal follows the one before and says what its leaves say."""

    def __init__(self, stream: str, key: bytes | None) -> None:
        self.stream, self.key = stream, key
        self.no = 0
        # What the next seal may build on: the seal as stored, and as it should be.
        self.previous = {NO_SEAL}
        self.is_keyed = False

    def check(self, seal: Seal, leaves: bytes) -> list[Finding]:
        """What is wrong with the next seal, and what is missing before it."""
        found = []
        is_gap = seal.no != self.no + 1
        if is_gap:
            named = str(self.no + 1) if seal.no == self.no + 2 else f"{self.no + 1}-{seal.no - 1}"
            found.append(self._finding(MISSING, named, f"before seal {seal.no}"))
        computed = {seal_hash(seal, before, self._key(seal)) for before in self.previous}
        is_sound = (
            # The seal before is not there to compare with.
            (is_gap or any(compare_digest(made, seal.seal) for made in computed))
            and merkle.root(leaf_hashes(leaves)) == seal.root
            and len(leaves) == seal.row_count * LEAF_LENGTH
            and seal.format in streams.FORMATS
            and (seal.is_keyed or not self.is_keyed)
        )
        if not is_sound:
            found.append(self._finding(BROKEN, str(seal.no), "proves nothing"))
        self.no = seal.no
        self.previous = {seal.seal, *computed}
        self.is_keyed = self.is_keyed or seal.is_keyed
        return found

    def _key(self, seal: Seal) -> bytes | None:
        return self.key if seal.is_keyed else None

    def _finding(self, problem: str, no: str, position: str) -> Finding:
        return Finding(problem, "audit_seal", f"{self.stream}/{no}", position)


@dataclass
class _Rows(_Stream):
    """Audit entries or events: a row belongs where its position says."""

    gone: dict[UUID, str] = field(default_factory=dict)
    come: dict[UUID, str] = field(default_factory=dict)

    @property
    def table(self) -> str:
        return streams.TABLES[self.stream]

    async def batch(self, seal: Seal, leaves: bytes, start: Position) -> None:
        rows = await self.tx.fetch(
            streams.rows_in_order(self.stream, seal.format),
            self.tx.organization_id,
            *start,
            *seal.last,
        )
        if b"".join(row["id"].bytes + row["leaf"] for row in rows) == leaves:
            return
        sealed = {
            UUID(bytes=leaves[at : at + 16]): _Leaf(
                leaves[at + 16 : at + LEAF_LENGTH], place, f"seal {seal.no}, row {place + 1}"
            )
            for place, at in enumerate(range(0, len(leaves), LEAF_LENGTH))
        }
        found = {
            row["id"]: _Leaf(row["leaf"], place, f"position {row['tx_order']}.{row['seq']}")
            for place, row in enumerate(rows)
        }
        self.gone |= {id: leaf.position for id, leaf in sealed.items() if id not in found}
        self.come |= {id: leaf.position for id, leaf in found.items() if id not in sealed}
        for id, problem in _compared(sealed, found):
            self.find(problem, self.table, id, sealed[id].position)

    async def end(self) -> None:
        """Tell rows that were moved to another place from those that are gone or new."""
        elsewhere = set(self.gone) & set(self.come)
        rest = [id for id in self.gone if id not in elsewhere]
        if rest:
            rows = await self.tx.fetch(
                f"select id from {self.table} where organization_id = $1 and id = any($2)",
                self.tx.organization_id,
                rest,
            )
            elsewhere |= {row["id"] for row in rows}
        for id, position in self.gone.items():
            self.find(REORDERED if id in elsewhere else DELETED, self.table, id, position)
        for id, position in self.come.items():
            if id not in elsewhere:
                self.find(INSERTED, self.table, id, position)
        self.result.waiting += await self.tx.fetchval(
            f"""
            select count(*) from {self.table}
            where organization_id = $1 and (tx_order, seq) > ($2::bigint, $3::bigint)
            """,
            self.tx.organization_id,
            *self.last,
        )


def _compared(
    sealed: Mapping[UUID, _Leaf], found: Mapping[UUID, _Leaf]
) -> Iterable[tuple[UUID, str]]:
    """Rows on both sides that differ. A row's position is among what its leaf covers, so of rows
    that changed places those differ that were moved, and not those in between."""
    here = [id for id in sealed if id in found]
    there = {id: place for place, id in enumerate(id for id in found if id in sealed)}
    for place, id in enumerate(here):
        if sealed[id].hash != found[id].hash:
            yield id, CHANGED if there[id] == place else REORDERED


@dataclass
class _Documents(_Stream):
    """Stock documents with their lines, asked for by id: no change of an event can hide them."""

    forged: dict[UUID, str] = field(default_factory=dict)

    async def batch(self, seal: Seal, leaves: bytes, start: Position) -> None:
        sealed: dict[tuple[UUID, int], bytes] = {}
        line_no = 0
        before = None
        for at in range(0, len(leaves), LEAF_LENGTH):
            id = UUID(bytes=leaves[at : at + 16])
            line_no = line_no + 1 if id == before else 0
            sealed[id, line_no] = leaves[at + 16 : at + LEAF_LENGTH]
            before = id
        ids = list(dict.fromkeys(id for id, _ in sealed))
        for id in ids:
            self.forged.pop(id, None)
        rows = await self.tx.fetch(
            streams.documents_in_order(seal.format), self.tx.organization_id, ids
        )
        found = {(row["id"], row["line_no"]): row["leaf"] for row in rows}
        for place in sealed.keys() | found.keys():
            if sealed.get(place) != found.get(place):
                problem = CHANGED
                if place not in found:
                    problem = DELETED
                elif place not in sealed:
                    problem = INSERTED
                self._name(problem, place, f"seal {seal.no}")

    def _name(self, problem: str, place: tuple[UUID, int], position: str) -> None:
        document_id, line_no = place
        if line_no == 0:
            self.find(problem, "stock_document", document_id, position)
        else:
            self.find(problem, "stock_movement", f"{document_id}/{line_no}", position)

    async def end(self) -> None:
        for id, position in self.forged.items():
            self.find(INSERTED, "stock_document", id, position)
        orphans = await self.tx.fetch(
            """
            select m.document_id, m.line_no from stock_movement m
            where m.organization_id = $1 and not exists (
              select from stock_document d
              where d.organization_id = $1 and d.id = m.document_id)
            limit 1000
            """,
            self.tx.organization_id,
        )
        known = {finding.id for finding in self.result.findings}
        for row in orphans:
            if f"{row['document_id']}/{row['line_no']}" not in known:
                self._name(INSERTED, (row["document_id"], row["line_no"]), "without a document")


async def _documents_without_event(tx: Tx) -> dict[UUID, str]:
    """Documents that no event announced: made past the program, unless their event was deleted."""
    rows = await tx.fetch(
        """
        select d.id from stock_document d
        where d.organization_id = $1 and not exists (
          select from event e
          where e.organization_id = $1 and e.subject_id = d.id and e.type = $2)
        """,
        tx.organization_id,
        StockPosted.type,
    )
    return {row["id"]: "without an event" for row in rows}
