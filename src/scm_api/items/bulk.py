"""Bulk upsert by SKU: every line checked by itself, all errors at once, and a number of SQL
statements that does not grow with the lines."""

from collections.abc import Sequence
from typing import Any

from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from scm_api.core import limits
from scm_api.core.errors import FieldError, Invalid
from scm_api.core.problems import from_validation
from scm_api.core.tx import Tx
from scm_api.items import repository, saving, writes
from scm_api.items.drafts import Draft
from scm_api.items.policy import key_of
from scm_api.items.schemas import ItemBulk, ItemBulkRead, ItemLine, LineResult


async def upsert(tx: Tx, body: ItemBulk, language: str) -> ItemBulkRead:
    """Create or change items by SKU. Fields a line leaves out stay as they are.

    In mode atomic any error raises `Invalid` with the errors of all lines and nothing is written;
    in mode partial the lines without errors are kept. `language` is that of the failed lines'
    words.
    """
    lines: list[ItemLine | Sequence[FieldError]] = [
        _parse(place, raw) for place, raw in enumerate(body.items)
    ]
    await writes.lock(tx)
    await writes.plan_reads_anew(tx)
    drafts = await _drafts(tx, lines)
    await saving.check(tx, list(drafts.values()))
    errors = {
        place: drafts[place].errors if isinstance(line, ItemLine) else line
        for place, line in enumerate(lines)
    }
    broken = [error for found in errors.values() for error in found]
    if broken and body.mode == "atomic":
        raise Invalid(broken)
    await writes.plan_writes_once(tx)
    await saving.write(tx, [draft for draft in drafts.values() if not draft.errors])
    results = [
        _failed(place, body.items[place], errors[place], language)
        if errors[place]
        else _kept(place, drafts[place])
        for place in range(len(lines))
    ]
    return ItemBulkRead(mode=body.mode, **_counts(results), results=results)


def _parse(place: int, raw: Any) -> ItemLine | Sequence[FieldError]:
    try:
        return ItemLine.model_validate(raw)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        placed = [{**one, "loc": ("body", "items", place, *one["loc"])} for one in found]
        return from_validation(RequestValidationError(placed)).errors


async def _drafts(tx: Tx, lines: Sequence[ItemLine | Sequence[FieldError]]) -> dict[int, Draft]:
    parsed = {place: line for place, line in enumerate(lines) if isinstance(line, ItemLine)}
    keys = {key_of(line.sku) for line in parsed.values()}
    rows = await repository.stored(tx, sku_keys=keys)
    await limits.require_inside(tx, items=(row["id"] for row in rows))
    stored = {row["sku_key"]: saving.stored_of(row) for row in rows}
    return {
        place: Draft(
            f"/items/{place}",
            {name: getattr(line, name) for name in line.model_fields_set},
            stored=stored.get(key_of(line.sku)),
        )
        for place, line in parsed.items()
    }


def _failed(place: int, raw: Any, errors: Sequence[FieldError], language: str) -> LineResult:
    sku = raw.get("sku") if isinstance(raw, dict) else None
    return LineResult.model_validate(
        {
            "line": place,
            "result": "failed",
            "sku": sku[:64] if isinstance(sku, str) else None,
            "errors": [error.body(language) for error in errors],
        }
    )


def _kept(place: int, draft: Draft) -> LineResult:
    assert draft.state is not None
    version = draft.stored.version if draft.stored else 0
    return LineResult.model_validate(
        {
            "line": place,
            "result": draft.result,
            "id": draft.id,
            "sku": draft.state.sku,
            "version": version + (draft.result != "unchanged"),
        }
    )


def _counts(results: Sequence[LineResult]) -> dict[str, int]:
    kinds = [result.result for result in results]
    return {kind: kinds.count(kind) for kind in ("created", "updated", "unchanged", "failed")}
