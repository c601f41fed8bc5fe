"""Makes the answers about supplier-items: terms, price list, and what a quantity costs when."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from typing import Literal

from scm_api.core.problems import ProblemError
from scm_api.core.schemas import ItemLink, Link
from scm_api.core.tx import Tx
from scm_api.suppliers import item_repository, repository
from scm_api.suppliers.item_repository import Row
from scm_api.suppliers.item_schemas import (
    MeasuredLeadTimeRead,
    Offer,
    OfferParams,
    PriceStepRead,
    SupplierItemBulkRead,
    SupplierItemOffer,
    SupplierItemRead,
    SupplierItemResult,
)
from scm_api.suppliers.models import Supplier, SupplierItem
from scm_api.suppliers.policy import (
    PriceStep,
    Shutdown,
    arrival_on,
    effective_price,
    measured_lead_time,
    order_quantity,
)
from scm_api.suppliers.sourcing import Written


def read(row: Row, steps: Sequence[PriceStep]) -> SupplierItemRead:
    """A supplier-item with its whole price list."""
    link, supplier, item = row
    measured = measured_lead_time(
        link.lead_time_count, link.lead_time_sum, link.lead_time_sum_squares
    )
    return SupplierItemRead(
        id=link.id,
        supplier=Link.model_validate(supplier),
        item=ItemLink.model_validate(item),
        supplier_sku=link.supplier_sku,
        priority=link.priority,
        is_active=link.is_active,
        lead_time_days=link.lead_time_days,
        stated_lead_time_days=_stated(link, supplier),
        measured_lead_time=MeasuredLeadTimeRead.model_validate(measured),
        minimum_quantity=link.minimum_quantity,
        order_multiple=link.order_multiple,
        maximum_quantity=link.maximum_quantity,
        prices=[PriceStepRead.model_validate(step) for step in steps],
        version=link.version,
        created_at=link.created_at,
        updated_at=link.updated_at,
    )


async def offers(tx: Tx, rows: Iterable[Row], wanted: OfferParams) -> list[SupplierItemOffer]:
    """The answers for rows of a list, each with its offer for the quantity and day asked for."""
    rows = list(rows)
    on = wanted.on or await repository.today(tx)
    lists = await item_repository.prices(tx, [link.id for link, _, _ in rows])
    closed = await repository.shutdowns(tx, {supplier.id for _, supplier, _ in rows}, on)
    found = []
    for row in rows:
        link, supplier, _ = row
        steps = lists.get(link.id, [])
        offer = _offer(row, steps, closed.get(supplier.id, ()), wanted.quantity, on)
        terms = read(row, steps).model_dump()
        found.append(SupplierItemOffer(**terms, supplier_status=supplier.status, offer=offer))
    return found


def _offer(
    row: Row,
    steps: Sequence[PriceStep],
    shutdowns: Sequence[Shutdown],
    quantity: Decimal | None,
    on: date,
) -> Offer:
    link, supplier, _ = row
    # Without a quantity asked for: the least order, and one unit where nothing sets a least.
    needed = quantity or link.minimum_quantity or link.order_multiple or Decimal(1)
    ordered = order_quantity(
        needed, link.minimum_quantity, link.order_multiple, link.maximum_quantity
    )
    step = None if ordered is None else effective_price(steps, ordered, on)
    stated = _stated(link, supplier)
    return Offer(
        on=on,
        order_quantity=ordered,
        price=None if step is None else PriceStepRead.model_validate(step),
        price_of_one=None if step is None else step.price_of_one,
        arrives_on=None if stated is None else arrival_on(on, stated, shutdowns),
    )


def _stated(link: SupplierItem, supplier: Supplier) -> int | None:
    return supplier.lead_time_days if link.lead_time_days is None else link.lead_time_days


def bulk_answer(
    mode: Literal["atomic", "partial"], written: Sequence[Written], language: str
) -> SupplierItemBulkRead:
    """What became of every line, with errors in the caller's language."""
    count = Counter(line.result for line in written)
    return SupplierItemBulkRead(
        mode=mode,
        created=count["created"],
        updated=count["updated"],
        unchanged=count["unchanged"],
        failed=count["failed"],
        results=[
            SupplierItemResult(
                line=index,
                result=line.result,
                id=line.id,
                version=line.version,
                errors=[ProblemError(**error.body(language)) for error in line.errors],
            )
            for index, line in enumerate(written)
        ],
    )
