"""Items over HTTP: one at a time."""

from typing import Any

from tests.support import Client, problem_codes

BOLT: dict[str, Any] = {
    "sku": "B-1",
    "name": "Hex bolt M8x40",
    "name_zh": "六角螺栓 M8x40",
    "base_unit": "个",
    "units": [
        {"unit": "箱", "numerator": 1000},
        {"unit": "box", "numerator": 200, "denominator": 2},
    ],
    "barcodes": [{"gtin": "6901234567892", "unit": "盒"}],
    "external_references": [{"system": "sap", "reference": "4711"}],
}


async def test_a_new_item_is_found_by_id_sku_and_external_reference(api: Client) -> None:
    response = await api.post("/v1/items", BOLT)
    assert response.status_code == 201, response.text
    item = response.json()
    assert response.headers["location"] == f"/v1/items/{item['id']}"
    for key in (item["id"], "sku=b-1", "ref=sap:4711"):
        found = await api.get(f"/v1/items/{key}")
        assert found.json() == item
        assert found.headers["etag"] == '"1"'
    assert (item["base_unit"], item["status"], item["version"]) == ("EA", "active", 1)
    assert item["units"] == [
        {"unit": "BOX", "numerator": 100, "denominator": 1},
        {"unit": "CTN", "numerator": 1000, "denominator": 1},
    ]
    assert item["barcodes"] == [{"gtin": "06901234567892", "unit": "BOX"}]
    for key in ("sku=B-2", "ref=sap:1", "ref=sap", "nonsense"):
        assert (await api.get(f"/v1/items/{key}")).status_code == 404


async def test_a_sku_is_unique_whatever_its_case(api: Client) -> None:
    await api.ok("POST", "/v1/items", json=BOLT)
    response = await api.post("/v1/items", {"sku": "b-1", "name": "Other", "base_unit": "EA"})
    assert (response.status_code, response.json()["code"]) == (409, "duplicate")
    assert response.json()["field"] == "sku"


async def test_all_broken_rules_of_an_item_are_named_at_once(api: Client) -> None:
    await api.ok("POST", "/v1/items", json=BOLT)
    response = await api.post(
        "/v1/items",
        {
            "sku": "B-2",
            "name": "Bolt",
            "base_unit": "EA",
            "category": {"code": "nowhere"},
            "units": [
                {"unit": "furlong", "numerator": 1},
                {"unit": "EA", "numerator": 1},
                {"unit": "BOX", "numerator": 1},
                {"unit": "盒", "numerator": 2},
            ],
            "barcodes": [
                {"gtin": "6901234567890"},
                {"gtin": "123"},
                {"gtin": "4006381333931", "unit": "CTN"},
                {"gtin": "06901234567892"},
                {"gtin": "6901234567892"},
            ],
            "external_references": [
                {"system": "sap", "reference": "4711"},
                {"system": "shop", "reference": "1"},
                {"system": "shop", "reference": "1"},
            ],
        },
    )
    assert response.status_code == 422
    assert {(e["pointer"], e["code"]) for e in response.json()["errors"]} == {
        ("#/category", "unknown_reference"),
        ("#/units/0/unit", "unknown_unit"),
        ("#/units/1/unit", "unit_is_base_unit"),
        ("#/units/3/unit", "not_unique"),
        ("#/barcodes/0/gtin", "wrong_check_digit"),
        ("#/barcodes/1/gtin", "not_a_gtin"),
        ("#/barcodes/2/unit", "unknown_unit"),
        ("#/barcodes/4/gtin", "not_unique"),
        ("#/barcodes/3", "already_used"),
        ("#/external_references/0", "already_used"),
        ("#/external_references/2", "not_unique"),
    }
    assert (await api.get("/v1/items/sku=B-2")).status_code == 404


async def test_a_patch_replaces_the_lists_it_sends_and_keeps_the_rest(api: Client) -> None:
    await api.ok("POST", "/v1/items", json=BOLT)
    changed = await api.ok(
        "PATCH",
        "/v1/items/sku=B-1",
        json={"name": "Bolt", "units": [{"unit": "BOX", "numerator": 50}], "note": "new"},
    )
    assert (changed["name"], changed["name_zh"]) == ("Bolt", BOLT["name_zh"])
    assert changed["units"] == [{"unit": "BOX", "numerator": 50, "denominator": 1}]
    assert (len(changed["barcodes"]), changed["version"]) == (1, 2)
    same = await api.ok("PATCH", "/v1/items/sku=B-1", json={"name": "Bolt"})
    assert same["version"] == 2
    feed = (await api.ok("GET", "/v1/events"))["data"]
    assert [event["type"] for event in feed] == ["item.created", "item.changed"]
    changes = feed[1]["data"]["changes"]
    assert changes["name"] == {"old": "Hex bolt M8x40", "new": "Bolt"}
    assert changes["units"]["new"] == [{"unit": "BOX", "numerator": 50, "denominator": 1}]
    assert set(changes) == {"name", "note", "units"}


