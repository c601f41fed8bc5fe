"""What could be done about an alert: calls of this API, ready to send. Pure."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from scm_api.alerts.policy import ZERO, Arrival, Figures


def action(name: str, method: str, href: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """One suggested call."""
    return {"action": name, "method": method, "href": href, "params": body or {}}


def for_stock(kind: str, figures: Figures, others: Sequence[Figures]) -> list[dict[str, Any]]:
    """What helps an item-location; `others` are the same item's other warehouses."""
    if kind == "overstock":
        return _against_surplus(figures, others)
    return _against_shortage(figures, others)


def for_order(order_id: UUID, *, late: bool) -> list[dict[str, Any]]:
    """What helps an order that is late or unanswered."""
    order = f"/v1/purchase-orders/{order_id}"
    if late:
        return [
            action("expedite_order", "GET", order),
            action("revise_order", "POST", f"{order}/revise"),
        ]
    return [action("confirm_order", "POST", f"{order}/confirm")]


def missing(figures: Figures) -> Decimal:
    """What would fill the position up to its level."""
    target = figures.order_up_to or figures.reorder_point or figures.safety_stock or ZERO
    return max(target - figures.position, ZERO)


def spare(figures: Figures) -> Decimal:
    """What a warehouse can give away: available above its own order-up-to level, or above its
    reorder point, or all of what has no plan and no demand."""
    keep = figures.order_up_to if figures.order_up_to is not None else figures.reorder_point
    if keep is None:
        keep = ZERO if figures.daily_demand <= 0 else figures.available
    return max(figures.available - keep, ZERO)


def _against_shortage(figures: Figures, others: Sequence[Figures]) -> list[dict[str, Any]]:
    found = []
    if figures.arrivals:
        found.append(_order("expedite_order", figures.arrivals[0]))
    wanted = missing(figures)
    giver = max(others, key=spare, default=None)
    if giver is not None and wanted > 0 and spare(giver) > 0:
        found.append(_transfer(giver, figures, min(wanted, spare(giver))))
    if wanted > 0:
        found.append(_create_order(figures, wanted))
    return found or [_look(figures)]


def _against_surplus(figures: Figures, others: Sequence[Figures]) -> list[dict[str, Any]]:
    found = []
    if figures.arrivals:
        found.append(_order("postpone_order", figures.arrivals[-1]))
    taker = max(others, key=missing, default=None)
    quantity = ZERO if taker is None else min(missing(taker), spare(figures))
    if taker is not None and quantity > 0:
        found.append(_transfer(figures, taker, quantity))
    return found or [_look(figures)]


def _order(name: str, arrival: Arrival) -> dict[str, Any]:
    return action(name, "GET", f"/v1/purchase-orders/{arrival.source_id}")


def _look(figures: Figures) -> dict[str, Any]:
    return action("review", "GET", f"/v1/items/{figures.item_id}/position")


def _transfer(source: Figures, target: Figures, quantity: Decimal) -> dict[str, Any]:
    line = {
        "item": {"sku": source.sku},
        "quantity": quantity,
        "warehouse": {"code": source.warehouse},
        "to_warehouse": {"code": target.warehouse},
    }
    return action("transfer", "POST", "/v1/stock-movements", {"type": "transfer", "lines": [line]})


def _create_order(figures: Figures, quantity: Decimal) -> dict[str, Any]:
    # As soon as an order placed today can be here.
    need_by = figures.today + timedelta(days=figures.lead_time_days or 0)
    body: dict[str, Any] = {
        "warehouse": {"code": figures.warehouse},
        "need_by": need_by.isoformat(),
        "lines": [{"item": {"sku": figures.sku}, "quantity": quantity}],
    }
    if figures.supplier is not None:
        body["supplier"] = {"code": figures.supplier}
    return action("create_order", "POST", "/v1/purchase-orders", body)
