"""One block of a plan: from history, stock, supply and policies to decisions, all in arrays.

Rule: pure and independent of the block: an item-location decides the same in any company.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import date, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from scm_api.replenishment.demand_profile import (
    Bools,
    Codes,
    Floats,
    Ints,
    abc_classes,
    demand_profile,
    xyz_classes,
)
from scm_api.replenishment.forecast import combine_plan, daily_profile, forecast
from scm_api.replenishment.lead_time import PRIOR_CV
from scm_api.replenishment.lot_size import PriceBreakChoice, choose_price_break
from scm_api.replenishment.policies import EffectivePolicy
from scm_api.replenishment.safety_stock import ServiceRule
from scm_api.replenishment.sourcing import Choice
from scm_api.replenishment.suggestion import (
    DAYS_A_YEAR,
    NEVER,
    SuggestionInputs,
    Suggestions,
    protection_days,
    suggest,
)
from scm_api.suppliers.service import order_by

SMALLEST_STEP = 0.0001
SERVICE_RULES = {"cycle_service": ServiceRule.CYCLE, "fill_rate": ServiceRule.FILL}


@dataclass(frozen=True)
class Place:
    """One item-location to plan, as stored: stock units, today's policy and source. `unit_cost` is
    in the base currency, 0 where nothing is known in it.

    `blocked_by` names what keeps a suggestion back whatever the figures say, or is empty.
    """

    item_id: UUID
    warehouse_id: UUID
    on_hand: float
    reserved: float
    unit_cost: float
    base_currency: str
    previous_reorder_point: float | None
    blocked_by: str
    policy: EffectivePolicy
    choice: Choice

    @property
    def pair(self) -> tuple[UUID, UUID]:
        return self.item_id, self.warehouse_id

    @property
    def lead_time(self) -> tuple[float, float]:
        """Mean and spread of the source's lead time; the policy's days if nothing is known."""
        chosen, assumed = self.choice.chosen, float(self.policy.values["lead_time_days"])
        if chosen is None:
            return assumed, assumed * PRIOR_CV
        if chosen.is_assumed:
            return assumed + chosen.shutdown_days, assumed * PRIOR_CV
        return chosen.lead_time_days, chosen.lead_time_sd_days

    @property
    def currency(self) -> str:
        """What an order is valued in: the supplier's currency, or the books' without a price."""
        return self.choice.currency or self.base_currency

    @property
    def review_days(self) -> float:
        return float(self.policy.values["review_days"])

    @property
    def protection_days(self) -> float:
        return max(self.lead_time[0] + self.review_days, 1.0)


@dataclass(frozen=True)
class Outlook:
    """What the history of N item-locations says about demand to come; the parts of `Forecast` and
    `DemandProfile` that decisions and explanations need."""

    daily_mean: Floats
    daily_sd: Floats
    weekly_index: Floats
    method: Codes
    alpha: Floats
    beta: Floats
    window_days: Ints
    origins: Ints
    rmse: Floats
    demand_class: Codes
    observed_days: Ints
    history_mean: Floats
    adi: Floats
    cv2: Floats
    weekly_cv: Floats
    is_count: Bools

    def part(self, start: int, stop: int) -> "Outlook":
        """The outlook of some of the item-locations."""
        return Outlook(**{f.name: getattr(self, f.name)[start:stop] for f in fields(self)})


def look_ahead(demand: Floats, valid: Bools, horizon_days: Ints, first_weekday: int) -> Outlook:
    """Forecast daily demand [N, T] whose first day is `first_weekday` (0 = Monday)."""
    profile = demand_profile(demand, valid)
    ahead = forecast(demand, valid, horizon_days=horizon_days, first_weekday=first_weekday)
    shared = {f.name for f in fields(ahead)} & {f.name for f in fields(Outlook)}
    return Outlook(
        **{name: getattr(ahead, name) for name in shared},
        history_mean=profile.mean,
        adi=profile.adi,
        cv2=profile.cv2,
        weekly_cv=profile.weekly_cv,
        is_count=np.all(demand == np.floor(demand), axis=1),
    )


def joined(parts: Sequence[Outlook]) -> Outlook:
    """Several outlooks as one."""
    return Outlook(
        **{f.name: np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Outlook)}
    )


class Planned(NamedTuple):
    """Demand somebody knows ahead: series and day counted from 0, mode add, replace or max."""

    series: int
    day: int
    mode: str
    quantity: float


class Receipt(NamedTuple):
    """A quantity on order: series counted from 0, days from today (0: today or overdue)."""

    series: int
    day: int
    quantity: float


@dataclass(frozen=True)
class Offers:
    """Price steps [N, B] from 0 units up, NaN where a row has fewer, in each row's currency."""

    breakpoints: Floats
    prices: Floats


