"""Bodies of key figures. Quantities are in base units, values in base currency."""

from datetime import date, datetime
from typing import Literal
from uuid import UUID

from pydantic import ConfigDict, Field

from scm_api.core.schemas import (
    CategoryKey,
    CostNumber,
    Instant,
    ItemKey,
    Number,
    Read,
    Strict,
    SupplierKey,
    WarehouseKey,
)
from scm_api.suppliers.schemas import Day

GroupBy = Literal["warehouse", "category", "item"]
PurchaseGroupBy = Literal["supplier", "warehouse", "category", "item"]


class KpiParams(Strict):
    """What a key figure is computed over. Days are business days of each warehouse."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    from_on: Day | None = Field(
        default=None, alias="from", description="First day; 29 days before the last if absent."
    )
    to_on: Day | None = Field(
        default=None, alias="to", description="Last day, included; today if absent."
    )
    as_of: Instant | None = Field(
        default=None,
        description="What was known at this instant: later postings, back-dated ones too, do not "
        "count. Now if absent.",
    )
    warehouse: WarehouseKey | None = None
    category: CategoryKey | None = Field(
        default=None, description="Its subtree counts too. `CAT-1`, `code=...` or a UUID."
    )
    item: ItemKey | None = None
    limit: int = Field(default=100, ge=1, le=500, description="Groups to show, worst first.")


class StockKpiParams(KpiParams):
    """Parameters of key figures about stock."""

    group_by: GroupBy | None = Field(default=None, description="Also break it down.")


class OverstockParams(StockKpiParams):
    """Parameters of the overstock share."""

    cover_days: int = Field(
        default=90, ge=1, le=3650, description="Days of demand allowed where nothing is planned."
    )


class PurchaseKpiParams(KpiParams):
    """Parameters of key figures about purchasing."""

    supplier: SupplierKey | None = None
    group_by: PurchaseGroupBy | None = Field(default=None, description="Also break it down.")
    early_days: int = Field(
        default=0, ge=0, le=365, description="A delivery is early only by more days than this."
    )


class Group(Read):
    """What a row is about; null fields for items without a category."""

    id: UUID | None
    code: str | None
    name: str | None


class Kpi(Read):
    """What every key figure says about itself."""

    kpi: str
    formula: str = Field(description="How it is computed, in English.")
    formula_zh: str = Field(description="The same in Chinese.")
    from_on: date = Field(alias="from")
    to_on: date = Field(alias="to")
    days: int
    as_of: datetime
    currency: str = Field(description="Base currency of all values.")
    group_by: str | None
    group_count: int = Field(description="How many groups there are; the worst are shown.")

    model_config = ConfigDict(from_attributes=True, populate_by_name=True)


class TurnoverFigures(Read):
    """Turnover with its inputs."""

    n: int = Field(description="Item-locations that held value or were consumed.")
    opening_value: CostNumber
    closing_value: CostNumber
    average_value: CostNumber = Field(description="Time-weighted; a posting's own day counts half.")
    consumption_value: CostNumber = Field(description="Cost of goods issued, less what came back.")
    turnover: Number | None = Field(description="In the period; null without stock.")
    turnover_per_year: Number | None
    days_of_inventory: Number | None = Field(description="Null without consumption.")


class TurnoverRow(TurnoverFigures):
    """Turnover of one group."""

    group: Group


class TurnoverKpi(Kpi):
    """Inventory turnover and days of inventory."""

    total: TurnoverFigures
    groups: list[TurnoverRow]


class StockOutFigures(Read):
    """Stock-out rate with its inputs; n item-locations were active in the period."""

    n: int
    item_days: int
    stocked_out_days: int
    stocked_out_items: int = Field(description="Item-locations with at least one such day.")
    stock_out_rate: Number | None
    achieved_fill: Number | None = Field(description="1 - stock-out rate.")


class StockOutRow(StockOutFigures):
    """Stock-out rate of one group."""

    group: Group


class StockOutKpi(Kpi):
    """Share of item-days without stock."""

    total: StockOutFigures
    groups: list[StockOutRow]


class FillFigures(Read):
    """Fill rate with its inputs; n item-locations had demand."""

    n: int
    issued_quantity: Number
    shortage_quantity: Number
    issued_value: CostNumber
    shortage_value: CostNumber
    fill_rate: Number | None = Field(description="In units.")
    value_fill_rate: Number | None = Field(description="In value at cost.")


class FillRow(FillFigures):
    """Fill rate of one group."""

    group: Group


class FillKpi(Kpi):
    """Share of demand that was served."""

    total: FillFigures
    groups: list[FillRow]


class OverstockFigures(Read):
    """Overstock with its inputs; n item-locations held stock."""

    n: int
    overstocked_items: int
    unplanned_items: int = Field(description="Judged by days of cover, for want of a plan.")
    stock_value: CostNumber
    overstock_value: CostNumber
    overstock_share: Number | None


class OverstockRow(OverstockFigures):
    """Overstock of one group."""

    group: Group


class OverstockKpi(Kpi):
    """Share of the stock's value that lies above its level on the last day."""

    cover_days: int
    total: OverstockFigures
    groups: list[OverstockRow]


class Punctuality(Read):
    """Deliveries against one kind of date; n schedule lines were due in the period."""

    n: int
    on_time: int = Field(description="Done on or before the date, early ones included.")
    early: int
    late: int = Field(description="Done after the date.")
    missing: int = Field(description="Due before the day of as_of, and not done by then.")
    on_time_in_full: int = Field(description="The whole quantity on or before the date.")
    on_time_rate: Number | None
    on_time_in_full_rate: Number | None
    average_days_late: Number | None = Field(description="Of those that came late.")


class PurchaseFigures(Read):
    """Deliveries against what suppliers confirmed, and against what we asked for."""

    confirmed: Punctuality
    requested: Punctuality


class PurchaseRow(PurchaseFigures):
    """Deliveries of one group."""

    group: Group


class PurchaseOnTimeKpi(Kpi):
    """Purchase on-time rate."""

    early_days: int
    total: PurchaseFigures
    groups: list[PurchaseRow]
