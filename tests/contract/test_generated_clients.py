"""Clients that are generated from the document really work: in Python, and in TypeScript."""

import asyncio
import importlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scm_api.process import Urls
from tests.contract.live import served
from tests.support import Client

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
DOCUMENT = ROOT / "openapi" / "openapi.json"
# Said once a run because nothing formats the generated code.
HARMLESS = ("Skipping Integration", "ruff is not in PATH")
NPM = shutil.which("npm")


def _run(command: list[str], folder: Path, **environment: str) -> str:
    """Run a program that must succeed; gives what it said."""
    result = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    said = result.stdout + result.stderr
    assert result.returncode == 0, f"{command[0]}: {said[-4000:]}"
    return said


@pytest.fixture(scope="module")
def python_client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The name of the generated package, importable meanwhile."""
    folder = tmp_path_factory.mktemp("python")
    program = Path(sys.executable).parent / "openapi-python-client"
    said = _run(
        [
            *(str(program), "generate", "--path", str(DOCUMENT), "--meta", "none"),
            *("--output-path", str(folder / "scm_generated")),
        ],
        folder,
        PATH=f"{program.parent}:{os.environ['PATH']}",
    )
    warnings = [line for line in said.splitlines() if "WARN" in line or "Unable" in line]
    assert [w for w in warnings if w not in HARMLESS] == [], said
    sys.path.insert(0, str(folder))
    yield "scm_generated"
    sys.path.remove(str(folder))


async def test_the_python_client_speaks_to_a_live_server(
    python_client: str, urls: Urls, api: Client
) -> None:
    with served(urls) as base:
        await asyncio.to_thread(_use_python_client, python_client, base, api.token)


def _use_python_client(package: str, base: str, token: str) -> None:
    def module(path: str) -> Any:
        return importlib.import_module(f"{package}.{path}")

    models = module("models")
    client = module("client").AuthenticatedClient(base_url=base, token=token)
    create, list_ = module("api.items.items_create"), module("api.items.items_list")
    made = create.sync(
        client=client,
        body=models.ItemCreate(sku="PY-1", name="轴承", base_unit="EA"),
        idempotency_key="py-1",
    )
    assert isinstance(made, models.ItemRead)
    assert (made.sku, made.name, made.version) == ("PY-1", "轴承", 1)
    again = create.sync(
        client=client,
        body=models.ItemCreate(sku="PY-1", name="轴承", base_unit="EA"),
        idempotency_key="py-1",
    )
    assert again.id == made.id
    refused = create.sync(
        client=client, body=models.ItemCreate(sku="PY-1", name="x", base_unit="EA")
    )
    assert isinstance(refused, models.ProblemDocument)
    assert (refused.status, refused.code) == (409, "duplicate")
    page = list_.sync(client=client, limit=10)
    assert isinstance(page, models.ItemList)
    assert [item.sku for item in page.data] == ["PY-1"]
    changed = module("api.items.items_change").sync(
        f"{made.id}", client=client, body=models.ItemPatch(name="Bearing"), if_match='"1"'
    )
    assert (changed.name, changed.version) == ("Bearing", 2)
    stale = module("api.items.items_change").sync(
        f"{made.id}", client=client, body=models.ItemPatch(name="x"), if_match='"1"'
    )
    assert stale.code == "version_mismatch"
    posted = _post_stock(module, models, client)
    assert posted.lines[0].on_hand_after == "12.0000"


def _post_stock(module: Any, models: Any, client: Any) -> Any:
    module("api.warehouses.warehouses_create").sync(
        client=client, body=models.WarehouseCreate(code="WH-1", name="Shanghai")
    )
    line = models.MovementLineCreate(
        item=models.ItemReference(sku="PY-1"),
        quantity="12",
        warehouse=models.Reference(code="WH-1"),
        unit_cost="4.50",
    )
    kind = models.MovementCreateType("opening")
    body = models.MovementCreate(type_=kind, lines=[line])
    return module("api.stock_movements.stock_movements_post").sync(client=client, body=body)


if NPM is not None:

    @pytest.fixture(scope="module")
    def node_modules() -> Path:
        """The pinned npm packages, installed once."""
        installed = HERE / "node_modules" / ".package-lock.json"
        lock = HERE / "package-lock.json"
        if not installed.exists() or installed.stat().st_mtime < lock.stat().st_mtime:
            _run([NPM, "ci", "--no-audit", "--no-fund"], HERE)
            installed.touch()
        return HERE / "node_modules"

    def test_the_linter_finds_nothing_to_say(node_modules: Path) -> None:
        _run(
            [
                str(node_modules / ".bin" / "redocly"),
                "lint",
                str(DOCUMENT),
                "--config=redocly.yaml",
            ],
            HERE,
            REDOCLY_TELEMETRY="off",
            REDOCLY_SUPPRESS_UPDATE_NOTICE="true",
        )

    async def test_the_typescript_client_compiles_and_speaks_to_a_live_server(
        node_modules: Path, urls: Urls, api: Client, tmp_path: Path
    ) -> None:
        for name in ("client.ts", "tsconfig.json"):
            shutil.copy(HERE / "typescript" / name, tmp_path / name)
        (tmp_path / "package.json").write_text('{"type": "module"}')
        (tmp_path / "node_modules").symlink_to(node_modules)
        tools = node_modules / ".bin"
        # A field with a default may be left out of a request; the generator assumes otherwise.
        generate = [str(DOCUMENT), "-o", "schema.d.ts", "--default-non-nullable=false"]
        _run([str(tools / "openapi-typescript"), *generate], tmp_path)
        await asyncio.to_thread(_run, [str(tools / "tsc"), "-p", "."], tmp_path)
        with served(urls) as base:
            said = await asyncio.to_thread(
                _run, ["node", "client.js"], tmp_path, SCM_URL=base, SCM_KEY=api.token
            )
        assert said.strip().endswith("ok")


def test_the_lock_file_names_no_other_registry() -> None:
    text = (HERE / "package-lock.json").read_text()
    resolved = [line for line in text.splitlines() if '"resolved"' in line]
    assert [line for line in resolved if "https://registry.npmjs.org/" not in line] == []