@dataclass(frozen=True)
class Decision:
    """What `suggest` decided, and the price break that the order takes."""

    inputs: SuggestionInputs
    result: Suggestions
    offers: Offers
    choice: PriceBreakChoice
    unit_price: Floats
    is_idle: Bools


def expected_demand(
    daily_mean: Floats,
    weekly_index: Floats,
    planned: Sequence[Planned],
    *,
    first_weekday: int,
    days: int,
) -> Floats:
    """Demand [N, days] from today on: the forecast, with what is planned joined day by day.

    Plans that replace come first, then those that set a least demand, then uplifts. Several plans
    of one mode on one day: uplifts add up, of the others the largest counts.
    """
    out = daily_profile(daily_mean, weekly_index, first_weekday=first_weekday, days=days)
    for mode in ("replace", "max", "add"):
        rows = [p for p in planned if p.mode == mode]
        if not rows:
            continue
        known = np.full(out.shape, np.nan)
        for series, day, _, quantity in rows:
            before = known[series, day]
            if np.isnan(before):
                known[series, day] = quantity
            else:
                known[series, day] = before + quantity if mode == "add" else max(before, quantity)
        out = combine_plan(out, known, mode)
    return out


def receipts_by_day(receipts: Sequence[Receipt], series: int, days: int) -> Floats:
    """Quantities on order [N, days]."""
    out = np.zeros((series, days))
    for row in receipts:
        if row.day < days:
            out[row.series, row.day] += row.quantity
    return out


def inputs_of(
    places: Sequence[Place], outlook: Outlook, expected: Floats, receipts: Floats
) -> SuggestionInputs:
    """The arrays `suggest` works on, from what is stored about each place."""
    return SuggestionInputs(
        expected_demand=expected,
        receipts=receipts,
        daily_mean=outlook.daily_mean,
        daily_sd=outlook.daily_sd,
        is_count=outlook.is_count,
        **_columns([_scalars(p, bool(outlook.is_count[i])) for i, p in enumerate(places)]),
    )


def _columns(rows: list[dict[str, float]]) -> dict[str, Any]:
    columns: dict[str, NDArray[Any]] = {
        name: np.array([row[name] for row in rows], dtype=np.float64) for name in rows[0]
    }
    columns["service_rule"] = columns["service_rule"].astype(np.int8)
    return columns


def _scalars(place: Place, is_count: bool) -> dict[str, float]:
    values, chosen = place.policy.values, place.choice.chosen
    lead_time, spread = place.lead_time
    link = None if chosen is None else chosen.link
    step = 1.0 if is_count else SMALLEST_STEP
    multiple = step if link is None else _number(link.order_multiple, step)
    # Periodic review orders up to the level each time: no economic lot on top.
    lot_matters = values["method"] != "order_up_to"
    return {
        "on_hand": place.on_hand,
        "reserved": place.reserved,
        "lead_time_days": lead_time,
        "lead_time_sd_days": spread,
        "review_days": place.review_days,
        "service_rule": float(SERVICE_RULES[values["service_rule"]]),
        "service_level": float(values["service_level"]),
        "minimum_quantity": np.nan if link is None else float(link.minimum_quantity) or np.nan,
        "order_multiple": multiple,
        "maximum_quantity": np.nan if link is None else _number(link.maximum_quantity, np.nan),
        "order_cost": float(values["order_cost"]) if lot_matters else 0.0,
        "unit_cost": place.unit_cost,
        "holding_rate": float(values["holding_rate"]),
        "policy_min": _number(values["minimum_stock"], np.nan),
        "policy_max": _number(values["maximum_stock"], np.nan),
    }


def _number(value: Any, otherwise: float) -> float:
    return otherwise if value is None else float(value)


