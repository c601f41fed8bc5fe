"""Lists and search of items, and the category tree, over HTTP."""

from typing import Any

import pytest

from tests.support import Client, problem_codes

STOCK: list[dict[str, Any]] = [
    {"sku": "BRG-6204", "name": "Deep groove ball bearing", "name_zh": "深沟球轴承 6204"},
    {"sku": "BRG-6205", "name": "Ball bearing 6205", "name_zh": "深沟球轴承 6205"},
    {"sku": "BLT-M8", "name": "Hex bolt M8", "name_zh": "六角螺栓"},
    {"sku": "NUT-M8", "name": "Hex nut M8 100% steel", "name_zh": "六角螺母"},
    {"sku": "不锈钢-01", "name": "Stainless sheet", "name_zh": "不锈钢板"},
]


@pytest.fixture
async def stocked(api: Client) -> Client:
    """A caller with a few items in a tree of categories."""
    for code, parent in (("ALL", None), ("FIX", "ALL"), ("BOLTS", "FIX"), ("BRG", "ALL")):
        body = {"code": code, "name": code, "parent": {"code": parent} if parent else None}
        await api.ok("POST", "/v1/categories", json=body)
    where = dict(zip([row["sku"] for row in STOCK], ["BRG", "BRG", "BOLTS", "FIX"], strict=False))
    items = [
        {**row, "base_unit": "EA"}
        | ({"category": {"code": where[row["sku"]]}} if row["sku"] in where else {})
        for row in STOCK
    ]
    items[2]["barcodes"] = [{"gtin": "6901234567892"}]
    items[3]["status"] = "blocked"
    items[3]["external_references"] = [{"system": "sap", "reference": "MAT-000777"}]
    await api.ok("PUT", "/v1/items/bulk", json={"items": items})
    return api


async def skus(client: Client, **params: Any) -> list[str]:
    found = await client.ok("GET", "/v1/items", params=params)
    return [row["sku"] for row in found["data"]]


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("轴承", ["BRG-6204", "BRG-6205"]),
        ("球轴承 6205", ["BRG-6205"]),
        ("螺", ["BLT-M8", "NUT-M8"]),
        ("角螺母", ["NUT-M8"]),
        ("承轴", []),
        ("bearing", ["BRG-6204", "BRG-6205"]),
        ("BEAR", ["BRG-6204", "BRG-6205"]),
        ("earing", ["BRG-6204", "BRG-6205"]),
        ("brg-62", ["BRG-6204", "BRG-6205"]),
        ("g-6205", ["BRG-6205"]),
        ("ｍ８", ["BLT-M8", "NUT-M8"]),
        ("he", ["BLT-M8", "NUT-M8"]),
        ("100%", ["NUT-M8"]),
        ("%", ["NUT-M8"]),
        ("钢板", ["不锈钢-01"]),
        ("不锈钢-0", ["不锈钢-01"]),
        ("901234567", ["BLT-M8"]),
        ("000777", ["NUT-M8"]),
        ("hex nut", ["NUT-M8"]),
        ("nut hex", ["NUT-M8"]),
        ("bolt bearing", []),
    ],
)
async def test_search_finds_items_that_hold_every_word(
    stocked: Client, question: str, answer: list[str]
) -> None:
    assert await skus(stocked, q=question) == answer


async def test_search_follows_changes_of_an_item(stocked: Client) -> None:
    await stocked.ok("PATCH", "/v1/items/sku=BLT-M8", json={"name_zh": "膨胀螺丝", "barcodes": []})
    assert await skus(stocked, q="六角") == ["NUT-M8"]
    assert await skus(stocked, q="膨胀") == ["BLT-M8"]
    assert await skus(stocked, q="901234567") == []


async def test_search_never_leaves_the_organization(stocked: Client, other: Client) -> None:
    assert await skus(other, q="轴承") == []
    await other.ok(
        "POST", "/v1/items", json={"sku": "X", "name": "x", "name_zh": "轴承", "base_unit": "EA"}
    )
    assert await skus(other, q="轴承") == ["X"]
    assert await skus(stocked, q="轴承") == ["BRG-6204", "BRG-6205"]


