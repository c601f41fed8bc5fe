"""Keyset pages: a cursor names the last row seen, so pages neither skip nor repeat under writes."""

import base64
import binascii
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from pydantic import Field
from pydantic_core import from_json, to_json
from sqlalchemy import Select, and_, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.sql.elements import ColumnElement

from scm_api.core.errors import INVALID_CURSOR, Invalid
from scm_api.core.schemas import Strict
from scm_api.core.tx import Tx

# (column, descending) pairs; the last column is unique.
Order = Sequence[tuple[InstrumentedAttribute[Any], bool]]


class PageParams(Strict):
    """The parameters every list has; a list adds its own filters by subclassing."""

    limit: int = Field(default=50, ge=1, le=500, description="Rows per page.")
    cursor: str | None = Field(
        default=None, max_length=1000, description="`next_cursor` of the page before."
    )
    include_total: bool = Field(default=False, description="Count all rows too (slower).")


@dataclass(frozen=True)
class PageOf:
    """The rows of one page and where the next begins."""

    rows: Sequence[Any]
    next_cursor: str | None
    total: int | None

    def body(self, data: list[Any]) -> dict[str, Any]:
        """The members of a `Page` model with `data` as its rows."""
        return {
            "data": data,
            "has_more": self.next_cursor is not None,
            "next_cursor": self.next_cursor,
            "total": self.total,
        }


_DECODERS: dict[type, Any] = {
    UUID: UUID,
    datetime: datetime.fromisoformat,
    date: date.fromisoformat,
    Decimal: Decimal,
    str: str,
    int: int,
}


def _mark(params: PageParams, order: Sequence[str]) -> str:
    """What a cursor belongs to: these filters in this order."""
    filters = params.model_dump(mode="json", exclude={"limit", "cursor", "include_total"})
    return hashlib.sha256(to_json([filters, order])).hexdigest()[:12]


def _encode(values: Sequence[Any], mark: str) -> str:
    plain = to_json([mark, *(_text(value) for value in values)])
    return base64.urlsafe_b64encode(plain).decode().rstrip("=")


def _text(value: Any) -> Any:
    if isinstance(value, datetime | date):
        return value.isoformat()
    return value if isinstance(value, int | str) else str(value)


def _decode(cursor: str, mark: str, types: Sequence[type]) -> list[Any]:
    try:
        plain = base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True)
        stored, *values = from_json(plain)
        if stored != mark or len(values) != len(types):
            raise ValueError("a cursor of another list")
        if any(
            not isinstance(v, int if k is int else str) for k, v in zip(types, values, strict=True)
        ):
            raise ValueError("a value of another type")
        decoded = [_DECODERS[kind](value) for kind, value in zip(types, values, strict=True)]
        if any("\x00" in value for value in decoded if isinstance(value, str)):
            raise ValueError("not a text of ours")
        return decoded
    except (ValueError, TypeError, KeyError, ArithmeticError, binascii.Error) as error:
        raise Invalid([INVALID_CURSOR.at_parameter("cursor")]) from error


def _after(order: Order, values: Sequence[Any]) -> ColumnElement[bool]:
    # (a, b) > (x, y) written out, because the directions of the columns may differ; the bound on
    # the first column alone is what an index can seek to.
    branches = []
    for depth, (column, descending) in enumerate(order):
        same = [c == v for (c, _), v in zip(order[:depth], values, strict=False)]
        beyond = column < values[depth] if descending else column > values[depth]
        branches.append(and_(*same, beyond))
    first, descending = order[0]
    bound = first <= values[0] if descending else first >= values[0]
    return and_(bound, or_(*branches))


async def page(
    tx: Tx,
    statement: Select[*tuple[Any, ...]],
    params: PageParams,
    order: Order,
) -> PageOf:
    """One page of `statement` in `order`: (column, descending) pairs, the last one unique.

    The ordering columns must be among the selected ones and never null.
    """
    mark = _mark(params, [f"{column}{'-' if descending else '+'}" for column, descending in order])
    total = None
    if params.include_total:
        counted = select(func.count()).select_from(statement.subquery())
        total = (await tx.session.execute(counted)).scalar_one()
    columns = [column for column, _ in order]
    paged = statement.add_columns(*columns)
    if params.cursor is not None:
        values = _decode(params.cursor, mark, [c.type.python_type for c in columns])
        paged = paged.where(_after(order, values))
    paged = paged.order_by(*(c.desc() if down else c.asc() for c, down in order))
    rows = (await tx.session.execute(paged.limit(params.limit + 1))).all()
    if len(rows) <= params.limit:
        return PageOf(rows, None, total)
    rows = rows[: params.limit]
    return PageOf(rows, _encode(rows[-1][-len(order) :], mark), total)


@dataclass
class Conditions:
    """The WHERE of a plain SQL list: fixed texts with `{}` where a value goes as a parameter."""

    texts: list[str] = field(default_factory=list)
    values: list[Any] = field(default_factory=list)

    def add(self, text: str, *values: Any) -> None:
        """One more condition; all of them must hold."""
        places = [f"${len(self.values) + n}" for n in range(1, len(values) + 1)]
        self.values += values
        self.texts.append(text.format(*places))


async def sql_page(
    tx: Tx,
    columns: str,
    source: str,
    conditions: Conditions,
    params: PageParams,
    order: Sequence[tuple[str, type]],
) -> PageOf:
    """One page of `select columns from source`, ascending by (expression, type) pairs, the last one
    unique: the way of hot lists, in a third of the time a composed statement takes."""
    mark = _mark(params, [expression for expression, _ in order])
    where = " and ".join(conditions.texts) or "true"
    total = None
    if params.include_total:
        counted = f"select count(*) from {source} where {where}"
        total = await tx.fetchval(counted, *conditions.values)
    arguments = list(conditions.values)
    if params.cursor is not None:
        arguments += _decode(params.cursor, mark, [kind for _, kind in order])
        places = [f"${len(conditions.values) + n}" for n in range(1, len(order) + 1)]
        left = ", ".join(expression for expression, _ in order)
        where += f" and ({left}) > ({', '.join(places)})"
    keys = ", ".join(f"{expression} as key_{n}" for n, (expression, _) in enumerate(order))
    by = ", ".join(expression for expression, _ in order)
    arguments.append(params.limit + 1)
    rows = await tx.fetch(
        f"select {columns}, {keys} from {source} where {where} order by {by} "
        f"limit ${len(arguments)}",
        *arguments,
    )
    if len(rows) <= params.limit:
        return PageOf(rows, None, total)
    last = rows[params.limit - 1]
    keys_of_last = [last[f"key_{n}"] for n in range(len(order))]
    return PageOf(rows[: params.limit], _encode(keys_of_last, mark), total)
