"""`scm-api demo` from start to serving."""

from pathlib import Path

from rich.console import Console


def run(console: Console, *, data_dir: Path | None, port: int, is_serving: bool) -> None:
    """Build the demo where it is missing, then serve it."""
    raise NotImplementedError
