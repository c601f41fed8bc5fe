"""A small company to post stock in."""

from typing import Any

from tests.support import Client


async def company(api: Client, *skus: str) -> None:
    """Two warehouses and some items."""
    for code in ("WH-1", "WH-2"):
        await api.ok("POST", "/v1/warehouses", json={"code": code, "name": code})
    for sku in skus or ("A", "B", "C"):
        await api.ok(
            "POST", "/v1/items", json={"sku": sku, "name": f"Item {sku}", "base_unit": "EA"}
        )


def line(sku: str, quantity: str, warehouse: str = "WH-1", **more: Any) -> dict[str, Any]:
    """A movement line."""
    return {
        "item": {"sku": sku},
        "quantity": quantity,
        "warehouse": {"code": warehouse},
        **more,
    }


async def opening(api: Client, sku: str, quantity: str, cost: str = "10", **more: Any) -> Any:
    """Put stock in place."""
    body = {"type": "opening", "lines": [line(sku, quantity, unit_cost=cost)], **more}
    return await api.ok("POST", "/v1/stock-movements", json=body)


async def position(api: Client, sku: str, warehouse: str = "WH-1") -> Any:
    """The item's position in a warehouse."""
    found = await api.ok("GET", f"/v1/items/sku={sku}/position")
    return next(row for row in found["data"] if row["warehouse"]["code"] == warehouse)
