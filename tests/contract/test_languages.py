"""Every text a caller may read is there in English and in Chinese, and says the same."""

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import scm_api
from scm_api.core import problems
from scm_api.core.errors import Problem, Rule, Text

CHINESE = re.compile("[\u4e00-\u9fff]")
SOURCE = Path(scm_api.__file__).parent
PLACE = re.compile(r"{(\w+)}")


def _texts() -> Iterator[tuple[str, Text]]:
    """Every text declared anywhere in the program, by where it stands."""
    for module in pkgutil.walk_packages(scm_api.__path__, "scm_api."):
        if module.name.endswith("__main__"):
            continue
        for name, value in vars(importlib.import_module(module.name)).items():
            yield from _inside(f"{module.name}.{name}", value)
    for code, problem in Problem.registry.items():
        yield f"{code}.title", problem.title
        yield f"{code}.detail", problem.detail


def _inside(where: str, value: Any) -> Iterator[tuple[str, Text]]:
    if isinstance(value, Text):
        yield where, value
    elif isinstance(value, Rule):
        yield where, value.text
    elif isinstance(value, dict):
        for key, entry in value.items():
            yield from _inside(f"{where}[{key}]", entry)
    elif isinstance(value, list | tuple):
        for index, entry in enumerate(value):
            yield from _inside(f"{where}[{index}]", entry)


# A text that only holds a place for another text, in either language.
FRAMES = {"{reason}"}


@pytest.mark.parametrize(("where", "words"), [pytest.param(*t, id=t[0]) for t in _texts()])
def test_a_text_has_both_languages_with_the_same_places(where: str, words: Text) -> None:
    assert words.en in FRAMES or CHINESE.search(words.zh), where
    assert not CHINESE.search(words.en), where
    assert sorted(set(PLACE.findall(words.en))) == sorted(set(PLACE.findall(words.zh))), where


def test_models_refuse_only_by_rules_that_carry_both_languages() -> None:
    """A bare `ValueError` or PydanticCustomError in a model would reach the caller in English."""
    found = []
    for path in SOURCE.rglob("*.py"):
        if path == SOURCE / "core" / "rules.py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Name) and node.id == "PydanticCustomError":
                found.append(f"{path.name}:{node.lineno}")
            raised = isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call)
            if raised and path.name.endswith("schemas.py"):
                name = getattr(node.exc.func, "id", "")
                if name in {"ValueError", "AssertionError"}:
                    found.append(f"{path.name}:{node.lineno}")
    assert found == []


def test_alternatives_are_joined_in_the_language_of_the_sentence() -> None:
    made = problems._alternatives("'add', 'replace' or 'max'")
    assert made == ("'add', 'replace' or 'max'", "'add', 'replace' 或 'max'")
    assert problems._alternatives("'one'") == ("'one'", "'one'")
