"""What documents that people edit share: path keys, inserts that name the duplicate, patches."""

import re
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from pydantic import BaseModel
from pydantic_core import to_jsonable_python
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError

from scm_api.core.errors import Duplicate, VersionMismatch
from scm_api.core.tx import Tx

_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", re.ASCII)


@dataclass(frozen=True)
class Key:
    """A resource named in a path or a filter: a UUID, its natural key (`sku=ABC-1`, or just
    `ABC-1`), or its name in another system (`ref=4711`)."""

    id: UUID | None = None
    natural: str | None = None
    ref: str | None = None

    @classmethod
    def parse(cls, text: str, *, natural: str) -> "Key":
        """Read a path segment or parameter. A natural key that looks like a UUID or begins with
        `ref=` needs its prefix."""
        if _UUID.fullmatch(text):
            return cls(id=UUID(text))
        if text.startswith(f"{natural}="):
            return cls(natural=text[len(natural) + 1 :])
        if text.startswith("ref="):
            return cls(ref=text[4:])
        return cls(natural=text)

    def arguments(self, natural: str) -> dict[str, Any]:
        """As keyword arguments `id`, `<natural>` and `ref` of a repository's `find`."""
        return {"id": self.id, natural: self.natural, "ref": self.ref}


async def insert(tx: Tx, row: Any, *, kind: str, unique: tuple[str, ...]) -> None:
    """Insert one row; raises `Duplicate` naming the field whose unique index refused it.

    The unique indexes are named `uq_<table>_<field>`.
    """
    tx.session.add(row)
    await _flush(tx, row, kind, unique)


async def _flush(tx: Tx, row: Any, kind: str, unique: tuple[str, ...]) -> None:
    try:
        await tx.session.flush()
    except IntegrityError as error:
        constraint = getattr(error.orig.__cause__, "constraint_name", None) if error.orig else None
        for field in unique:
            if constraint == f"uq_{row.__tablename__}_{field}":
                raise Duplicate(kind=kind, field=field, value=getattr(row, field)) from error
        raise


async def apply_patch(
    tx: Tx, row: Any, body: BaseModel, *, kind: str, unique: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Write the fields a merge patch names; gives `{field: {"old", "new"}}` of what really changed.

    The version guards the write: if someone else changed the row since it was read, raises
    `VersionMismatch`. An empty change writes nothing and keeps the version.
    """
    wanted = body.model_dump(exclude={"version"}, exclude_unset=True)
    changes = {
        name: {"old": getattr(row, name), "new": value}
        for name, value in wanted.items()
        if getattr(row, name) != value
    }
    if changes:
        await write(tx, row, {n: c["new"] for n, c in changes.items()}, kind=kind, unique=unique)
    jsonable: dict[str, Any] = to_jsonable_python(changes)
    return jsonable


async def write(
    tx: Tx, row: Any, values: dict[str, Any], *, kind: str, unique: tuple[str, ...] = ()
) -> None:
    """Set columns of a versioned row and count its version up, if nobody else did in between."""
    table = type(row)
    statement = (
        update(table)
        .where(
            table.organization_id == row.organization_id,
            table.id == row.id,
            table.version == row.version,
        )
        .values(**values, version=row.version + 1, updated_at=tx.now)
        .returning(table.version)
        .execution_options(synchronize_session=False)
    )
    try:
        updated = (await tx.session.execute(statement)).scalar_one_or_none()
    except IntegrityError as error:
        constraint = getattr(error.orig.__cause__, "constraint_name", None) if error.orig else None
        for field in unique:
            if constraint == f"uq_{table.__tablename__}_{field}":
                raise Duplicate(kind=kind, field=field, value=values.get(field)) from error
        raise
    if updated is None:
        raise VersionMismatch(current_version=row.version + 1)
    await tx.session.refresh(row)
