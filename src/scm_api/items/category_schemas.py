"""Bodies of categories."""

from datetime import datetime
from uuid import UUID

from pydantic import MISSING, ConfigDict, Field

from scm_api.core.pages import PageParams
from scm_api.core.schemas import (
    CategoryKey,
    Code,
    Integer,
    Link,
    Name,
    Page,
    Read,
    Reference,
    Strict,
)


class CategoryCreate(Strict):
    """A new node of the category tree."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "code": "CAT-9",
                    "name": "Fasteners",
                    "name_zh": "紧固件",
                    "parent": {"code": "CAT-1"},
                }
            ]
        },
    )

    code: Code
    name: Name
    name_zh: Name | None = None
    parent: Reference | None = Field(default=None, description="None: at the top of the tree.")


class CategoryPatch(Strict):
    """Changes to a category (JSON Merge Patch): absent fields stay."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"name_zh": "五金"}]})

    name: Name | MISSING = MISSING
    name_zh: Name | None | MISSING = MISSING
    parent: Reference | None | MISSING = MISSING
    version: Integer | None = Field(default=None, description="The version read; or send If-Match.")


class CategoryRead(Read):
    """A category."""

    id: UUID
    code: str
    name: str
    name_zh: str | None
    parent: Link | None
    version: int
    created_at: datetime
    updated_at: datetime


class CategoryList(Page[CategoryRead]):
    """A page of categories."""


class CategoryFilter(PageParams):
    """Which categories to list."""

    parent: CategoryKey | None = Field(
        default=None, description="Only its children: `CAT-1`, `code=...` or a UUID."
    )
    q: str | None = Field(default=None, max_length=100, description="Part of the code or a name.")
