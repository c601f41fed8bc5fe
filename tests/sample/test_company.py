"""The sample company keeps its sources' totals, its weekdays and its promises to the demo."""

import csv
import gzip
import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import pytest

from scm_api.sample import SampleCompany, arrival_day, load, realised_lead_time_days

ROOT = Path(__file__).parents[2]
DATA = files("scm_api.sample") / "data"
LAST_DAY = date(2026, 3, 17)


@pytest.fixture(scope="module")
def company() -> SampleCompany:
    return load(LAST_DAY)


@pytest.fixture(scope="module")
def source() -> dict[str, Any]:
    facts: dict[str, Any] = json.loads((DATA / "source.json").read_text(encoding="utf-8"))
    return facts


def table(name: str) -> Iterator[dict[str, str]]:
    return csv.DictReader(gzip.decompress((DATA / name).read_bytes()).decode().splitlines())


def test_every_table_has_the_text_that_the_build_wrote(source: dict[str, Any]) -> None:
    for name, expected in source["table_sha256"].items():
        text = gzip.decompress((DATA / name).read_bytes())
        assert hashlib.sha256(text).hexdigest() == expected, name


def test_units_equal_the_totals_of_the_source(
    company: SampleCompany, source: dict[str, Any]
) -> None:
    by_day = company.sales.sum(axis=(0, 1))
    text = ",".join(str(units) for units in by_day)
    assert company.sales.sum() == source["units"] == 1_253_305
    assert hashlib.sha256(text.encode()).hexdigest() == source["units_by_day_sha256"]


def test_the_two_warehouses_sum_to_the_source_units_of_each_item(company: SampleCompany) -> None:
    by_item = company.sales.sum(axis=(1, 2))
    assert by_item.tolist() == [item.source_units for item in company.items]
    assert (company.sales >= 0).all()


def test_sales_rows_stand_in_the_order_of_items_and_warehouses(company: SampleCompany) -> None:
    keys = [(row["sku"], row["warehouse"]) for row in table("sales.csv.gz")]
    assert keys == [(i.sku, w.code) for i in company.items for w in company.warehouses]


def test_both_warehouses_sell_each_item_on_many_days(company: SampleCompany) -> None:
    sale_days = np.count_nonzero(company.sales, axis=2)
    share = company.sales.sum(axis=(0, 2)) / company.sales.sum()
    assert sale_days.min() >= 5
    assert np.median(sale_days) > 50
    assert share == pytest.approx([0.5, 0.5], abs=0.05)


def test_the_company_is_large_enough_to_show_a_year(company: SampleCompany) -> None:
    assert len(company.items) >= 500
    assert len(company.days) >= 300
    assert [w.code for w in company.warehouses] == ["WH-NORTH", "WH-SOUTH"]
    assert company.sales.shape == (len(company.items), 2, len(company.days))
    assert {i.demand_class for i in company.items} == {
        "smooth",
        "erratic",
        "intermittent",
        "lumpy",
    }


@pytest.mark.parametrize(
    "last_day", [date(2026, 3, 17) + timedelta(days=k) for k in range(8)] + [date(2009, 6, 1)]
)
def test_the_calendar_moves_by_whole_weeks(last_day: date, source: dict[str, Any]) -> None:
    days = load(last_day).days
    moved = days[0] - date.fromisoformat(source["first_day"])
    assert moved.days % 7 == 0
    assert timedelta(0) <= last_day - days[-1] <= timedelta(days=6)
    assert days == [days[0] + timedelta(days=k) for k in range(len(days))]
    assert days[-1] - moved == date.fromisoformat(source["last_day"])


def test_nothing_is_sold_on_saturdays_as_in_the_source(company: SampleCompany) -> None:
    by_day = company.sales.sum(axis=(0, 1))
    by_weekday = [by_day[[d.weekday() == k for d in company.days]].sum() for k in range(7)]
    assert [k for k, units in enumerate(by_weekday) if units == 0] == [5]


def test_shutdowns_move_with_the_sales_and_reach_beyond_the_last_day(
    company: SampleCompany,
) -> None:
    moved = company.days[0] - date(2010, 12, 1)
    new_years = [
        (supplier.code, closing.starts_on)
        for supplier in company.suppliers
        for closing in supplier.shutdowns
        if closing.reason == "Chinese New Year"
        and closing.starts_on <= date(2011, 2, 3) + moved <= closing.ends_on
    ]
    closings = [c for s in company.suppliers for c in s.shutdowns]
    assert new_years == [("S-07", date(2011, 1, 24) + moved), ("S-08", date(2011, 1, 28) + moved)]
    assert all(c.starts_on <= c.ends_on for c in closings)
    assert any(c.starts_on > company.days[-1] for c in closings)


