"""What happened to demand that could not be served."""

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from scm_api.core.events import Event


@dataclass(frozen=True)
class ShortageRecorded(Event):
    """One call recorded `count` new shortages; the subject is the batch they share.

    `item_warehouses` names the [item id, warehouse id] pairs concerned; with more than 200 it is
    empty and `is_many` is true.
    """

    type: ClassVar[str] = "shortage.recorded"
    subject_type: ClassVar[str] = "shortage_batch"

    source: str
    count: int
    item_warehouses: list[tuple[UUID, UUID]]
    is_many: bool
