"""One block of a plan on its way from the database to the database: decided, counted, hashed.

Rule: arithmetic only; the service reads and writes around it.
"""

import hashlib
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import numpy as np
from pydantic_core import to_json

from scm_api.replenishment import planning, recipe
from scm_api.replenishment.demand_profile import DemandClass
from scm_api.replenishment.planning import Outlook, Place, Planned, Receipt
from scm_api.stock.ledger import Levels

_FOUR_PLACES = Decimal("0.0001")


@dataclass
class Run:
    """One plan in the making: its parameters, its clock, and what it has counted so far."""

    plan_id: UUID
    as_of: date
    history_days: int
    horizon_days: int
    is_everything: bool
    seconds: dict[str, float] = field(default_factory=dict)
    outcomes: dict[str, int] = field(default_factory=dict)
    suggestions: dict[str, int] = field(
        default_factory=lambda: {"opened": 0, "changed": 0, "unchanged": 0, "expired": 0}
    )
    levels: list[Levels] = field(default_factory=list)
    input_hash: Any = field(default_factory=hashlib.sha256)
    result_hash: Any = field(default_factory=hashlib.sha256)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Add the seconds spent inside to a phase."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start


def compute(
    run: Run,
    block: Sequence[Place],
    outlook: Outlook,
    planned: list[Planned],
    receipts: list[Receipt],
    classes: tuple[list[str], list[str]],
) -> tuple[dict[str, list[Any]], dict[str, list[Any]]]:
    """Decide one block; gives its plan lines and its suggestions, as columns."""
    expected = planning.expected_demand(
        outlook.daily_mean,
        outlook.weekly_index,
        planned,
        first_weekday=planning.weekday(run.as_of),
        days=run.horizon_days,
    )
    arriving = planning.receipts_by_day(receipts, len(block), run.horizon_days)
    inputs = planning.inputs_of(block, outlook, expected, arriving)
    decision = planning.decide(inputs, planning.offers_of(block))
    outcomes = planning.outcomes(block, decision)
    cookbook = recipe.Cookbook(run.as_of, outlook, decision, planned, receipts)
    recipes = [
        to_json(cookbook.recipe(n, place, outcomes[n])).decode() for n, place in enumerate(block)
    ]
    lines = _line_columns(run, block, outlook, decision, outcomes, recipes)
    lines["abc"], lines["xyz"] = classes
    chosen = [n for n, outcome in enumerate(outcomes) if outcome == "suggested"]
    suggestions = {name: [column[n] for n in chosen] for name, column in lines.items()}
    price = decision.unit_price.tolist()
    sources = [block[n].choice.chosen for n in chosen]
    priced = [source is not None and bool(source.link.prices) for source in sources]
    suggestions["unit_price"] = [
        price[n] if has else None for n, has in zip(chosen, priced, strict=True)
    ]
    suggestions["currency"] = [
        source.link.prices[0].currency if source is not None and has else None
        for source, has in zip(sources, priced, strict=True)
    ]
    suggestions["arrives_on"] = [
        run.as_of + timedelta(days=int(np.ceil(block[n].lead_time[0]))) for n in chosen
    ]
    _count(run, block, lines, outcomes, recipes)
    return lines, suggestions


def _line_columns(
    run: Run,
    block: Sequence[Place],
    outlook: Outlook,
    decision: planning.Decision,
    outcomes: list[str],
    recipes: list[str],
) -> dict[str, list[Any]]:
    result, order = decision.result, decision.choice.order
    suggested = np.array([outcome == "suggested" for outcome in outcomes])
    quantity = np.where(suggested, order.quantity, 0.0)

    def days(values: Any) -> list[date | None]:
        return [recipe.day_of(run.as_of, int(day)) for day in values]

    return {
        "item_id": [p.item_id for p in block],
        "warehouse_id": [p.warehouse_id for p in block],
        "outcome": outcomes,
        "supplier_id": [
            None if p.choice.chosen is None else p.choice.chosen.link.supplier_id for p in block
        ],
        "quantity": quantity.tolist(),
        "value": (quantity * decision.unit_price).tolist(),
        "on_hand": decision.inputs.on_hand.tolist(),
        "reserved": decision.inputs.reserved.tolist(),
        "on_order": result.on_order.tolist(),
        "position": result.position.tolist(),
        "daily_demand": outlook.daily_mean.tolist(),
        "safety_stock": result.service.safety_stock.tolist(),
        "reorder_point": result.reorder_point.tolist(),
        "order_up_to": result.order_up_to.tolist(),
        "previous_reorder_point": [p.previous_reorder_point for p in block],
        "demand_class": [DemandClass(int(c)).name.lower() for c in outlook.demand_class],
        "order_on": days(result.order_in_days),
        "needed_on": days(result.needed_in_days),
        "stockout_on": days(result.stockout_in_days),
        "recipe": recipes,
    }


def _count(
    run: Run,
    block: Sequence[Place],
    lines: dict[str, list[Any]],
    outcomes: list[str],
    recipes: list[str],
) -> None:
    """Add a block to the run's counts, hashes and levels."""
    names = ("daily_demand", "safety_stock", "reorder_point", "order_up_to")
    for n, place in enumerate(block):
        run.outcomes[outcomes[n]] = run.outcomes.get(outcomes[n], 0) + 1
        place_key = place.item_id.bytes + place.warehouse_id.bytes
        run.input_hash.update(place_key + recipes[n].encode())
        outcome = f"{outcomes[n]} {lines['quantity'][n]!r} {lines['supplier_id'][n]}"
        run.result_hash.update(place_key + outcome.encode())
        levels = {name: _to_decimal(lines[name][n]) for name in names}
        run.levels.append(Levels(item_id=place.item_id, warehouse_id=place.warehouse_id, **levels))


def _to_decimal(value: float) -> Decimal:
    return Decimal(repr(value)).quantize(_FOUR_PLACES)
