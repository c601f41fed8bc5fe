"""Tables of items: categories, units, barcodes and names in other systems."""

from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, CheckConstraint, Index, Numeric, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from scm_api.core.db import Base, Identified, Owned, Versioned, same_organization
from scm_api.items.policy import key_of


def _sku_key(context: Any) -> str:
    return key_of(context.get_current_parameters()["sku"])


class Category(Versioned, Base):
    """A node of the category tree; policies are inherited along it."""

    __tablename__ = "category"

    code: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(200))
    name_zh: Mapped[str | None] = mapped_column(String(200))
    parent_id: Mapped[UUID | None]

    __table_args__ = (
        same_organization("parent_id", "category"),
        CheckConstraint("parent_id <> id", name="not_its_own_parent"),
        Index("uq_category_code", "organization_id", text("lower(code)"), unique=True),
        Index("ix_category_parent_id", "organization_id", "parent_id"),
    )


class Item(Versioned, Base):
    """A stock-keeping unit. All quantities are kept in its base unit."""

    __tablename__ = "item"

    sku: Mapped[str] = mapped_column(String(64))
    # The SKU as it is compared (items.policy.key_of). A column, because under row-level security an
    # index on lower(sku) is never used: lower() is not leakproof.
    sku_key: Mapped[str] = mapped_column(String(128), default=_sku_key)
    name: Mapped[str] = mapped_column(String(200))
    name_zh: Mapped[str | None] = mapped_column(String(200))
    base_unit: Mapped[str] = mapped_column(String(8))
    category_id: Mapped[UUID | None]
    status: Mapped[str] = mapped_column(String(16), server_default="active")
    cost_method: Mapped[str] = mapped_column(String(16), server_default="moving_average")
    is_lot_tracked: Mapped[bool] = mapped_column(server_default=text("false"))
    is_serial_tracked: Mapped[bool] = mapped_column(server_default=text("false"))
    is_expiry_tracked: Mapped[bool] = mapped_column(server_default=text("false"))
    note: Mapped[str] = mapped_column(Text, server_default="")

    __table_args__ = (
        same_organization("category_id", "category"),
        CheckConstraint("status in ('active', 'blocked', 'obsolete')", name="status"),
        CheckConstraint("cost_method in ('moving_average')", name="cost_method"),
        Index("uq_item_sku", "organization_id", "sku_key", unique=True),
        Index("ix_item_page", "organization_id", "sku", "id"),
        # These two do not simply begin with the organization: to a planner without statistics (a
        # fresh installation) such a small index looks as good as the primary key for foreign-key
        # checks, and reads every item of the organization for each.
        Index(
            "ix_item_category_id",
            "organization_id",
            "category_id",
            postgresql_where=text("category_id is not null"),
        ),
        Index("ix_item_updated_at", "updated_at", "organization_id"),
    )


class ItemSearch(Owned, Base):
    """What an item is found by, derived from it by items.search. Read through find_items()."""

    __tablename__ = "item_search"

    item_id: Mapped[UUID] = mapped_column(primary_key=True)
    # Short pieces of SKU, names and barcodes, and the organization: finds Chinese text without any
    # extension of PostgreSQL, and only own rows inside the index.
    grams: Mapped[list[str]] = mapped_column(ARRAY(Text))
    words: Mapped[str] = mapped_column(Text)

    __table_args__ = (
        same_organization("item_id", "item", ondelete="CASCADE"),
        Index("ix_item_search_grams", "grams", postgresql_using="gin"),
    )


class ItemUnit(Identified, Base):
    """Another unit of an item, exactly: 1 unit = numerator / denominator base units."""

    __tablename__ = "item_unit"

    item_id: Mapped[UUID]
    unit: Mapped[str] = mapped_column(String(8))
    numerator: Mapped[int] = mapped_column(Numeric(18, 0))
    denominator: Mapped[int] = mapped_column(Numeric(18, 0))

    __table_args__ = (
        same_organization("item_id", "item", ondelete="CASCADE"),
        UniqueConstraint("organization_id", "item_id", "unit"),
        CheckConstraint("numerator > 0 and denominator > 0", name="positive"),
    )


class ItemBarcode(Identified, Base):
    """A GTIN, kept as 14 digits, of an item or of one of its packs."""

    __tablename__ = "item_barcode"

    item_id: Mapped[UUID]
    gtin: Mapped[str] = mapped_column(String(14))
    unit: Mapped[str] = mapped_column(String(8))

    __table_args__ = (
        same_organization("item_id", "item", ondelete="CASCADE"),
        Index("uq_item_barcode_gtin", "organization_id", "gtin", unique=True),
        Index("ix_item_barcode_item_id", "organization_id", "item_id"),
        CheckConstraint("gtin ~ '^[0-9]{14}$'", name="gtin_14"),
    )


class ItemExternalReference(Identified, Base):
    """The item's name in another system (`system` = sap, kingdee, shop ...)."""

    __tablename__ = "item_external_reference"

    item_id: Mapped[UUID]
    system: Mapped[str] = mapped_column(String(32))
    reference: Mapped[str] = mapped_column(String(64))

    __table_args__ = (
        same_organization("item_id", "item", ondelete="CASCADE"),
        Index(
            "uq_item_external_reference_reference",
            "organization_id",
            "system",
            "reference",
            unique=True,
        ),
        Index("ix_item_external_reference_item_id", "organization_id", "item_id"),
    )
