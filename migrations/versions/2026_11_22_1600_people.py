"""People, roles, limits and the audit trail."""

from pathlib import Path

from alembic import op

revision = "0002"
down_revision = "0001"

SQL = Path(__file__).parents[1] / "sql"


def _run(statements: str) -> None:
    # The driver itself: only it takes several statements at once.
    op.get_bind().connection.dbapi_connection.run_async(lambda driver: driver.execute(statements))


def upgrade() -> None:
    for name in ("access", "organizations", "trail", "rate", "limits", "sandbox", "security"):
        _run((SQL / f"0002_{name}.sql").read_text())


def downgrade() -> None:
    _run((SQL / "0002_down.sql").read_text())
