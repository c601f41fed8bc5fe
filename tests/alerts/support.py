"""What tests of alerts share: levels, evaluation at a chosen time, and the alerts that stand."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from scm_api.alerts import service
from scm_api.alerts.evaluation import Outcome
from scm_api.core import outbox
from scm_api.stock import service as stock
from scm_api.stock.ledger import Levels
from tests.support import Client


async def ids(api: Client, sku: str, warehouse: str = "WH-1") -> tuple[UUID, UUID]:
    """The item-location as ids."""
    item = await api.ok("GET", f"/v1/items/sku={sku}")
    place = await api.ok("GET", f"/v1/warehouses/code={warehouse}")
    return UUID(item["id"]), UUID(place["id"])


async def plan(
    api: Client,
    sku: str,
    *,
    demand: str = "5",
    safety: str = "20",
    point: str = "50",
    up_to: str = "200",
    warehouse: str = "WH-1",
) -> None:
    """Set the levels that planning would."""
    item_id, warehouse_id = await ids(api, sku, warehouse)
    levels = Levels(
        item_id, warehouse_id, Decimal(demand), Decimal(safety), Decimal(point), Decimal(up_to)
    )
    runtime = api.runtime
    async with runtime.database.transaction(api.principal(), now=runtime.clock()) as tx:
        await stock.set_levels(tx, [levels])
        await tx.driver.execute("commit")


async def sweep(api: Client, now: datetime) -> tuple[Outcome, Outcome]:
    """Evaluate the whole organization as if it were `now`."""
    async with api.runtime.database.transaction(api.principal(), now=now) as tx:
        outcome = await service.sweep(tx)
        await outbox.flush(tx)
        await tx.driver.execute("commit")
    return outcome


async def alerts(api: Client, **filters: Any) -> list[Any]:
    """Alerts over HTTP; those not resolved unless asked otherwise."""
    params = {"status": ["open", "acknowledged", "snoozed"], **filters}
    found = await api.ok("GET", "/v1/alerts", params=params)
    rows: list[Any] = found["data"]
    return rows


async def one(api: Client, kind: str, **filters: Any) -> Any:
    """The only alert of a kind."""
    found = await alerts(api, kind=kind, **filters)
    assert len(found) == 1, found
    return found[0]


async def kinds(api: Client) -> list[str]:
    """The kinds that stand, sorted."""
    return sorted(alert["kind"] for alert in await alerts(api))
