"""Bodies of items. Units, barcodes and external references are part of the item: a list that is
sent replaces the stored one, a list that is not sent stays (in PUT: becomes empty)."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import MISSING, ConfigDict, Field, SkipValidation, StringConstraints

from scm_api.core.pages import PageParams
from scm_api.core.problems import ProblemError
from scm_api.core.schemas import (
    Boolean,
    CategoryKey,
    Code,
    Instant,
    Integer,
    Link,
    Name,
    Note,
    Page,
    Read,
    Reference,
    Strict,
)

ItemStatus = Literal["active", "blocked", "obsolete"]
CostMethod = Literal["moving_average"]
UnitWord = Annotated[
    str,
    StringConstraints(min_length=1, max_length=24),
    Field(description="A unit by its code (EA, BOX, KGM), name or alias (个, 箱, kg)."),
]
FractionPart = Annotated[int, Field(ge=1, le=10**12, strict=True)]
System = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$")]


class UnitIn(Strict):
    """Another unit of the item: 1 unit = numerator / denominator base units, exactly."""

    unit: UnitWord
    numerator: FractionPart
    denominator: FractionPart = 1


class BarcodeIn(Strict):
    """A GTIN on the item or on one of its packs."""

    gtin: str = Field(min_length=1, max_length=32, description="8, 12, 13 or 14 digits.")
    unit: UnitWord | None = Field(default=None, description="The pack; the base unit if absent.")


class ExternalReferenceIn(Strict):
    """The item's name in another system; the path key is `ref=system:reference`."""

    system: System = Field(description="Lower case, such as sap or kingdee.")
    reference: Code


Units = Annotated[list[UnitIn], Field(max_length=50)]
Barcodes = Annotated[list[BarcodeIn], Field(max_length=50)]
ExternalReferences = Annotated[list[ExternalReferenceIn], Field(max_length=20)]


class ItemCreate(Strict):
    """A whole item: what POST creates and PUT creates or replaces."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "sku": "SKU-2001",
                    "name": "Hex bolt M8x40",
                    "name_zh": "六角螺栓 M8x40",
                    "base_unit": "EA",
                    "category": {"code": "CAT-1"},
                    "units": [{"unit": "BOX", "numerator": 100}],
                    "barcodes": [{"gtin": "6901234500011"}],
                    "external_references": [{"system": "sap", "reference": "4711"}],
                }
            ]
        },
    )

    sku: Code
    name: Name
    name_zh: Name | None = None
    base_unit: UnitWord
    category: Reference | None = None
    status: ItemStatus = "active"
    cost_method: CostMethod = "moving_average"
    is_lot_tracked: Boolean = False
    is_serial_tracked: Boolean = False
    is_expiry_tracked: Boolean = False
    note: Note = ""
    units: Units = Field(default_factory=list)
    barcodes: Barcodes = Field(default_factory=list)
    external_references: ExternalReferences = Field(default_factory=list)


class ItemFields(Strict):
    """Fields of an item that may be absent: absent ones stay."""

    name: Name | MISSING = MISSING
    name_zh: Name | None | MISSING = MISSING
    base_unit: UnitWord | MISSING = MISSING
    category: Reference | None | MISSING = MISSING
    status: ItemStatus | MISSING = MISSING
    cost_method: CostMethod | MISSING = MISSING
    is_lot_tracked: Boolean | MISSING = MISSING
    is_serial_tracked: Boolean | MISSING = MISSING
    is_expiry_tracked: Boolean | MISSING = MISSING
    note: Note | MISSING = MISSING
    units: Units | MISSING = MISSING
    barcodes: Barcodes | MISSING = MISSING
    external_references: ExternalReferences | MISSING = MISSING


class ItemPatch(ItemFields):
    """Changes to an item (JSON Merge Patch): absent fields stay, lists replace lists."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"name_zh": "内六角螺栓", "status": "active"}]},
    )

    sku: Code | MISSING = MISSING
    version: Integer | None = Field(default=None, description="The version read; or send If-Match.")


class ItemLine(ItemFields):
    """One line of a bulk upsert. A new SKU needs `name` and `base_unit`; of a known one only the
    fields sent change."""

    sku: Code


class ItemBulk(Strict):
    """Up to 1000 items, created or changed by SKU."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "mode": "partial",
                    "items": [
                        {"sku": "SKU-2101", "name": "Washer M8", "base_unit": "个"},
                        {"sku": "SKU-1001", "name_zh": "轴承"},
                    ],
                }
            ]
        },
    )

    mode: Literal["atomic", "partial"] = Field(
        default="atomic",
        description="atomic: all or nothing. partial: what is right is kept, the rest reported.",
    )
    # Every line is checked by itself, so that one bad line cannot hide what is wrong with another.
    items: list[SkipValidation[ItemLine]] = Field(min_length=1, max_length=1000)


class UnitRead(Read):
    """A unit of an item."""

    unit: str
    numerator: int
    denominator: int


class BarcodeRead(Read):
    """A barcode of an item."""

    gtin: str = Field(description="14 digits, with leading zeros.")
    unit: str


class ExternalReferenceRead(Read):
    """The item's name in another system."""

    system: str
    reference: str


class ItemRead(Read):
    """An item."""

    id: UUID
    sku: str
    name: str
    name_zh: str | None
    base_unit: str = Field(description="The unit all its stock is kept in.")
    category: Link | None
    status: str = Field(description="active, blocked (no new movements) or obsolete.")
    cost_method: str = Field(description="moving_average; more may come.")
    is_lot_tracked: bool
    is_serial_tracked: bool
    is_expiry_tracked: bool
    note: str
    units: list[UnitRead]
    barcodes: list[BarcodeRead]
    external_references: list[ExternalReferenceRead]
    version: int
    created_at: datetime
    updated_at: datetime


class ItemList(Page[ItemRead]):
    """A page of items."""


class ItemFilter(PageParams):
    """Which items to list."""

    status: list[ItemStatus] = Field(
        default_factory=list, max_length=3, description="Only items in one of these states."
    )
    category: CategoryKey | None = Field(
        default=None,
        description="`CAT-1`, `code=...` or a UUID; its sub-categories are included.",
    )
    barcode: str | None = Field(default=None, max_length=32, description="A GTIN in any length.")
    q: str | None = Field(
        default=None,
        max_length=100,
        description="Words that SKU, names, barcodes or external references must contain; of one "
        "or two Latin letters or digits, the beginning of a word. Chinese needs no spaces.",
    )
    updated_since: Instant | None = Field(default=None, description="Changed at or after.")


class LineResult(Read):
    """What became of one line of a bulk request."""

    line: int = Field(description="Position in `items`, from 0.")
    result: Literal["created", "updated", "unchanged", "failed"]
    id: UUID | None = None
    sku: str | None = None
    version: int | None = None
    errors: list[ProblemError] = Field(default=[], description="What is wrong with a failed line.")


class ItemBulkRead(Read):
    """What became of a bulk request."""

    mode: Literal["atomic", "partial"]
    created: int
    updated: int
    unchanged: int
    failed: int
    results: list[LineResult]
