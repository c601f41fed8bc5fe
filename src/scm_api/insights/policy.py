"""The arithmetic of key figures on their inputs: pure, exact, and None where nothing is divided."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal, localcontext
from typing import Any

# How long before a period demand still makes an empty item-location count as out of stock.
LOOK_BACK_DAYS = 91
_YEAR_DAYS = 365
_VALUE_PLACES = Decimal("0.0001")


def ratio(
    part: Decimal | int | None, whole: Decimal | int | None, places: int = 4, *, times: int = 1
) -> Decimal | None:
    """`part x times / whole` rounded half even; None for a whole of zero or less, or where one of
    them is not known."""
    if part is None or whole is None or whole <= 0:
        return None
    with localcontext() as context:
        context.prec = 60
        return (Decimal(part) * times / Decimal(whole)).quantize(Decimal(1).scaleb(-places))


def summed(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The inputs of several key figures of one kind as those of one; None where one of them is."""
    return {name: _sum(row[name] for row in rows) for name in rows[0]}


def _sum(values: Iterable[Any]) -> Any:
    known = list(values)
    return None if None in known else sum(known)


def turnover(row: Mapping[str, Any], days: int) -> dict[str, Any]:
    """Turnover = consumption / average stock value; days of inventory = average stock value /
    consumption per day (SAP MC44 and Days Inventory Held). Average = value-days / days."""
    value_days, consumed = row["value_days"], row["consumption_value"]
    return {
        "n": row["n"],
        "opening_value": row["opening_value"],
        "closing_value": row["closing_value"],
        "value_days": value_days,
        "average_value": None if value_days is None else _average(value_days, days),
        "consumption_value": consumed,
        "turnover": ratio(consumed, value_days, times=days),
        "turnover_per_year": ratio(consumed, value_days, times=_YEAR_DAYS),
        "days_of_inventory": ratio(value_days, consumed, 2),
    }


def _average(value_days: Decimal, days: int) -> Decimal:
    return (value_days / days).quantize(_VALUE_PLACES)


def stock_out(row: Mapping[str, Any], days: int) -> dict[str, Any]:
    """Stock-out rate = stocked-out item-days / active item-days."""
    served = row["item_days"] - row["stocked_out_days"]
    return {
        **row,
        "stock_out_rate": ratio(row["stocked_out_days"], row["item_days"]),
        "achieved_fill": ratio(served, row["item_days"]),
    }


def fill(row: Mapping[str, Any], days: int) -> dict[str, Any]:
    """Fill rate = issued / (issued + shortages), in units and in value."""
    quantity = row["issued_quantity"] + row["shortage_quantity"]
    value = _sum([row["issued_value"], row["shortage_value"]])
    return {
        **row,
        "fill_rate": ratio(row["issued_quantity"], quantity),
        "value_fill_rate": ratio(row["issued_value"], value),
    }


def overstock(row: Mapping[str, Any], days: int) -> dict[str, Any]:
    """Overstock share = value above the level / value of all stock."""
    return {**row, "overstock_share": ratio(row["overstock_value"], row["stock_value"])}


def purchase_on_time(row: Mapping[str, Any], days: int) -> dict[str, Any]:
    """On-time rate and on-time-in-full rate = schedule lines so done / schedule lines due."""
    return {basis: _punctuality(row, basis) for basis in ("confirmed", "requested")}


def _punctuality(row: Mapping[str, Any], basis: str) -> dict[str, Any]:
    names = ("n", "on_time", "early", "late", "missing", "on_time_in_full", "days_late")
    counts = {name: row[f"{basis}_{name}"] for name in names}
    return {
        **counts,
        "on_time_rate": ratio(counts["on_time"], counts["n"]),
        "on_time_in_full_rate": ratio(counts["on_time_in_full"], counts["n"]),
        "average_days_late": ratio(counts["days_late"], counts["late"], 2),
    }
