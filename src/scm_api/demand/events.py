"""What happened to demand planning data."""

from dataclasses import dataclass
from datetime import date
from typing import ClassVar
from uuid import UUID

from scm_api.core.events import Event


@dataclass(frozen=True)
class SalesPlanChanged(Event):
    """One call wrote or deleted planned days; the subject is that call.

    `item_warehouses` names the [item id, warehouse id] pairs concerned; with more than 200, or when
    a range of days was deleted, it is empty and `is_many` is true.
    """

    type: ClassVar[str] = "sales_plan.changed"
    subject_type: ClassVar[str] = "sales_plan"

    written: int
    deleted: int
    first_day: date | None
    last_day: date | None
    item_warehouses: list[tuple[UUID, UUID]]
    is_many: bool
