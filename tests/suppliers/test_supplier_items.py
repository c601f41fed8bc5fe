"""What suppliers sell, on which terms, at which prices, over HTTP."""

import asyncio
from typing import Any

from tests.suppliers.world import LINK, STEPS, make_world
from tests.support import Client, problem_codes


async def test_a_supplier_item_is_created_then_replaced_then_left_alone(api: Client) -> None:
    ids = await make_world(api)
    body = {
        "supplier_sku": "X-1",
        "minimum_quantity": "50",
        "order_multiple": "25",
        "prices": STEPS,
    }
    created = await api.put(LINK, body)
    assert (created.status_code, created.headers["etag"]) == (201, '"1"')
    link = created.json()
    assert created.headers["location"] == f"/v1/suppliers/{ids['S-1']}/items/{ids['A']}"
    assert link["supplier"] == {"id": ids["S-1"], "code": "S-1", "name": "First"}
    assert link["item"] == {"id": ids["A"], "sku": "A", "name": "Item A"}
    assert (link["lead_time_days"], link["stated_lead_time_days"]) == (None, 10)
    assert link["measured_lead_time"] == {"count": 0, "mean_days": None, "sd_days": None}
    assert [step["currency"] for step in link["prices"]] == ["CNY", "CNY"]
    again = await api.put(LINK, body)
    assert (again.status_code, again.headers["etag"]) == (200, '"1"')
    replaced = await api.put(LINK, {"lead_time_days": 7})
    assert (replaced.status_code, replaced.headers["etag"]) == (200, '"2"')
    assert (replaced.json()["supplier_sku"], replaced.json()["minimum_quantity"]) == (
        None,
        "0.0000",
    )
    assert replaced.json()["prices"] == link["prices"], "prices left out keep the price list"
    assert (await api.put(LINK, {"prices": []})).json()["prices"] == []
    found = await api.get(LINK)
    assert (found.headers["etag"], found.json()["stated_lead_time_days"]) == ('"3"', 10)


async def test_every_change_of_terms_stands_in_the_feed(api: Client) -> None:
    await make_world(api)
    await api.put(LINK, {"prices": STEPS[:1]})
    await api.put(LINK, {"prices": STEPS[:1]})
    await api.put(LINK, {"priority": 2, "prices": STEPS})
    feed = await api.ok("GET", "/v1/events", params={"type": "supplier_item.changed"})
    first, second = [event["data"] for event in feed["data"]]
    assert (first["is_new"], second["is_new"]) == (True, False)
    assert second["changes"]["priority"] == {"old": 1, "new": 2}
    assert [len(second["changes"]["prices"][side]) for side in ("old", "new")] == [1, 2]
    assert second["changes"].keys() == {"priority", "prices"}


async def test_stale_versions_are_refused(api: Client) -> None:
    await make_world(api)
    missing = await api.put(LINK, {}, headers={"If-Match": '"1"'})
    assert missing.status_code == 412
    await api.put(LINK, {})
    assert (await api.put(LINK, {"priority": 2}, headers={"If-Match": '"1"'})).status_code == 200
    stale = await api.put(LINK, {"priority": 3, "version": 1})
    assert (stale.status_code, stale.json()["current_version"]) == (412, 2)


async def test_price_lists_that_contradict_themselves_are_refused_step_by_step(api: Client) -> None:
    await make_world(api)

    async def refused(prices: list[dict[str, Any]]) -> list[tuple[str, str]]:
        response = await api.put(LINK, {"prices": prices})
        assert response.status_code == 422, response.text
        return [(e["pointer"], e["code"]) for e in response.json()["errors"]]

    first = {"unit_price": "5", "valid_from": "2026-01-01", "valid_to": "2026-06-30"}
    later = {"unit_price": "6", "valid_from": "2026-06-30"}
    assert await refused([first, later]) == [("#/prices/1", "overlapping_price")]
    dollars = {**later, "minimum_quantity": "10", "currency": "USD"}
    assert await refused([first, dollars]) == [("#/prices/1/currency", "mixed_currencies")]
    backwards = {**first, "valid_to": "2025-12-31"}
    assert await refused([backwards]) == [("#/prices/0/valid_to", "ends_before_it_starts")]
    free_per_nothing = {"unit_price": "-1", "price_per": "0"}
    assert {p for p, _ in await refused([free_per_nothing])} == {
        "#/prices/0/unit_price",
        "#/prices/0/price_per",
    }
    touching = {**later, "valid_from": "2026-07-01"}
    assert (await api.put(LINK, {"prices": [first, touching]})).status_code == 201


async def test_terms_under_which_nothing_can_be_ordered_are_refused(api: Client) -> None:
    await make_world(api)
    body = {"minimum_quantity": "90", "order_multiple": "50", "maximum_quantity": "99"}
    response = await api.put(LINK, body)
    assert problem_codes(response) == ["nothing_orderable"]
    assert response.json()["errors"][0]["params"] == {"least": "100.0000"}
    assert (await api.put(LINK, {**body, "maximum_quantity": "100"})).status_code == 201


