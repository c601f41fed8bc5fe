"""HTTP of key figures."""

from typing import Annotated

from fastapi import Query

from scm_api.core.http import OpenTx, operation, router
from scm_api.insights import service
from scm_api.insights.schemas import (
    FillKpi,
    OverstockKpi,
    OverstockParams,
    PurchaseKpiParams,
    PurchaseOnTimeKpi,
    StockKpiParams,
    StockOutKpi,
    TurnoverKpi,
)

kpis = router("kpis")


@kpis.get(
    "/inventory-turnover",
    summary="Inventory turnover and days of inventory",
    **operation("insights:read", across="groups"),
)
async def inventory_turnover(tx: OpenTx, wanted: Annotated[StockKpiParams, Query()]) -> TurnoverKpi:
    """How often stock turns over, and for how many days it lasts; worst groups hold the most value
    for what they consume."""
    return await service.turnover(tx, wanted)


@kpis.get(
    "/stock-out-rate", summary="Stock-out rate", **operation("insights:read", across="groups")
)
async def stock_out_rate(tx: OpenTx, wanted: Annotated[StockKpiParams, Query()]) -> StockOutKpi:
    """On how many of its days a demanded item was out of stock."""
    return await service.stock_out_rate(tx, wanted)


@kpis.get("/fill-rate", summary="Fill rate", **operation("insights:read", across="groups"))
async def fill_rate(tx: OpenTx, wanted: Annotated[StockKpiParams, Query()]) -> FillKpi:
    """How much of what was asked for was served, in units and in value."""
    return await service.fill_rate(tx, wanted)


@kpis.get("/overstock", summary="Overstock share", **operation("insights:read", across="groups"))
async def overstock(tx: OpenTx, wanted: Annotated[OverstockParams, Query()]) -> OverstockKpi:
    """How much of the stock's value lies above its level at the end of the last day."""
    return await service.overstock(tx, wanted)


@kpis.get(
    "/purchase-on-time",
    summary="Purchase on-time rate",
    **operation("insights:read", across="groups"),
)
async def purchase_on_time(
    tx: OpenTx, wanted: Annotated[PurchaseKpiParams, Query()]
) -> PurchaseOnTimeKpi:
    """How punctual suppliers are, by confirmed and by requested dates, early and late, and on time
    in full."""
    return await service.purchase_on_time(tx, wanted)
