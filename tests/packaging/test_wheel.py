"""The wheel, installed by itself and used from outside the checkout."""

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

CHECKOUT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A folder far from the checkout, open to the user an embedded server runs as."""
    made = Path(tempfile.gettempdir()) / f"scm-wheel-{uuid4().hex[:8]}"
    made.mkdir()
    made.chmod(0o755)
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


@pytest.fixture(scope="module")
def wheel(folder: Path) -> Path:
    """The wheel, built as pip builds it."""
    subprocess.run(
        (
            *(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"),
            *("--no-build-isolation", "--wheel-dir", folder, CHECKOUT),
        ),
        check=True,
        capture_output=True,
    )
    (built,) = folder.glob("scm_api-*.whl")
    return built


@pytest.fixture(scope="module")
def installed(folder: Path, wheel: Path) -> Path:
    """The bin folder of an environment that holds the wheel; its dependencies are this one's."""
    environment = folder / "env"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    subprocess.run(
        (
            *(sys.executable, "-m", "pip", "--python", environment / "bin" / "python"),
            *("install", "--quiet", "--no-deps", "--no-index", wheel),
        ),
        check=True,
        capture_output=True,
    )
    (packages,) = (environment / "lib").glob("python*/site-packages")
    # A folder named in a .pth file is searched, but its own .pth files (an editable install of the
    # checkout, say) are not read.
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return environment / "bin"


def run(installed: Path, *arguments: str, **environment: str) -> str:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SCM_")}
    done = subprocess.run(
        [str(installed / arguments[0]), *arguments[1:]],
        cwd="/",
        env={**kept, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_wheel_holds_migrations_sample_data_and_static_files(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    for needed in (
        "scm_api/migrations/env.py",
        "scm_api/migrations/sql/0001_stock.sql",
        "scm_api/sample/data/sales.csv.gz",
        "scm_api/static/swagger-ui/swagger-ui-bundle.js",
        "scm_api/py.typed",
    ):
        assert needed in names
    assert not [name for name in names if name.startswith(("tests/", "bench/"))]
    assert any(name.endswith("licenses/NOTICE") for name in names)


def test_the_installed_program_migrates_and_checks_a_database_of_its_own(
    installed: Path, folder: Path
) -> None:
    data = {"SCM_DATA_DIR": str(folder / "pg"), "SCM_DURABLE": "false"}
    where = "import scm_api; print(scm_api.__file__)"
    assert str(folder) in run(installed, "python", "-c", where)
    assert "current schema" in run(installed, "scm-api", "migrate", **data)
    assert "All is well" in run(installed, "scm-api", "doctor", **data)
    assert not any((folder / "pg" / "data").glob("postmaster.pid"))