async def test_filters_narrow_a_list(stocked: Client) -> None:
    assert await skus(stocked, status="blocked") == ["NUT-M8"]
    assert await skus(stocked, status=["blocked", "active"]) == await skus(stocked)
    assert await skus(stocked, category="fix") == ["BLT-M8", "NUT-M8"]
    assert await skus(stocked, category="ALL") == ["BLT-M8", "BRG-6204", "BRG-6205", "NUT-M8"]
    assert await skus(stocked, category="ALL", status="active", q="m8") == ["BLT-M8"]
    assert await skus(stocked, barcode="06901234567892") == ["BLT-M8"]
    assert await skus(stocked, barcode="4006381333931") == []
    bad = await stocked.get("/v1/items?barcode=123&category=nowhere")
    assert set(problem_codes(bad)) == {"not_a_gtin", "unknown_reference"}


async def test_updated_since_gives_what_changed(stocked: Client) -> None:
    changed = await stocked.ok("PATCH", "/v1/items/sku=BLT-M8", json={"note": "x"})
    assert await skus(stocked, updated_since=changed["updated_at"]) == ["BLT-M8"]
    assert await skus(stocked, updated_since="2199-01-01T00:00:00Z") == []


async def test_pages_follow_the_cursor_without_gaps(stocked: Client) -> None:
    seen: list[str] = []
    params: dict[str, Any] = {"limit": 2, "include_total": True}
    while True:
        page = await stocked.ok("GET", "/v1/items", params=params)
        assert page["total"] == len(STOCK)
        seen += [row["sku"] for row in page["data"]]
        if not page["has_more"]:
            break
        params["cursor"] = page["next_cursor"]
    assert seen == sorted(row["sku"] for row in STOCK)


async def test_a_list_shows_whole_items(stocked: Client) -> None:
    (row,) = (await stocked.ok("GET", "/v1/items", params={"barcode": "6901234567892"}))["data"]
    assert row == await stocked.ok("GET", "/v1/items/sku=BLT-M8")
    assert row["category"]["code"] == "BOLTS"


async def test_categories_form_a_tree(stocked: Client) -> None:
    bolts = await stocked.ok("GET", "/v1/categories/code=bolts")
    assert bolts["parent"]["code"] == "FIX"
    children = await stocked.ok("GET", "/v1/categories", params={"parent": "ALL"})
    assert [row["code"] for row in children["data"]] == ["BRG", "FIX"]
    moved = await stocked.ok(
        "PATCH", "/v1/categories/code=BOLTS", json={"parent": None, "name_zh": "螺栓"}
    )
    assert (moved["parent"], moved["version"]) == (None, 2)
    assert [
        row["code"]
        for row in (await stocked.ok("GET", "/v1/categories", params={"q": "螺"}))["data"]
    ] == ["BOLTS"]
    assert await skus(stocked, category="FIX") == ["NUT-M8"]


async def test_a_category_never_stands_below_itself(stocked: Client) -> None:
    for parent in ("ALL", "FIX", "BOLTS"):
        refused = await stocked.patch("/v1/categories/code=ALL", {"parent": {"code": parent}})
        assert problem_codes(refused) == ["category_cycle"]
    unknown = await stocked.patch("/v1/categories/code=ALL", {"parent": {"code": "nowhere"}})
    assert problem_codes(unknown) == ["unknown_reference"]


async def test_a_category_code_is_unique_and_private(stocked: Client, other: Client) -> None:
    again = await stocked.post("/v1/categories", {"code": "fix", "name": "x"})
    assert (again.status_code, again.json()["field"]) == (409, "code")
    assert (await other.get("/v1/categories/code=FIX")).status_code == 404
    mine = await stocked.ok("GET", "/v1/categories/code=FIX")
    foreign = {"sku": "X", "name": "x", "base_unit": "EA", "category": {"id": mine["id"]}}
    assert problem_codes(await other.post("/v1/items", foreign)) == ["unknown_reference"]


async def test_category_changes_stand_in_the_feed(stocked: Client) -> None:
    await stocked.ok("PATCH", "/v1/categories/code=FIX", json={"name": "Fasteners"})
    refused = await stocked.patch(
        "/v1/categories/code=FIX", {"name": "x"}, headers={"If-Match": '"1"'}
    )
    assert refused.status_code == 412
    feed = (await stocked.ok("GET", "/v1/events"))["data"]
    assert feed[-1]["type"] == "category.changed"
    assert feed[-1]["data"]["changes"] == {"name": {"old": "FIX", "new": "Fasteners"}}