def test_the_same_day_gives_the_same_company(company: SampleCompany) -> None:
    again = load(LAST_DAY)
    for field in SampleCompany.__dataclass_fields__:
        assert np.array_equal(getattr(again, field), getattr(company, field)), field


def test_loading_takes_less_than_a_second_at_its_best() -> None:
    seconds = []
    for _ in range(3):
        start = perf_counter()
        load(LAST_DAY)
        seconds.append(perf_counter() - start)
    assert min(seconds) < 1


def test_the_arrays_cannot_be_written(company: SampleCompany) -> None:
    for array in (company.sales, company.opening):
        with pytest.raises(ValueError, match="read-only"):
            array[0, 0] = 1


def test_skus_and_barcodes_are_unique_and_in_the_in_house_range(company: SampleCompany) -> None:
    codes = [item.gtin for item in company.items]
    assert len({item.sku for item in company.items}) == len(set(codes)) == len(codes)
    assert all(len(c) == 13 and c.isdecimal() and 20 <= int(c[:2]) <= 29 for c in codes)
    assert all(item.sku[:5] in item.gtin for item in company.items)


def test_every_barcode_has_the_right_check_digit(company: SampleCompany) -> None:
    def weighted_sum(code: str) -> int:
        return sum(int(c) * weight for c, weight in zip(code, [1, 3] * 6 + [1], strict=True))

    assert weighted_sum("4006381333931") % 10 == 0  # a published GTIN-13, to test the test
    assert [i.gtin for i in company.items if weighted_sum(i.gtin) % 10] == []


def test_cost_is_three_fifths_of_the_price(company: SampleCompany) -> None:
    for item in company.items:
        assert 0 < item.cost == (item.price * Decimal("0.6")).quantize(Decimal("0.0001"))


def test_every_item_lies_in_a_bin_of_the_warehouses(company: SampleCompany) -> None:
    for warehouse in company.warehouses:
        assert {i.bin for i in company.items} == set(warehouse.storage_bins)


def test_every_item_has_one_primary_supplier_and_some_a_faster_dearer_fallback(
    company: SampleCompany,
) -> None:
    primary = {s.sku: s for s in company.supplier_items if s.priority == 1}
    fallbacks = [s for s in company.supplier_items if s.priority == 2]
    assert set(primary) == {i.sku for i in company.items}
    assert len(primary) + len(fallbacks) == len(company.supplier_items)
    assert len(fallbacks) > 100
    for fallback in fallbacks:
        first = primary[fallback.sku]
        assert fallback.supplier_code != first.supplier_code
        assert fallback.lead_time_days <= 0.45 * first.lead_time_days
        assert fallback.price_breaks[0].unit_price > first.price_breaks[0].unit_price


def test_every_supplier_is_used_and_states_the_lead_time_of_its_items(
    company: SampleCompany,
) -> None:
    stated = {s.code: s.lead_time_days for s in company.suppliers}
    assert sorted(stated) == [f"S-{k:02d}" for k in range(1, 11)]
    assert {s.supplier_code for s in company.supplier_items} == set(stated)
    assert all(s.lead_time_days == stated[s.supplier_code] for s in company.supplier_items)


def test_order_terms_are_consistent(company: SampleCompany) -> None:
    cost = {i.sku: i.cost for i in company.items}
    for terms in company.supplier_items:
        quantities = [b.minimum_quantity for b in terms.price_breaks]
        prices = [b.unit_price for b in terms.price_breaks]
        assert terms.minimum_order_quantity % terms.order_multiple == 0
        assert quantities[0] == 1
        assert quantities == sorted(set(quantities))
        assert prices == sorted(set(prices), reverse=True)
        assert all(q % terms.order_multiple == 0 for q in quantities[1:])
        if terms.priority == 1:
            assert prices[0] == cost[terms.sku]
            assert len(prices) in (2, 3)
            assert prices[-1] >= prices[0] * Decimal("0.919")


def test_opening_stock_covers_thirty_days_in_whole_packs(company: SampleCompany) -> None:
    pack = {s.sku: s.order_multiple for s in company.supplier_items if s.priority == 1}
    multiples = np.array([[pack[i.sku]] for i in company.items])
    surplus = company.opening - company.sales[:, :, :30].sum(axis=2)
    assert (company.opening % multiples == 0).all()
    assert (company.opening > 0).all()
    assert (surplus >= 0).all()
    assert (surplus <= multiples).all()


