"""Derives the tables of `scm_api.sample` from public data; each rule of choice stands here.

Usage: python scripts/build_sample.py INPUT_FOLDER [OUTPUT_FOLDER]

INPUT_FOLDER holds `uci_daily.csv.gz` (sku, price, typical_line_qty, one column of units a day) and
`scms_leadtimes.csv.gz` (vendor, po_date, scheduled, delivered, planned_days, lead_days).
Real: SKUs, prices, daily units, line quantities, relative spread of lead times.
Synthetic: the company, its warehouses, suppliers, stated lead times and shut-downs (kept by hand
in `data/company.json`), and by a rule below costs, minimum orders, price breaks, bins, barcodes,
opening stock, which supplier has which item, and which warehouse sold which unit.
Nothing is random: every choice is a hash of its key, so the same input gives the same files.
"""

import argparse
import csv
import gzip
import hashlib
import io
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

DATA = Path(__file__).parent.parent / "src" / "scm_api" / "sample" / "data"
ITEM_COUNT = 560
ITEMS_PER_BIN = 20
MIN_SALE_DAYS = 24
LISTED_WITHIN_DAYS = 90
OPENING_COVER_DAYS = 30
COST_SHARE = Decimal("0.6")
FALLBACK_SURCHARGE = Decimal("1.08")
FOUR_PLACES = Decimal("0.0001")

PRICE_BANDS = (
    (Decimal("1"), "under £1", "1英镑以下"),
    (Decimal("2.5"), "£1 to £2.49", "1至2.49英镑"),
    (Decimal("5"), "£2.50 to £4.99", "2.50至4.99英镑"),
    (Decimal("Infinity"), "£5 and over", "5英镑及以上"),
)
CLASS_NAMES_ZH = {
    "smooth": "平稳需求",
    "erratic": "波动需求",
    "intermittent": "间断需求",
    "lumpy": "块状需求",
}

# Which supplier steps in for a primary one with this stated lead time (days): one that needs about
# a third of it.
FALLBACK_BY_STATED_DAYS = {7: "S-09", 10: "S-10", 14: "S-10"}


@dataclass(frozen=True)
class SourceItem:
    """One row of the source: `units` holds one integer a day; `demand_class` is derived."""

    sku: str
    price: Decimal
    line_quantity: int
    units: NDArray[np.int64]
    demand_class: str

    @property
    def sales_value(self) -> Decimal:
        return self.price * int(self.units.sum())

    @property
    def daily_mean(self) -> float:
        return float(self.units.mean())


def unit_hash(*key: object) -> float:
    """A stable number in [0, 1) for a key: the only source of variety in this script."""
    digest = hashlib.blake2b("|".join(map(str, key)).encode(), digest_size=6).digest()
    return int.from_bytes(digest, "big") / 2**48


def demand_class(units: NDArray[np.int64]) -> str:
    """Class of weekly demand by interval and variability (Syntetos, Boylan and Croston 2005).

    Weeks are the last whole ones; cut-offs are 1.32 weeks between sales and a squared
    coefficient of variation of the sizes of 0.49.
    """
    weeks = len(units) // 7
    weekly = units[len(units) - 7 * weeks :].reshape(weeks, 7).sum(axis=1)
    sizes = weekly[weekly > 0]
    if not len(sizes):
        return "lumpy"
    is_frequent = weeks / len(sizes) < 1.32
    is_even = float((sizes.std() / sizes.mean()) ** 2) < 0.49
    if is_frequent:
        return "smooth" if is_even else "erratic"
    return "intermittent" if is_even else "lumpy"


def is_listed_all_year(units: NDArray[np.int64]) -> bool:
    """Sold on enough days, and both near the first and near the last day of the source."""
    return bool(
        np.count_nonzero(units) >= MIN_SALE_DAYS
        and units[:LISTED_WITHIN_DAYS].any()
        and units[-LISTED_WITHIN_DAYS:].any()
    )


