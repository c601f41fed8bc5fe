"""What purchasing and planning ask of suppliers: prices, sources, and every observed lead time.
Each function sends a few statements, however many items it is asked about."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from scm_api.core.tx import Tx
from scm_api.suppliers import planning_repository, repository
from scm_api.suppliers.policy import (
    MeasuredLeadTime,
    ObservedLeadTime,
    PriceStep,
    Shutdown,
    effective_price,
    measured_lead_time,
)

NEWEST_OBSERVATIONS = 50


@dataclass(frozen=True, slots=True)
class Terms:
    """On which terms a supplier sells a quantity of an item. `price` is None if no price is valid
    for it; `stated_lead_time_days` is that of the item, else of the supplier."""

    supplier_item_id: UUID
    supplier_sku: str | None
    is_active: bool
    minimum_quantity: Decimal
    order_multiple: Decimal | None
    maximum_quantity: Decimal | None
    stated_lead_time_days: int | None
    price: PriceStep | None


@dataclass(frozen=True, slots=True)
class SupplierLink:
    """One usable source of an item: the link is active and the supplier not blocked. `prices` are
    the steps valid on the day asked for, by minimum quantity; quantities are in base units."""

    supplier_item_id: UUID
    supplier_id: UUID
    supplier_code: str
    supplier_status: str
    item_id: UUID
    supplier_sku: str | None
    priority: int
    minimum_quantity: Decimal
    order_multiple: Decimal | None
    maximum_quantity: Decimal | None
    stated_lead_time_days: int | None
    measured: MeasuredLeadTime
    prices: tuple[PriceStep, ...]
    shutdowns: tuple[Shutdown, ...]


@dataclass(frozen=True, eq=False)
class SupplierLinks:
    """Sources by (item, priority, supplier code), and their lead times as arrays in that order.

    `days` [M] are observed lead times, the newest 50 a source, newest first; those of source i are
    `days[offsets[i]:offsets[i + 1]]` (`offsets` [N + 1]). `promised_days` [M] is the time to the
    confirmed, else the requested date, NaN without either. `supplier` [N] numbers the
    suppliers from 0; `stated_days` [N] is NaN where nobody stated a lead time.
    """

    links: list[SupplierLink]
    offsets: NDArray[np.int64]
    days: NDArray[np.float64]
    promised_days: NDArray[np.float64]
    supplier: NDArray[np.int64]
    stated_days: NDArray[np.float64]


async def price(
    tx: Tx, supplier_id: UUID, lines: Sequence[tuple[UUID, Decimal]], on: date
) -> list[Terms | None]:
    """The terms for (item, quantity in base units) lines on a day, in order; None where the
    supplier does not sell the item. Two statements."""
    rows = await planning_repository.terms(tx, supplier_id, {item_id for item_id, _ in lines})
    steps = await planning_repository.valid_prices(tx, [row["id"] for row in rows.values()], on)
    found: list[Terms | None] = []
    for item_id, quantity in lines:
        row = rows.get(item_id)
        if row is None:
            found.append(None)
            continue
        found.append(
            Terms(
                supplier_item_id=row["id"],
                supplier_sku=row["supplier_sku"],
                is_active=row["is_active"],
                minimum_quantity=row["minimum_quantity"],
                order_multiple=row["order_multiple"],
                maximum_quantity=row["maximum_quantity"],
                stated_lead_time_days=row["stated_lead_time_days"],
                price=effective_price(steps.get(row["id"], ()), quantity, on),
            )
        )
    return found


async def links(tx: Tx, item_ids: Sequence[UUID] | None, on: date) -> SupplierLinks:
    """All usable sources of items (None: of all items), with prices valid on a day, the suppliers'
    shut-downs that end on or after it, and observed lead times. Four statements."""
    rows = await planning_repository.sources(tx, item_ids)
    ids = [row["id"] for row in rows]
    steps = await planning_repository.valid_prices(tx, ids, on)
    suppliers = list(dict.fromkeys(row["supplier_id"] for row in rows))
    closed = await repository.shutdowns(tx, suppliers, on)
    observed = await planning_repository.newest_observations(tx, ids, NEWEST_OBSERVATIONS)
    number = {id: place for place, id in enumerate(suppliers)}
    found = [
        SupplierLink(
            supplier_item_id=row["id"],
            supplier_id=row["supplier_id"],
            supplier_code=row["supplier_code"],
            supplier_status=row["supplier_status"],
            item_id=row["item_id"],
            supplier_sku=row["supplier_sku"],
            priority=row["priority"],
            minimum_quantity=row["minimum_quantity"],
            order_multiple=row["order_multiple"],
            maximum_quantity=row["maximum_quantity"],
            stated_lead_time_days=row["stated_lead_time_days"],
            measured=measured_lead_time(
                row["lead_time_count"], row["lead_time_sum"], row["lead_time_sum_squares"]
            ),
            prices=tuple(steps.get(row["id"], ())),
            shutdowns=closed.get(row["supplier_id"], ()),
        )
        for row in rows
    ]
    nothing: tuple[list[int], list[int | None]] = ([], [])
    ragged = [observed.get(id, nothing) for id in ids]
    offsets = np.zeros(len(found) + 1, dtype=np.int64)
    np.cumsum([len(days) for days, _ in ragged], out=offsets[1:])
    return SupplierLinks(
        links=found,
        offsets=offsets,
        days=np.array([day for days, _ in ragged for day in days], dtype=np.float64),
        # None becomes NaN.
        promised_days=np.array([day for _, days in ragged for day in days], dtype=np.float64),
        supplier=np.array([number[row["supplier_id"]] for row in rows], dtype=np.int64),
        stated_days=np.array([row["stated_lead_time_days"] for row in rows], dtype=np.float64),
    )


async def record_lead_times(tx: Tx, rows: Sequence[ObservedLeadTime]) -> None:
    """Keep observed lead times and add them to what supplier-items have learned. Two statements;
    deliveries of items the supplier is not listed for are kept too, and count once it is."""
    if rows:
        await planning_repository.observe(tx, rows)


async def withdraw_lead_times(tx: Tx, receipt_id: UUID) -> None:
    """Forget what a reversed receipt taught; one statement."""
    await planning_repository.withdraw(tx, receipt_id)
