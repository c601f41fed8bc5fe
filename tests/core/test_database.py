"""How connections are made: what a pooler between us and the server needs."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import event

from scm_api.core.db import Database

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


async def test_behind_a_pooler_no_statement_outlives_its_use_or_shares_its_name() -> None:
    """One server connection serves many of ours in turn, and names are per server connection."""
    first, second = await connect_args("transaction"), await connect_args("transaction")
    for seen in (first, second):
        assert seen["statement_cache_size"] == 0
        assert int(seen["prepared_statement_cache_size"]) == 0
        assert seen["server_settings"] == {}, "a pooler refuses start-up parameters"
    name: Callable[[], str] = first["prepared_statement_name_func"]
    other: Callable[[], str] = second["prepared_statement_name_func"]
    names = [make() for make in (name, other) for _ in range(100)]
    assert len(set(names)) == 200
    assert all(0 < len(name) < 64 for name in names), "identifiers end at 63 bytes"


async def test_without_a_pooler_statements_are_kept() -> None:
    seen = await connect_args("none")
    assert seen["statement_cache_size"] == 512
    assert "prepared_statement_name_func" not in seen
