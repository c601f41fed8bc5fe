"""What alerts do in the background: follow the events of what they watch, and watch the time."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from uuid import UUID

import asyncpg
import structlog

from scm_api.alerts import repository, service
from scm_api.alerts.events import AlertRuleChanged
from scm_api.core import outbox
from scm_api.core.consumers import consumer
from scm_api.core.runtime import Runtime
from scm_api.core.tx import Principal, Source, Tx
from scm_api.purchase_orders.events import (
    OrderCancelled,
    OrderClosed,
    OrderConfirmed,
    OrderIssued,
    OrderReopened,
    OrderRevised,
)
from scm_api.receipts.events import ReceiptPosted, ReceiptReversed
from scm_api.replenishment.events import PlanCompleted
from scm_api.stock.events import StockPosted
from scm_api.stock.shortage_events import ShortageRecorded

logger = structlog.get_logger()
# Beyond this many pairs the whole organization is evaluated: one plan for everything is cheaper.
_PAIRS_AT_MOST = 2000
_ORDERS = (
    OrderIssued,
    OrderConfirmed,
    OrderRevised,
    OrderClosed,
    OrderReopened,
    OrderCancelled,
)
_EVERYTHING = {PlanCompleted.type, AlertRuleChanged.type}


@consumer(
    "alerts",
    StockPosted,
    ShortageRecorded,
    *_ORDERS,
    ReceiptPosted,
    ReceiptReversed,
    PlanCompleted,
    AlertRuleChanged,
)
async def follow(tx: Tx, events: Sequence[asyncpg.Record]) -> None:
    """Evaluate what a batch of events touched, each subject once however often it was touched."""
    everything = any(event["type"] in _EVERYTHING for event in events)
    pairs = None if everything else await _pairs(tx, events)
    if pairs is None or pairs:
        await service.evaluate(tx, None if pairs is None else sorted(pairs))
    orders = {id for event in events if (id := _order_id(event)) is not None}
    if orders or everything:
        await service.evaluate_orders(tx, None if everything else sorted(orders))


async def _pairs(tx: Tx, events: Sequence[asyncpg.Record]) -> set[tuple[UUID, UUID]] | None:
    """The item-locations the events touched; None means: look at all."""
    named: set[tuple[UUID, UUID]] = set()
    big_documents: list[UUID] = []
    for event in events:
        data: dict[str, Any] = event["data"]
        named |= {(UUID(i), UUID(w)) for i, w in data["item_warehouses"]}
        if data.get("is_many", not data["item_warehouses"]):
            if event["type"] != StockPosted.type:
                return None
            big_documents.append(event["subject_id"])
    if big_documents:
        named |= set(await repository.documents_pairs(tx, big_documents))
    return named if len(named) <= _PAIRS_AT_MOST else None


def _order_id(event: asyncpg.Record) -> UUID | None:
    if event["subject_type"] == "purchase_order":
        id: UUID = event["subject_id"]
        return id
    order_id = event["data"].get("order_id")
    return None if order_id is None else UUID(order_id)


async def sweep_all(runtime: Runtime) -> None:
    """Evaluate every organization, each in a transaction of its own; one that fails stops none."""
    async with runtime.database.system() as driver:
        organizations = [row["id"] for row in await driver.fetch("select id from organization")]
    for organization_id in organizations:
        principal = Principal("system", organization_id, "alerts", organization_id, frozenset("*"))
        try:
            async with runtime.database.transaction(
                principal, now=runtime.clock(), source=Source("schedule:alerts")
            ) as tx:
                await service.sweep(tx)
                await outbox.flush(tx)
                await tx.driver.execute("commit")
        except Exception:
            logger.exception("alert_sweep_failed", organization_id=str(organization_id))


# (name, cron in UTC, coroutine function): orders become late and stock runs out by time alone.
SCHEDULES: list[tuple[str, str, Callable[[Runtime], Awaitable[None]]]] = [
    ("alerts_sweep", "*/15 * * * *", sweep_all),
]
