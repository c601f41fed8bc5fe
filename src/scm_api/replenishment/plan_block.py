"""One block of a plan on its way from the database to the database: decided, counted, hashed.

Rule: arithmetic only; the service reads and writes around it.
"""

import hashlib
import pickle
import tempfile
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

_IN_MEMORY_BYTES = 32 * 1024 * 1024
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


Columns = dict[str, list[Any]]


class Spool:
    """Decided blocks on their way to the writing phase: on disk, so that memory holds one block."""

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES)  # noqa: SIM115
        self._blocks = 0

    def add(self, block: tuple[Columns, Columns]) -> None:
        """Keep the lines and suggestions of a block."""
        pickle.dump(block, self._file, pickle.HIGHEST_PROTOCOL)
        self._blocks += 1

    def __iter__(self) -> Iterator[tuple[Columns, Columns]]:
        self._file.seek(0)
        for _ in range(self._blocks):
            # Written above by this very object.
            yield pickle.load(self._file)  # noqa: S301

    def __enter__(self) -> "Spool":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


def compute(
    run: Run,
    block: Sequence[Place],
    outlook: Outlook,
    planned: list[Planned],
    receipts: list[Receipt],
    classes: tuple[list[str], list[str]],
) -> tuple[Columns, Columns]:
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
    order_on = planning.order_days(block, decision.result, run.as_of)
    cookbook = recipe.Cookbook(run.as_of, outlook, decision, planned, receipts)
    recipes = [
        to_json(cookbook.recipe(n, place, outcomes[n], order_on[n])).decode()
        for n, place in enumerate(block)
    ]
    lines = _line_columns(run, block, outlook, decision, outcomes, recipes)
    lines["order_on"] = order_on
    lines["abc"], lines["xyz"] = classes
    chosen = [n for n, outcome in enumerate(outcomes) if outcome == "suggested"]
    suggestions = {name: [column[n] for n in chosen] for name, column in lines.items()}
    price = decision.unit_price.tolist()
    suggestions["unit_price"] = [price[n] if block[n].choice.prices else None for n in chosen]
    suggestions["currency"] = [block[n].choice.currency for n in chosen]
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
        return [planning.day_of(run.as_of, int(day)) for day in values]

    return {
        "item_id": [p.item_id for p in block],
        "warehouse_id": [p.warehouse_id for p in block],
        "outcome": outcomes,
        "supplier_id": [
            None if p.choice.chosen is None else p.choice.chosen.link.supplier_id for p in block
        ],
        "quantity": quantity.tolist(),
        "value": (quantity * decision.unit_price).tolist(),
        "currency": [p.currency for p in block],
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
