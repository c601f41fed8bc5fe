"""Bodies of shortages."""

from datetime import date, datetime
from uuid import UUID

from pydantic import ConfigDict, Field

from scm_api.core.pages import PageParams
from scm_api.core.schemas import (
    Code,
    Day,
    Instant,
    ItemKey,
    ItemLink,
    ItemReference,
    Link,
    Note,
    Number,
    Page,
    Quantity,
    Read,
    Reference,
    Strict,
    WarehouseKey,
)


class ShortageLine(Strict):
    """A quantity that was asked for and not served. Report lost demand only: a back order counts as
    demand when it is issued."""

    item: ItemReference
    warehouse: Reference
    quantity: Quantity = Field(description="What was missing, not what was asked for.")
    unit: str | None = Field(default=None, max_length=8, description="The base unit if absent.")
    occurred_at: Instant | None = Field(default=None, description="Now if absent.")
    reason: Note = Field(default="", max_length=200)
    reference: Code | None = Field(default=None, description="Order or customer it belongs to.")
    external_ref: Code | None = Field(
        default=None, description="Your name for it; the same one is recorded once."
    )


class ShortagesCreate(Strict):
    """Up to 1,000 shortages, recorded together or not at all."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "lines": [
                        {
                            "item": {"sku": "SKU-1001"},
                            "warehouse": {"code": "WH-1"},
                            "quantity": "4",
                            "reason": "Customer bought elsewhere",
                            "external_ref": "shop-order-7731",
                        }
                    ]
                }
            ]
        },
    )

    lines: list[ShortageLine] = Field(min_length=1, max_length=1000)


class ShortageResult(Read):
    """What became of one line."""

    id: UUID
    is_new: bool = Field(description="False when this external_ref was recorded before.")


class ShortagesResult(Read):
    """What became of the lines, in their order."""

    recorded: int
    already_known: int
    lines: list[ShortageResult]


class ShortageRead(Read):
    """A shortage."""

    id: UUID
    item: ItemLink
    warehouse: Link
    quantity: Number
    occurred_at: datetime
    occurred_on: date = Field(description="Business day in the warehouse's time zone.")
    source: str = Field(description="api, or the kind of document that was refused.")
    source_ref: str
    reason: str
    reference: str | None
    recorded_at: datetime


class ShortageList(Page[ShortageRead]):
    """A page of shortages."""


class ShortageFilter(PageParams):
    """Which shortages to list."""

    item: ItemKey | None = None
    warehouse: WarehouseKey | None = None
    source: str | None = Field(
        default=None, max_length=32, description="api, or the kind of document that was refused."
    )
    occurred_on_gte: Day | None = Field(default=None, description="First business day.")
    occurred_on_lte: Day | None = Field(default=None, description="Last business day.")
