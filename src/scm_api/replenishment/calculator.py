"""The safety-stock calculator and the demand profile: answers that write nothing."""

from datetime import timedelta
from decimal import Decimal

import numpy as np

from scm_api.core.schemas import ItemLink, Link
from scm_api.core.tx import Tx
from scm_api.demand import service as demand
from scm_api.items import service as items
from scm_api.replenishment import plan_repository
from scm_api.replenishment.demand_profile import DemandClass, demand_profile, weekly_index
from scm_api.replenishment.planning import SERVICE_RULES
from scm_api.replenishment.safety_stock import (
    Distribution,
    choose_distribution,
    protection_demand,
    service_curve,
)
from scm_api.replenishment.suggestion_schemas import (
    CurvePoint,
    DemandProfileQuery,
    DemandProfileRead,
    ProfileDayRead,
    Protection,
    SafetyStockAnswer,
    SafetyStockAsk,
)
from scm_api.warehouses import service as warehouses

_SIX_PLACES = Decimal("0.000001")
FORMULAS = {
    "protection_days": "lead_time_mean_days + review_days",
    "protection_mean": "daily_demand_mean * protection_days",
    "protection_sd": (
        "sqrt(protection_days * daily_demand_sd^2 + daily_demand_mean^2 * lead_time_sd_days^2)"
    ),
    "safety_factor": (
        "cycle_service: (quantile of the distribution at the level - mean) / sd, for a normal the "
        "z of the level; fill_rate: the least k whose expected shortage per order is "
        "order_quantity * (1 - level)"
    ),
    "safety_stock": "safety_factor * protection_sd, never below 0",
    "reorder_point": "protection_mean + safety_stock",
    "value": "safety_stock * unit_cost",
    "annual_holding_cost": "value * holding_rate",
}


def _number(value: float) -> Decimal:
    return Decimal(repr(float(value))).quantize(_SIX_PLACES)


def _figures(
    mean: Decimal | None, sd: Decimal | None, values: list[Decimal] | None
) -> tuple[float, float]:
    """Mean and sample standard deviation, as given or of the list."""
    if values is None:
        assert mean is not None
        assert sd is not None
        return float(mean), float(sd)
    numbers = np.array([float(value) for value in values])
    return float(numbers.mean()), float(numbers.std(ddof=1))


def curve(ask: SafetyStockAsk) -> SafetyStockAnswer:
    """The stock-to-service curve for numbers that stand in the request."""
    mean, sd = _figures(ask.daily_demand_mean, ask.daily_demand_sd, ask.daily_demand)
    lead, lead_sd = _figures(ask.lead_time_mean_days, ask.lead_time_sd_days, ask.lead_times_days)
    review = float(ask.review_days)
    protection = protection_demand(
        *(np.array([value]) for value in (mean, sd, lead, lead_sd, review))
    )
    cost, rate = float(ask.unit_cost), float(ask.holding_rate)
    found = service_curve(
        protection,
        np.array([float(level) for level in ask.service_levels]),
        np.array([SERVICE_RULES[ask.service_rule]], dtype=np.int8),
        np.array([float(ask.order_quantity or 1)]),
        np.array([ask.is_count]),
        unit_cost=np.array([cost]),
        holding_rate=np.array([rate]),
    )
    usual, spread = float(protection.mean[0]), float(protection.sd[0])
    kind = choose_distribution(protection.mean, protection.sd, np.array([ask.is_count]))
    return SafetyStockAnswer(
        inputs={
            "daily_demand_mean": _number(mean),
            "daily_demand_sd": _number(sd),
            "lead_time_mean_days": _number(lead),
            "lead_time_sd_days": _number(lead_sd),
            "review_days": _number(review),
            "unit_cost": _number(cost),
            "holding_rate": _number(rate),
        },
        protection=Protection(
            days=_number(lead + review),
            mean=_number(protection.mean[0]),
            sd=_number(protection.sd[0]),
        ),
        service_rule=ask.service_rule,
        distribution=Distribution(int(kind[0])).name.lower(),
        curve=[
            CurvePoint(
                service_level=level,
                safety_factor=_number(units / spread if spread > 0 else 0.0),
                safety_stock=_number(units),
                reorder_point=_number(usual + units),
                value=_number(found.value[n, 0]),
                annual_holding_cost=_number(found.annual_holding_cost[n, 0]),
            )
            for n, (level, units) in enumerate(
                zip(ask.service_levels, found.safety_stock[:, 0], strict=True)
            )
        ],
        formulas=FORMULAS,
    )


async def profile(tx: Tx, item_key: str, wanted: DemandProfileQuery) -> DemandProfileRead:
    """What kind of demand an item has in a warehouse. Raises `NotFound`."""
    item = await items.get(tx, item_key)
    warehouse = await warehouses.get(tx, wanted.warehouse)
    today = await plan_repository.today(tx)
    first_day, last_day = today - timedelta(days=wanted.days), today - timedelta(days=1)
    past = await demand.history(tx, [(item.id, warehouse.id)], first_day, wanted.days)
    found = demand_profile(past.demand, past.valid)
    week = weekly_index(past.demand, past.valid, first_weekday=first_day.weekday())
    line = await plan_repository.latest_line(tx, item.id, warehouse.id)
    shown_from = today - timedelta(days=wanted.show_days)
    days = await demand.days_of(tx, item.id, warehouse.id, shown_from, last_day)
    adi = float(found.adi[0])
    return DemandProfileRead(
        item=ItemLink.model_validate(item),
        warehouse=Link.model_validate(warehouse),
        first_day=first_day,
        last_day=last_day,
        observed_days=int(found.observed_days[0]),
        demand_days=int(found.demand_days[0]),
        mean=_number(found.mean[0]),
        sd=_number(found.sd[0]),
        adi=None if np.isinf(adi) else _number(adi),
        cv2=_number(found.cv2[0]),
        demand_class=DemandClass(int(found.demand_class[0])).name.lower(),
        trend_per_day=_number(found.trend_per_day[0]),
        weekly_index=[_number(value) for value in week.index[0]],
        abc=None if line is None else line["abc"],
        xyz=None if line is None else line["xyz"],
        last_days=[
            ProfileDayRead(**{name: row[name] for name in ProfileDayRead.model_fields})
            for row in days
        ],
    )
