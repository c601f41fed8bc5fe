"""What the README promises: its tour runs, and every path and command it names exists."""

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from scm_api.settings import Settings
from tests.cli.processes import data_folder, serving

CHECKOUT = Path(__file__).parents[2]
READMES = ("README.md", "README.zh-CN.md")
TOUR = re.compile(r"<!-- tour.*?-->\n```bash\n(.*?)```", re.DOTALL)
DOCUMENTS = [
    *(CHECKOUT / name for name in (*READMES, "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted((CHECKOUT / "docs").rglob("*.md")),
]


def tour(name: str) -> str:
    (found,) = TOUR.findall((CHECKOUT / name).read_text())
    return str(found)


async def test_the_tour_runs_as_it_is_written() -> None:
    with data_folder() as folder:
        async with serving(folder, "serve", SCM_DURABLE="false") as server:
            script = tour("README.md").replace("http://127.0.0.1:8000", server.url)
            script = script.replace(".venv/bin/scm-api", f"{sys.executable} -m scm_api")
            done = await asyncio.to_thread(
                subprocess.run,
                ["bash", "-euo", "pipefail", "-c", script],
                env={
                    **os.environ,
                    "KEY": server.key or "",
                    "SCM_DATA_DIR": str(folder),
                    "SCM_DURABLE": "false",
                },
                capture_output=True,
                text=True,
                timeout=60,
            )
    assert done.returncode == 0, done.stdout + done.stderr
    position = done.stdout.strip().splitlines()[-1]
    for promised in ('"170.0000"', '"300.0000"', '"20.4000"'):
        assert promised in position


def test_the_chinese_tour_is_the_same_with_chinese_names() -> None:
    english = tour("README.md").replace('"base_unit": "EA"', '"base_unit": "个"')
    chinese = re.sub(r', "name_zh": "[^"]*"', "", tour("README.zh-CN.md"))
    assert chinese == english


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.name))
def test_every_link_and_path_in_the_documents_exists(document: Path) -> None:
    text = document.read_text()
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in link]
    assert [link for link in links if not (document.parent / link).exists()] == []
    paths = re.findall(r"`((?:src|tests|docs|migrations)/[\w./-]+)`", text)
    assert [path for path in paths if not (CHECKOUT / path).exists()] == []


@pytest.mark.parametrize("name", READMES)
def test_every_make_target_in_the_readme_exists(name: str) -> None:
    targets = set(re.findall(r"\bmake ([a-z]+)", (CHECKOUT / name).read_text()))
    known = set(re.findall(r"^([a-z]+):", (CHECKOUT / "Makefile").read_text(), re.MULTILINE))
    assert {"demo", "serve", "bench"} <= targets <= known


def test_the_guide_names_every_setting() -> None:
    text = (CHECKOUT / "docs/guides/operating.md").read_text()
    assert {name for name in Settings.model_fields if f"`SCM_{name.upper()}`" not in text} == set()
