"""Use cases of key figures: read the parameters, compute, and say how."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from scm_api.core.errors import FieldError, Invalid, Rule, Text
from scm_api.core.tx import Tx
from scm_api.insights import formulas, purchase_figures, repository, stock_figures
from scm_api.insights.ground import Statement
from scm_api.insights.kpi import Kpi
from scm_api.insights.repository import Scope
from scm_api.insights.schemas import (
    FillKpi,
    KpiParams,
    OverstockKpi,
    OverstockParams,
    PurchaseKpiParams,
    PurchaseOnTimeKpi,
    StockKpiParams,
    StockOutKpi,
    TurnoverKpi,
)
from scm_api.items import categories
from scm_api.items import service as items
from scm_api.suppliers import service as suppliers
from scm_api.warehouses import service as warehouses

_DEFAULT_DAYS = 30
_DAYS_AT_MOST = 3660
_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
BAD_PERIOD = Rule(
    "bad_period",
    Text(
        "A period has 1 to {maximum} days: 'from' must not lie after 'to', nor further before.",
        "期间须为 1 至 {maximum} 天,from 不得晚于 to。",
    ),
)
IN_THE_FUTURE = Rule(
    "period_in_the_future",
    Text("{name} must not lie after {latest}.", "{name} 不得晚于 {latest}。"),
)
NOT_AN_INSTANT = Rule(
    "not_a_past_instant",
    Text("Must lie between 1970 and {latest}.", "须在 1970 年与 {latest} 之间。"),
)


@dataclass(frozen=True)
class _Figure:
    """What makes one key figure."""

    name: str
    formula: Text
    statement: Statement
    answer: type[Kpi]


_TURNOVER = _Figure("inventory_turnover", formulas.TURNOVER, stock_figures.TURNOVER, TurnoverKpi)
_STOCK_OUT = _Figure("stock_out_rate", formulas.STOCK_OUT, stock_figures.STOCK_OUT, StockOutKpi)
_FILL = _Figure("fill_rate", formulas.FILL, stock_figures.FILL, FillKpi)
_OVERSTOCK = _Figure("overstock", formulas.OVERSTOCK, stock_figures.OVERSTOCK, OverstockKpi)
_PURCHASE = _Figure(
    "purchase_on_time",
    formulas.PURCHASE_ON_TIME,
    purchase_figures.PURCHASE_ON_TIME,
    PurchaseOnTimeKpi,
)


async def turnover(tx: Tx, wanted: StockKpiParams) -> TurnoverKpi:
    """Inventory turnover and days of inventory. Raises `Invalid`."""
    return TurnoverKpi.model_validate(await _compute(tx, _TURNOVER, wanted, wanted.group_by))


async def stock_out_rate(tx: Tx, wanted: StockKpiParams) -> StockOutKpi:
    """Share of item-days without stock. Raises `Invalid`."""
    return StockOutKpi.model_validate(await _compute(tx, _STOCK_OUT, wanted, wanted.group_by))


async def fill_rate(tx: Tx, wanted: StockKpiParams) -> FillKpi:
    """Share of demand that was served. Raises `Invalid`."""
    return FillKpi.model_validate(await _compute(tx, _FILL, wanted, wanted.group_by))


async def overstock(tx: Tx, wanted: OverstockParams) -> OverstockKpi:
    """Share of the stock's value above its level on the last day. Raises `Invalid`."""
    body = await _compute(tx, _OVERSTOCK, wanted, wanted.group_by, wanted.cover_days)
    return OverstockKpi.model_validate({**body, "cover_days": wanted.cover_days})


async def purchase_on_time(tx: Tx, wanted: PurchaseKpiParams) -> PurchaseOnTimeKpi:
    """Deliveries against confirmed and requested dates. Raises `Invalid`."""
    body = await _compute(
        tx, _PURCHASE, wanted, wanted.group_by, wanted.early_days, supplier=wanted.supplier
    )
    return PurchaseOnTimeKpi.model_validate({**body, "early_days": wanted.early_days})


async def _compute(
    tx: Tx,
    figure: _Figure,
    wanted: KpiParams,
    group_by: str | None,
    parameter: int | None = None,
    supplier: str | None = None,
) -> dict[str, Any]:
    scope, currency = await _scope(tx, wanted, supplier)
    total, *groups = await repository.compute(
        tx, figure.statement, scope, group_by, wanted.limit, parameter
    )
    return {
        "kpi": figure.name,
        "formula": figure.formula.en,
        "formula_zh": figure.formula.zh,
        "from": scope.first_day,
        "to": scope.last_day,
        "days": scope.days,
        "as_of": scope.as_of,
        "currency": currency,
        "group_by": group_by,
        "group_count": total["group_count"],
        "total": figure.answer.derive(dict(total), scope.days),
        "groups": [
            figure.answer.derive(dict(row), scope.days)
            | {"group": {"id": row["key"], "code": row["code"], "name": row["name"]}}
            for row in groups
        ],
    }


async def _scope(tx: Tx, wanted: KpiParams, supplier: str | None) -> tuple[Scope, str]:
    company = await repository.organization(tx)
    as_of = _instant(tx, wanted)
    today = as_of.astimezone(ZoneInfo(company["time_zone"])).date()
    last_day = wanted.to_on or today
    first_day = wanted.from_on or last_day - timedelta(days=_DEFAULT_DAYS - 1)
    errors: list[FieldError] = []
    ids = await _filter_ids(tx, wanted, supplier, errors)
    if last_day > today:
        errors.append(IN_THE_FUTURE.at_parameter("to", name="to", latest=today.isoformat()))
    if not 1 <= (last_day - first_day).days + 1 <= _DAYS_AT_MOST:
        errors.append(BAD_PERIOD.at_parameter("from", maximum=_DAYS_AT_MOST))
    if errors:
        raise Invalid(errors)
    return Scope(first_day, last_day, as_of, **ids), company["base_currency"]


async def _filter_ids(
    tx: Tx, wanted: KpiParams, supplier: str | None, errors: list[FieldError]
) -> dict[str, UUID | None]:
    """What the filters name; those that name nothing go to `errors`."""
    ids: dict[str, UUID | None] = {}
    for name, find, key in (
        ("warehouse_id", warehouses.filter_id, wanted.warehouse),
        ("item_id", items.filter_id, wanted.item),
        ("category_id", categories.filter_id, wanted.category),
        ("supplier_id", suppliers.filter_id, supplier),
    ):
        try:
            ids[name] = await find(tx, key)
        except Invalid as problem:
            errors += problem.errors
    return ids


def _instant(tx: Tx, wanted: KpiParams) -> datetime:
    as_of = wanted.as_of or tx.now
    if not _EARLIEST <= as_of <= tx.now:
        raise Invalid([NOT_AN_INSTANT.at_parameter("as_of", latest=tx.now.isoformat())])
    return as_of.astimezone(UTC)