async def test_a_pack_with_a_barcode_cannot_be_dropped(api: Client) -> None:
    await api.ok("POST", "/v1/items", json=BOLT)
    response = await api.patch("/v1/items/sku=B-1", {"units": []})
    assert [(e["pointer"], e["code"]) for e in response.json()["errors"]] == [
        ("#/barcodes", "unknown_unit")
    ]
    await api.ok("PATCH", "/v1/items/sku=B-1", json={"units": [], "barcodes": []})


async def test_of_two_changes_to_one_version_the_second_is_refused(api: Client) -> None:
    await api.ok("POST", "/v1/items", json=BOLT)
    first = {"If-Match": '"1"'}
    await api.ok("PATCH", "/v1/items/sku=B-1", json={"name": "A"}, headers=first)
    refused = await api.patch("/v1/items/sku=B-1", {"name": "B"}, headers=first)
    assert (refused.status_code, refused.json()["current_version"]) == (412, 2)
    refused = await api.put("/v1/items/sku=B-1", BOLT, headers=first)
    assert refused.status_code == 412
    refused = await api.patch("/v1/items/sku=B-1", {"name": "B", "version": 1})
    assert refused.status_code == 412


async def test_a_put_by_reference_can_be_sent_again_and_keeps_one_row(api: Client) -> None:
    body = {"sku": "K-1", "name": "Widget", "base_unit": "EA"}
    path = "/v1/items/ref=kingdee:A:01"
    first = await api.put(path, body)
    assert first.status_code == 201, first.text
    again = await api.put(path, body)
    assert (again.status_code, again.json()) == (200, first.json())
    assert first.json()["external_references"] == [{"system": "kingdee", "reference": "A:01"}]
    renamed = await api.put(path, {**body, "sku": "K-2", "units": [{"unit": "PK", "numerator": 6}]})
    assert (renamed.json()["id"], renamed.json()["sku"]) == (first.json()["id"], "K-2")
    emptied = await api.put("/v1/items/sku=K-2", {**body, "sku": "K-2"})
    assert (emptied.json()["units"], emptied.json()["external_references"]) == ([], [])


async def test_a_put_refuses_keys_that_do_not_fit(api: Client) -> None:
    body = {"sku": "K-1", "name": "Widget", "base_unit": "EA"}
    assert problem_codes(await api.put("/v1/items/sku=K-9", body)) == ["key_mismatch"]
    assert problem_codes(await api.put("/v1/items/ref=SAP", body)) == ["bad_reference_key"]
    unknown = await api.put("/v1/items/019ab0c2-d0a0-7000-b0c1-a2b3c4d5e6f7", body)
    assert unknown.status_code == 404
    assert (await api.put("/v1/items/sku=k-1", body)).status_code == 201
    taken = await api.put("/v1/items/ref=sap:1", body)
    assert (taken.status_code, taken.json()["code"]) == (409, "duplicate")


async def test_organizations_share_nothing(api: Client, other: Client) -> None:
    mine = await api.ok("POST", "/v1/items", json=BOLT)
    await other.ok("POST", "/v1/items", json=BOLT)
    for key in (mine["id"], "sku=B-1"):
        assert (await other.get(f"/v1/items/{key}")).json() != mine
    assert (await other.patch(f"/v1/items/{mine['id']}", {"name": "x"})).status_code == 404
    found = await other.ok("GET", "/v1/items", params={"q": "螺栓"})
    assert [row["id"] for row in found["data"]] != [mine["id"]]
    assert len(found["data"]) == 1


async def test_unknown_values_of_fields_are_refused(api: Client) -> None:
    for field, value in (
        ("status", "gone"),
        ("cost_method", "fifo"),
        ("base_unit", "furlong"),
        ("colour", "red"),
        ("sku", " x"),
        ("units", [{"unit": "BOX", "numerator": 0}]),
        ("units", [{"unit": "BOX", "numerator": 1.5}]),
        ("external_references", [{"system": "SAP X", "reference": "1"}]),
    ):
        response = await api.post("/v1/items", {**BOLT, field: value})
        assert response.status_code == 422, field
        assert response.json()["errors"][0]["pointer"].startswith(f"#/{field}")
