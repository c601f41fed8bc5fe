"""From what a request says to the item it means: every broken rule of every line, found at once.

A draft knows its place in the request, so the same rules serve one item and a thousand.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from scm_api.core.errors import NOT_UNIQUE, UNKNOWN_REFERENCE, FieldError
from scm_api.core.ids import uuid7
from scm_api.core.schemas import Reference
from scm_api.items.policy import (
    ALREADY_USED,
    ALREADY_USED_ELSEWHERE,
    REQUIRED_FOR_NEW,
    UNIT_IS_BASE,
    UNITS_FOR_NEW_BASE,
    UNKNOWN_UNIT,
    Barcode,
    Conversion,
    ExternalReference,
    ItemState,
    check_gtin,
    key_of,
    reduced,
)
from scm_api.items.schemas import BarcodeIn, ExternalReferenceIn, UnitIn
from scm_api.items.units import unit_code

# What every movement of an item was recorded by.
LASTING = ("base_unit", "is_lot_tracked", "is_serial_tracked", "is_expiry_tracked")


@dataclass
class Stored:
    """An item as it is in the database."""

    id: UUID
    version: int
    state: ItemState


@dataclass
class Draft:
    """What one part of a request, at `pointer`, wants an item to be. `values` holds only the
    fields that were sent; `stored` is the item it changes, None for a new one."""

    pointer: str
    values: Mapping[str, Any]
    stored: Stored | None = None
    id: UUID = field(default_factory=uuid7)
    state: ItemState | None = None
    errors: list[FieldError] = field(default_factory=list)

    @property
    def result(self) -> str:
        """created, updated, unchanged or failed."""
        if self.errors or self.state is None:
            return "failed"
        if self.stored is None:
            return "created"
        return "unchanged" if self.stored.state == self.state else "updated"

    @property
    def changes_lasting(self) -> list[str]:
        """The fields it would change that must stay once stock has moved."""
        if self.stored is None or self.state is None:
            return []
        old, new = self.stored.state, self.state
        return [name for name in LASTING if getattr(old, name) != getattr(new, name)]


def complete(draft: Draft, categories: Mapping[Reference, UUID]) -> None:
    """Set the draft's `state` from what is stored and what was sent; notes every broken rule."""
    values = dict(draft.values)
    if draft.stored is None:
        for name in ("name", "base_unit"):
            if name not in values:
                draft.errors.append(REQUIRED_FOR_NEW.at(f"{draft.pointer}/{name}"))
                values[name] = ""
    else:
        draft.id = draft.stored.id
    if "category" in values:
        values["category_id"] = _category(draft, values.pop("category"), categories)
    units: list[UnitIn] | None = values.pop("units", None)
    barcodes: list[BarcodeIn] | None = values.pop("barcodes", None)
    references: list[ExternalReferenceIn] | None = values.pop("external_references", None)
    if values.get("base_unit"):
        values["base_unit"] = _unit(draft, values["base_unit"], "base_unit")
    state = ItemState(**values) if draft.stored is None else replace(draft.stored.state, **values)
    if units is not None:
        state = replace(state, units=_units(draft, units, state.base_unit))
    elif draft.stored and state.units and state.base_unit != draft.stored.state.base_unit:
        draft.errors.append(UNITS_FOR_NEW_BASE.at(f"{draft.pointer}/units"))
    if barcodes is not None:
        state = replace(state, barcodes=_barcodes(draft, barcodes, state))
    else:
        _check_kept_barcodes(draft, state)
    if references is not None:
        state = replace(state, external_references=_references(draft, references))
    draft.state = state


def _category(
    draft: Draft, wanted: Reference | None, categories: Mapping[Reference, UUID]
) -> UUID | None:
    if wanted is None:
        return None
    if wanted not in categories:
        draft.errors.append(
            UNKNOWN_REFERENCE.at(
                f"{draft.pointer}/category", kind="category", reference=str(wanted)
            )
        )
    return categories.get(wanted)


def _unit(draft: Draft, word: str, place: str) -> str:
    code = unit_code(word)
    if code is None:
        draft.errors.append(UNKNOWN_UNIT.at(f"{draft.pointer}/{place}", unit=word))
    return code or word


def _units(draft: Draft, wanted: list[UnitIn], base_unit: str) -> tuple[Conversion, ...]:
    seen: dict[str, Conversion] = {}
    for index, entry in enumerate(wanted):
        place = f"units/{index}/unit"
        code = _unit(draft, entry.unit, place)
        if code == base_unit:
            draft.errors.append(UNIT_IS_BASE.at(f"{draft.pointer}/{place}", unit=code))
        if code in seen:
            draft.errors.append(NOT_UNIQUE.at(f"{draft.pointer}/{place}", value=code))
        seen[code] = Conversion(code, *reduced(entry.numerator, entry.denominator))
    return tuple(seen[code] for code in sorted(seen))


