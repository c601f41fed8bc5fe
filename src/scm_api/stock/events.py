"""What happened to stock."""

from dataclasses import dataclass
from typing import ClassVar

from scm_api.core.events import Event

NAMED_AT_MOST = 200


@dataclass(frozen=True)
class StockPosted(Event):
    """A document was posted. `item_warehouses` names the positions it touched; with more than 200
    it is empty and `is_many` is true: ask the document's lines."""

    type: ClassVar[str] = "stock.posted"
    subject_type: ClassVar[str] = "stock_document"

    document_type: str
    line_count: int
    item_warehouses: list[tuple[str, str]]
    is_many: bool
    reference_type: str | None = None
    reference_id: str | None = None
    reversal_of: str | None = None
