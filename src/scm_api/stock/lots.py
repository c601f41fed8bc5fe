"""Lots named by lines: made where goods come in, only looked up where they move or leave."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from scm_api.core.errors import UNKNOWN_REFERENCE, FieldError, Invalid
from scm_api.core.tx import Tx
from scm_api.stock import errors, repository


@dataclass(frozen=True)
class NamedLot:
    """A lot as a line names it; `pointer` is where the request does."""

    item_id: UUID
    code: str
    expires_on: date | None
    pointer: str

    @property
    def key(self) -> tuple[UUID, str]:
        """What it is found by: two codes that differ only in case are the same lot."""
        return self.item_id, self.code.lower()


LotIds = dict[tuple[UUID, str], UUID]


async def make(tx: Tx, named: Sequence[NamedLot]) -> LotIds:
    """The ids of lots, made where they are new. Raises `Invalid` where a line gives a lot another
    expiry date than it has."""
    if not named:
        return {}
    wanted: dict[tuple[UUID, str], tuple[str, date | None]] = {}
    for lot in named:
        code, day = wanted.get(lot.key, (lot.code, None))
        wanted[lot.key] = code, day or lot.expires_on
    rows = await repository.upsert_lots(
        tx, [(key[0], code, day) for key, (code, day) in wanted.items()]
    )
    stored = {(row["item_id"], row["code"].lower()): row for row in rows}
    _check_expiry(named, {key: row["expires_on"] for key, row in stored.items()})
    return {key: row["id"] for key, row in stored.items()}


async def find(tx: Tx, named: Sequence[NamedLot]) -> LotIds:
    """The ids of lots that there are. Raises `Invalid` for those that are not."""
    if not named:
        return {}
    rows = await repository.find_lots(tx, {lot.key for lot in named})
    stored = {(row["item_id"], row["code"].lower()): row for row in rows}
    missing = [lot for lot in named if lot.key not in stored]
    if missing:
        raise Invalid(
            [UNKNOWN_REFERENCE.at(lot.pointer, kind="lot", reference=lot.code) for lot in missing]
        )
    _check_expiry(named, {key: row["expires_on"] for key, row in stored.items()})
    return {key: row["id"] for key, row in stored.items()}


def _check_expiry(named: Sequence[NamedLot], stored: dict[tuple[UUID, str], date | None]) -> None:
    broken: list[FieldError] = []
    for lot in named:
        known = stored[lot.key]
        if lot.expires_on is not None and lot.expires_on != known:
            broken.append(
                errors.LOT_EXPIRY_DIFFERS.at(
                    f"{lot.pointer}/expires_on", lot=lot.code, expires_on=str(known)
                )
            )
    if broken:
        raise Invalid(broken)
