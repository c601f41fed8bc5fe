"""A look at accounts and credentials from within an organization's transaction.

Inside the block, row-level security shows the access tables of all organizations: every statement
there names the person or organization it is about.
"""

import contextlib
from collections.abc import AsyncIterator

import asyncpg

from scm_api.core.tx import Tx

_OPEN = """
select coalesce(current_setting('app.system', true), '') as was,
       set_config('app.system', 'on', true)
"""


@contextlib.asynccontextmanager
async def system_view(tx: Tx) -> AsyncIterator[None]:
    """See, for the statements of the block, what the process itself sees. A savepoint goes inside,
    never around: rolling back to it would leave the view as it was."""
    was = await tx.fetchval(_OPEN)
    try:
        yield
    finally:
        # After an error of the database nothing more runs in this transaction anyway.
        with contextlib.suppress(asyncpg.InFailedSQLTransactionError):
            await tx.execute("select set_config('app.system', $1, true)", was)