def test_lead_time_ratios_are_the_observed_days_over_their_median(company: SampleCompany) -> None:
    observed: dict[str, list[int]] = {}
    for row in table("lead_times.csv.gz"):
        observed.setdefault(row["supplier"], []).append(int(row["lead_days"]))
    for supplier in company.suppliers:
        days = np.array(observed[supplier.code])
        assert supplier.lead_time_ratios == pytest.approx(days / np.median(days), abs=6e-5)
        assert len(days) >= 20


def test_realised_lead_times_repeat_and_spread_around_the_stated_days(
    company: SampleCompany,
) -> None:
    for supplier in company.suppliers:
        drawn = [realised_lead_time_days(supplier, f"PO-{k}") for k in range(400)]
        assert drawn == [realised_lead_time_days(supplier, f"PO-{k}") for k in range(400)]
        assert abs(np.median(drawn) - supplier.lead_time_days) <= 1
        assert min(drawn) >= 1
        assert max(drawn) <= 3 * supplier.lead_time_days
        assert len(set(drawn)) > 1


def test_a_shutdown_delays_an_arrival_by_its_closed_days(company: SampleCompany) -> None:
    supplier = next(s for s in company.suppliers if s.code == "S-07")
    closing = supplier.shutdowns[0]
    needed = timedelta(days=realised_lead_time_days(supplier, "PO-1"))
    closed = closing.ends_on - closing.starts_on + timedelta(days=1)
    eve = closing.starts_on - timedelta(days=1)
    assert arrival_day(supplier, eve, "PO-1") == eve + needed + closed
    assert arrival_day(supplier, closing.ends_on, "PO-1") == closing.ends_on + needed
    early = closing.starts_on - needed - timedelta(days=1)
    assert arrival_day(supplier, early, "PO-1") == eve


def test_the_notice_names_all_sources() -> None:
    notice = (ROOT / "NOTICE").read_text(encoding="utf-8")
    for words in ("10.24432/C5BW33", "CC BY 4.0", "Chen", "SCMS", "USAID", "Swagger UI"):
        assert words in notice, words


def test_the_shipped_files_stay_below_a_megabyte() -> None:
    assert sum(len(f.read_bytes()) for f in DATA.iterdir()) < 1_000_000


def write_public_files(folder: Path) -> None:
    """Small files of the public shape: twelve items over 140 days, twelve vendors."""
    days = [(date(2010, 12, 1) + timedelta(days=k)).isoformat() for k in range(140)]
    with gzip.open(folder / "uci_daily.csv.gz", "wt", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["sku", "price", "typical_line_qty", *days])
        for k in range(12):
            units = [(d * (k + 3)) % 17 if d % (k + 1) == 0 else 0 for d in range(140)]
            writer.writerow([f"{20000 + k}A", f"{0.5 + k:.2f}", 2 + k, *units])
    header = ["vendor", "po_date", "scheduled", "delivered", "planned_days", "lead_days"]
    with gzip.open(folder / "scms_leadtimes.csv.gz", "wt", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        for k in range(12):
            for n in range(10 + k):
                writer.writerow([f"V{k}", days[n], days[n], days[n + 20], 20.0, 20.0 + n])


def test_the_same_public_files_give_the_same_tables_with_unchanged_totals(tmp_path: Path) -> None:
    write_public_files(tmp_path)
    script = str(ROOT / "scripts" / "build_sample.py")
    for output in ("one", "two"):
        subprocess.run(
            [sys.executable, script, str(tmp_path), str(tmp_path / output)], check=True, timeout=60
        )
    built = {f.name: f.read_bytes() for f in (tmp_path / "one").iterdir()}
    assert built == {f.name: f.read_bytes() for f in (tmp_path / "two").iterdir()}

    rows = [line.split(",") for line in gzip.decompress(built["sales.csv.gz"]).decode().split()[1:]]
    with gzip.open(tmp_path / "uci_daily.csv.gz", "rt", encoding="utf-8", newline="") as file:
        original = {row[0]: list(map(int, row[3:])) for row in list(csv.reader(file))[1:]}
    for north, south in zip(rows[::2], rows[1::2], strict=True):
        split_sum = [int(n) + int(s) for n, s in zip(north[2:], south[2:], strict=True)]
        assert split_sum == original[north[0]]
    suppliers_with_most_orders = gzip.decompress(built["lead_times.csv.gz"]).decode()
    assert suppliers_with_most_orders.count("S-01,") == 21
    assert suppliers_with_most_orders.count("S-10,") == 12
