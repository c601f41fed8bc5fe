"""The audit of everything: what is derived must be what the ledger and the documents say, and what
is sealed must be what was written.

Rule: one organization is read in one snapshot, so it may run while the system works.
"""

from collections.abc import AsyncIterator, Container
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID

from scm_api.core.runtime import Runtime
from scm_api.core.tx import Principal, Source, Tx
from scm_api.purchase_orders import audit as order_audit
from scm_api.receipts import audit as receipt_audit
from scm_api.stock import audit as stock_audit
from scm_api.trail import sealing, streams, verifying


class Organization(NamedTuple):
    """An organization to audit."""

    id: UUID
    code: str


class Contradiction(NamedTuple):
    """One line of the report, in words."""

    organization: str
    check: str
    what: str
    expected: str
    found: str


@dataclass
class Report:
    """What an audit has read, and what it found wrong."""

    organizations: int = 0
    movements: int = 0
    order_lines: int = 0
    findings: list[Contradiction] = field(default_factory=list)

    def summary(self) -> str:
        """One line for people."""
        return (
            f"Audit: {self.organizations} organization(s), {self.movements} movements and "
            f"{self.order_lines} order lines, {len(self.findings)} finding(s)."
        )


class Head(NamedTuple):
    """The newest seal of a stream: kept elsewhere, it proves that no later one is missing."""

    organization: str
    stream: str
    no: int
    seal: str


async def organizations(runtime: Runtime) -> list[Organization]:
    """Every organization, by code."""
    async with runtime.database.system() as driver:
        rows = await driver.fetch("select id, code from organization order by code")
    return [Organization(row["id"], row["code"]) for row in rows]


@asynccontextmanager
async def _snapshot(runtime: Runtime, organization_id: UUID) -> AsyncIterator[Tx]:
    """A transaction that reads all of one organization as of one moment, however long it takes."""
    begin = (
        "begin isolation level repeatable read read only; set local statement_timeout = 0;"
        f"select set_config('app.organization_id', '{organization_id}', true)"
    )
    system = Principal("system", organization_id, "audit", organization_id, frozenset("*"))
    async with runtime.database.raw(begin) as (connection, driver):
        yield Tx(connection, driver, organization_id, system, Source("audit"), runtime.clock())


async def verify_organization(
    runtime: Runtime, organization: Organization, heads: Container[bytes] = ()
) -> verifying.Verification:
    """Verify the seals of one organization and all they cover; `heads` are seals to look for."""
    async with _snapshot(runtime, organization.id) as tx:
        return await verifying.verify(tx, sealing.key_of(runtime), heads)


async def heads(runtime: Runtime, organization: Organization) -> list[Head]:
    """The newest seal of each stream of one organization; none of a sandbox, whose trail goes when
    it is emptied."""
    async with _snapshot(runtime, organization.id) as tx:
        if await tx.fetchval("select is_sandbox from organization where id = $1", organization.id):
            return []
        newest = [await sealing.last_seal(tx, stream) for stream in streams.STREAMS]
    return [Head(organization.code, s.stream, s.no, s.seal.hex()) for s in newest if s is not None]


async def audit_organization(runtime: Runtime, organization: Organization, report: Report) -> None:
    """Add what one organization's audit reads and finds to the report."""
    async with _snapshot(runtime, organization.id) as tx:
        for stock in await stock_audit.audit(tx):
            report.findings.append(
                Contradiction(
                    organization.code,
                    stock.check,
                    f"{stock.item_id} at {stock.place}",
                    stock.ledger,
                    stock.derived,
                )
            )
        for order in (*await order_audit.audit(tx), *await receipt_audit.audit(tx)):
            report.findings.append(
                Contradiction(
                    organization.code, order.check, order.what, order.expected, order.found
                )
            )
        counts = await tx.fetchrow(
            """
            select (select count(*) from stock_movement where organization_id = $1) as movements,
              (select count(*) from purchase_order_line where organization_id = $1) as order_lines
            """,
            organization.id,
        )
    assert counts is not None
    report.organizations += 1
    report.movements += counts["movements"]
    report.order_lines += counts["order_lines"]
