"""Tables of warehouses and locations."""

from uuid import UUID

from sqlalchemy import CheckConstraint, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from scm_api.core.db import Base, Versioned, same_organization


class Warehouse(Versioned, Base):
    """A building, shop or site that holds stock and has its own replenishment policy."""

    __tablename__ = "warehouse"

    code: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(200))
    name_zh: Mapped[str | None] = mapped_column(String(200))
    time_zone: Mapped[str] = mapped_column(String(64))
    is_active: Mapped[bool] = mapped_column(server_default=text("true"))
    allows_negative_stock: Mapped[bool] = mapped_column(server_default=text("false"))
    external_ref: Mapped[str | None] = mapped_column(String(64))

    __table_args__ = (
        Index("uq_warehouse_code", "organization_id", text("lower(code)"), unique=True),
        Index(
            "uq_warehouse_external_ref",
            "organization_id",
            "external_ref",
            unique=True,
            postgresql_where=text("external_ref is not null"),
        ),
    )


class Location(Versioned, Base):
    """A place goods come from or go to. `internal` and `transit` places hold our stock; the other
    kinds are the outside world (no warehouse), so that every movement has two ends."""

    __tablename__ = "location"

    warehouse_id: Mapped[UUID | None]
    code: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(200))
    kind: Mapped[str] = mapped_column(String(16))
    is_default: Mapped[bool] = mapped_column(server_default=text("false"))
    is_active: Mapped[bool] = mapped_column(server_default=text("true"))

    __table_args__ = (
        same_organization("warehouse_id", "warehouse"),
        # Lets the ledger's tables carry (location, warehouse) pairs that cannot disagree.
        UniqueConstraint("organization_id", "id", "warehouse_id"),
        CheckConstraint(
            "kind in ('internal', 'transit', 'supplier', 'customer', 'production', 'loss', "
            "'opening')",
            name="kind",
        ),
        CheckConstraint(
            "(kind in ('internal', 'transit')) = (warehouse_id is not null)", name="place"
        ),
        Index(
            "uq_location_code",
            "organization_id",
            "warehouse_id",
            text("lower(code)"),
            unique=True,
            postgresql_nulls_not_distinct=True,
        ),
        Index(
            "uq_location_default",
            "organization_id",
            "warehouse_id",
            unique=True,
            postgresql_where=text("is_default"),
        ),
    )
