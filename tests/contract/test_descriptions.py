"""What callers read of an organization and its trail says of every field what it means."""

import re
from collections.abc import Iterator

import pytest
from pydantic_core import to_json

from tests.contract.spec import document, operations, resolve

_TAGS = {"organizations", "organization-groups", "sandbox", "audit"}
_REFERENCE = re.compile(r'"#/components/schemas/([^"]+)"')
# Said where they are declared, for all rooms.
_COMMON = {"Link"}


def _models() -> Iterator[str]:
    """The models of these operations, those within them included."""
    found = [o.spec for o in operations() if _TAGS & set(o.spec["tags"])]
    seen = set(_COMMON)
    while found:
        for name in set(_REFERENCE.findall(to_json(found.pop()).decode())) - seen:
            if "Problem" not in name and name != "FieldProblem":
                seen.add(name)
                found.append(document()["components"]["schemas"][name])
                yield name


@pytest.mark.parametrize("name", sorted(_models()))
def test_every_field_is_described(name: str) -> None:
    fields = document()["components"]["schemas"][name].get("properties", {})
    silent = [f for f, s in fields.items() if not (s | resolve(s)).get("description")]
    assert silent == []
