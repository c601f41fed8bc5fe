"""Who imports whom: import-linter's contracts, and which files of a room others may see."""

import ast
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "scm_api"
ROOMS = {
    "access",
    "alerts",
    "demand",
    "insights",
    "items",
    "organizations",
    "purchase_orders",
    "receipts",
    "replenishment",
    "stock",
    "suppliers",
    "system",
    "trail",
    "users",
    "warehouses",
}
# What a room shows to others: its use cases, events, tables and bodies, and pure rules and values.
PUBLIC = ("service", "events", "models", "schemas", "errors", "policy", "audit")
# Values of a service that stand in a file of their own: the arguments of postings, unit words; and
# what every room asks access for: what can be granted, by whom, within which limits and duties. The
# rooms of people and organizations are made of the same tokens, templates and log as keys are.
PUBLIC_VALUES = {
    "access.access_kinds",
    "access.access_log",
    "access.authentication",
    "access.catalogue",
    "access.duties",
    "access.granting",
    "access.limits",
    "access.permissions",
    "access.system_view",
    "stock.ledger",
    "items.units",
    "items.categories",
    "purchase_orders.document",
}


def _imports(path: Path) -> list[tuple[str, str]]:
    """(module, name) of everything a file imports from scm_api."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("scm_api"):
            found += [(node.module or "", alias.name) for alias in node.names]
        elif isinstance(node, ast.Import):
            found += [(a.name, "") for a in node.names if a.name.startswith("scm_api")]
    return found


def test_the_contracts_of_import_linter_are_kept() -> None:
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache", "--no-logo"]
    result = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, env={**os.environ}
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_a_room_sees_of_another_only_what_that_shows() -> None:
    hidden = []
    for room in sorted(ROOMS):
        for path in sorted((SOURCE / room).glob("**/*.py")):
            for module, name in _imports(path):
                parts = module.split(".")
                if len(parts) == 2 and parts[1] in ROOMS:
                    parts.append(name)
                if len(parts) < 3 or parts[1] not in ROOMS - {room}:
                    continue
                is_public = any(parts[2] == p or parts[2].endswith(f"_{p}") for p in PUBLIC)
                if not is_public and ".".join(parts[1:3]) not in PUBLIC_VALUES:
                    hidden.append(f"{path.relative_to(SOURCE)}: {module}.{name}")
    assert hidden == []


def test_routers_hold_no_sql_and_policies_touch_nothing() -> None:
    wrong = []
    for path in sorted(SOURCE.glob("*/*.py")):
        imported = {f"{module}.{name}" for module, name in _imports(path)}
        if path.stem.endswith("router") and any(".repository" in i for i in imported):
            wrong.append(f"{path.relative_to(SOURCE)} imports a repository")
        if path.stem.endswith("policy") and any(
            i.endswith((".Tx", ".repository")) or "scm_api.core.db" in i for i in imported
        ):
            wrong.append(f"{path.relative_to(SOURCE)} does more than decide")
    assert wrong == []
