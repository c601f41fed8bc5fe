"""Many people at one document: one change wins each version, numbers have no gaps, and a document
is approved, issued and received once."""

import asyncio
from collections import Counter
from decimal import Decimal

from tests.support import Client


async def _warehouse(api: Client) -> None:
    await api.ok("POST", "/v1/warehouses", json={"code": "WH-1", "name": "Start"})


async def test_of_many_edits_of_one_version_one_wins(api: Client) -> None:
    await _warehouse(api)
    answers = await asyncio.gather(
        *(
            api.patch("/v1/warehouses/code=WH-1", {"name": f"N{n}"}, headers={"If-Match": '"1"'})
            for n in range(40)
        )
    )
    assert Counter(a.status_code for a in answers) == {200: 1, 412: 39}
    winner = next(a.json() for a in answers if a.status_code == 200)
    stored = await api.ok("GET", "/v1/warehouses/code=WH-1")
    assert (stored["name"], stored["version"]) == (winner["name"], 2)


async def test_edits_without_a_version_are_never_lost_unseen(api: Client) -> None:
    """Whoever is told 200 changed the very version before; the others are told to look again."""
    await _warehouse(api)
    answers = await asyncio.gather(
        *(api.patch("/v1/warehouses/code=WH-1", {"name": f"N{n}"}) for n in range(30))
    )
    told = Counter(a.status_code for a in answers)
    assert set(told) <= {200, 412}
    versions = [a.json()["version"] for a in answers if a.status_code == 200]
    assert sorted(versions) == list(range(2, 2 + len(versions)))
    stored = await api.ok("GET", "/v1/warehouses/code=WH-1")
    assert stored["version"] == 1 + told[200]


async def test_of_many_creations_of_one_code_one_wins(api: Client) -> None:
    answers = await asyncio.gather(
        *(api.post("/v1/warehouses", {"code": c, "name": "x"}) for c in ("WH-1", "wh-1") * 20)
    )
    assert Counter(a.status_code for a in answers) == {201: 1, 409: 39}
    assert {a.json()["code"] for a in answers if a.status_code == 409} == {"duplicate"}


async def _order(api: Client, quantity: str = "10") -> str:
    body = {
        "supplier": {"code": "S-1"},
        "warehouse": {"code": "WH-1"},
        "need_by": "2030-03-01",
        "lines": [{"item": {"sku": "A"}, "quantity": quantity, "unit_price": "2"}],
    }
    response = await api.post("/v1/purchase-orders", body)
    assert response.status_code == 201, response.text
    return response.json()["number"]


async def _company(api: Client) -> None:
    await _warehouse(api)
    await api.ok("POST", "/v1/items", json={"sku": "A", "name": "A", "base_unit": "EA"})
    await api.ok("POST", "/v1/suppliers", json={"code": "S-1", "name": "S"})


async def test_numbers_given_out_at_once_have_no_gap_and_no_double(api: Client) -> None:
    await _company(api)
    numbers = await asyncio.gather(*(_order(api) for _ in range(25)))
    assert sorted(numbers) == [f"PO-{number:06d}" for number in range(1, 26)]


async def test_an_order_is_approved_and_issued_once(api: Client) -> None:
    await _company(api)
    path = f"/v1/purchase-orders/number={await _order(api)}"
    for action in ("approve", "issue"):
        etag = (await api.get(path)).headers["etag"]
        answers = await asyncio.gather(
            *(api.post(f"{path}/{action}", {}, headers={"If-Match": etag}) for _ in range(20))
        )
        told = Counter(a.status_code for a in answers)
        assert told[200] == 1
        assert set(told) <= {200, 409, 412}


async def test_many_receipts_never_bring_in_more_than_was_ordered(api: Client) -> None:
    await _company(api)
    number = await _order(api, "10")
    path = f"/v1/purchase-orders/number={number}"
    for action in ("approve", "issue"):
        etag = (await api.get(path)).headers["etag"]
        await api.ok("POST", f"{path}/{action}", json={}, headers={"If-Match": etag})
    body = {"order": {"number": number}, "lines": [{"line_no": 1, "quantity": "1"}]}
    answers = await asyncio.gather(*(api.post("/v1/receipts", body) for _ in range(40)))
    told = Counter(a.status_code for a in answers)
    assert told[201] == 10
    assert set(told) <= {201, 409}
    position = (await api.ok("GET", "/v1/items/sku=A/position"))["data"][0]
    assert (position["on_hand"], Decimal(position["on_order"])) == ("10.0000", 0)
    received = {a.json()["number"] for a in answers if a.status_code == 201}
    assert received == {f"GR-{number:06d}" for number in range(1, 11)}
