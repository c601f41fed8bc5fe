"""Bodies of warehouses and locations."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import MISSING, ConfigDict, Field

from scm_api.core.pages import PageParams
from scm_api.core.schemas import Boolean, Code, Integer, Name, Page, Read, Strict

LocationKind = Literal["internal", "transit"]


class WarehouseCreate(Strict):
    """A new warehouse. It gets a default location of its own, so stock can move at once."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"code": "WH-9", "name": "West", "name_zh": "西仓", "time_zone": "Asia/Shanghai"}
            ]
        },
    )

    code: Code
    name: Name
    name_zh: Name | None = None
    time_zone: Name | None = Field(
        default=None, description="IANA zone of its business dates; the organization's if absent."
    )
    allows_negative_stock: Boolean | None = Field(
        default=None,
        description="Whether issues may take stock below zero here; as the organization's settings "
        "say if absent.",
    )
    external_ref: Code | None = Field(default=None, description="Its name in another system.")


class WarehousePatch(Strict):
    """Changes to a warehouse (JSON Merge Patch): absent fields stay."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"name": "West (annex)"}]}
    )

    name: Name | MISSING = MISSING
    name_zh: Name | None | MISSING = MISSING
    time_zone: Name | MISSING = MISSING
    is_active: Boolean | MISSING = MISSING
    allows_negative_stock: Boolean | MISSING = MISSING
    external_ref: Code | None | MISSING = MISSING
    version: Integer | None = Field(default=None, description="The version read; or send If-Match.")


class WarehouseRead(Read):
    """A warehouse."""

    id: UUID
    code: str
    name: str
    name_zh: str | None
    time_zone: str
    is_active: bool
    allows_negative_stock: bool
    external_ref: str | None
    version: int
    created_at: datetime
    updated_at: datetime


class WarehouseList(Page[WarehouseRead]):
    """A page of warehouses."""


class WarehouseFilter(PageParams):
    """Which warehouses to list."""

    is_active: bool | None = Field(default=None, description="Only those (not) in use.")
    q: str | None = Field(default=None, max_length=100, description="Part of the code or a name.")


class LocationCreate(Strict):
    """A new location: a bin, a dock, a quarantine cage (`internal`), or goods on the road
    (`transit`)."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"code": "A-01", "name": "Aisle A, bay 1"}]}
    )

    code: Code
    name: Name
    kind: LocationKind = "internal"


class LocationPatch(Strict):
    """Changes to a location (JSON Merge Patch). One that holds stock, and the warehouse's default,
    cannot be closed."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"name": "Aisle A, bay 1 (top)"}]}
    )

    name: Name | MISSING = MISSING
    is_active: Boolean | MISSING = MISSING
    version: Integer | None = Field(default=None, description="The version read; or send If-Match.")


class LocationRead(Read):
    """A location of a warehouse."""

    id: UUID
    warehouse_id: UUID
    code: str
    name: str
    kind: str = Field(description="internal or transit.")
    is_default: bool = Field(description="Used where a movement names only the warehouse.")
    is_active: bool
    version: int


class LocationList(Page[LocationRead]):
    """A page of locations."""
