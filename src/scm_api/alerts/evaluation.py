"""Raising and resolving: figures are judged, conditions become alerts, alerts without one end.

The number of statements is the same for one item-location and for the whole organization.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg

from scm_api.alerts import actions, figures, policy, repository
from scm_api.alerts.events import AlertRaised, AlertResolved
from scm_api.alerts.policy import Condition, Figures
from scm_api.alerts.rules import DEFAULTS, ORDER_KINDS, STOCK_KINDS, Rule, stored
from scm_api.core.tx import Tx


@dataclass(frozen=True)
class Outcome:
    """What an evaluation did: subjects looked at, alerts raised, seen again and resolved."""

    evaluated: int
    raised: int
    seen: int
    resolved: int


async def rules(tx: Tx) -> dict[str, Rule]:
    """The rules as they apply, by kind."""
    written = {row["kind"]: stored(**dict(row)) for row in await repository.rules(tx)}
    return {kind: written.get(kind, rule) for kind, rule in DEFAULTS.items()}


async def evaluate(tx: Tx, pairs: Sequence[tuple[UUID, UUID]] | None = None) -> Outcome:
    """Judge (item, warehouse) pairs, or all positions of the organization."""
    await repository.lock(tx)
    applied = await rules(tx)
    wanted = None if pairs is None else set(pairs)
    item_ids = None if wanted is None else sorted({item for item, _ in wanted})
    days = applied["negative_cover_trend"].thresholds.compared_days
    by_item: defaultdict[UUID, list[Figures]] = defaultdict(list)
    for found in await figures.of_stock(tx, item_ids, days):
        by_item[found.item_id].append(found)
    judged = [
        (place, [other for other in places if other is not place])
        for places in by_item.values()
        for place in places
        if wanted is None or (place.item_id, place.warehouse_id) in wanted
    ]
    conditions = [
        condition for place, others in judged for condition in _of_stock(tx, place, others, applied)
    ]
    scope = None if wanted is None else sorted(wanted)
    return await _settle(tx, STOCK_KINDS, conditions, applied, len(judged), pairs=scope)


async def evaluate_orders(tx: Tx, order_ids: Sequence[UUID] | None = None) -> Outcome:
    """Judge purchase orders by id, or all that are open."""
    await repository.lock(tx)
    applied = await rules(tx)
    late, silent = applied["late_order"], applied["unconfirmed_order"]
    lines = await figures.overdue_lines(tx, order_ids, late.thresholds.grace_days)
    orders = await figures.unconfirmed_orders(tx, order_ids, silent.thresholds.after_days)
    conditions = [_late(tx, row) for row in lines if late.is_enabled]
    conditions += [_unconfirmed(tx, row) for row in orders if silent.is_enabled]
    evaluated = len(lines) + len(orders)
    return await _settle(tx, ORDER_KINDS, conditions, applied, evaluated, order_ids=order_ids)


async def sweep(tx: Tx) -> tuple[Outcome, Outcome]:
    """Judge everything in the organization: time passing raises and ends alerts too."""
    return await evaluate(tx), await evaluate_orders(tx)


def _of_stock(
    tx: Tx, place: Figures, others: Sequence[Figures], applied: Mapping[str, Rule]
) -> list[Condition]:
    return [
        Condition(
            kind,
            {"as_of": tx.now, **evidence},
            item_id=place.item_id,
            warehouse_id=place.warehouse_id,
            supplier_id=place.supplier_id,
            actions=actions.for_stock(kind, place, others),
        )
        for kind, evidence in policy.stock_evidence(place, applied)
    ]


def _late(tx: Tx, row: asyncpg.Record) -> Condition:
    names = ("number", "line_no", "due_on", "days_late", "quantity", "is_confirmed", "available")
    return Condition(
        "late_order",
        {"as_of": tx.now, **_some(row, names)},
        item_id=row["item_id"],
        warehouse_id=row["warehouse_id"],
        order_id=row["order_id"],
        order_line_id=row["line_id"],
        supplier_id=row["supplier_id"],
        actions=actions.for_order(row["order_id"], late=True),
    )


def _unconfirmed(tx: Tx, row: asyncpg.Record) -> Condition:
    names = (
        "number",
        "issued_at",
        "days_waiting",
        "confirmation_status",
        "next_due_on",
        "amount",
        "currency",
    )
    return Condition(
        "unconfirmed_order",
        {"as_of": tx.now, **_some(row, names)},
        order_id=row["order_id"],
        supplier_id=row["supplier_id"],
        actions=actions.for_order(row["order_id"], late=False),
    )


def _some(row: asyncpg.Record, names: Sequence[str]) -> dict[str, Any]:
    return {name: row[name] for name in names}


async def _settle(
    tx: Tx,
    kinds: Sequence[str],
    conditions: Sequence[Condition],
    applied: Mapping[str, Rule],
    evaluated: int,
    *,
    pairs: Sequence[tuple[UUID, UUID]] | None = None,
    order_ids: Sequence[UUID] | None = None,
) -> Outcome:
    severities = {kind: str(rule.severity) for kind, rule in applied.items()}
    held = await repository.raise_(tx, conditions, severities)
    disabled = [kind for kind in kinds if not applied[kind].is_enabled]
    ended = await repository.resolve_all_but(
        tx, kinds, [row["id"] for row in held], disabled, pairs=pairs, order_ids=order_ids
    )
    raised = [row for row in held if row["is_raised"]]
    for row in raised:
        tx.emit(
            AlertRaised(
                row["id"],
                **subject(row),
                raised_count=row["raised_count"],
                evidence=row["evidence"],
            )
        )
    for row in ended:
        tx.emit(
            AlertResolved(
                row["id"], **subject(row), resolution=row["resolution"], reason=row["reason"]
            )
        )
    return Outcome(evaluated, len(raised), len(held) - len(raised), len(ended))


def subject(row: Any) -> dict[str, Any]:
    """What every event says of its alert."""
    names = ("kind", "severity", "item_id", "warehouse_id", "order_id", "order_line_id")
    return {name: row[name] for name in names}
