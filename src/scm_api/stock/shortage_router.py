"""HTTP of shortages."""

from typing import Annotated

from fastapi import Query

from scm_api.core.http import OpenTx, ReplyTo, operation, router
from scm_api.core.schemas import ItemLink, Link
from scm_api.stock import shortage_service as service
from scm_api.stock.shortage_schemas import (
    ShortageFilter,
    ShortageList,
    ShortageRead,
    ShortagesCreate,
    ShortagesResult,
)

shortages = router("shortages")


@shortages.post("", summary="Record unserved demand", **operation("shortages:write"))
async def create(tx: OpenTx, body: ShortagesCreate) -> ShortagesResult:
    """Record demand that was not served. Planning adds it to what was issued: sales alone would
    teach it that an empty shelf has no customers."""
    return await service.create(tx, body)


@shortages.get("", summary="List unserved demand", **operation("shortages:read", across="rows"))
async def list_(
    tx: OpenTx, reply: ReplyTo, wanted: Annotated[ShortageFilter, Query()]
) -> ShortageList:
    """Shortages, newest first: reported ones, and those of refused issues."""
    page = await service.list_all(tx, wanted)
    reply.next_page(page.next_cursor)
    return ShortageList(
        **page.body(
            [
                ShortageRead(
                    **{
                        name: getattr(row[0], name)
                        for name in ShortageRead.model_fields
                        if name not in ("item", "warehouse")
                    },
                    item=ItemLink.model_validate(row[1]),
                    warehouse=Link.model_validate(row[2]),
                )
                for row in page.rows
            ]
        )
    )
