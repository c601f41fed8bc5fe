"""Writes openapi/openapi.json from the application; with --release also the baseline that later
documents are compared with (`tests/contract/test_changes.py`)."""

import argparse
import json
from pathlib import Path

from scm_api.app import bare_app

FOLDER = Path(__file__).parents[1] / "openapi"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--release", action="store_true", help="also replace baseline/v1.json")
    options = parser.parse_args()
    text = json.dumps(bare_app().openapi(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    targets = [FOLDER / "openapi.json"]
    if options.release:
        targets.append(FOLDER / "baseline" / "v1.json")
    for target in targets:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        print(f"wrote {target.relative_to(FOLDER.parent)}")


if __name__ == "__main__":
    main()
