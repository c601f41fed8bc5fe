"""Bodies of key figures. Quantities are in base units, values in base currency."""

from typing import Any, ClassVar, Literal

from pydantic import ConfigDict, Field

from scm_api.core.schemas import (
    CategoryKey,
    CostNumber,
    Day,
    Instant,
    ItemKey,
    Number,
    Read,
    Strict,
    SupplierKey,
    WarehouseKey,
)
from scm_api.insights import policy
from scm_api.insights.kpi import Derive, Kpi, Row

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


class TurnoverFigures(Read):
    """Turnover with its inputs."""

    n: int = Field(description="Item-locations that held value or were consumed.")
    opening_value: CostNumber
    closing_value: CostNumber
    value_days: CostNumber = Field(
        description="Stock value x days; a posting's own day counts half."
    )
    average_value: CostNumber = Field(description="Value-days / days.")
    consumption_value: CostNumber = Field(description="Cost of goods issued, less what came back.")
    turnover: Number | None = Field(description="In the period; null without stock.")
    turnover_per_year: Number | None
    days_of_inventory: Number | None = Field(description="Null without consumption.")


class TurnoverRow(TurnoverFigures, Row):
    """Turnover of one group."""


class TurnoverKpi(Kpi):
    """Inventory turnover and days of inventory."""

    derive: ClassVar[Derive] = policy.turnover

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


class StockOutRow(StockOutFigures, Row):
    """Stock-out rate of one group."""


class StockOutKpi(Kpi):
    """Share of item-days without stock."""

    derive: ClassVar[Derive] = policy.stock_out

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


class FillRow(FillFigures, Row):
    """Fill rate of one group."""


class FillKpi(Kpi):
    """Share of demand that was served."""

    derive: ClassVar[Derive] = policy.fill

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


class OverstockRow(OverstockFigures, Row):
    """Overstock of one group."""


class OverstockKpi(Kpi):
    """Share of the stock's value that lies above its level on the last day."""

    derive: ClassVar[Derive] = policy.overstock

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
    days_late: int = Field(description="In all, of those that came late.")
    average_days_late: Number | None = Field(description="Of those that came late.")


class PurchaseFigures(Read):
    """Deliveries against what suppliers confirmed, and against what we asked for."""

    confirmed: Punctuality
    requested: Punctuality


class PurchaseRow(PurchaseFigures, Row):
    """Deliveries of one group."""


class PurchaseOnTimeKpi(Kpi):
    """Purchase on-time rate."""

    derive: ClassVar[Derive] = policy.purchase_on_time

    early_days: int
    total: PurchaseFigures
    groups: list[PurchaseRow]

    def inputs(self, *, is_money_shown: bool) -> dict[str, Any]:
        """The counts of both kinds of date side by side; none of them is money."""
        return {
            f"{basis}_{name}": value
            for basis, counts in self.total_figures().items()
            for name, value in counts.items()
        }
