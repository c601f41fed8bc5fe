"""The number of statements never grows with the lines: measured at the driver."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import sqlalchemy

from scm_api.core.tx import Tx
from scm_api.purchase_orders import service as purchase_orders
from scm_api.purchase_orders.schemas import PurchaseOrderCreate
from scm_api.receipts import service as receipts
from scm_api.receipts.schemas import ReceiptCreate
from tests.purchase_orders.world import build, issued, line, read
from tests.support import Client


@asynccontextmanager
async def counted(api: Client) -> AsyncIterator[tuple[Tx, list[str]]]:
    """A transaction of the caller, and every statement it sends; committed at the end."""
    runtime, sent, by_session = api.runtime, list[str](), set[str]()
    async with runtime.database.transaction(api.principal(), now=runtime.clock()) as tx:

        def note(record: Any) -> None:
            # A connection asks once for each type it has not met before.
            if "typeinfo" not in record.query and record.query not in by_session:
                sent.append(record.query)

        def note_session(_: Any, __: Any, statement: str, *___: Any) -> None:
            by_session.add(statement)
            sent.append(statement)

        # The driver does not report the session's statements, except those with many rows.
        engine = runtime.database.engine.sync_engine
        driver: asyncpg.Connection = tx.driver
        driver.add_query_logger(note)
        sqlalchemy.event.listen(engine, "before_cursor_execute", note_session)
        try:
            yield tx, sent
        finally:
            driver.remove_query_logger(note)
            sqlalchemy.event.remove(engine, "before_cursor_execute", note_session)
        await tx.driver.execute("commit")


async def items(api: Client, count: int) -> list[str]:
    """New items that the supplier sells."""
    skus = [f"I-{number:04d}" for number in range(count)]
    rows = [{"sku": sku, "name": sku, "base_unit": "EA"} for sku in skus]
    await api.ok("PUT", "/v1/items/bulk", json={"mode": "atomic", "items": rows})
    return skus


async def _received(api: Client, skus: list[str]) -> int:
    order = await issued(api, *(line(sku, "10", unit_price="1") for sku in skus))
    rows = [{"line_no": row["line_no"], "quantity": "4"} for row in order["lines"]]
    body = ReceiptCreate.model_validate({"order": {"id": order["id"]}, "lines": rows})
    async with counted(api) as (tx, sent):
        await receipts.create(tx, body)
    now = await read(api, order)
    assert {row["received_quantity"] for row in now["lines"]} == {"4.0000"}
    return len(sent)


async def test_a_receipt_of_a_thousand_lines_sends_as_many_statements_as_one_of_two(
    api: Client,
) -> None:
    await build(api)
    skus = await items(api, 1000)
    assert await _received(api, skus[:2]) == await _received(api, skus)


async def test_a_hundred_orders_of_ten_lines_are_created_like_one(api: Client) -> None:
    await build(api)
    skus = await items(api, 1000)

    def order(part: list[str]) -> PurchaseOrderCreate:
        return PurchaseOrderCreate.model_validate(
            {
                "supplier": {"code": "S-1"},
                "warehouse": {"code": "WH-1"},
                "need_by": "2030-03-01",
                "lines": [line(sku, "10", unit_price="1") for sku in part],
            }
        )

    async with counted(api) as (tx, one):
        await purchase_orders.create_many(tx, [order(skus[:1])])
    async with counted(api) as (tx, many):
        parts = [skus[start : start + 10] for start in range(0, 1000, 10)]
        created = await purchase_orders.create_many(tx, [order(part) for part in parts])
    assert len(many) == len(one)
    assert [row.number for row in created] == [f"PO-{n:06d}" for n in range(2, 102)]
    assert {row.line_count for row in created} == {10}
