"""Proof that what order lines say has arrived is what receipts brought."""

from scm_api.core.tx import Tx
from scm_api.purchase_orders.audit import Finding

_RECEIVED = """
select o.number, l.line_no, l.received_quantity, coalesce(sum(r.quantity), 0) as arrived
from purchase_order_line l
join purchase_order o on o.organization_id = l.organization_id and o.id = l.order_id
left join (
  select x.organization_id, x.order_line_id, x.quantity from receipt_line x
  join receipt h on h.organization_id = x.organization_id and h.id = x.receipt_id
  where h.status = 'posted'
) r on r.organization_id = l.organization_id and r.order_line_id = l.id
where l.organization_id = $1
group by o.number, l.line_no, l.received_quantity
having coalesce(sum(r.quantity), 0) <> l.received_quantity
order by o.number, l.line_no
"""


async def audit(tx: Tx) -> list[Finding]:
    """All order lines whose received quantity is not the sum of their posted receipts."""
    return [
        Finding(
            "received = sum of receipts",
            f"{row['number']} line {row['line_no']}",
            str(row["arrived"]),
            str(row["received_quantity"]),
        )
        for row in await tx.fetch(_RECEIVED, tx.organization_id)
    ]
