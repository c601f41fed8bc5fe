"""Reads the sample company and moves its calendar to the present; the same day in, the same out.

What is real and what is assumed, and the rule behind each figure, is told in
`scripts/build_sample.py`, which made the tables; attribution is in `NOTICE`.
"""

import csv
import gzip
import hashlib
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

DATA = files("scm_api.sample") / "data"
LEAD_TIME_SPREAD = 0.5
LEAD_TIME_RATIO_RANGE = (0.3, 3.0)


@dataclass(frozen=True, slots=True)
class SampleItem:
    """One item; `price` and `cost` are GBP a unit, `gtin` is an in-house GTIN-13.

    `bin` is its storage location in either warehouse, `source_units` the units sold in the
    source over all days, `demand_class` smooth, erratic, intermittent or lumpy.
    """

    sku: str
    name: str
    name_zh: str
    category: str
    category_zh: str
    demand_class: str
    price: Decimal
    cost: Decimal
    gtin: str
    bin: str
    source_units: int


@dataclass(frozen=True, slots=True)
class SampleShutdown:
    """A closing period of a supplier, both days included."""

    starts_on: date
    ends_on: date
    reason: str
    reason_zh: str


@dataclass(frozen=True, slots=True)
class SampleSupplier:
    """A supplier; `lead_time_ratios` are observed lead times over their median, in purchase order.

    `lead_time_days` is what it states. `role` is primary or fallback.
    """

    code: str
    name: str
    name_zh: str
    country_code: str
    currency: str
    lead_time_days: int
    role: str
    lead_time_ratios: tuple[float, ...]
    shutdowns: tuple[SampleShutdown, ...]


@dataclass(frozen=True, slots=True)
class SamplePriceBreak:
    """The unit price, in the supplier's currency, of an order of at least `minimum_quantity`."""

    minimum_quantity: int
    unit_price: Decimal


@dataclass(frozen=True, slots=True)
class SampleSupplierItem:
    """How a supplier sells an item; `priority` 1 is the primary source, 2 the fallback.

    Orders are at least `minimum_order_quantity` and whole multiples of `order_multiple`, units.
    """

    supplier_code: str
    sku: str
    priority: int
    lead_time_days: int
    order_multiple: int
    minimum_order_quantity: int
    price_breaks: tuple[SamplePriceBreak, ...]


@dataclass(frozen=True, slots=True)
class SampleWarehouse:
    """A warehouse and the codes of its locations; goods for sale lie in the storage bins."""

    code: str
    name: str
    name_zh: str
    receiving_location: str
    quarantine_location: str
    storage_bins: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class SampleCompany:
    """The whole company; the read-only arrays count units, in the order of the tuples beside them.

    `sales[item, warehouse, day]` was sold on `days[day]`; `opening[item, warehouse]` was on hand
    on the morning of `days[0]`. `opening` covers the first 30 days of sales, rounded up to the
    order multiple; later days need receipts. Shut-downs reach some weeks beyond `days[-1]`.
    """

    name: str
    name_zh: str
    currency: str
    time_zone: str
    items: tuple[SampleItem, ...]
    suppliers: tuple[SampleSupplier, ...]
    supplier_items: tuple[SampleSupplierItem, ...]
    warehouses: tuple[SampleWarehouse, ...]
    days: list[date]
    sales: NDArray[np.int32]
    opening: NDArray[np.int32]


