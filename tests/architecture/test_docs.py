"""What the documentation names exists."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("**/*.md")])
_FOLDERS = r"(?:src|tests|docs|migrations|openapi|scripts|bench|examples|\.github)"
_PATH = re.compile(rf"`({_FOLDERS}/[\w./-]*)`|\]\((?!https?:|#|mailto:)([^)#\s]+)[^)]*\)")


def test_there_is_documentation() -> None:
    assert ROOT / "README.md" in DOCUMENTS


def test_every_path_the_documentation_names_exists() -> None:
    missing = []
    for document in DOCUMENTS:
        for in_code, in_link in _PATH.findall(document.read_text()):
            target = ROOT / in_code if in_code else document.parent / in_link
            if not target.exists():
                missing.append(f"{document.relative_to(ROOT)}: {in_code or in_link}")
    assert missing == []
