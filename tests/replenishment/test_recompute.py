"""The explanation holds everything: the guide's script computes the same quantities from it."""

import asyncio
import importlib.util
import json
import sys
from asyncio.subprocess import PIPE
from pathlib import Path
from typing import Any

import pytest

from tests.replenishment.company import WAREHOUSE, Company
from tests.support import Client

SCRIPT = Path(__file__).parents[2] / "docs" / "guides" / "recompute_suggestion.py"
_SPEC = importlib.util.spec_from_file_location("recompute_suggestion", SCRIPT)
assert _SPEC is not None
assert _SPEC.loader is not None
guide = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(guide)

# Demand a day, stock left, terms of the supplier, and the policy of each item.
CASES: dict[str, tuple[list[int], int, dict[str, Any], dict[str, Any]]] = {
    "SMOOTH": ([9, 11, 10, 12, 8] * 6, 40, {}, {}),
    "LUMPY": ([0, 0, 0, 14, 0, 0, 2, 0, 0, 0] * 3, 3, {"minimum_quantity": "25"}, {}),
    "SLOW": ([0, 1, 0, 0, 0] * 6, 0, {"order_multiple": "4"}, {"service_rule": "fill_rate"}),
    "BREAKS": (
        [20, 24, 28] * 10,
        50,
        {"prices": [[0, "10"], [500, "9.5"], [2000, "5"]], "maximum_quantity": "1500"},
        {},
    ),
    "MINMAX": ([5] * 30, 10, {}, {"minimum_stock": "60", "maximum_stock": "200"}),
    "PERIODIC": ([7, 3] * 15, 12, {"order_multiple": "6"}, {"method": "order_up_to"}),
    "PLENTY": ([5] * 30, 900, {}, {}),
}


async def _planned(api: Client) -> Company:
    company = await Company.found(api)
    await company.supplier("S-1", 6)
    for sku, (daily, left, terms, policy) in CASES.items():
        await company.item(sku)
        await company.source("S-1", sku, **terms)
        await company.stocked(sku, left, daily)
        if policy:
            await company.policy(item={"sku": sku}, **policy)
    row = {"item": {"sku": "SMOOTH"}, "warehouse": WAREHOUSE, "quantity": "30"}
    plans = [
        {**row, "day": company.on(2), "kind": "promotion"},
        {**row, "day": company.on(2), "mode": "max"},
        {**row, "day": company.on(3)},
    ]
    await api.ok("PUT", "/v1/sales-plans/bulk", json={"rows": plans})
    await company.plan()
    return company


async def test_the_script_of_the_guide_computes_every_quantity_again(api: Client) -> None:
    company = await _planned(api)
    rows = await company.suggestions(status="open")
    assert {row["item"]["sku"] for row in rows} == CASES.keys() - {"PLENTY"}
    for row in rows:
        block = await api.ok("GET", f"/v1/replenishment/suggestions/{row['id']}/explain")
        assert block["decision"] == "order"
        assert float(block["quantity"]) == float(row["quantity"])
        assert guide.recompute(block) == pytest.approx(float(row["quantity"]), abs=1e-9), row
    assert guide.recompute(await company.explain("PLENTY")) == 0


async def test_the_script_reads_an_explanation_and_prints_the_quantity(api: Client) -> None:
    company = await _planned(api)
    block = await company.explain("BREAKS")
    script = await asyncio.create_subprocess_exec(
        sys.executable, str(SCRIPT), stdin=PIPE, stdout=PIPE
    )
    printed, _ = await script.communicate(json.dumps(block).encode())
    assert (script.returncode, float(printed)) == (0, float(block["quantity"]))
