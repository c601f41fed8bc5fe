"""A year of trade, day by day: goods arrive, the buyer orders, customers buy.

Rule: whoever acts does so in a transaction of his own, through the services; the arrays here only
remember what the day must know, and are compared with the stock positions at the end.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from scm_api.core.schemas import ItemReference
from scm_api.core.tx import Tx
from scm_api.demo import buyer
from scm_api.demo.world import World, at, reference, whole
from scm_api.purchase_orders import service as purchase_orders
from scm_api.purchase_orders.schemas import (
    Confirmation,
    LineCreate,
    OrderAction,
    PurchaseOrderCreate,
)
from scm_api.receipts import service as receipts
from scm_api.receipts.schemas import OrderReference, ReceiptCreate, ReceiptLineCreate
from scm_api.sample import arrival_day
from scm_api.stock import service as stock
from scm_api.stock import shortage_service as shortages
from scm_api.stock.ledger import NewDocument, NewLine
from scm_api.stock.shortage_service import NewShortage


@dataclass(frozen=True)
class Coming:
    """A delivery on its way: (line number, item, warehouse, units) of one order."""

    number: str
    lines: list[tuple[int, int, int, int]]


@dataclass
class Counts:
    """What the year held."""

    documents: int = 0
    lines: int = 0
    sold: int = 0
    lost: int = 0
    orders: int = 0
    receipts: int = 0


@dataclass
class Trade:
    """The state of the trade since day `first` of the sample; `on_hand` and `on_order` are units by
    item and warehouse."""

    world: World
    first: int
    on_hand: NDArray[np.int64]
    on_order: NDArray[np.int64]
    coming: dict[date, list[Coming]] = field(default_factory=lambda: defaultdict(list))
    counts: Counts = field(default_factory=Counts)

    @classmethod
    def at_the_beginning(cls, world: World, first: int) -> "Trade":
        """Before anything is on hand."""
        shape = world.company.opening.shape
        return cls(world, first, np.zeros(shape, np.int64), np.zeros(shape, np.int64))

    async def open(self) -> None:
        """Post the opening stock, one document a warehouse, at cost."""
        company, world = self.world.company, self.world
        async with world.transaction() as tx:
            for w, warehouse in enumerate(company.warehouses):
                rows = np.nonzero(company.opening[:, w])[0]
                lines = [
                    NewLine(
                        item_id=world.item_ids[i],
                        quantity=whole(company.opening[i, w]),
                        from_location_id=world.outside["opening"],
                        to_location_id=world.bins[i][w],
                        unit_cost=company.items[i].cost,
                    )
                    for i in rows
                ]
                self._count(lines)
                await stock.post_movements(
                    tx,
                    NewDocument(
                        "opening", lines, world.clock(), reference=f"OPENING-{warehouse.code}"
                    ),
                )
        self.on_hand += company.opening

    async def day(self, index: int, *, is_buyer_at_work: bool) -> None:
        """Live one day of the sample: receipts at 9, orders at 12, sales until 17."""
        day = self.world.company.days[index]
        self.world.clock.set(day, 18)
        async with self.world.transaction() as tx:
            for delivery in self.coming.pop(day, []):
                await self.receive(tx, day, delivery)
        if is_buyer_at_work:
            await self._review(index)
        async with self.world.transaction() as tx:
            await self._sell(tx, index)

    async def receive(self, tx: Tx, day: date, delivery: Coming) -> UUID:
        """Post one delivery; gives the receipt's id."""
        items = self.world.company.items
        receipt = await receipts.create(
            tx,
            ReceiptCreate(
                order=OrderReference(number=delivery.number),
                occurred_at=at(day, 9),
                lines=[
                    ReceiptLineCreate(line_no=n, quantity=whole(units), location=items[i].bin)
                    for n, i, _, units in delivery.lines
                ],
            ),
        )
        for _, i, w, units in delivery.lines:
            self.on_hand[i, w] += units
            self.on_order[i, w] -= units
        self.counts.receipts += 1
        self.counts.documents += 1
        self.counts.lines += len(delivery.lines)
        return receipt.id

    def expect(
        self, order_number: str, day: date, supplier: int, lines: list[tuple[int, int, int, int]]
    ) -> date:
        """Let an issued order arrive after its supplier's realised lead time; gives that day."""
        arrives_on = arrival_day(self.world.company.suppliers[supplier], day, order_number)
        self.coming[arrives_on].append(Coming(order_number, lines))
        for _, i, w, units in lines:
            self.on_order[i, w] += units
        return arrives_on

    async def send(self, ids: Sequence[UUID]) -> None:
        """The approver approves what the buyer drafted; the buyer issues it, and the suppliers
        accept it as it is."""
        async with self.world.transaction(is_approving=True) as tx:
            for id in ids:
                order = await purchase_orders.get(tx, str(id))
                action = OrderAction(version=order.version)
                await purchase_orders.approve(tx, str(id), action, None)
        async with self.world.transaction() as tx:
            for id in ids:
                order = await purchase_orders.get(tx, str(id))
                action = OrderAction(version=order.version)
                order = await purchase_orders.issue(tx, str(id), action, None)
                answer = Confirmation(version=order.version)
                await purchase_orders.confirm(tx, str(id), answer, None)
        self.counts.orders += len(ids)

    async def _review(self, index: int) -> None:
        company = self.world.company
        day = company.days[index]
        due = [s for s in range(len(company.suppliers)) if buyer.is_review_day(day, s)]
        if not due:
            return
        sources = self.world.primary_sources()
        terms = [sources[item.sku] for item in company.items]
        past = company.sales[:, :, max(self.first, index - buyer.LOOK_BACK_DAYS) : index]
        demand = buyer.daily_demand(past.astype(np.int64), company.opening.astype(np.int64))
        wanted: list[tuple[int, list[buyer.Need]]] = []
        for s in due:
            code = company.suppliers[s].code
            members = np.array([i for i, t in enumerate(terms) if t.supplier_code == code], int)
            found = buyer.needs(
                members,
                demand,
                self.on_hand + self.on_order,
                np.array([t.lead_time_days for t in terms]),
                np.array([t.order_multiple for t in terms]),
                np.array([t.minimum_order_quantity for t in terms]),
            )
            if found:
                wanted.append((s, found))
        async with self.world.transaction() as tx:
            drafts = await purchase_orders.create_many(
                tx, [self._order(day, s, found) for s, found in wanted]
            )
        await self.send([order.id for order in drafts])
        for order, (s, found) in zip(drafts, wanted, strict=True):
            lines = [(n, x.item, x.warehouse, x.quantity) for n, x in enumerate(found, 1)]
            self.expect(order.number, day, s, lines)

    def _order(self, day: date, supplier: int, wanted: list[buyer.Need]) -> PurchaseOrderCreate:
        company = self.world.company
        sample = company.suppliers[supplier]
        return PurchaseOrderCreate(
            supplier=reference(sample.code),
            need_by=day + timedelta(days=sample.lead_time_days),
            lines=[
                LineCreate(
                    item=ItemReference(sku=company.items[need.item].sku),
                    quantity=whole(need.quantity),
                    warehouse=reference(company.warehouses[need.warehouse].code),
                )
                for need in wanted
            ],
        )

    async def _sell(self, tx: Tx, index: int) -> None:
        """Post the day's sales, one document a warehouse; what is not there is a lost sale."""
        world, day = self.world, self.world.company.days[index]
        lost: list[NewShortage] = []
        for w, warehouse in enumerate(world.company.warehouses):
            asked = world.company.sales[:, w, index].astype(np.int64)
            sold = np.minimum(asked, self.on_hand[:, w])
            document = f"SALES-{warehouse.code}-{day.isoformat()}"
            lines = [
                NewLine(
                    item_id=world.item_ids[i],
                    quantity=whole(sold[i]),
                    from_location_id=world.bins[i][w],
                    to_location_id=world.outside["customer"],
                )
                for i in np.nonzero(sold)[0]
            ]
            if lines:
                self._count(lines)
                await stock.post_movements(
                    tx, NewDocument("sales_issue", lines, at(day, 17), reference=document)
                )
            self.on_hand[:, w] -= sold
            self.counts.sold += int(sold.sum())
            self.counts.lost += int((asked - sold).sum())
            lost += [
                NewShortage(
                    item_id=world.item_ids[i],
                    warehouse_id=world.warehouse_ids[w],
                    quantity=whole(asked[i] - sold[i]),
                    occurred_at=at(day, 17),
                    source="demo",
                    source_ref=document,
                    reference=document,
                )
                for i in np.nonzero(asked > sold)[0]
            ]
        await shortages.record(tx, lost)

    def _count(self, lines: list[NewLine]) -> None:
        self.counts.documents += 1
        self.counts.lines += len(lines)
