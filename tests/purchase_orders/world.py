"""A small company that orders: two warehouses, three items, a supplier with price breaks."""

from typing import Any

from tests.support import Client

DAY = "2030-03-01"


async def build(api: Client) -> None:
    """WH-1, WH-2; SKU-1 (BOX = 12 EA), SKU-2, SKU-3 (by lot); S-1 sells SKU-1 with price breaks
    (5.00, from 120 EA 4.50; at least 24 in multiples of 12) and SKU-2 (3.20 per 1)."""
    for code in ("WH-1", "WH-2"):
        await api.ok("POST", "/v1/warehouses", json={"code": code, "name": code})
    for sku in ("SKU-1", "SKU-2", "SKU-3"):
        body = {
            "sku": sku,
            "name": f"Item {sku}",
            "base_unit": "EA",
            "is_lot_tracked": sku == "SKU-3",
            "units": [{"unit": "BOX", "numerator": 12}],
        }
        await api.ok("POST", "/v1/items", json=body)
    await api.ok("POST", "/v1/suppliers", json={"code": "S-1", "name": "First", "currency": "CNY"})
    await sell(
        api,
        "S-1",
        "SKU-1",
        supplier_sku="F-1",
        minimum_quantity="24",
        order_multiple="12",
        prices=[
            {"minimum_quantity": "0", "unit_price": "5.00"},
            {"minimum_quantity": "120", "unit_price": "4.50"},
        ],
    )
    await sell(api, "S-1", "SKU-2", prices=[{"minimum_quantity": "0", "unit_price": "3.20"}])


async def sell(api: Client, supplier: str, sku: str, **terms: Any) -> None:
    """Put an item on a supplier's list."""
    await api.ok("PUT", f"/v1/suppliers/code={supplier}/items/sku={sku}", json=terms)


def line(sku: str = "SKU-1", quantity: str = "60", **more: Any) -> dict[str, Any]:
    return {"item": {"sku": sku}, "quantity": quantity, **more}


def order_body(*lines: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "supplier": {"code": "S-1"},
        "warehouse": {"code": "WH-1"},
        "need_by": DAY,
        "lines": list(lines) or [line()],
        **more,
    }


async def draft(api: Client, *lines: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A new draft."""
    created: dict[str, Any] = await api.ok(
        "POST", "/v1/purchase-orders", json=order_body(*lines, **more)
    )
    return created


async def act(api: Client, order: dict[str, Any], action: str, **body: Any) -> dict[str, Any]:
    """Do something with the version of an order that was read."""
    path = f"/v1/purchase-orders/{order['id']}/{action}"
    answer: dict[str, Any] = await api.ok("POST", path, json={"version": order["version"], **body})
    return answer


async def issued(api: Client, *lines: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A new order, approved and issued."""
    order = await draft(api, *lines, **more)
    return await act(api, await act(api, order, "approve"), "issue")


def receipt_body(order: dict[str, Any], *lines: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"order": {"id": order["id"]}, "lines": list(lines), **more}


def arrived(quantity: str, line_no: int = 1, **more: Any) -> dict[str, Any]:
    return {"line_no": line_no, "quantity": quantity, **more}


async def receive(
    api: Client, order: dict[str, Any], *lines: dict[str, Any], **more: Any
) -> dict[str, Any]:
    """Receive goods against an order."""
    receipt: dict[str, Any] = await api.ok(
        "POST", "/v1/receipts", json=receipt_body(order, *lines, **more)
    )
    return receipt


async def read(api: Client, order: dict[str, Any]) -> dict[str, Any]:
    """The order as it is now."""
    found: dict[str, Any] = await api.ok("GET", f"/v1/purchase-orders/{order['id']}")
    return found


async def inbound(api: Client, warehouse: str = "WH-1") -> list[tuple[str, str]]:
    """(day, quantity) of what a warehouse expects."""
    path = f"/v1/warehouses/code={warehouse}/inbound"
    found = await api.ok("GET", path, params={"from": "2026-01-01", "to": "2031-12-31"})
    return [(row["due_on"], row["quantity"]) for row in found["data"]]


async def on_hand(api: Client, sku: str, warehouse: str = "WH-1") -> str:
    """Units on hand of an item in a warehouse."""
    found = await api.ok("GET", "/v1/stock", params={"item": sku, "warehouse": warehouse})
    return str(found["data"][0]["on_hand"]) if found["data"] else "0.0000"
