"""Bulk upsert of items over HTTP."""

from typing import Any

from scm_api.core import outbox
from scm_api.items import bulk
from scm_api.items.schemas import ItemBulk
from tests.support import Client, instant, problem_codes

BULK = "/v1/items/bulk"


def lines(count: int, **extra: Any) -> list[dict[str, Any]]:
    return [
        {
            "sku": f"L-{number:04d}",
            "name": f"Part {number}",
            "base_unit": "EA",
            "units": [{"unit": "BOX", "numerator": 10}],
            "barcodes": [{"gtin": with_check_digit(f"69{number:010d}")}],
            "external_references": [{"system": "sap", "reference": str(number)}],
            **extra,
        }
        for number in range(count)
    ]


def with_check_digit(digits: str) -> str:
    total = sum(int(d) * (3 if place % 2 == 0 else 1) for place, d in enumerate(digits[::-1]))
    return digits + str(-total % 10)


def places(errors: list[dict[str, Any]]) -> set[tuple[str, str]]:
    return {(error["pointer"], error["code"]) for error in errors}


async def test_a_bulk_request_creates_changes_and_can_be_sent_again(api: Client) -> None:
    first = await api.put(BULK, {"items": lines(3)})
    assert first.status_code == 200, first.text
    assert (first.json()["created"], first.json()["mode"]) == (3, "atomic")
    again = (await api.put(BULK, {"items": lines(3)})).json()
    assert (again["unchanged"], again["created"], again["updated"]) == (3, 0, 0)
    mixed = [{"sku": "l-0001", "name": "Renamed"}, *lines(4)[2:]]
    answer = (await api.put(BULK, {"items": mixed})).json()
    assert [(r["line"], r["result"], r["version"]) for r in answer["results"]] == [
        (0, "updated", 2),
        (1, "unchanged", 1),
        (2, "created", 1),
    ]
    item = await api.ok("GET", "/v1/items/sku=L-0001")
    assert (item["name"], item["version"], len(item["barcodes"])) == ("Renamed", 2, 1)
    feed = (await api.ok("GET", "/v1/events"))["data"]
    assert [e["type"] for e in feed] == ["item.created"] * 3 + ["item.changed", "item.created"]


BROKEN: list[Any] = [
    {"sku": "OK-1", "name": "Fine", "base_unit": "kg"},
    {"sku": "", "name": 5, "colour": "red"},
    "not an object",
    {"sku": "NEW"},
    {"sku": "BAD-1", "name": "x", "base_unit": "furlong", "barcodes": [{"gtin": "6901234567890"}]},
    {"sku": "TWICE", "name": "a", "base_unit": "EA"},
    {"sku": "twice", "name": "b", "base_unit": "EA"},
    {"sku": "G-1", "name": "a", "base_unit": "EA", "barcodes": [{"gtin": "4006381333931"}]},
    {"sku": "G-2", "name": "b", "base_unit": "EA", "barcodes": [{"gtin": "04006381333931"}]},
    {"sku": "C-1", "name": "c", "base_unit": "EA", "category": {"code": "nowhere"}},
]
BROKEN_PLACES = {
    ("#/items/1/sku", "too_short"),
    ("#/items/1/name", "not_a_string"),
    ("#/items/1/colour", "unknown_field"),
    ("#/items/2", "not_an_object"),
    ("#/items/3/name", "required_for_new_item"),
    ("#/items/3/base_unit", "required_for_new_item"),
    ("#/items/4/base_unit", "unknown_unit"),
    ("#/items/4/barcodes/0/gtin", "wrong_check_digit"),
    ("#/items/5/sku", "not_unique"),
    ("#/items/6/sku", "not_unique"),
    ("#/items/7/barcodes/0", "not_unique"),
    ("#/items/8/barcodes/0", "not_unique"),
    ("#/items/9/category", "unknown_reference"),
}


async def test_an_atomic_request_names_every_error_and_keeps_nothing(api: Client) -> None:
    response = await api.put(BULK, {"mode": "atomic", "items": BROKEN})
    assert (response.status_code, response.json()["code"]) == (422, "validation_failed")
    assert places(response.json()["errors"]) == BROKEN_PLACES
    assert (await api.ok("GET", "/v1/items"))["data"] == []
    assert (await api.ok("GET", "/v1/events"))["data"] == []