def class_quotas(sizes: dict[str, int], total: int) -> dict[str, int]:
    """Shares `total` evenly over the classes; a class too small gives all it has."""
    quotas: dict[str, int] = {}
    for name in sorted(sizes, key=lambda c: (sizes[c], c)):
        fair_share = (total - sum(quotas.values())) // (len(sizes) - len(quotas))
        quotas[name] = min(sizes[name], fair_share)
    return quotas


def select(items: Sequence[SourceItem], total: int) -> list[SourceItem]:
    """Items listed all year, evenly over the demand classes, in each evenly spaced by value.

    Spacing by rank of sales value takes best sellers and slow movers alike.
    """
    eligible = [i for i in items if is_listed_all_year(i.units)]
    groups: dict[str, list[SourceItem]] = {}
    for item in sorted(eligible, key=lambda i: (-i.sales_value, i.sku)):
        groups.setdefault(item.demand_class, []).append(item)
    quotas = class_quotas({c: len(g) for c, g in groups.items()}, total)
    chosen = [
        group[(2 * k + 1) * len(group) // (2 * quotas[name])]
        for name, group in groups.items()
        for k in range(quotas[name])
    ]
    return sorted(chosen, key=lambda i: i.sku)


def split_by_warehouse(item: SourceItem, days: Sequence[str]) -> NDArray[np.int64]:
    """Units by warehouse and day, summing to the source.

    A day's units are cut into lines of the item's typical line quantity (the last holds the
    rest); each whole line goes to a warehouse by the hash of (SKU, day, line number) against the
    item's share of the north, 35 to 65 %. Whole lines keep the lumpiness of real orders.
    """
    share = 0.35 + 0.3 * unit_hash("share", item.sku)
    split = np.zeros((2, len(days)), np.int64)
    for d in map(int, np.flatnonzero(item.units)):
        left, line = int(item.units[d]), 0
        while left > 0:
            quantity = min(item.line_quantity, left)
            is_north = unit_hash("line", item.sku, days[d], line) < share
            split[0 if is_north else 1, d] += quantity
            left, line = left - quantity, line + 1
    return split


def gtin13(sku: str) -> str:
    """A GTIN-13 for in-house use: 200 (GS1 restricted circulation), five digits, two letters.

    Letters of the SKU become 01 to 26, none 00, so that different SKUs have different codes.
    The check digit weighs the twelve digits 1, 3, 1, 3, ... (GS1 General Specifications 7.9).
    """
    letters = sku[5:].upper().ljust(2, "@")
    body = "200" + sku[:5] + "".join(f"{ord(c) - ord('@'):02d}" for c in letters)
    weighted = sum(int(c) * (3 if k % 2 else 1) for k, c in enumerate(body))
    return body + str(-weighted % 10)


def order_multiple(item: SourceItem) -> int:
    """The typical line quantity as a pack, or 1 where a pack would last over 14 days."""
    return item.line_quantity if item.line_quantity <= max(1.0, 14 * item.daily_mean) else 1


def round_up(quantity: float, multiple: int) -> int:
    return int(-(-quantity // multiple)) * multiple


def price_breaks(item: SourceItem, base: Decimal, pack: int, moq: int) -> str:
    """Synthetic quantity prices, as `minimum:price` joined by blanks.

    Step 2 starts at 4 weeks of mean sales with 2 to 4 % off, step 3 (for 60 % of the items) at
    13 weeks with 5 to 8 % off; both are whole packs above the step before.
    """
    off = [
        (4, 0.02 + 0.02 * unit_hash("off-2", item.sku)),
        (13, 0.05 + 0.03 * unit_hash("off-3", item.sku)),
    ]
    if unit_hash("steps", item.sku) >= 0.6:
        off = off[:1]
    steps, last = [f"1:{base}"], moq
    for weeks, discount in off:
        start = max(round_up(weeks * 7 * item.daily_mean, pack), last + pack)
        price = base * (1 - Decimal(f"{discount:.3f}"))
        steps.append(f"{start}:{price.quantize(FOUR_PLACES, ROUND_HALF_UP)}")
        last = start
    return " ".join(steps)


def supplier_item_rows(item: SourceItem, suppliers: list[dict[str, Any]]) -> list[list[object]]:
    """The primary source of an item and, for half of those with 7 days or more, a fallback."""
    primaries = [s for s in suppliers if s["role"] == "primary"]
    primary = primaries[int(unit_hash("supplier", item.sku) * len(primaries))]
    code, stated_days = primary["code"], primary["lead_time_days"]
    pack = order_multiple(item)
    moq = pack * (2 if unit_hash("moq", item.sku) > 0.7 else 1)
    cost = (item.price * COST_SHARE).quantize(FOUR_PLACES, ROUND_HALF_UP)
    breaks = price_breaks(item, cost, pack, moq)
    rows: list[list[object]] = [[code, item.sku, 1, stated_days, pack, moq, breaks]]
    if stated_days in FALLBACK_BY_STATED_DAYS and unit_hash("fallback", item.sku) < 0.5:
        fallback = FALLBACK_BY_STATED_DAYS[stated_days]
        days = next(s["lead_time_days"] for s in suppliers if s["code"] == fallback)
        price = (cost * FALLBACK_SURCHARGE).quantize(FOUR_PLACES, ROUND_HALF_UP)
        rows.append([fallback, item.sku, 2, days, pack, pack, f"1:{price}"])
    return rows


def item_rows(items: Sequence[SourceItem], split: NDArray[np.int64]) -> list[list[object]]:
    """Master data; bins are filled in order of sales value, so best sellers stand in front."""
    by_value = sorted(items, key=lambda i: (-i.sales_value, i.sku))
    rank = {item.sku: k for k, item in enumerate(by_value)}
    rows: list[list[object]] = []
    for k, item in enumerate(items):
        band, band_zh = next((en, zh) for top, en, zh in PRICE_BANDS if item.price < top)
        pack = order_multiple(item)
        opening = [
            max(pack, round_up(int(split[k, w, :OPENING_COVER_DAYS].sum()), pack))
            for w in range(split.shape[1])
        ]
        rows.append(
            [
                item.sku,
                f"Item {item.sku}, {band}, {item.demand_class} demand",
                f"商品 {item.sku},{band_zh},{CLASS_NAMES_ZH[item.demand_class]}",
                band,
                band_zh,
                item.demand_class,
                item.price,
                (item.price * COST_SHARE).quantize(FOUR_PLACES, ROUND_HALF_UP),
                gtin13(item.sku),
                f"A-{rank[item.sku] // ITEMS_PER_BIN + 1:02d}",
                *opening,
                int(item.units.sum()),
            ]
        )
    return rows


def lead_time_rows(path: Path, suppliers: list[dict[str, Any]]) -> list[list[object]]:
    """Lead times of real vendors relative to the vendor's median, in order of purchase.

    Supplier k has those of the vendor with the k-th most observations (ties by name).
    """
    rows = read_rows(path)
    counts = Counter(r["vendor"] for r in rows)
    vendors = sorted(counts, key=lambda v: (-counts[v], v))[: len(suppliers)]
    out: list[list[object]] = []
    for supplier, vendor in zip(suppliers, vendors, strict=True):
        observed = sorted(
            (r["po_date"], r["delivered"], float(r["lead_days"]))
            for r in rows
            if r["vendor"] == vendor
        )
        middle = median(days for *_, days in observed)
        out += [
            [supplier["code"], ordered_on, int(days), f"{days / middle:.4f}"]
            for ordered_on, _, days in observed
        ]
    return out


def read_rows(path: Path) -> list[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def read_source(path: Path) -> tuple[list[str], list[SourceItem]]:
    rows = read_rows(path)
    days = [c for c in rows[0] if c[:2] == "20"]
    items = []
    for row in rows:
        units = np.array([int(row[d]) for d in days], np.int64)
        # Four places remove the residue of binary floats that the source file carries.
        price = Decimal(row["price"]).quantize(FOUR_PLACES, ROUND_HALF_UP)
        line = int(row["typical_line_qty"])
        items.append(SourceItem(row["sku"], price, line, units, demand_class(units)))
    return days, items


def write_table(path: Path, header: Iterable[object], rows: Iterable[Iterable[object]]) -> str:
    """Writes a gzip file without time stamp and returns the SHA-256 of the text within."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    data = text.getvalue().encode()
    path.write_bytes(gzip.compress(data, compresslevel=9, mtime=0))
    return hashlib.sha256(data).hexdigest()


def source_facts(
    days: list[str], source: list[SourceItem], chosen: list[SourceItem]
) -> dict[str, Any]:
    """Where the tables come from, and the totals that they must keep."""
    daily = np.sum([i.units for i in chosen], axis=0)
    return {
        "sales": "Chen, D. (2015). Online Retail. UCI Machine Learning Repository."
        " https://doi.org/10.24432/C5BW33. CC BY 4.0",
        "lead_times": "USAID / PEPFAR, Supply Chain Management System (SCMS) delivery history,"
        " US government open data",
        "first_day": days[0],
        "last_day": days[-1],
        "items_in_source": len(source),
        "units_in_source": int(sum(i.units.sum() for i in source)),
        "items": len(chosen),
        "units": int(daily.sum()),
        "units_by_day_sha256": hashlib.sha256(",".join(map(str, daily)).encode()).hexdigest(),
    }


def build(folder: Path, output: Path) -> None:
    """Writes the tables and `source.json`, with the checksums of what was read and written."""
    inputs = sales_path, lead_path = folder / "uci_daily.csv.gz", folder / "scms_leadtimes.csv.gz"
    company = json.loads((DATA / "company.json").read_text(encoding="utf-8"))
    suppliers, warehouses = company["suppliers"], company["warehouses"]
    days, source = read_source(sales_path)
    items = select(source, ITEM_COUNT)
    split = np.stack([split_by_warehouse(i, days) for i in items])
    item_header = (
        "sku name name_zh category category_zh demand_class price cost gtin bin"
        " opening_north opening_south source_units"
    )
    supply_header = "supplier sku priority lead_time_days order_multiple minimum_order price_breaks"
    lead_header = "supplier ordered_on lead_days ratio"
    supply = [row for item in items for row in supplier_item_rows(item, suppliers)]
    sales = [
        [item.sku, warehouse["code"], *map(int, split[k, w])]
        for k, item in enumerate(items)
        for w, warehouse in enumerate(warehouses)
    ]
    tables = {
        "items.csv.gz": (item_header.split(), item_rows(items, split)),
        "supplier_items.csv.gz": (supply_header.split(), supply),
        "sales.csv.gz": (["sku", "warehouse", *days], sales),
        "lead_times.csv.gz": (lead_header.split(), lead_time_rows(lead_path, suppliers)),
    }
    output.mkdir(parents=True, exist_ok=True)
    facts = source_facts(days, source, items)
    facts["input_sha256"] = {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in inputs}
    facts["table_sha256"] = {
        name: write_table(output / name, header, rows) for name, (header, rows) in tables.items()
    }
    text = json.dumps(facts, indent=2, ensure_ascii=False) + "\n"
    (output / "source.json").write_text(text, encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description="Build the tables of the sample company.")
    parser.add_argument("input_folder", type=Path)
    parser.add_argument("output_folder", type=Path, nargs="?", default=DATA)
    arguments = parser.parse_args()
    build(arguments.input_folder, arguments.output_folder)


if __name__ == "__main__":
    main()
