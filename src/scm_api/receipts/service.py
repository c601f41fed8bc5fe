"""Use cases of receipts: post, reverse, read. Locks go from the order to stock, never back."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from scm_api.core import documents, limits, numbers
from scm_api.core.documents import Key
from scm_api.core.errors import UNKNOWN_REFERENCE, FieldError, Invalid, NotFound
from scm_api.core.http import Versions, check_version
from scm_api.core.ids import uuid7
from scm_api.core.pages import PageOf
from scm_api.core.tx import Tx
from scm_api.items import service as items
from scm_api.purchase_orders import policy as order_policy
from scm_api.purchase_orders import service as purchase_orders
from scm_api.purchase_orders.service import Delivery, Order
from scm_api.receipts import arrivals, policy, repository
from scm_api.receipts.arrivals import Arrival
from scm_api.receipts.errors import EXCEEDS_TOLERANCE, NOT_AGAINST_AN_ORDER, OverTolerance
from scm_api.receipts.events import (
    NAMED_AT_MOST,
    ReceiptEvent,
    ReceiptPosted,
    ReceiptReversed,
)
from scm_api.receipts.models import Receipt
from scm_api.receipts.repository import own_sums as own_sums
from scm_api.receipts.schemas import ReceiptCreate, ReceiptFilter, ReceiptReverse
from scm_api.stock import service as stock
from scm_api.stock.errors import AlreadyReversed
from scm_api.stock.ledger import NewDocument, NewLine, PostedDocument
from scm_api.suppliers import service as suppliers
from scm_api.suppliers.service import ObservedLeadTime

WITHOUT_ORDER = "receipts:write_without_order"


async def create(tx: Tx, body: ReceiptCreate) -> Receipt:
    """Take goods in: order, stock, inbound supply, costs and lead times change together or not.

    Raises `NotFound`, `IllegalTransition`, `OverTolerance`, `Invalid`, `Duplicate`; without an
    order also `PermissionDenied`.
    """
    if body.order is None:
        tx.principal.require(WITHOUT_ORDER)
        supplier_id, order, found = await _supplier(tx, body)
        arrived = await arrivals.without_order(tx, body.lines, found)
    else:
        order = await purchase_orders.lock_for_receipt(tx, body.order.key)
        supplier_id, found = order.header.supplier_id, list[FieldError]()
        if body.supplier is not None:
            found.append(NOT_AGAINST_AN_ORDER.at("/supplier", field="supplier"))
        arrived = await arrivals.against_order(tx, order, body.lines, found)
    if found:
        raise Invalid(found)
    _check_tolerance(arrived)
    await arrivals.make_lots(tx, arrived)
    receipt = await _post(tx, body, order, supplier_id, arrived)
    if order is not None:
        observed = _lead_times(order, arrived, receipt)
        await purchase_orders.deliver(
            tx,
            order,
            [
                Delivery(a.order_line, a.quantity, a.body.is_final_delivery)
                for a in arrived
                if a.order_line is not None
            ],
        )
        await suppliers.record_lead_times(tx, observed)
    pairs = {(str(a.item.id), str(a.warehouse.id)) for a in arrived}
    tx.emit(_event(ReceiptPosted, receipt, pairs))
    return receipt


async def _supplier(tx: Tx, body: ReceiptCreate) -> tuple[UUID | None, None, list[FieldError]]:
    if body.supplier is None:
        return None, None, []
    known = (await suppliers.resolve(tx, [body.supplier])).get(body.supplier)
    if known is not None:
        return known.id, None, []
    named = str(body.supplier)
    return None, None, [UNKNOWN_REFERENCE.at("/supplier", kind="supplier", reference=named)]


def _check_tolerance(arrived: Sequence[Arrival]) -> None:
    ordered = [a for a in arrived if a.order_line is not None]
    excesses = policy.over_tolerance([(a.order_line, a.quantity) for a in ordered if a.order_line])
    broken = [
        EXCEEDS_TOLERANCE.at(
            f"{ordered[excess.place].at}/quantity",
            line_no=line.line_no,
            receivable=excess.receivable,
            requested=ordered[excess.place].quantity,
        )
        for excess in excesses
        if (line := ordered[excess.place].order_line) is not None
    ]
    if broken:
        raise OverTolerance(broken, count=len(broken))


async def _post(
    tx: Tx,
    body: ReceiptCreate,
    order: Order | None,
    supplier_id: UUID | None,
    arrived: Sequence[Arrival],
) -> Receipt:
    receipt_id = uuid7()
    number = (await numbers.take(tx, "receipt"))[0]
    occurred_at = body.occurred_at or tx.now
    source = (await stock.outside(tx))["supplier"]
    posted = await stock.post_movements(
        tx,
        NewDocument(
            type="purchase_receipt",
            lines=[_movement(arrival, source) for arrival in arrived],
            occurred_at=occurred_at,
            reference_type="receipt",
            reference_id=receipt_id,
            reference=number,
        ),
    )
    receipt = Receipt(
        organization_id=tx.organization_id,
        id=receipt_id,
        number=number,
        status="posted",
        order_id=None if order is None else order.header.id,
        supplier_id=supplier_id,
        occurred_at=occurred_at,
        recorded_at=tx.now,
        delivery_note=body.delivery_note,
        external_ref=body.external_ref,
        note=body.note,
        line_count=len(arrived),
        value=sum((line.value for line in posted.lines), Decimal(0)),
        stock_document_id=posted.id,
        version=1,
        created_at=tx.now,
        updated_at=tx.now,
    )
    await repository.insert(tx, receipt, _line_rows(receipt, arrived, posted))
    return receipt


def _movement(arrival: Arrival, source: UUID) -> NewLine:
    assert arrival.location_id is not None
    return NewLine(
        item_id=arrival.item.id,
        quantity=arrival.quantity,
        from_location_id=source,
        to_location_id=arrival.location_id,
        lot_id=arrival.lot_id,
        to_status=arrival.body.stock_status,
        unit_cost=arrival.unit_cost,
        pointer=arrival.at,
    )


def _line_rows(
    receipt: Receipt, arrived: Sequence[Arrival], posted: PostedDocument
) -> list[dict[str, Any]]:
    return [
        {
            "organization_id": receipt.organization_id,
            "id": uuid7(),
            "receipt_id": receipt.id,
            "line_no": place,
            "order_line_id": None if a.order_line is None else a.order_line.id,
            "item_id": a.item.id,
            "warehouse_id": a.warehouse.id,
            "location_id": a.location_id,
            "lot_id": a.lot_id,
            "unit": a.unit,
            "unit_quantity": a.body.quantity,
            "quantity": a.quantity,
            "stock_status": a.body.stock_status,
            # Without a cost of its own it came in at the average.
            "unit_cost": line.value / a.quantity if a.unit_cost is None else a.unit_cost,
            "is_final_delivery": a.body.is_final_delivery,
        }
        for place, (a, line) in enumerate(zip(arrived, posted.lines, strict=True), 1)
    ]


def _lead_times(
    order: Order, arrived: Sequence[Arrival], receipt: Receipt
) -> list[ObservedLeadTime]:
    """What the receipt teaches about the supplier: one observation an order line, against the
    earliest date still open before this receipt. Goods dated before the order (its typing came
    late) teach nothing: their way took no time that anybody could measure."""
    quantities: dict[UUID, Decimal] = {}
    for arrival in arrived:
        assert arrival.order_line is not None
        line_id = arrival.order_line.id
        quantities[line_id] = quantities.get(line_id, Decimal(0)) + arrival.quantity
    assert order.header.ordered_on is not None
    observed = []
    for arrival in {a.order_line.id: a for a in arrived if a.order_line is not None}.values():
        line = arrival.order_line
        assert line is not None
        zone = ZoneInfo(arrival.warehouse.time_zone)
        received_on = receipt.occurred_at.astimezone(zone).date()
        if received_on < order.header.ordered_on:
            continue
        still_open = order_policy.open_schedules(line)
        due = still_open[0][0] if still_open else line.schedules[-1]
        observed.append(
            ObservedLeadTime(
                supplier_id=order.header.supplier_id,
                item_id=line.item_id,
                ordered_on=order.header.ordered_on,
                received_on=received_on,
                quantity=quantities[line.id],
                confirmed_on=due.confirmed_on,
                requested_on=due.need_by,
                purchase_order_id=order.header.id,
                purchase_order_line_id=line.id,
                receipt_id=receipt.id,
            )
        )
    return observed


async def reverse(tx: Tx, key: str, body: ReceiptReverse, if_match: Versions | None) -> Receipt:
    """Take a receipt back as a whole: its stock goes out again and the order expects it again.

    Raises `NotFound`, `VersionMismatch`, `AlreadyReversed`, `InsufficientStock` when the goods have
    gone on meanwhile.
    """
    async with limits.own_part(tx):
        receipt = await get(tx, key)
    order = None
    if receipt.order_id is not None:
        order = await purchase_orders.lock_for_reversal(tx, receipt.order_id)
    locked = await repository.find(tx, id=receipt.id, lock=True)
    assert locked is not None
    check_version(locked.version, if_match, body.version)
    if locked.status == "reversed":
        raise AlreadyReversed
    header, movements = await stock.get_document(tx, str(locked.stock_document_id))
    posted = await stock.reverse_document(
        tx, header, movements, reason=body.reason, occurred_at=body.occurred_at
    )
    lines = await repository.lines_of(tx, locked.id)
    if order is not None:
        by_id = {line.id: line for line in order.lines}
        returned = [
            Delivery(by_id[row["order_line_id"]], row["quantity"], row["is_final_delivery"])
            for row in lines
        ]
        final = await repository.final_without(tx, locked)
        await purchase_orders.take_back(tx, order, returned, body.reason, still_final=final)
        await suppliers.withdraw_lead_times(tx, locked.id)
    values = {
        "status": "reversed",
        "reversal_document_id": posted.id,
        "reversed_at": tx.now,
        "reversal_reason": body.reason,
    }
    await documents.write(tx, locked, values, kind="receipt")
    pairs = {(str(row["item_id"]), str(row["warehouse_id"])) for row in lines}
    tx.emit(_event(ReceiptReversed, locked, pairs, reason=body.reason))
    return locked


def _event(
    kind: type[ReceiptEvent], receipt: Receipt, pairs: set[tuple[str, str]], **more: Any
) -> ReceiptEvent:
    is_many = len(pairs) > NAMED_AT_MOST
    return kind(
        receipt.id,
        number=receipt.number,
        order_id=None if receipt.order_id is None else str(receipt.order_id),
        supplier_id=None if receipt.supplier_id is None else str(receipt.supplier_id),
        line_count=receipt.line_count,
        item_warehouses=[] if is_many else sorted(pairs),
        is_many=is_many,
        **more,
    )


async def get(tx: Tx, key: str) -> Receipt:
    """The receipt behind a UUID, `number=GR-000001` or `ref=4711`. Raises `NotFound`."""
    found = await repository.find(tx, **Key.parse(key, natural="number").arguments("number"))
    if found is None:
        raise NotFound(kind="receipt", reference=key)
    return found


async def list_all(tx: Tx, wanted: ReceiptFilter) -> PageOf:
    """(receipt, order number, supplier) rows. Raises `Invalid` for a filter that names nothing."""
    return await repository.list_receipts(
        tx,
        wanted,
        order_id=await purchase_orders.filter_id(tx, wanted.order),
        supplier_id=await suppliers.filter_id(tx, wanted.supplier),
        item_id=await items.filter_id(tx, wanted.item),
    )
