"""The rules of items: units and exact conversions, barcodes, and what may change. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from fractions import Fraction
from typing import Any
from uuid import UUID

from scm_api.core.errors import FieldError, Rule, Text
from scm_api.items.units import unit_code

QUANTITY_PLACES = 4

UNKNOWN_UNIT = Rule(
    "unknown_unit", Text("{unit} is not a unit that applies here.", "此处不能使用单位 {unit}。")
)
INEXACT_CONVERSION = Rule(
    "inexact_conversion",
    Text(
        "{quantity} {unit} is no exact number of {base_unit} with 4 decimal places.",
        "{quantity} {unit} 无法精确换算为 4 位小数以内的 {base_unit}。",
    ),
)
UNIT_IS_BASE = Rule(
    "unit_is_base_unit",
    Text("{unit} is the base unit; it converts to itself.", "{unit} 是基本单位,无需换算。"),
)
NOT_A_GTIN = Rule(
    "not_a_gtin", Text("A GTIN has 8, 12, 13 or 14 digits.", "GTIN 须为 8、12、13 或 14 位数字。")
)
WRONG_CHECK_DIGIT = Rule(
    "wrong_check_digit",
    Text("The check digit must be {expected}.", "校验位应为 {expected}。"),
)
ALREADY_USED = Rule(
    "already_used",
    Text("{value} belongs to item {sku} already.", "{value} 已属于物料 {sku}。"),
)
# Of the holder, whoever is confined learns nothing where it is not his; for him the same rule.
ALREADY_USED_ELSEWHERE = Rule(
    ALREADY_USED.code,
    Text("{value} belongs to another item already.", "{value} 已属于其他物料。"),
)
REQUIRED_FOR_NEW = Rule(
    "required_for_new_item", Text("A new item needs this field.", "新物料必须提供此字段。")
)
BASE_UNIT_IN_USE = Rule(
    "base_unit_in_use",
    Text(
        "The item has stock movements in {base_unit}; its base unit stays.",
        "该物料已有以 {base_unit} 计的库存流水,基本单位不可更改。",
    ),
)
TRACKING_IN_USE = Rule(
    "tracking_in_use",
    Text(
        "The item has stock movements; how it is tracked stays.",
        "该物料已有库存流水,跟踪方式不可更改。",
    ),
)
UNITS_FOR_NEW_BASE = Rule(
    "units_for_new_base_unit",
    Text(
        "With a new base unit, send 'units' again: the old conversions lose their meaning.",
        "更改基本单位时须重新提供 units,原有换算不再适用。",
    ),
)


def key_of(sku: str) -> str:
    """A SKU as it is compared: two that differ only in case are the same."""
    return sku.lower()


@dataclass(frozen=True, slots=True)
class Conversion:
    """1 `unit` = `numerator` / `denominator` base units, in lowest terms."""

    unit: str
    numerator: int
    denominator: int


@dataclass(frozen=True, slots=True)
class Barcode:
    """A GTIN of 14 digits and the unit (pack) it stands on."""

    gtin: str
    unit: str


@dataclass(frozen=True, slots=True)
class ExternalReference:
    """The item's name in another system."""

    system: str
    reference: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemState:
    """All that people say about an item; the lists are sorted, so equal content is equal."""

    sku: str
    name: str
    base_unit: str
    name_zh: str | None = None
    category_id: UUID | None = None
    status: str = "active"
    cost_method: str = "moving_average"
    is_lot_tracked: bool = False
    is_serial_tracked: bool = False
    is_expiry_tracked: bool = False
    note: str = ""
    units: tuple[Conversion, ...] = ()
    barcodes: tuple[Barcode, ...] = ()
    external_references: tuple[ExternalReference, ...] = ()

    def changes_to(self, new: "ItemState") -> dict[str, dict[str, Any]]:
        """`{field: {"old", "new"}}` of what differs."""
        pairs = ((f.name, getattr(self, f.name), getattr(new, f.name)) for f in fields(self))
        return {name: {"old": old, "new": now} for name, old, now in pairs if old != now}


@dataclass(frozen=True, slots=True)
class ItemFacts:
    """What other rooms need to know of an item. `units` gives base units per unit as
    (numerator, denominator), the base unit itself included."""

    id: UUID
    sku: str
    name: str
    base_unit: str
    status: str
    is_lot_tracked: bool
    is_serial_tracked: bool
    is_expiry_tracked: bool
    units: Mapping[str, tuple[int, int]]


def reduced(numerator: int, denominator: int) -> tuple[int, int]:
    """A fraction in lowest terms."""
    return Fraction(numerator, denominator).as_integer_ratio()


def convert(quantity: Decimal, numerator: int, denominator: int) -> Decimal | None:
    """`quantity` x numerator / denominator, or None if that has more than 4 decimal places."""
    scaled = Fraction(quantity) * numerator * 10**QUANTITY_PLACES / denominator
    if scaled.denominator != 1:
        return None
    return Decimal(scaled.numerator).scaleb(-QUANTITY_PLACES)


def to_base(facts: ItemFacts, quantity: Decimal, unit: str | None = None) -> Decimal | None:
    """`quantity` of `unit` (any word for it; None: the base unit) in base units.

    None if the item has no such unit (`UNKNOWN_UNIT`), or if the result is not exact at 4 decimal
    places (`INEXACT_CONVERSION`): a quantity is never rounded silently.
    """
    code = facts.base_unit if unit is None else unit_code(unit)
    fraction = facts.units.get(code or "")
    return None if fraction is None else convert(quantity, *fraction)


def gtin_check_digit(digits: str) -> int:
    """The GS1 check digit of a GTIN without its last digit: weights 3, 1 from the right, modulo 10
    (GS1 General Specifications, 7.9)."""
    total = sum(int(d) * (3, 1)[place % 2] for place, d in enumerate(reversed(digits)))
    return -total % 10


def check_gtin(text: str, pointer: str) -> tuple[str, FieldError | None]:
    """A GTIN-8, -12, -13 or -14 as 14 digits, and the rule it breaks at `pointer`, if any."""
    if not (text.isascii() and text.isdigit() and len(text) in (8, 12, 13, 14)):
        return text, NOT_A_GTIN.at(pointer)
    expected = gtin_check_digit(text[:-1])
    if int(text[-1]) != expected:
        return text, WRONG_CHECK_DIGIT.at(pointer, expected=expected)
    return text.zfill(14), None
