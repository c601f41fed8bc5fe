"""Bulk upsert of supplier-items: all errors at once, atomic or partial, and a constant number of
statements."""

from typing import Any

import asyncpg
import pytest

from tests.suppliers.world import LINK, STEPS, make_world
from tests.support import Client

BULK = "/v1/supplier-items/bulk"


def line(supplier: str, sku: str, **terms: Any) -> dict[str, Any]:
    return {"supplier": {"code": supplier}, "item": {"sku": sku}, **terms}


BROKEN = [
    line("S-1", "A", prices=STEPS),
    line("S-9", "NOPE"),
    line("s-1", "a", priority=2),
    line("S-1", "B", priority=0, colour="red"),
    line("S-2", "C", prices=[STEPS[0], STEPS[0]]),
    line("S-2", "B"),
]
ERRORS = [
    ("#/lines/1/supplier", "unknown_reference"),
    ("#/lines/1/item", "unknown_reference"),
    ("#/lines/2/item", "not_unique"),
    ("#/lines/3/priority", "too_small"),
    ("#/lines/3/colour", "unknown_field"),
    ("#/lines/4/prices/1", "overlapping_price"),
]


async def test_atomic_names_every_error_of_every_line_and_writes_nothing(api: Client) -> None:
    await make_world(api)
    response = await api.put(BULK, {"lines": BROKEN})
    assert response.status_code == 422
    assert [(e["pointer"], e["code"]) for e in response.json()["errors"]] == ERRORS
    assert (await api.ok("GET", "/v1/supplier-items"))["data"] == []


async def test_partial_writes_the_good_lines_and_explains_the_others(api: Client) -> None:
    await make_world(api)
    headers = {"Accept-Language": "zh"}
    response = await api.put(BULK, {"mode": "partial", "lines": BROKEN}, headers=headers)
    assert (response.status_code, response.headers["content-language"]) == (207, "zh-CN")
    answer = response.json()
    assert [row["result"] for row in answer["results"]] == ["created", *["failed"] * 4, "created"]
    assert (answer["created"], answer["failed"]) == (2, 4)
    errors = [e for row in answer["results"] for e in row["errors"]]
    assert [(e["pointer"], e["code"]) for e in errors] == ERRORS
    assert errors[0]["detail"] == "不存在 supplier S-9。"
    stored = (await api.ok("GET", "/v1/supplier-items"))["data"]
    assert [(r["item"]["sku"], r["supplier"]["code"]) for r in stored] == [
        ("A", "S-1"),
        ("B", "S-2"),
    ]
    assert len(stored[0]["prices"]) == 2


async def test_of_a_known_supplier_item_only_the_fields_sent_change(api: Client) -> None:
    await make_world(api)
    await api.put(LINK, {"supplier_sku": "X", "minimum_quantity": "100", "prices": STEPS})
    lines = [line("S-1", "A", priority=3), line("S-1", "B")]
    answer = await api.ok("PUT", BULK, json={"lines": lines})
    assert [(row["result"], row["version"]) for row in answer["results"]] == [
        ("updated", 2),
        ("created", 1),
    ]
    stored = await api.ok("GET", LINK)
    assert (stored["priority"], stored["supplier_sku"]) == (3, "X")
    assert len(stored["prices"]) == 2
    again = await api.ok("PUT", BULK, json={"lines": lines})
    assert (again["unchanged"], again["results"][0]["version"]) == (2, 2)
    clash = await api.put(BULK, {"lines": [line("S-1", "A", maximum_quantity="99")]})
    assert clash.json()["errors"][0]["code"] == "nothing_orderable", "the stored minimum counts"


async def test_the_number_of_statements_does_not_grow_with_the_lines(
    api: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    await make_world(api)
    items = [{"sku": f"N-{n}", "name": "N", "base_unit": "EA"} for n in range(40)]
    await api.ok("PUT", "/v1/items/bulk", json={"items": items})
    counted = 0
    plain_fetch, plain_execute = asyncpg.Connection.fetch, asyncpg.Connection.execute

    async def fetch(self: Any, *args: Any, **options: Any) -> Any:
        nonlocal counted
        counted += 1
        return await plain_fetch(self, *args, **options)

    async def execute(self: Any, *args: Any, **options: Any) -> Any:
        nonlocal counted
        counted += 1
        return await plain_execute(self, *args, **options)

    monkeypatch.setattr(asyncpg.Connection, "fetch", fetch)
    monkeypatch.setattr(asyncpg.Connection, "execute", execute)
    counts = []
    for some in (items[:1], items[1:]):
        counted = 0
        lines = [line("S-1", item["sku"], prices=STEPS) for item in some]
        await api.ok("PUT", BULK, json={"lines": lines})
        counts.append(counted)
    assert counts[0] == counts[1] > 5
