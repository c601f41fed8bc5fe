"""What the tests of suppliers share: two suppliers and some items, made over HTTP."""

from typing import Any

from tests.support import Client

LINK = "/v1/suppliers/code=S-1/items/sku=A"
STEPS = [
    {"minimum_quantity": "0", "unit_price": "5.00", "valid_from": "2026-01-01"},
    {"minimum_quantity": "100", "unit_price": "4.50", "valid_from": "2026-01-01"},
]


async def make_world(api: Client) -> dict[str, Any]:
    """Suppliers S-1 (CNY, 10 days) and S-2 (USD), items A, B and C; gives ids by code."""
    ids: dict[str, Any] = {}
    for body in (
        {"code": "S-1", "name": "First", "name_zh": "第一供应商", "lead_time_days": 10},
        {"code": "S-2", "name": "Second", "currency": "USD"},
    ):
        ids[str(body["code"])] = (await api.ok("POST", "/v1/suppliers", json=body))["id"]
    for sku in "ABC":
        body = {"sku": sku, "name": f"Item {sku}", "base_unit": "EA"}
        ids[sku] = (await api.ok("POST", "/v1/items", json=body))["id"]
    return ids
