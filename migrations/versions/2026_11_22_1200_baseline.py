"""The first schema: tables, the owner's rules on them, and the ledger's functions.

The SQL is frozen: later changes are later revisions. Tests hold it against the models.
"""

from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None

SQL = Path(__file__).parents[1] / "sql"


def _run(statements: str) -> None:
    # The driver itself: only it takes several statements at once.
    op.get_bind().connection.dbapi_connection.run_async(lambda driver: driver.execute(statements))


def upgrade() -> None:
    for name in ("feed", "queue", "tables", "stock", "security", "search"):
        _run((SQL / f"0001_{name}.sql").read_text())


def downgrade() -> None:
    """Remove everything this revision made; what else lies in the schema stays."""
    _run((SQL / "0001_down.sql").read_text())