def _barcodes(draft: Draft, wanted: list[BarcodeIn], state: ItemState) -> tuple[Barcode, ...]:
    known = {state.base_unit, *(conversion.unit for conversion in state.units)}
    seen: dict[str, Barcode] = {}
    for index, entry in enumerate(wanted):
        place = f"{draft.pointer}/barcodes/{index}"
        gtin, error = check_gtin(entry.gtin, f"{place}/gtin")
        unit = state.base_unit if entry.unit is None else unit_code(entry.unit) or entry.unit
        if error is not None:
            draft.errors.append(error)
        elif gtin in seen:
            draft.errors.append(NOT_UNIQUE.at(f"{place}/gtin", value=gtin))
        if unit not in known:
            draft.errors.append(UNKNOWN_UNIT.at(f"{place}/unit", unit=unit))
        seen[gtin] = Barcode(gtin, unit)
    return tuple(seen[gtin] for gtin in sorted(seen))


def _check_kept_barcodes(draft: Draft, state: ItemState) -> None:
    # The units changed under barcodes that stay: none may be left on a pack that is gone.
    known = {state.base_unit, *(conversion.unit for conversion in state.units)}
    lost = sorted({barcode.unit for barcode in state.barcodes} - known)
    if lost:
        draft.errors.append(UNKNOWN_UNIT.at(f"{draft.pointer}/barcodes", unit=lost))


def _references(draft: Draft, wanted: list[ExternalReferenceIn]) -> tuple[ExternalReference, ...]:
    seen: set[ExternalReference] = set()
    for index, entry in enumerate(wanted):
        made = ExternalReference(entry.system, entry.reference)
        if made in seen:
            place = f"{draft.pointer}/external_references/{index}"
            draft.errors.append(NOT_UNIQUE.at(place, value=f"{made.system}:{made.reference}"))
        seen.add(made)
    return tuple(sorted(seen, key=lambda r: (r.system, r.reference)))


@dataclass(frozen=True)
class _Claim:
    """A value that only one item of the organization may hold, and where a request claims it."""

    kind: str
    value: str
    shown: str
    pointer: str


def claims(draft: Draft) -> list[_Claim]:
    """The SKU a draft says, and the barcodes and external references it newly claims."""
    state, old = draft.state, draft.stored.state if draft.stored else None
    assert state is not None
    made = [_Claim("sku", key_of(state.sku), state.sku, f"{draft.pointer}/sku")]
    made += _child_claims(
        draft,
        "barcodes",
        "gtin",
        (b.gtin for b in old.barcodes) if old else (),
        lambda entry: check_gtin(entry.gtin, "")[0],
    )
    made += _child_claims(
        draft,
        "external_references",
        "reference",
        (f"{r.system}:{r.reference}" for r in old.external_references) if old else (),
        lambda entry: f"{entry.system}:{entry.reference}",
    )
    return made


def _child_claims(
    draft: Draft, field_name: str, kind: str, held: Iterable[str], value_of: Callable[[Any], str]
) -> list[_Claim]:
    already = set(held)
    # A value repeated inside the line is reported there already.
    first: dict[str, int] = {}
    for index, entry in enumerate(draft.values.get(field_name, ())):
        first.setdefault(value_of(entry), index)
    return [
        _Claim(kind, value, value, f"{draft.pointer}/{field_name}/{index}")
        for value, index in first.items()
        if value not in already
    ]


def check_unique(
    drafts: Sequence[Draft], holders: Mapping[tuple[str, str], tuple[UUID, str | None]]
) -> None:
    """Note every value that two drafts claim, or that an item outside them holds.

    `holders` gives (item id, SKU) by (kind, value); no SKU where the caller must not know it. An
    item among the drafts that gives a value up frees it for another draft, unless its own line
    fails.
    """
    claimed = [(draft, claim) for draft in drafts for claim in claims(draft)]
    times = Counter((claim.kind, claim.value) for _, claim in claimed)
    for draft, claim in claimed:
        if times[claim.kind, claim.value] > 1:
            draft.errors.append(NOT_UNIQUE.at(claim.pointer, value=claim.shown))
    refused: dict[int, set[str]] = defaultdict(set)
    settled = False
    while not settled:
        settled = True
        freed = {
            (draft.id, *value) for draft in drafts if not draft.errors for value in given_up(draft)
        }
        for draft, claim in claimed:
            holder = holders.get((claim.kind, claim.value))
            if holder is None or holder[0] == draft.id:
                continue
            if (holder[0], claim.kind, claim.value) in freed:
                continue
            if claim.pointer not in refused[id(draft)]:
                refused[id(draft)].add(claim.pointer)
                draft.errors.append(_used(claim, holder[1]))
                settled = False


def _used(claim: _Claim, sku: str | None) -> FieldError:
    if sku is None:
        return ALREADY_USED_ELSEWHERE.at(claim.pointer, value=claim.shown)
    return ALREADY_USED.at(claim.pointer, value=claim.shown, sku=sku)


def given_up(draft: Draft) -> set[tuple[str, str]]:
    """The (kind, value) pairs a stored item would no longer hold."""
    if draft.stored is None or draft.state is None:
        return set()
    return held_by(draft.stored.state) - held_by(draft.state)


def held_by(state: ItemState) -> set[tuple[str, str]]:
    """The (kind, value) pairs that only this item may hold."""
    return {
        ("sku", key_of(state.sku)),
        *(("gtin", barcode.gtin) for barcode in state.barcodes),
        *(("reference", f"{r.system}:{r.reference}") for r in state.external_references),
    }
