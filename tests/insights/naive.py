"""The key figures once more, day by day in plain Python: slow, obvious, and independent of SQL."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

from tests.support import Client

ZONE = ZoneInfo("Asia/Shanghai")
ISSUES = ("sales_issue", "consumption", "production_issue")
Pair = tuple[UUID, UUID]


@dataclass
class End:
    """A movement as one position sees it."""

    pair: Pair
    type: str
    day: date
    demand_day: date
    quantity: Decimal
    value: Decimal
    is_free: bool


@dataclass
class Ledger:
    """Everything that was posted, and every shortage as (pair, day, quantity)."""

    ends: list[End]
    shortages: list[tuple[Pair, date, Decimal]]

    def pairs(self) -> set[Pair]:
        return {end.pair for end in self.ends} | {pair for pair, _, _ in self.shortages}


def days(first: date, last: date) -> Iterator[date]:
    """Every day from the first to the last."""
    while first <= last:
        yield first
        first += timedelta(days=1)


async def read(api: Client) -> Ledger:
    """The tables as they are."""
    async with api.runtime.database.transaction(api.principal(), now=api.runtime.clock()) as tx:
        documents = {row["id"]: row for row in await tx.fetch("select * from stock_document")}
        places = {row["id"]: row for row in await tx.fetch("select * from location")}
        movements = await tx.fetch("select * from stock_movement")
        shortages = await tx.fetch("select * from shortage")
    ends = []
    for row in movements:
        document = documents[row["document_id"]]
        origin = documents.get(document["reversal_of"], document)
        for end, sign in (("from", -1), ("to", 1)):
            place = places[row[f"{end}_location_id"]]
            if place["warehouse_id"] is not None:
                ends.append(
                    End(
                        (row["item_id"], place["warehouse_id"]),
                        document["type"],
                        row["occurred_at"].astimezone(ZONE).date(),
                        origin["occurred_at"].astimezone(ZONE).date(),
                        sign * row["quantity"],
                        sign * row["value"],
                        place["kind"] == "internal" and row[f"{end}_status"] == "unrestricted",
                    )
                )
    short = [
        ((r["item_id"], r["warehouse_id"]), r["occurred_on"], r["quantity"]) for r in shortages
    ]
    return Ledger(ends, short)


def turnover(ledger: Ledger, first: date, last: date) -> tuple[Decimal, Decimal]:
    """(average value, consumption value): each day's value is the mean of its two midnights."""
    total = Decimal(0)
    for day in days(first, last):
        before = sum((end.value for end in ledger.ends if end.day < day), Decimal(0))
        after = sum((end.value for end in ledger.ends if end.day <= day), Decimal(0))
        total += (before + after) / 2
    consumed = sum(
        (
            -end.value
            for end in ledger.ends
            if end.type in (*ISSUES, "customer_return") and first <= end.demand_day <= last
        ),
        Decimal(0),
    )
    return total / ((last - first).days + 1), consumed


def demand(ledger: Ledger, first: date, last: date) -> dict[Pair, tuple[Decimal, Decimal]]:
    """(issued, short) of each pair."""
    found: defaultdict[Pair, list[Decimal]] = defaultdict(lambda: [Decimal(0), Decimal(0)])
    for end in ledger.ends:
        if end.type in ISSUES and first <= end.demand_day <= last:
            found[end.pair][0] -= end.quantity
    for pair, day, quantity in ledger.shortages:
        if first <= day <= last:
            found[pair][1] += quantity
    return {pair: (issued, short) for pair, (issued, short) in found.items()}


def stock_out(ledger: Ledger, first: date, last: date) -> tuple[int, int, int]:
    """(active pairs, item-days, stocked-out days) of a company that plans nothing: a pair is wanted
    if it was asked for in the period or in the 13 weeks before it."""
    since = first - timedelta(weeks=13)
    asked = {pair for pair, parts in demand(ledger, since, last).items() if sum(parts) > 0}
    count = item_days = out_days = 0
    for pair in ledger.pairs():
        mine = [end for end in ledger.ends if end.pair == pair and end.day <= last]
        known = [end.day for end in mine]
        known += [day for p, day, _ in ledger.shortages if p == pair and day <= last]
        if not known:
            continue
        closing = [
            sum((end.quantity for end in mine if end.is_free and end.day <= day), Decimal(0))
            for day in days(max(first, min(known)), last)
        ]
        if pair in asked or any(level > 0 for level in closing):
            count += 1
            item_days += len(closing)
            out_days += sum(level <= 0 for level in closing) if pair in asked else 0
    return count, item_days, out_days
