"""Bodies of suppliers, their shut-downs and their observed lead times."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import MISSING, ConfigDict, Field, StringConstraints

from scm_api.core.pages import PageParams
from scm_api.core.schemas import (
    Code,
    Currency,
    Day,
    Integer,
    ItemKey,
    ItemLink,
    Name,
    Note,
    Number,
    Page,
    Read,
    Strict,
)
from scm_api.items.models import Item
from scm_api.suppliers.models import LeadTimeObservation

SupplierStatus = Literal["active", "on_watch", "blocked"]
LeadTimeDays = Annotated[Integer, Field(ge=0, le=730)]
Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
Email = Annotated[str, StringConstraints(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$", max_length=254)]


class SupplierCreate(Strict):
    """A new supplier."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "code": "S-90",
                    "name": "Ningbo Fasteners",
                    "name_zh": "宁波紧固件",
                    "country": "CN",
                    "lead_time_days": 14,
                }
            ]
        },
    )

    code: Code
    name: Name
    name_zh: Name | None = None
    status: SupplierStatus = Field(
        default="active",
        description="on_watch: may be ordered from, with a warning; blocked: no new orders.",
    )
    currency: Currency | None = Field(
        default=None, description="ISO 4217 code of its prices; the organization's if absent."
    )
    country: Country | None = Field(default=None, description="ISO 3166-1 alpha-2 code.")
    lead_time_days: LeadTimeDays | None = Field(
        default=None, description="Usual open days from order to receipt, as the supplier states."
    )
    email: Email | None = None
    external_ref: Code | None = Field(default=None, description="Its name in another system.")
    note: Note = ""


class SupplierPatch(Strict):
    """Changes to a supplier (JSON Merge Patch): absent fields stay."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"status": "on_watch"}]}
    )

    name: Name | MISSING = MISSING
    name_zh: Name | None | MISSING = MISSING
    status: SupplierStatus | MISSING = MISSING
    currency: Currency | MISSING = Field(
        default=MISSING, description="Currency of later prices; those on file keep theirs."
    )
    country: Country | None | MISSING = MISSING
    lead_time_days: LeadTimeDays | None | MISSING = MISSING
    email: Email | None | MISSING = MISSING
    external_ref: Code | None | MISSING = MISSING
    note: Note | MISSING = MISSING
    version: Integer | None = Field(default=None, description="The version read; or send If-Match.")


class SupplierRead(Read):
    """A supplier."""

    id: UUID
    code: str
    name: str
    name_zh: str | None
    status: str = Field(description="active, on_watch or blocked.")
    currency: str
    country: str | None
    lead_time_days: int | None = Field(description="As stated; measured ones: /lead-times.")
    email: str | None
    external_ref: str | None
    note: str
    version: int
    created_at: datetime
    updated_at: datetime


class SupplierList(Page[SupplierRead]):
    """A page of suppliers."""


class SupplierFilter(PageParams):
    """Which suppliers to list."""

    status: list[SupplierStatus] = Field(
        default_factory=list, max_length=3, description="Only suppliers in one of these states."
    )
    q: str | None = Field(default=None, max_length=100, description="Part of the code or a name.")


class ShutdownCreate(Strict):
    """A new shut-down: days that do not count towards lead times, both ends included."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"starts_on": "2027-02-05", "ends_on": "2027-02-14", "reason": "Spring Festival"}
            ]
        },
    )

    starts_on: Day
    ends_on: Day
    reason: str = Field(default="", max_length=200)


class ShutdownRead(Read):
    """A shut-down of a supplier."""

    id: UUID
    supplier_id: UUID
    starts_on: date
    ends_on: date
    reason: str


class ShutdownList(Page[ShutdownRead]):
    """A page of shut-downs."""


class ShutdownFilter(PageParams):
    """Which shut-downs to list."""

    ends_on_gte: Day | None = Field(default=None, description="Ending on this day or later.")


class LeadTimeRead(Read):
    """One delivery and how long it took."""

    id: UUID
    item: ItemLink
    purchase_order_id: UUID | None
    purchase_order_line_id: UUID | None
    ordered_on: date
    confirmed_on: date | None = Field(description="Delivery date the supplier confirmed.")
    requested_on: date | None = Field(description="Delivery date we asked for.")
    received_on: date
    days: int = Field(description="Calendar days from order to receipt.")
    quantity: Number

    @classmethod
    def of(cls, seen: LeadTimeObservation, item: Item) -> Self:
        """From its rows."""
        return cls.model_validate({**vars(seen), "item": ItemLink.model_validate(item)})


class LeadTimeList(Page[LeadTimeRead]):
    """A page of observed lead times, newest receipt first."""


class LeadTimeFilter(PageParams):
    """Which observed lead times to list."""

    item: ItemKey | None = None


class LeadTimeSummary(Read):
    """What all observed lead times of one item from one supplier say, in calendar days."""

    item: ItemLink
    count: int
    mean_days: Number
    sd_days: Number | None = Field(description="Sample standard deviation; from two receipts on.")
    p50_days: Number
    p90_days: Number
    promised_count: int = Field(description="Receipts with a confirmed or requested date.")
    on_time_share: Number | None = Field(
        description="Share of them received by the confirmed, else the requested date; 0 to 1."
    )

    @classmethod
    def of(
        cls,
        item: Item,
        count: int,
        mean: Decimal,
        sd: Decimal | None,
        p50: float,
        p90: float,
        promised: int,
        on_time: int,
    ) -> Self:
        """From one row of figures."""
        return cls(
            item=ItemLink.model_validate(item),
            count=count,
            mean_days=_rounded(mean),
            sd_days=None if sd is None else _rounded(sd),
            p50_days=_rounded(p50),
            p90_days=_rounded(p90),
            promised_count=promised,
            on_time_share=_rounded(Decimal(on_time) / promised) if promised else None,
        )


def _rounded(value: Decimal | float) -> Decimal:
    return Decimal(value).quantize(Decimal("0.0001"))


class LeadTimeSummaryList(Page[LeadTimeSummary]):
    """A page of summaries by SKU."""
