"""How connections are made: what a pooler between us and the server needs."""

from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import event, select

from scm_api.core.db import Database
from scm_api.core.outbox import EventRow
from scm_api.core.runtime import utc_now
from scm_api.core.tx import Principal
from scm_api.process import Urls

URL = "postgresql://scm_app@localhost/scm"


class Stop(Exception):
    """Thrown instead of connecting."""


async def connect_args(pooler: str) -> dict[str, Any]:
    """What the driver is given when a connection is made."""
    database, seen = Database(URL, pooler=pooler), dict[str, Any]()

    def stop(dialect: Any, record: Any, args: Any, params: dict[str, Any]) -> None:
        seen.update(params)
        raise Stop

    event.listen(database.engine.sync_engine, "do_connect", stop)
    with pytest.raises(Stop):
        await database.engine.connect()
    return seen


async def test_behind_a_pooler_statements_have_no_name() -> None:
    """One server connection serves many of ours in turn: names would clash or pile up there."""
    seen = await connect_args("transaction")
    assert seen["statement_cache_size"] == 0
    assert int(seen["prepared_statement_cache_size"]) == 0
    assert seen["prepared_statement_name_func"]() == ""
    assert seen["server_settings"] == {}, "a pooler refuses start-up parameters"


async def test_without_a_pooler_statements_are_kept() -> None:
    seen = await connect_args("none")
    assert seen["statement_cache_size"] == 512
    assert "prepared_statement_name_func" not in seen


async def test_no_statement_stays_on_the_server_behind_a_pooler(urls: Urls) -> None:
    database = Database(urls.app, pooler="transaction")
    principal = Principal("user", uuid4(), "somebody", uuid4(), frozenset("*"))
    try:
        for number in range(20):
            async with database.transaction(principal, now=utc_now()) as tx:
                await tx.session.execute(select(EventRow).limit(number))
                await tx.fetch("select $1::int", number)
                left = await tx.driver.fetch("select name, statement from pg_prepared_statements")
                assert left == []
    finally:
        await database.dispose()
