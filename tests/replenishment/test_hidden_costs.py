"""Without `costs:read` an explanation tells the quantity, and nothing a cost can be solved from."""

from typing import Any

import pytest

from tests.contract.test_costs import permissions
from tests.replenishment.company import Company
from tests.support import Client, new_client

PLACE = "item=sku=A&warehouse=code=WH-1"


async def _explained(api: Client, **policy: Any) -> tuple[Any, Any, Client]:
    """What those with and without the permission read of one planned item."""
    company = await Company.found(api)
    await company.item("A")
    await company.supplier("S-1", 8)
    await company.source("S-1", "A")
    await company.stocked("A", 20, [10] * 30)
    if policy:
        await company.policy(**policy)
    await company.plan()
    blind = await new_client(
        api.runtime,
        api.http,
        permissions=permissions(without="costs:read"),
        organization_id=api.organization_id,
    )
    path = f"/v1/replenishment/explain?{PLACE}"
    return await api.ok("GET", path), await blind.ok("GET", path), blind


def _unseen(block: Any) -> set[str]:
    return {step["name"] for step in block["steps"] if step["value"] is None}


async def test_steps_that_tell_the_lot_are_hidden_and_the_quantity_is_not(api: Client) -> None:
    full, limited, blind = await _explained(api)
    assert _unseen(full) == set()
    assert _unseen(limited) == {"lot", "order_up_to", "raw_need"}
    assert [step["quantity"] is None for step in limited["rounding"]] == [True, False, False]
    assert limited["quantity"] == full["quantity"] != "0"
    assert limited["service"] == full["service"]
    assert limited["flip"] == full["flip"]
    path = f"/v1/replenishment/plans/{limited['plan_id']}/lines"
    for caller, is_shown in ((api, True), (blind, False)):
        (line,) = (await caller.ok("GET", path))["data"]
        assert (line["order_up_to"] is not None) is is_shown
        (position,) = (await caller.ok("GET", "/v1/stock"))["data"]
        assert (position["order_up_to"] is not None) is is_shown


async def test_a_fill_rate_tells_the_lot_by_its_safety_factor(api: Client) -> None:
    full, limited, _ = await _explained(api, service_rule="fill_rate")
    assert _unseen(limited) == {
        "lot",
        "safety_stock",
        "reorder_point",
        "order_up_to",
        "raw_need",
    }
    assert limited["service"]["safety_factor"] is None
    assert limited["flip"]["no_order_above_position"] is limited["flip"]["units_away"] is None
    assert full["service"]["safety_factor"] is not None


@pytest.mark.parametrize("rule", ["cycle_service", "fill_rate"])
async def test_levels_that_somebody_set_are_shown(api: Client, rule: str) -> None:
    levels = {"method": "min_max", "minimum_stock": "150", "maximum_stock": "400"}
    _, limited, _ = await _explained(api, service_rule=rule, **levels)
    assert _unseen(limited) == {"lot"} | ({"safety_stock"} if rule == "fill_rate" else set())
