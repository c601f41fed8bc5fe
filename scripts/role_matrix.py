"""Write docs/role-matrix.csv: which template role may call which operation, and sees what it costs.

python scripts/role_matrix.py [--check]
"""

import sys
from pathlib import Path

from scm_api.access.matrix import rows, to_csv
from scm_api.app import bare_app

PATH = Path(__file__).parents[1] / "docs" / "role-matrix.csv"


def main() -> int:
    text = to_csv(rows(bare_app().router.routes))
    if "--check" not in sys.argv[1:]:
        PATH.write_text(text, encoding="utf-8")
        print(f"Wrote {PATH.name}.")
        return 0
    if PATH.is_file() and PATH.read_text(encoding="utf-8") == text:
        return 0
    print(f"{PATH.name} is not what the program says. Write it anew: python {sys.argv[0]}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