def load(last_day: date) -> SampleCompany:
    """The sample company with its last day of sales at most six days before `last_day`.

    The source calendar moves by whole weeks, so every sale keeps its weekday; shut-downs move
    along and keep their place beside the sales, not their place in the calendar year.
    """
    facts = _read_json("company.json")
    source = _read_json("source.json")
    first, last = (date.fromisoformat(source[k]) for k in ("first_day", "last_day"))
    shift = timedelta(weeks=(last_day - last).days // 7)
    item_rows = list(_read_table("items.csv.gz"))
    warehouses = tuple(_warehouse(w) for w in facts["warehouses"])
    days = [first + shift + timedelta(days=k) for k in range((last - first).days + 1)]
    sales = _read_sales().reshape(len(item_rows), len(warehouses), len(days))
    opening = np.array(
        [[int(r["opening_north"]), int(r["opening_south"])] for r in item_rows], np.int32
    )
    for array in (sales, opening):
        array.flags.writeable = False
    return SampleCompany(
        name=facts["name"],
        name_zh=facts["name_zh"],
        currency=facts["currency"],
        time_zone=facts["time_zone"],
        items=tuple(_item(r) for r in item_rows),
        suppliers=_suppliers(facts, shift),
        supplier_items=tuple(_supplier_item(r) for r in _read_table("supplier_items.csv.gz")),
        warehouses=warehouses,
        days=days,
        sales=sales,
        opening=opening,
    )


def realised_lead_time_days(supplier: SampleSupplier, order_key: str) -> int:
    """How many days this order takes: the stated days times one observed ratio, at least 1.

    The ratio is picked by a hash of supplier and `order_key`, so a replay repeats itself. The
    observed orders crossed oceans in months; half of their relative spread is kept for these
    short hauls (`LEAD_TIME_SPREAD`), within `LEAD_TIME_RATIO_RANGE`.
    """
    digest = hashlib.blake2b(f"{supplier.code}|{order_key}".encode(), digest_size=8).digest()
    observed = supplier.lead_time_ratios[
        int.from_bytes(digest, "big") % len(supplier.lead_time_ratios)
    ]
    low, high = LEAD_TIME_RATIO_RANGE
    ratio = min(max(1 + LEAD_TIME_SPREAD * (observed - 1), low), high)
    return max(1, round(supplier.lead_time_days * ratio))


def arrival_day(supplier: SampleSupplier, ordered_on: date, order_key: str) -> date:
    """The day an order arrives: its realised lead time, not counting the supplier's closed days."""
    left, day = realised_lead_time_days(supplier, order_key), ordered_on
    while left > 0:
        day += timedelta(days=1)
        if not any(s.starts_on <= day <= s.ends_on for s in supplier.shutdowns):
            left -= 1
    return day


def _read_json(name: str) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads((DATA / name).read_text(encoding="utf-8"))
    return facts


def _read_text(name: str) -> str:
    return gzip.decompress((DATA / name).read_bytes()).decode()


def _read_table(name: str) -> Iterator[dict[str, str]]:
    return csv.DictReader(io.StringIO(_read_text(name)))


def _read_sales() -> NDArray[np.int32]:
    """One row per item and warehouse, in the order of both; columns after the two keys are days."""
    lines = _read_text("sales.csv.gz").splitlines()[1:]
    return np.array([line.split(",")[2:] for line in lines]).astype(np.int32)


def _item(row: dict[str, str]) -> SampleItem:
    return SampleItem(
        sku=row["sku"],
        name=row["name"],
        name_zh=row["name_zh"],
        category=row["category"],
        category_zh=row["category_zh"],
        demand_class=row["demand_class"],
        price=Decimal(row["price"]),
        cost=Decimal(row["cost"]),
        gtin=row["gtin"],
        bin=row["bin"],
        source_units=int(row["source_units"]),
    )


def _warehouse(facts: dict[str, Any]) -> SampleWarehouse:
    bins = tuple(f"A-{k + 1:02d}" for k in range(facts["storage_bins"]))
    return SampleWarehouse(**facts | {"storage_bins": bins})


def _suppliers(facts: dict[str, Any], shift: timedelta) -> tuple[SampleSupplier, ...]:
    ratios: dict[str, list[float]] = {}
    for row in _read_table("lead_times.csv.gz"):
        ratios.setdefault(row["supplier"], []).append(float(row["ratio"]))
    shutdowns: dict[str, list[SampleShutdown]] = {}
    for closing in facts["shutdowns"]:
        shutdowns.setdefault(closing["supplier"], []).append(
            SampleShutdown(
                starts_on=date.fromisoformat(closing["starts_on"]) + shift,
                ends_on=date.fromisoformat(closing["ends_on"]) + shift,
                reason=closing["reason"],
                reason_zh=closing["reason_zh"],
            )
        )
    return tuple(
        SampleSupplier(
            **supplier,
            lead_time_ratios=tuple(ratios[supplier["code"]]),
            shutdowns=tuple(shutdowns.get(supplier["code"], ())),
        )
        for supplier in facts["suppliers"]
    )


def _supplier_item(row: dict[str, str]) -> SampleSupplierItem:
    return SampleSupplierItem(
        supplier_code=row["supplier"],
        sku=row["sku"],
        priority=int(row["priority"]),
        lead_time_days=int(row["lead_time_days"]),
        order_multiple=int(row["order_multiple"]),
        minimum_order_quantity=int(row["minimum_order"]),
        price_breaks=tuple(_price_break(step) for step in row["price_breaks"].split()),
    )


def _price_break(step: str) -> SamplePriceBreak:
    quantity, price = step.split(":")
    return SamplePriceBreak(int(quantity), Decimal(price))
