"""From what a request says to the supplier-items it means: every broken rule of every line, found
at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from scm_api.core.errors import NOT_UNIQUE, UNKNOWN_REFERENCE, FieldError, Rule, Text
from scm_api.core.problems import from_validation
from scm_api.core.schemas import ItemReference, Reference
from scm_api.items.models import Item
from scm_api.items.service import ItemFacts
from scm_api.suppliers.item_schemas import SupplierItemLine, SupplierItemTerms
from scm_api.suppliers.models import Supplier
from scm_api.suppliers.policy import PriceStep, mixed_currencies, order_quantity, overlaps
from scm_api.suppliers.service import ENDS_BEFORE_IT_STARTS, SupplierFacts

OVERLAPPING_PRICE = Rule(
    "overlapping_price",
    Text(
        "prices/{other} has the same minimum quantity and is valid on the same days.",
        "与 prices/{other} 的起订量相同且有效期重叠。",
    ),
)
MIXED_CURRENCIES = Rule(
    "mixed_currencies",
    Text(
        "Prices valid on the same day must be in one currency.", "同一天有效的价格须使用同一币种。"
    ),
)
NOTHING_ORDERABLE = Rule(
    "nothing_orderable",
    Text(
        "The least possible order is {least}, more than this maximum.",
        "最小可订数量为 {least},已超过此上限。",
    ),
)
_SMALLEST = Decimal("0.0001")
_TERMS = sorted(SupplierItemTerms.model_fields.keys() - {"prices"})


@dataclass(frozen=True, slots=True)
class Line:
    """One supplier-item to write. `terms` holds its columns; `prices` None keeps the price list."""

    supplier_id: UUID
    supplier_code: str
    item_id: UUID
    sku: str
    terms: Mapping[str, Any]
    prices: tuple[PriceStep, ...] | None

    @property
    def pair(self) -> tuple[UUID, UUID]:
        return self.supplier_id, self.item_id


def line_of(
    supplier: Supplier | SupplierFacts, item: Item | ItemFacts, wanted: SupplierItemTerms, at: str
) -> tuple[Line, list[FieldError]]:
    """The line to write and the rules it breaks; `at` is the pointer of its terms."""
    errors = []
    if wanted.maximum_quantity is not None:
        least = order_quantity(_SMALLEST, wanted.minimum_quantity, wanted.order_multiple, None)
        if least is not None and least > wanted.maximum_quantity:
            errors.append(NOTHING_ORDERABLE.at(f"{at}/maximum_quantity", least=least))
    prices = None
    if wanted.prices is not None:
        steps = [
            PriceStep(**{**dict(step), "currency": step.currency or supplier.currency})
            for step in wanted.prices
        ]
        errors += _price_errors(steps, f"{at}/prices")
        prices = tuple(sorted(steps, key=lambda step: (step.minimum_quantity, step.valid_from)))
    terms = {name: getattr(wanted, name) for name in _TERMS}
    return Line(supplier.id, supplier.code, item.id, item.sku, terms, prices), errors


def _price_errors(steps: Sequence[PriceStep], at: str) -> list[FieldError]:
    backwards = [
        ENDS_BEFORE_IT_STARTS.at(f"{at}/{index}/valid_to", ends_on=step.valid_to)
        for index, step in enumerate(steps)
        if step.valid_to is not None and step.valid_to < step.valid_from
    ]
    if backwards:
        return backwards
    return [
        *(OVERLAPPING_PRICE.at(f"{at}/{index}", other=other) for index, other in overlaps(steps)),
        *(MIXED_CURRENCIES.at(f"{at}/{index}/currency") for index in mixed_currencies(steps)),
    ]


def well_formed(
    raw: Sequence[Any],
) -> tuple[dict[int, SupplierItemLine], dict[int, list[FieldError]]]:
    """The lines of a bulk request that have the right fields, and the errors of the others, each
    by position."""
    read: dict[int, SupplierItemLine] = {}
    broken: dict[int, list[FieldError]] = {}
    for index, line in enumerate(raw):
        try:
            read[index] = SupplierItemLine.model_validate(line)
        except ValidationError as error:
            found = [
                {**part, "loc": ("body", "lines", index, *part["loc"])} for part in error.errors()
            ]
            broken[index] = list(from_validation(RequestValidationError(found)).errors)
    return read, broken


def known_pairs(
    read: Mapping[int, SupplierItemLine],
    suppliers: Mapping[Reference, SupplierFacts],
    items: Mapping[ItemReference, ItemFacts],
) -> tuple[dict[int, tuple[SupplierFacts, ItemFacts]], dict[int, list[FieldError]]]:
    """What the lines are about, and the errors of those that name something unknown or a pair that
    an earlier line named, each by position."""
    known: dict[int, tuple[SupplierFacts, ItemFacts]] = {}
    broken: dict[int, list[FieldError]] = {}
    seen: set[tuple[UUID, UUID]] = set()
    for index, wanted in read.items():
        at = f"/lines/{index}"
        supplier, item = suppliers.get(wanted.supplier), items.get(wanted.item)
        if supplier is None or item is None:
            broken[index] = [
                UNKNOWN_REFERENCE.at(f"{at}/{kind}", kind=kind, reference=str(reference))
                for kind, reference, found in (
                    ("supplier", wanted.supplier, supplier),
                    ("item", wanted.item, item),
                )
                if found is None
            ]
        elif (supplier.id, item.id) in seen:
            broken[index] = [NOT_UNIQUE.at(f"{at}/item", value=f"{supplier.code}, {item.sku}")]
        else:
            seen.add((supplier.id, item.id))
            known[index] = supplier, item
    return known, broken


def completed(wanted: SupplierItemLine, stored: Mapping[str, Any] | None) -> SupplierItemLine:
    """A line with the stored terms in place of those it leaves out."""
    if stored is None:
        return wanted
    kept = {name: stored[name] for name in _TERMS if name not in wanted.model_fields_set}
    return wanted.model_copy(update=kept)