async def test_a_partial_request_keeps_what_is_right_and_reports_the_rest(api: Client) -> None:
    response = await api.put(
        BULK, {"mode": "partial", "items": BROKEN}, headers={"Accept-Language": "zh"}
    )
    assert response.status_code == 207
    answer = response.json()
    assert (answer["created"], answer["failed"]) == (1, len(BROKEN) - 1)
    assert [r["result"] for r in answer["results"]] == ["created"] + ["failed"] * (len(BROKEN) - 1)
    assert places([e for r in answer["results"] for e in r["errors"]]) == BROKEN_PLACES
    assert answer["results"][3]["errors"][0]["detail"] == "新物料必须提供此字段。"
    assert [r["sku"] for r in (await api.ok("GET", "/v1/items"))["data"]] == ["OK-1"]


async def test_a_barcode_may_move_from_one_line_to_another(api: Client) -> None:
    await api.ok("PUT", BULK, json={"items": lines(2)})
    taken = lines(1)[0]["barcodes"]
    refused = await api.put(BULK, {"items": [{"sku": "L-0001", "barcodes": taken}]})
    assert problem_codes(refused) == ["already_used"]
    assert refused.json()["errors"][0]["params"]["sku"] == "L-0000"
    swap = [{"sku": "L-0001", "barcodes": taken}, {"sku": "L-0000", "barcodes": []}]
    await api.ok("PUT", BULK, json={"items": swap})
    found = await api.ok("GET", "/v1/items", params={"barcode": taken[0]["gtin"]})
    assert [row["sku"] for row in found["data"]] == ["L-0001"]


async def test_a_value_is_not_freed_by_a_line_that_fails(api: Client) -> None:
    await api.ok("PUT", BULK, json={"items": lines(2)})
    taken = lines(1)[0]["barcodes"]
    swap = [
        {"sku": "L-0001", "barcodes": taken},
        {"sku": "L-0000", "barcodes": [], "base_unit": "furlong"},
    ]
    answer = (await api.put(BULK, {"mode": "partial", "items": swap})).json()
    assert [r["result"] for r in answer["results"]] == ["failed", "failed"]
    assert answer["results"][0]["errors"][0]["code"] == "already_used"


async def test_a_request_holds_1_to_1000_lines(api: Client) -> None:
    assert problem_codes(await api.put(BULK, {"items": []})) == ["too_few"]
    assert problem_codes(await api.put(BULK, {"items": lines(1001)})) == ["too_many"]


async def test_a_dry_run_of_a_bulk_request_keeps_nothing(api: Client) -> None:
    response = await api.put(f"{BULK}?dry_run=true", {"items": lines(2)})
    assert (response.status_code, response.json()["created"]) == (200, 2)
    assert (await api.ok("GET", "/v1/items"))["data"] == []


async def test_the_number_of_statements_does_not_grow_with_the_lines(
    api: Client, other: Client
) -> None:
    """Create items, then change everything about them: 10 lines cost what 1000 cost."""
    counts = []
    for client, count in ((api, 10), (other, 1000)):
        await client.ok("POST", "/v1/categories", json={"code": "C", "name": "C"})
        made = await statements(client, lines(count), created=count)
        changes = {
            "name": "New name",
            "base_unit": "PCE",
            "units": [{"unit": "PK", "numerator": 7}],
            "category": {"code": "c"},
        }
        changed = [
            {
                **line,
                **changes,
                "external_references": [{"system": "shop", "reference": line["sku"]}],
            }
            for line in lines(count)
        ]
        counts.append((made, await statements(client, changed, updated=count)))
    assert counts[0] == counts[1]
    assert max(counts[0]) <= 16


async def statements(api: Client, items: list[dict[str, Any]], **expected: int) -> int:
    """Run a bulk request through the service, committed; gives the statements the driver sent."""
    sent: list[str] = []
    database = api.runtime.database
    now = instant("2026-11-22T08:00:00Z")
    async with database.transaction(api.principal(), now=now) as tx:

        def log(record: Any) -> None:
            sent.append(record.query)

        tx.driver.add_query_logger(log)
        try:
            answer = await bulk.upsert(tx, ItemBulk(items=items), "en")
            await outbox.flush(tx)
        finally:
            tx.driver.remove_query_logger(log)
        await tx.driver.execute("commit")
    assert {name: getattr(answer, name) for name in expected} == expected
    return len(sent)
