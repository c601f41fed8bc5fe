"""The first schema: every table, the owner's rules on it, and the ledger's functions."""

import importlib
from pathlib import Path

from alembic import op

from scm_api.core.db import Base

revision = "0001"
down_revision = None

SQL = Path(__file__).parents[1] / "sql"


def _run(name: str) -> None:
    sql = (SQL / f"0001_{name}.sql").read_text()
    # The driver itself: only it takes several statements at once.
    op.get_bind().connection.dbapi_connection.run_async(lambda driver: driver.execute(sql))


def upgrade() -> None:
    importlib.import_module("scm_api.wiring")
    _run("feed")
    _run("queue")
    Base.metadata.create_all(op.get_bind())
    _run("stock")
    _run("security")
    _run("search")
