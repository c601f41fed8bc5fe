"""Proof that orders and what planning expects from them agree, line by line."""

from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from scm_api.core.tx import Tx
from scm_api.purchase_orders import policy
from scm_api.purchase_orders.document import Line, Schedule

_OVER_RECEIVED = """
select o.number, l.line_no, l.quantity, l.over_delivery_percent, l.received_quantity
from purchase_order_line l
join purchase_order o on o.organization_id = l.organization_id and o.id = l.order_id
where l.organization_id = $1 and not l.is_unlimited_overdelivery
  and l.received_quantity * 100 > l.quantity * (100 + l.over_delivery_percent)
order by o.number, l.line_no
"""
_MISSCHEDULED = """
select o.number, l.line_no, l.quantity, coalesce(sum(s.quantity), 0) as scheduled
from purchase_order_line l
join purchase_order o on o.organization_id = l.organization_id and o.id = l.order_id
left join purchase_order_schedule s on s.organization_id = l.organization_id and s.line_id = l.id
where l.organization_id = $1
group by o.number, l.line_no, l.quantity
having coalesce(sum(s.quantity), 0) <> l.quantity
order by o.number, l.line_no
"""
_EXPECTING = """
select l.*, o.number as order_number from purchase_order_line l
join purchase_order o on o.organization_id = l.organization_id and o.id = l.order_id
where l.organization_id = $1 and o.status = 'issued'
"""
_SCHEDULES = """
select s.* from purchase_order_schedule s
join purchase_order_line l on l.organization_id = s.organization_id and l.id = s.line_id
join purchase_order o on o.organization_id = l.organization_id and o.id = l.order_id
where s.organization_id = $1 and o.status = 'issued'
order by s.line_id, s.schedule_no
"""
_INBOUND = """
select source_line_id, source_number, item_id, warehouse_id, due_on, quantity
from inbound_supply where organization_id = $1 and source_type = 'purchase_order'
"""


@dataclass(frozen=True)
class Finding:
    """One contradiction: what it is about, what must hold, and what was found."""

    check: str
    what: str
    expected: str
    found: str


async def audit(tx: Tx) -> list[Finding]:
    """All contradictions of an organization's purchase orders; empty when everything adds up."""
    over = [
        Finding(
            "received <= ordered + tolerance",
            f"{row['number']} line {row['line_no']}",
            f"at most {row['quantity']} + {row['over_delivery_percent']} %",
            str(row["received_quantity"]),
        )
        for row in await tx.fetch(_OVER_RECEIVED, tx.organization_id)
    ]
    scheduled = [
        Finding(
            "line = sum of its schedules",
            f"{row['number']} line {row['line_no']}",
            str(row["quantity"]),
            str(row["scheduled"]),
        )
        for row in await tx.fetch(_MISSCHEDULED, tx.organization_id)
    ]
    return [*over, *scheduled, *await _inbound(tx)]


async def _inbound(tx: Tx) -> list[Finding]:
    """Compare the expected supply with what the open orders' own rule says."""
    expected: dict[UUID, tuple[str, str]] = {}
    for number, line in await _open_lines(tx):
        for schedule, quantity in policy.open_schedules(line):
            expected[schedule.id] = (
                f"{number} line {line.line_no}",
                _supply(line.item_id, line.warehouse_id, schedule.due_on, quantity),
            )
    found = {
        row["source_line_id"]: (
            row["source_number"],
            _supply(row["item_id"], row["warehouse_id"], row["due_on"], row["quantity"]),
        )
        for row in await tx.fetch(_INBOUND, tx.organization_id)
    }
    nothing = ("", "nothing")
    return [
        Finding(
            "expected supply = open schedules",
            expected.get(key, found.get(key, nothing))[0],
            expected.get(key, nothing)[1],
            found.get(key, nothing)[1],
        )
        for key in sorted(expected.keys() | found.keys())
        if expected.get(key, nothing)[1] != found.get(key, nothing)[1]
    ]


async def _open_lines(tx: Tx) -> list[tuple[str, Line]]:
    numbered = []
    lines: dict[UUID, Line] = {}
    for row in await tx.fetch(_EXPECTING, tx.organization_id):
        values = dict(row)
        number = values.pop("order_number")
        line = Line(**values)
        lines[line.id] = line
        numbered.append((number, line))
    for row in await tx.fetch(_SCHEDULES, tx.organization_id):
        lines[row["line_id"]].schedules.append(Schedule(**row))
    return numbered


def _supply(item_id: UUID, warehouse_id: UUID, due_on: object, quantity: Decimal) -> str:
    return f"{quantity:.4f} of {item_id} at {warehouse_id} on {due_on}"
