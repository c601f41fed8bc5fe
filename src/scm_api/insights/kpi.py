"""What every key figure says about itself, and what it is over several organizations: computed
again from its inputs summed, never from the ratios of each."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, ClassVar, Protocol, Self
from uuid import UUID

from pydantic import ConfigDict, Field

from scm_api.core.across import Combinable
from scm_api.core.redaction import paths_of, redact
from scm_api.core.schemas import Link, Read
from scm_api.insights import policy


class Group(Read):
    """What a row is about; null fields for items without a category."""

    id: UUID | None
    code: str | None
    name: str | None


def _is_none(value: object) -> bool:
    return value is None


class Row(Read):
    """One group of a key figure."""

    group: Group
    currency: str | None = Field(
        default=None,
        exclude_if=_is_none,
        description="Only over several organizations: base currency of this one's values.",
    )


class Derive(Protocol):
    """The arithmetic of a key figure: from its inputs over so many days to its figures."""

    def __call__(self, row: Mapping[str, Any], days: int) -> dict[str, Any]: ...


class Kpi(Combinable):
    """What every key figure says about itself. A key figure adds `total`, `groups`, and by what
    arithmetic its inputs become figures."""

    derive: ClassVar[Derive]

    kpi: str
    formula: str = Field(description="How it is computed, in English.")
    formula_zh: str = Field(description="The same in Chinese.")
    from_on: date = Field(alias="from")
    to_on: date = Field(alias="to")
    days: int
    as_of: datetime
    currency: str | None = Field(
        description="Base currency of all values; null over organizations that differ in it."
    )
    group_by: str | None
    group_count: int = Field(description="How many groups there are; the worst are shown.")

    model_config = ConfigDict(from_attributes=True, populate_by_name=True)

    @classmethod
    def common(cls, parts: Sequence[Self]) -> dict[str, str]:
        """The last day for all, where "today" is not the same day in all time zones: the earliest,
        which has begun everywhere."""
        days = {part.to_on for part in parts}
        return {"to": min(days).isoformat()} if len(days) > 1 else {}

    @classmethod
    def combined(cls, parts: Sequence[tuple[Link, Self]]) -> Self:
        """The key figure with one group for each organization, and over all of them. Values of the
        total are null where they are in a part, and over different currencies."""
        first = parts[0][1]
        currencies = {part.currency for _, part in parts}
        totals = [part.inputs(is_money_shown=len(currencies) == 1) for _, part in parts]
        return cls.model_validate(
            first.model_dump()
            | {
                "currency": first.currency if len(currencies) == 1 else None,
                "group_by": "organization",
                "group_count": len(parts),
                "total": cls.derive(policy.summed(totals), first.days),
                "groups": [
                    part.total_figures() | {"group": link.model_dump(), "currency": part.currency}
                    for link, part in parts
                ],
            }
        )

    def total_figures(self) -> dict[str, Any]:
        """The figures over everything the key figure looks at."""
        figures: dict[str, Any] = self.model_dump(include={"total"})["total"]
        return figures

    def inputs(self, *, is_money_shown: bool) -> dict[str, Any]:
        """What the total is made from, as `derive` takes it, with or without values."""
        if is_money_shown:
            return self.total_figures()
        body = redact(self.model_dump_json(by_alias=True).encode(), paths_of(type(self)))
        return type(self).model_validate_json(body).inputs(is_money_shown=True)
