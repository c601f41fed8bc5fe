"""The safety-stock calculator and the demand profile over HTTP."""

import math
from decimal import Decimal
from statistics import NormalDist
from typing import Any

import pytest

from tests.replenishment.company import Company
from tests.support import Client, problem_codes

ASK: dict[str, Any] = {
    "daily_demand_mean": "20",
    "daily_demand_sd": "6",
    "lead_time_mean_days": "9",
    "lead_time_sd_days": "2",
    "service_levels": ["0.90", "0.98"],
    "unit_cost": "12.5",
}


async def _ask(api: Client, **changes: Any) -> Any:
    body = {name: value for name, value in {**ASK, **changes}.items() if value is not None}
    return await api.ok("POST", "/v1/replenishment/safety-stock", json=body)


async def test_the_curve_is_z_times_the_spread_of_demand_over_the_lead_time(api: Client) -> None:
    answer = await _ask(api)
    sd = math.sqrt(9 * 6**2 + 20**2 * 2**2)
    assert float(answer["protection"]["sd"]) == pytest.approx(sd, abs=1e-6)
    assert answer["distribution"] == "normal"
    for point, level in zip(answer["curve"], (0.90, 0.98), strict=True):
        stock = NormalDist().inv_cdf(level) * sd
        assert float(point["safety_stock"]) == pytest.approx(stock, abs=1e-5)
        assert float(point["reorder_point"]) == pytest.approx(180 + stock, abs=1e-5)
        assert float(point["value"]) == pytest.approx(stock * 12.5, abs=1e-4)
        assert float(point["annual_holding_cost"]) == pytest.approx(stock * 12.5 / 4, abs=1e-4)


async def test_observations_stand_for_their_mean_and_spread(api: Client) -> None:
    lists = {
        "daily_demand_mean": None,
        "daily_demand_sd": None,
        "daily_demand": ["14", "20", "26"],
        "lead_time_mean_days": None,
        "lead_time_sd_days": None,
        "lead_times_days": ["7", "9", "11"],
    }
    assert (await _ask(api, **lists))["curve"] == (await _ask(api))["curve"]


async def test_a_fill_rate_needs_less_stock_when_lots_are_large(api: Client) -> None:
    small = await _ask(api, service_rule="fill_rate", order_quantity="50")
    large = await _ask(api, service_rule="fill_rate", order_quantity="500")
    stocks = [Decimal(a["curve"][1]["safety_stock"]) for a in (small, large)]
    assert stocks[0] > stocks[1]


async def test_what_is_missing_or_said_twice_is_refused(api: Client) -> None:
    path = "/v1/replenishment/safety-stock"
    missing = await api.post(path, {**ASK, "daily_demand_sd": None})
    assert problem_codes(missing) == ["figures_or_list"]
    twice = await api.post(path, {**ASK, "lead_times_days": ["1", "2"]})
    assert problem_codes(twice) == ["figures_or_list"]
    no_lot = await api.post(path, {**ASK, "service_rule": "fill_rate"})
    assert problem_codes(no_lot) == ["order_quantity_needed"]


async def test_a_profile_tells_how_often_and_how_much(api: Client) -> None:
    company = await Company.found(api)
    await company.item("A")
    await company.stocked("A", 5, [0, 6, 0, 6] * 5)
    await api.settle()
    path, where = "/v1/items/sku=A/demand-profile", {"warehouse": "code=WH-1"}
    profile = await api.ok("GET", path, params=where)
    assert (profile["observed_days"], profile["demand_days"]) == (20, 10)
    assert (float(profile["mean"]), float(profile["adi"])) == (3, 2)
    assert profile["demand_class"] == "intermittent"
    assert (profile["abc"], len(profile["last_days"])) == (None, 10)
    await company.plan()
    profile = await api.ok("GET", path, params=where)
    assert (profile["abc"], profile["xyz"]) == ("A", "X")
