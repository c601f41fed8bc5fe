"""HTTP of replenishment suggestions."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import Path, Query

from scm_api.core.errors import IllegalTransition, NotFound, VersionMismatch
from scm_api.core.http import IfMatch, OpenTx, ReplyTo, operation, router
from scm_api.core.schemas import ItemLink, Link
from scm_api.replenishment import suggestion_service as service
from scm_api.replenishment.errors import NothingLeftToConvert, PlanRunning
from scm_api.replenishment.explanation_schemas import Explanation
from scm_api.replenishment.suggestion_schemas import (
    Accept,
    Convert,
    Converted,
    Dismiss,
    SuggestionFilter,
    SuggestionList,
    SuggestionRead,
)

suggestions = router("replenishment", "/v1/replenishment/suggestions")

SuggestionId = Annotated[
    UUID,
    Path(description="The suggestion's id.", examples=["01900000-0000-7000-8000-000000000001"]),
]
_DERIVED = {"item", "warehouse", "supplier", "review", "value"}
_DECIDED = ("accepted", "converted")


def _read(row: Any) -> SuggestionRead:
    suggestion, item, warehouse, supplier = row
    quantity = suggestion.adjusted_quantity or suggestion.quantity
    price = suggestion.unit_price
    review = "not_reviewed"
    if suggestion.status in _DECIDED:
        review = "as_suggested" if suggestion.adjusted_quantity is None else "adjusted"
    return SuggestionRead(
        **{n: getattr(suggestion, n) for n in SuggestionRead.model_fields.keys() - _DERIVED},
        review=review,
        value=None if price is None else round(quantity * price, 4),
        item=ItemLink.model_validate(item),
        warehouse=Link.model_validate(warehouse),
        supplier=None if supplier is None else Link.model_validate(supplier),
    )


@suggestions.get("", summary="List suggestions", **operation("replenishment:read", across="rows"))
async def list_suggestions(
    tx: OpenTx, reply: ReplyTo, wanted: Annotated[SuggestionFilter, Query()]
) -> SuggestionList:
    """Suggestions, the oldest order day first."""
    page = await service.list_all(tx, wanted)
    reply.next_page(page.next_cursor)
    return SuggestionList(**page.body([_read(row[:4]) for row in page.rows]))


@suggestions.post(
    "/convert",
    summary="Convert suggestions into draft orders",
    **operation("replenishment:convert", errors=[NothingLeftToConvert, PlanRunning]),
)
async def convert_suggestions(tx: OpenTx, body: Convert) -> Converted:
    """Turn many suggestions into draft purchase orders in one call, one order a supplier and
    currency. Each order line names its suggestion. Not while a plan runs: what is ordered beside it
    would be ordered again."""
    return await service.convert(tx, body)


@suggestions.get(
    "/{suggestion}",
    summary="Read a suggestion",
    **operation("replenishment:read", errors=[NotFound]),
)
async def get_suggestion(tx: OpenTx, reply: ReplyTo, suggestion: SuggestionId) -> SuggestionRead:
    """One suggestion."""
    row = await service.get(tx, suggestion)
    reply.etag(row[0].version)
    return _read(row)


@suggestions.get(
    "/{suggestion}/explain",
    summary="Explain a suggestion",
    **operation("replenishment:read", errors=[NotFound]),
)
async def explain_suggestion(tx: OpenTx, suggestion: SuggestionId) -> Explanation:
    """Every figure behind the quantity: position, forecast, lead time, safety stock, lot, rounding,
    price break, supplier and what would change the decision."""
    return Explanation.model_validate(await service.explain(tx, suggestion))


@suggestions.post(
    "/{suggestion}/accept",
    summary="Accept a suggestion",
    **operation("replenishment:decide", errors=[NotFound, IllegalTransition, VersionMismatch]),
)
async def accept_suggestion(
    tx: OpenTx, reply: ReplyTo, suggestion: SuggestionId, body: Accept, if_match: IfMatch
) -> SuggestionRead:
    """Accept a suggestion, as it is or with another quantity. It then waits for `convert`, and
    plans leave it alone."""
    row = await service.accept(tx, suggestion, body, if_match)
    reply.etag(row[0].version)
    return _read(row)


@suggestions.post(
    "/{suggestion}/dismiss",
    summary="Dismiss a suggestion",
    **operation("replenishment:decide", errors=[NotFound, IllegalTransition, VersionMismatch]),
)
async def dismiss_suggestion(
    tx: OpenTx, reply: ReplyTo, suggestion: SuggestionId, body: Dismiss, if_match: IfMatch
) -> SuggestionRead:
    """Turn a suggestion down; with `paused_until`, none is made for this item and warehouse until
    then."""
    row = await service.dismiss(tx, suggestion, body, if_match)
    reply.etag(row[0].version)
    return _read(row)