def offers_of(places: Sequence[Place]) -> Offers:
    """The price lists of the chosen sources. Without one, the unit cost stands for the price."""
    lists = []
    for place in places:
        rows = [(float(s.minimum_quantity), float(s.price_of_one)) for s in place.choice.prices]
        # The lowest step also prices less than its minimum; the minimum order sees to the rest.
        lists.append([(0.0, rows[0][1]), *rows[1:]] if rows else [(0.0, place.unit_cost)])
    width = max(map(len, lists), default=1)
    table = np.full((len(lists), width, 2), np.nan)
    for n, row in enumerate(lists):
        table[n, : len(row)] = row
    return Offers(table[:, :, 0], table[:, :, 1])


def decide(inputs: SuggestionInputs, offers: Offers) -> Decision:
    """Suggest, then move to the price break that is cheapest over a year.

    Prices may be in another currency than order and unit costs, so they are scaled to make the
    lowest step cost the unit cost; only their ratios decide.
    """
    result = suggest(inputs)
    per_day = result.protection.mean / protection_days(inputs)
    lowest = offers.prices[:, 0]
    scale = np.where((lowest > 0) & (inputs.unit_cost > 0), inputs.unit_cost, lowest)
    scale = scale / np.where(lowest > 0, lowest, 1.0)
    choice = choose_price_break(
        result.raw_need,
        per_day * DAYS_A_YEAR,
        inputs.order_cost,
        inputs.holding_rate,
        offers.breakpoints,
        offers.prices * scale[:, None],
        minimum=inputs.minimum_quantity,
        multiple=inputs.order_multiple,
        maximum=inputs.maximum_quantity,
    )
    row = np.arange(len(lowest))
    is_idle = (
        (inputs.expected_demand.sum(axis=1) + inputs.daily_mean <= 0)
        & np.isnan(inputs.policy_min)
        & (result.position >= 0)
    )
    return Decision(
        inputs=inputs,
        result=result,
        offers=offers,
        choice=choice,
        unit_price=offers.prices[row, choice.region],
        is_idle=is_idle,
    )


def outcomes(places: Sequence[Place], decision: Decision) -> list[str]:
    """Why each place has a suggestion or none (`recipe.OUTCOMES`)."""
    found = []
    for n, place in enumerate(places):
        if place.blocked_by == "item_not_active":
            found.append(place.blocked_by)
        elif decision.is_idle[n]:
            found.append("no_demand")
        elif decision.choice.order.multiples[n] == 0:
            found.append("above_reorder_point")
        else:
            found.append(place.blocked_by or "suggested")
    return found


def order_days(places: Sequence[Place], result: Suggestions, as_of: date) -> list[date | None]:
    """When to order next: on the day the position meets the reorder point. A supplier who will be
    shut down may need the order earlier, for the goods to arrive on the day they are needed."""
    found: list[date | None] = []
    meets, needed = result.order_in_days.tolist(), result.needed_in_days.tolist()
    for n, place in enumerate(places):
        day, chosen = day_of(as_of, meets[n]), place.choice.chosen
        need_by = day_of(as_of, needed[n])
        if need_by is not None and chosen is not None and chosen.link.shutdowns:
            open_days = math.ceil(place.lead_time[0] - chosen.shutdown_days)
            last = max(order_by(need_by, open_days, chosen.link.shutdowns), as_of)
            day = last if day is None else min(day, last)
        found.append(day)
    return found


def day_of(as_of: date, in_days: int) -> date | None:
    """The day that lies `in_days` ahead; None for never."""
    return None if in_days == NEVER else as_of + timedelta(days=in_days)


def value_classes(places: Sequence[Place], outlook: Outlook) -> tuple[list[str], list[str]]:
    """ABC by a year's consumption value within each warehouse, and XYZ by steadiness."""
    cost = np.array([place.unit_cost for place in places])
    value = outlook.history_mean * DAYS_A_YEAR * cost
    whose: dict[UUID, list[int]] = {}
    for n, place in enumerate(places):
        whose.setdefault(place.warehouse_id, []).append(n)
    abc = np.full(len(places), "C", dtype="<U1")
    for members in whose.values():
        abc[members] = abc_classes(value[members])
    return [str(c) for c in abc], [str(c) for c in xyz_classes(outlook.weekly_cv)]


def weekday(day: date) -> int:
    """0 = Monday, as the forecast counts."""
    return day.weekday()