async def test_sources_of_an_item_are_ranked_and_priced_for_a_quantity_and_day(api: Client) -> None:
    await make_world(api)
    thousand = {"unit_price": "600", "price_per": "1000", "currency": "EUR"}
    await api.put(LINK, {"priority": 2, "order_multiple": "60", "prices": STEPS})
    second = "/v1/suppliers/code=S-2/items/sku=A"
    await api.put(second, {"priority": 1, "maximum_quantity": "500", "prices": [thousand]})
    await api.put("/v1/suppliers/code=S-1/items/sku=B", {})

    async def sources(**params: Any) -> list[dict[str, Any]]:
        query = {"item": "sku=A", "on": "2026-03-01", **params}
        rows: list[dict[str, Any]] = (await api.ok("GET", "/v1/supplier-items", params=query))[
            "data"
        ]
        return rows

    ranked = await sources(quantity="90")
    assert [row["supplier"]["code"] for row in ranked] == ["S-2", "S-1"]
    assert ranked[0]["offer"]["price_of_one"] == "0.600000"
    assert ranked[0]["offer"]["price"]["currency"] == "EUR"
    assert ranked[0]["offer"]["arrives_on"] is None, "nobody stated a lead time"
    offer = ranked[1]["offer"]
    # 90 must be raised to two packs of 60, and that reaches the better price.
    assert (offer["order_quantity"], offer["price_of_one"]) == ("120.0000", "4.500000")
    assert offer["arrives_on"] == "2026-03-11"
    too_much, _ = await sources(quantity="501")
    assert (too_much["offer"]["order_quantity"], too_much["offer"]["price"]) == (None, None)
    before_validity = await sources(on="2025-12-31")
    assert before_validity[1]["offer"]["price"] is None
    least = (await sources())[1]["offer"]
    assert (least["order_quantity"], least["price_of_one"]) == ("60.0000", "5.000000")
    everything = await api.ok("GET", "/v1/supplier-items")
    assert [row["item"]["sku"] for row in everything["data"]] == ["A", "A", "B"]
    unknown = await api.get("/v1/supplier-items?item=sku=NOPE")
    assert (unknown.status_code, problem_codes(unknown)) == (422, ["unknown_reference"])
    only = await api.ok("GET", "/v1/supplier-items?item=A&supplier=S-2")
    assert [row["supplier"]["code"] for row in only["data"]] == ["S-2"]


async def test_a_shutdown_moves_the_arrival(api: Client) -> None:
    await make_world(api)
    await api.put(LINK, {})
    closed = {"starts_on": "2026-03-05", "ends_on": "2026-03-08"}
    await api.ok("POST", "/v1/suppliers/code=S-1/shutdowns", json=closed)
    query = {"on": "2026-03-01"}
    (row,) = (await api.ok("GET", "/v1/suppliers/code=S-1/items", params=query))["data"]
    assert row["offer"]["arrives_on"] == "2026-03-15"


async def test_pages_of_supplier_items_follow_the_cursor(api: Client) -> None:
    await make_world(api)
    for sku in "CBA":
        await api.put(f"/v1/suppliers/code=S-1/items/sku={sku}", {})
    await api.put("/v1/suppliers/code=S-2/items/sku=B", {"is_active": False})
    seen, path = [], "/v1/supplier-items?limit=1"
    while path:
        response = await api.get(path)
        seen += [(r["item"]["sku"], r["supplier"]["code"]) for r in response.json()["data"]]
        link = response.headers.get("link")
        path = link.split(">")[0][1:] if link else ""
    assert seen == [("A", "S-1"), ("B", "S-1"), ("B", "S-2"), ("C", "S-1")]
    inactive = await api.ok("GET", "/v1/supplier-items?is_active=false")
    assert [row["supplier"]["code"] for row in inactive["data"]] == ["S-2"]


async def test_concurrent_writers_of_one_supplier_item_leave_one_whole_price_list(
    api: Client,
) -> None:
    await make_world(api)
    lists = [
        [{"minimum_quantity": str(n), "unit_price": str(writer + 1)} for n in range(5)]
        for writer in range(6)
    ]
    answers = await asyncio.gather(*(api.put(LINK, {"prices": steps}) for steps in lists))
    assert sorted(a.status_code for a in answers) == [200] * 5 + [201]
    stored = (await api.ok("GET", LINK))["prices"]
    assert len(stored) == 5
    assert len({step["unit_price"] for step in stored}) == 1


async def test_other_organizations_see_and_reach_nothing(api: Client, other: Client) -> None:
    ids = await make_world(api)
    await api.put(LINK, {"prices": STEPS})
    theirs = await make_world(other)
    assert (await other.get(LINK)).status_code == 404
    assert (await other.ok("GET", "/v1/supplier-items"))["data"] == []
    # Keys of two organizations cannot be combined.
    mixed = await other.put(f"/v1/suppliers/{theirs['S-1']}/items/{ids['A']}", {})
    assert mixed.status_code == 404
    line = {"supplier": {"id": ids["S-1"]}, "item": {"id": ids["A"]}}
    bulk = await other.put("/v1/supplier-items/bulk", {"lines": [line]})
    assert problem_codes(bulk) == ["unknown_reference", "unknown_reference"]
