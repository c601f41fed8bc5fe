"""Building blocks of all request and response bodies: strict, exact, and the same on both sides."""

import re
import unicodedata
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Generic, Self, TypeVar
from uuid import UUID

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)

from scm_api.core.errors import Rule, Text
from scm_api.core.redaction import COST
from scm_api.core.rules import ONE_REFERENCE, broken

T = TypeVar("T")


class Strict(BaseModel):
    """Base of request bodies and parameters: a field we do not know is refused by name."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=False)


class Read(BaseModel):
    """Base of answers. Clients must ignore fields they do not know."""

    model_config = ConfigDict(from_attributes=True)


NUMBER_AS_STRING = Rule(
    "decimal_string",
    Text("Send the number as a string such as '12.5'.", "请以字符串发送数字,如 '12.5'。"),
)
PLAIN_DECIMAL = Rule(
    "decimal_string",
    Text(
        "Must be a plain decimal such as '12.5', without exponent or spaces.",
        "须为如 '12.5' 的普通十进制数,不含指数或空格。",
    ),
)
CLEAN_CODE = Rule(
    "clean_code",
    Text(
        "May not begin or end with a space, nor hold invisible characters.",
        "首尾不得有空格,且不得含不可见字符。",
    ),
)
NOT_AN_INSTANT = Rule("instant_string", Text("Must be an RFC 3339 time.", "须为 RFC 3339 时间。"))
INSTANT_RANGE = Rule(
    "instant_range",
    Text("Must lie between the years 1970 and 2199.", "须在 1970 年至 2199 年之间。"),
)

_PLAIN_DECIMAL = re.compile(r"-?\d{1,20}(\.\d{1,10})?", re.ASCII)


def _exact(value: Any) -> Any:
    if isinstance(value, bool | float):
        raise broken(NUMBER_AS_STRING)
    if isinstance(value, str) and not _PLAIN_DECIMAL.fullmatch(value):
        raise broken(PLAIN_DECIMAL)
    return value


def _decimal(integer_digits: int, places: int, *, signed: bool, **limits: Any) -> Any:
    sign = "-?" if signed else ""
    schema = {
        "type": "string",
        "format": "decimal",
        "pattern": rf"^{sign}\d{{1,{integer_digits}}}(\.\d{{1,{places}}})?$",
    }
    return Annotated[
        Decimal,
        BeforeValidator(_exact),
        Field(max_digits=integer_digits + places, decimal_places=places, **limits),
        PlainSerializer(lambda value: format(value, "f"), return_type=str, when_used="json"),
        WithJsonSchema(schema),
    ]


ONE_BILLION = Decimal(1_000_000_000)

# Input types. Money and quantities travel as decimal strings; JSON numbers are read exactly too.
Quantity = _decimal(10, 4, signed=False, gt=0, le=ONE_BILLION)
QuantityOrZero = _decimal(10, 4, signed=False, ge=0, le=ONE_BILLION)
SignedQuantity = _decimal(10, 4, signed=True, ge=-ONE_BILLION, le=ONE_BILLION)
UnitPrice = _decimal(10, 6, signed=False, ge=0, le=ONE_BILLION)
Factor = _decimal(10, 10, signed=False, gt=0, le=ONE_BILLION)
Percent = _decimal(3, 4, signed=False, ge=0, le=Decimal(100))
Probability = _decimal(1, 6, signed=False, gt=0, lt=1)

# Whole numbers and truth values of bodies: what JSON says they are, and neither "5" nor true for 1.
# (A parameter is always text; models of parameters use `int` and `bool`.)
Integer = Annotated[int, Field(strict=True)]
Boolean = Annotated[bool, Field(strict=True)]

# Output types: what sums may reach.
Number = Annotated[
    Decimal,
    PlainSerializer(lambda value: format(value, "f"), return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "decimal", "pattern": r"^-?\d+(\.\d+)?$"}),
]

# Money that only callers with `costs:read` see.
CostNumber = Annotated[Number | None, COST]

_INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def _clean_code(value: str) -> str:
    normal = unicodedata.normalize("NFC", value)
    if normal != normal.strip() or any(unicodedata.category(c) in _INVISIBLE for c in normal):
        raise broken(CLEAN_CODE)
    return normal


def _clean_text(value: str) -> str:
    return unicodedata.normalize("NFC", value)


Code = Annotated[str, StringConstraints(min_length=1, max_length=64), AfterValidator(_clean_code)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(_clean_text)]
Note = Annotated[str, StringConstraints(min_length=0, max_length=2000), AfterValidator(_clean_text)]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]


_BEGINS_WITH_A_DAY = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]", re.ASCII)


def _rfc3339(value: Any) -> Any:
    if not isinstance(value, str | datetime):
        raise broken(NOT_AN_INSTANT)
    # Pydantic would also take seconds since 1970.
    if isinstance(value, str) and not _BEGINS_WITH_A_DAY.match(value):
        raise broken(NOT_AN_INSTANT)
    return value


def _in_our_age(value: datetime) -> datetime:
    # Far enough from the ends of the calendar for every time zone and every sum of days.
    if not 1970 <= value.year <= 2199:
        raise broken(INSTANT_RANGE)
    return value


Instant = Annotated[AwareDatetime, BeforeValidator(_rfc3339), AfterValidator(_in_our_age)]

FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(2199, 12, 31)
NOT_A_DAY = Rule("date_string", Text("Must be a date YYYY-MM-DD.", "须为日期 YYYY-MM-DD。"))
OUTSIDE_CALENDAR = Rule(
    "outside_calendar",
    Text(
        "Must be a date from 2000-01-01 to 2199-12-31.", "日期须在 2000-01-01 至 2199-12-31 之间。"
    ),
)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def _written_as_a_day(value: Any) -> Any:
    # Pydantic would also take seconds since 1970 and times at midnight.
    if not isinstance(value, date) and not (isinstance(value, str) and _DAY.fullmatch(value)):
        raise broken(NOT_A_DAY)
    return value


def _within_the_calendar(value: date) -> date:
    if not FIRST_DAY <= value <= LAST_DAY:
        raise broken(OUTSIDE_CALENDAR)
    return value


Day = Annotated[date, BeforeValidator(_written_as_a_day), AfterValidator(_within_the_calendar)]


class Money(Read):
    """An amount and its ISO 4217 currency."""

    amount: CostNumber
    currency: str


class Reference(Strict):
    """Names a resource by `id` or by `code`, exactly one of them."""

    id: UUID | None = Field(default=None, description="Our identifier.")
    code: Code | None = Field(default=None, description="The code people use.")

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"code": "S-01"}]}, frozen=True
    )

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.id is None) == (self.code is None):
            raise broken(ONE_REFERENCE, one="id", other="code")
        return self

    def __str__(self) -> str:
        return str(self.code if self.id is None else self.id)


# Filters name things as paths do; a key that names nothing is refused with 422.
ItemKey = Annotated[
    str, Field(max_length=120, description="`SKU-1001`, `sku=...`, `ref=system:...` or a UUID.")
]
WarehouseKey = Annotated[
    str, Field(max_length=80, description="`WH-1`, `code=...`, `ref=...` or a UUID.")
]
SupplierKey = Annotated[
    str, Field(max_length=80, description="`S-01`, `code=...`, `ref=...` or a UUID.")
]
CategoryKey = Annotated[str, Field(max_length=80, description="`CAT-1`, `code=...` or a UUID.")]


class ItemReference(Strict):
    """Names an item by `id` or by `sku`, exactly one of them."""

    id: UUID | None = Field(default=None, description="Our identifier.")
    sku: Code | None = Field(default=None, description="The item's SKU.")

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"sku": "SKU-1001"}]}, frozen=True
    )

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.id is None) == (self.sku is None):
            raise broken(ONE_REFERENCE, one="id", other="sku")
        return self

    def __str__(self) -> str:
        return str(self.sku if self.id is None else self.id)


class ItemLink(Read):
    """An item as other resources show it."""

    id: UUID
    sku: str
    name: str


class Link(Read):
    """Another resource as it is shown inside this one."""

    id: UUID
    code: str
    name: str


class Page(Read, Generic[T]):
    """One page of a list. Follow `next_cursor` (or the Link header) while `has_more`."""

    data: list[T] = Field(description="The rows of this page.")
    has_more: bool = Field(description="Whether another page follows.")
    next_cursor: str | None = Field(default=None, description="The `cursor` of the next page.")
    total: int | None = Field(default=None, description="Only with include_total=true.")
