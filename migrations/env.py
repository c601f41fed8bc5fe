"""Alembic's environment: online only, on the connection that `scm_api.core.migrate` hands over."""

from alembic import context

from scm_api.core.db import Base

connection = context.config.attributes["connection"]
# pgqueuer's tables are its own; everything else must be described by our models.
ours = set(Base.metadata.tables)


def _is_ours(name: str | None, kind: str, parents: object) -> bool:
    return kind != "table" or name in ours


context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    include_name=_is_ours,
    compare_server_default=False,
)
with context.begin_transaction():
    context.run_migrations()
