"""What the demo shows of the company at a moment: read from the same tables the API reads."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from scm_api.core.tx import Tx
from scm_api.demo.world import World


@dataclass(frozen=True)
class Figures:
    """The company at a moment; values in its base currency."""

    on: date
    stock_value: Decimal
    units_on_hand: Decimal
    units_on_order: Decimal
    stocked_out: int
    open_orders: int
    open_order_value: Decimal
    open_suggestions: int
    open_alerts: dict[str, int]


_POSITIONS = """
select coalesce(sum(value), 0) as stock_value, coalesce(sum(on_hand), 0) as units_on_hand,
       count(*) filter (where on_hand <= 0) as stocked_out
from stock_position where organization_id = $1
"""
_ORDERS = """
select count(*) as open_orders, coalesce(sum(amount), 0) as open_order_value
from purchase_order where organization_id = $1 and status = 'issued'
"""
_OTHERS = """
select
  (select coalesce(sum(quantity), 0) from inbound_supply where organization_id = $1)
    as units_on_order,
  (select count(*) from replenishment_suggestion where organization_id = $1 and status = 'open')
    as open_suggestions
"""
_ALERTS = """
select kind, count(*) as count from alert
where organization_id = $1 and status <> 'resolved' group by kind order by kind
"""


async def figures(tx: Tx) -> Figures:
    """The figures of the transaction's organization now."""
    numbers: dict[str, object] = {}
    for sql in (_POSITIONS, _ORDERS, _OTHERS):
        row = await tx.fetchrow(sql, tx.organization_id)
        assert row is not None
        numbers |= dict(row)
    alerts = await tx.fetch(_ALERTS, tx.organization_id)
    return Figures(
        on=tx.now.date(),
        open_alerts={row["kind"]: row["count"] for row in alerts},
        **numbers,  # type: ignore[arg-type]
    )


@dataclass(frozen=True)
class AlertChanges:
    """How many alerts were raised since a moment, and how many went away by themselves."""

    raised: int
    cleared: int


async def alert_changes(tx: Tx, since: object) -> AlertChanges:
    """What happened to alerts after a moment."""
    row = await tx.fetchrow(
        """
        select count(*) filter (where first_raised_at > $2) as raised,
               count(*) filter (where resolved_at > $2 and resolution = 'auto') as cleared
        from alert where organization_id = $1
        """,
        tx.organization_id,
        since,
    )
    assert row is not None
    return AlertChanges(**dict(row))


async def on_hand(tx: Tx, world: World) -> NDArray[np.int64]:
    """Units on hand as the ledger has them, by item and warehouse of the sample."""
    rows = await tx.fetch(
        "select item_id, warehouse_id, on_hand from stock_position where organization_id = $1",
        tx.organization_id,
    )
    items = {id: n for n, id in enumerate(world.item_ids)}
    warehouses = {id: n for n, id in enumerate(world.warehouse_ids)}
    found = np.zeros((len(items), len(warehouses)), np.int64)
    for row in rows:
        found[items[row["item_id"]], warehouses[row["warehouse_id"]]] = int(row["on_hand"])
    return found
