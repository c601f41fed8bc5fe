"""The main job, told on the last days: plan, understand, order, confirm, receive, look again."""

import asyncio
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any
from uuid import UUID

from rich.console import Console

from scm_api.access.errors import SegregationOfDuties
from scm_api.alerts import service as alerts
from scm_api.core import consumers, jobs
from scm_api.demo import screen
from scm_api.demo.figures import Figures, alert_changes, figures
from scm_api.demo.trade import Coming, Trade
from scm_api.demo.world import World
from scm_api.purchase_orders import service as purchase_orders
from scm_api.purchase_orders.schemas import OrderAction
from scm_api.replenishment import service as replenishment
from scm_api.replenishment import suggestion_service as suggestions
from scm_api.replenishment.schemas import PlanCreate
from scm_api.replenishment.suggestion_schemas import (
    Convert,
    SuggestionFilter,
    SuggestionSelection,
)

JOB_POLL_SECONDS = 0.1
SHOWN = 6
SHARE_OF_FIRST_PART = 0.6
DAYS_UNTIL_SECOND_PART = 2


@dataclass
class Story:
    """The story of one company, told on a console."""

    console: Console
    world: World
    trade: Trade
    index: int

    async def tell(self, last: int) -> None:
        """Play from the current day of the sample up to `last`, both included."""
        world, console = self.world, self.console
        world.clock.set(world.company.days[self.index], 8)
        before = await self._look()
        screen.heading(console, f"1. Plan, on the morning of {world.clock.now.date()}")
        await self._plan()
        await self._show_suggestions()
        screen.heading(console, "2. Convert the suggestions; another approves, suppliers confirm")
        await self._order()
        since = world.clock.now
        screen.heading(console, f"3. {last - self.index + 1} days of deliveries and sales")
        await self._live(last)
        world.clock.set(world.company.days[last], 20)
        after = await self._look()
        await self._show_alerts(since)
        screen.heading(console, "4. What it changed")
        screen.before_and_after(console, before, after)

    async def plan_again(self) -> None:
        """A plan for today, whose suggestions are left for the reader to decide."""
        screen.heading(self.console, "5. A fresh plan for today, for you to decide on")
        await self._plan()

    async def _look(self) -> Figures:
        """The figures once every consumer and the sweep of alerts have seen the day."""
        await self._settle()
        async with self.world.transaction() as tx:
            return await figures(tx)

    async def _settle(self) -> None:
        await consumers.drain(self.world.runtime)
        async with self.world.transaction() as tx:
            await alerts.sweep(tx)

    async def _plan(self) -> None:
        """Queue a plan and run its job here, showing what the job shows."""
        world = self.world
        async with world.transaction() as tx:
            _, job_id = await replenishment.start(tx, PlanCreate(as_of=world.clock.now.date()))
        running = asyncio.create_task(jobs.run(world.runtime, world.organization_id, job_id))
        with screen.progress(self.console) as bars:
            bar = bars.add_task("Planning", total=None, note="")
            while not running.done():
                await asyncio.wait({running}, timeout=JOB_POLL_SECONDS)
                job = await self._job(job_id)
                note = f"{job['unit']}, {job['message']}" if job["message"] else job["unit"]
                bars.update(bar, completed=job["done"], total=job["total"], note=note)
        await running
        job = await self._job(job_id)
        if job["status"] != "succeeded":
            raise RuntimeError(f"The plan ended as {job['status']}: {job['error']}")
        outcomes = sorted(job["result"]["outcomes"].items())
        screen.table(self.console, ["outcome", "item-locations"], outcomes)
        await self._settle()

    async def _job(self, job_id: UUID) -> Any:
        async with self.world.transaction() as tx:
            return await jobs.find(tx, job_id)

    async def _show_suggestions(self) -> None:
        """The most urgent suggestions, and how the first of them came about."""
        async with self.world.transaction() as tx:
            page = await suggestions.list_all(tx, SuggestionFilter(status=["open"], limit=500))
            found = sorted(page.rows, key=lambda row: (row[0].stockout_on or date.max, row[1].sku))
            explained = await suggestions.explain(tx, found[0][0].id)
        rows = [
            (
                item.sku,
                warehouse.code,
                supplier.code,
                suggestion.quantity,
                suggestion.stockout_on or "-",
                suggestion.arrives_on,
            )
            for suggestion, item, warehouse, supplier, *_ in found[:SHOWN]
        ]
        head = ["item", "warehouse", "supplier", "order", "runs out on", "arrives on"]
        screen.table(self.console, head, rows, title="The most urgent suggestions")
        _explain(self.console, explained)

    async def _order(self) -> None:
        """Every open suggestion becomes a line of an order, and every order goes out."""
        world, trade = self.world, self.trade
        world.clock.set(world.company.days[self.index], 10)
        async with world.transaction() as tx:
            made = await suggestions.convert(tx, Convert(where=SuggestionSelection()))
        await self._try_to_approve(made.orders[0].id)
        await trade.send([converted.id for converted in made.orders])
        rows = []
        for converted in made.orders:
            async with world.transaction() as tx:
                order = await purchase_orders.get(tx, str(converted.id))
                read = await purchase_orders.read(tx, order)
            supplier = self._supplier(read.supplier.code)
            lines = [
                (
                    line.line_no,
                    world.item_ids.index(line.item.id),
                    world.warehouse_ids.index(line.warehouse.id),
                    int(line.quantity),
                )
                for line in read.lines
            ]
            day = world.company.days[self.index]
            arrives_on = trade.expect(read.number, day, supplier, lines)
            rows.append(
                (read.number, read.supplier.name, len(lines), read.amount.amount, arrives_on)
            )
        self._split_the_first_delivery([row[0] for row in rows])
        head = ["order", "supplier", "lines", f"amount {world.company.currency}", "will arrive"]
        screen.table(self.console, head, rows)

    async def _try_to_approve(self, order_id: UUID) -> None:
        """Duties are separate: the buyer, who may do everything else, is refused."""
        try:
            async with self.world.transaction() as tx:
                order = await purchase_orders.get(tx, str(order_id))
                action = OrderAction(version=order.version)
                await purchase_orders.approve(tx, str(order_id), action, None)
        except SegregationOfDuties as refused:
            self.console.print(
                f"{self.world.buyer.name} wrote these orders and cannot approve them "
                f"({refused.code}): {self.world.approver.name} does.",
                highlight=False,
            )
        else:
            raise RuntimeError("The buyer approved an order of his own.")

    def _supplier(self, code: str) -> int:
        return next(n for n, s in enumerate(self.world.company.suppliers) if s.code == code)

    def _split_the_first_delivery(self, numbers: list[str]) -> None:
        """The first order to arrive comes in two parts, so that a partial receipt is seen."""
        coming = self.trade.coming
        day = min(day for day in coming for d in coming[day] if d.number in numbers)
        first = next(d for d in coming[day] if d.number in numbers)
        part = [
            (n, i, w, max(1, int(units * SHARE_OF_FIRST_PART))) for n, i, w, units in first.lines
        ]
        rest = [
            (n, i, w, units - now)
            for (n, i, w, units), (_, _, _, now) in zip(first.lines, part, strict=True)
            if units > now
        ]
        coming[day][coming[day].index(first)] = replace(first, lines=part)
        later = self.world.company.days[self.world.company.days.index(day) + DAYS_UNTIL_SECOND_PART]
        coming[later].append(Coming(first.number, rest))

    async def _live(self, last: int) -> None:
        days = self.world.company.days
        rows = []
        for index in range(self.index, last + 1):
            arriving = [d.number for d in self.trade.coming.get(days[index], [])]
            sold = self.trade.counts.sold
            await self.trade.day(index, is_buyer_at_work=False)
            statuses = await self._receipt_statuses(arriving)
            came = "\n".join(f"{number} ({statuses[number]})" for number in arriving) or "-"
            open_alerts = sum((await self._look()).open_alerts.values())
            rows.append((days[index], came, self.trade.counts.sold - sold, open_alerts))
        screen.table(self.console, ["day", "arrived", "units sold", "open alerts"], rows)

    async def _receipt_statuses(self, numbers: list[str]) -> dict[str, str]:
        async with self.world.transaction() as tx:
            orders = [await purchase_orders.get(tx, f"number={number}") for number in numbers]
        return {order.number: order.receipt_status for order in orders}

    async def _show_alerts(self, since: datetime) -> None:
        async with self.world.transaction() as tx:
            changes = await alert_changes(tx, since)
        self.console.print(
            f"Since the orders went out, {changes.raised} alerts rose and {changes.cleared} "
            "cleared by themselves, because what they warned of was over."
        )


def _explain(console: Console, explained: dict[str, Any]) -> None:
    item, warehouse = explained["item"], explained["warehouse"]
    console.print(
        f"\nWhy {screen.number(float(explained['quantity']))} of {item.sku} for {warehouse.code}? "
        f"{explained['outcome_text']}",
        highlight=False,
    )
    rows = [
        (step["name"].replace("_", " "), step["formula"], round(float(step["value"]), 2))
        for step in explained["steps"]
    ]
    screen.table(console, ["step", "formula", "value"], rows)
