"""HTTP of sales plans and promotions."""

from typing import Annotated

from fastapi import Query

from scm_api.core.http import OpenTx, ReplyTo, operation, router
from scm_api.core.schemas import ItemLink, Link
from scm_api.demand import service
from scm_api.demand.schemas import (
    SalesPlanFilter,
    SalesPlanList,
    SalesPlanRange,
    SalesPlanRead,
    SalesPlansResult,
    SalesPlansWrite,
)

sales_plans = router("sales-plans")


@sales_plans.put("/bulk", summary="Write planned days", **operation("sales_plans:write"))
async def bulk(tx: OpenTx, body: SalesPlansWrite) -> SalesPlansResult:
    """Write promotions and sales plans by day; the same rows again change nothing."""
    return await service.write_plans(tx, body)


@sales_plans.get("", summary="List planned days", **operation("sales_plans:read"))
async def list_(
    tx: OpenTx, reply: ReplyTo, wanted: Annotated[SalesPlanFilter, Query()]
) -> SalesPlanList:
    """Planned days, by day."""
    page = await service.list_plans(tx, wanted)
    reply.next_page(page.next_cursor)
    return SalesPlanList(
        **page.body(
            [
                SalesPlanRead(
                    **{
                        name: getattr(row[0], name)
                        for name in SalesPlanRead.model_fields
                        if name not in ("item", "warehouse")
                    },
                    item=ItemLink.model_validate(row[1]),
                    warehouse=Link.model_validate(row[2]),
                )
                for row in page.rows
            ]
        )
    )


@sales_plans.delete("", summary="Delete planned days", **operation("sales_plans:write"))
async def delete(tx: OpenTx, wanted: Annotated[SalesPlanRange, Query()]) -> SalesPlansResult:
    """Delete the planned days of a range, of all items unless one is named."""
    return await service.delete_plans(tx, wanted)
