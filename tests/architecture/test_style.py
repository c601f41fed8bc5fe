"""The house's measures of a readable file, which a newcomer can rely on everywhere."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted([*(ROOT / "src").glob("**/*.py"), *(ROOT / "tests").glob("**/*.py")])
OURS = [f for f in FILES if "src" in f.parts]
LONGEST_FUNCTION = 70
LONGEST_FILE = 400


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_a_file_is_short_begins_with_its_purpose_and_imports_at_its_top(path: Path) -> None:
    text = path.read_text()
    tree = ast.parse(text)
    assert len(text.splitlines()) <= LONGEST_FILE
    if tree.body:
        docstring = ast.get_docstring(tree)
        assert docstring, "say in one or two sentences what the file is for"
        assert docstring.rstrip().endswith((".", ":")), docstring
    for function in _functions(tree):
        end = function.end_lineno or 0
        length = end - function.lineno + 1
        assert length <= LONGEST_FUNCTION, f"{function.name}: {length} lines"
        inner = [n for n in ast.walk(function) if isinstance(n, ast.Import | ast.ImportFrom)]
        assert not inner, f"{function.name} imports inside"


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_a_file_leaves_nothing_for_later(path: Path) -> None:
    text = path.read_text()
    for word in ("TO" + "DO", "FIX" + "ME", "X" + "XX"):
        assert not re.search(rf"#.*\b{word}\b", text)
    bare = re.findall(r"#\s*type:\s*ignore(?!\[)", text)
    assert not bare, "name the error that is ignored"
    assert not re.search(r"#\s*noqa(?!:)", text), "name the rule that is not followed"


@pytest.mark.parametrize("path", OURS, ids=_name)
def test_what_a_module_offers_is_explained(path: Path) -> None:
    """Public functions and classes of services, policies and the core have docstrings."""
    is_explained = path.stem.endswith(("service", "policy", "repository")) or "core" in path.parts
    if not is_explained:
        return
    for node in ast.parse(path.read_text()).body:
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        plain_problem = isinstance(node, ast.ClassDef) and any(
            isinstance(base, ast.Name) and base.id in {"Problem", "Conflict", "Protocol"}
            for base in node.bases
        )
        speaks_for_itself = node.name.startswith(("_", "list_", "insert_"))
        if not speaks_for_itself and not plain_problem:
            assert ast.get_docstring(node), f"{node.name}: say what it means"


def test_nothing_is_called_utils_and_no_class_is_a_service() -> None:
    vague = {"utils", "util", "helpers", "helper", "misc", "common", "manager"}
    assert not [_name(f) for f in OURS if f.stem in vague]
    classes = [
        f"{_name(path)}: {node.name}"
        for path in OURS
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef) and node.name.endswith(("Service", "Manager", "Helper"))
    ]
    assert classes == []


@pytest.mark.parametrize("path", [f for f in FILES if f.stem.startswith("test_")], ids=_name)
def test_tests_are_sentences_and_none_is_skipped(path: Path) -> None:
    text = path.read_text()
    assert not re.search(r"pytest\.(mark\.)?(skip|xfail)", text)
    for function in _functions(ast.parse(text)):
        if function.name.startswith("test_"):
            assert function.name.count("_") >= 3, f"{function.name}: write a sentence"


def test_names_of_this_machine_stand_nowhere() -> None:
    """A path of somebody's home or a private registry is of no use to anybody else."""
    places = re.compile(r"(?<![\w/])/(?:root|home/\w+|work)/")
    kinds = ("**/*.py", "**/*.md", "**/*.toml", "**/*.json", "**/*.sql", "**/*.yaml", "**/*.yml")
    folders = ("src", "tests", "migrations", "docs", "openapi", "scripts", "bench")
    named = [
        _name(path)
        for folder in folders
        for kind in kinds
        for path in (ROOT / folder).glob(kind)
        if "node_modules" not in path.parts
        and path != Path(__file__)
        and places.search(path.read_text(errors="replace"))
    ]
    assert named == []
