"""Serves one application for a benchmark: `python -m bench.serve module:factory port`."""

import importlib
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from uuid import UUID

from scm_api.app import create_app
from scm_api.core.db import Database
from scm_api.core.observability import log_config
from scm_api.core.runtime import Credentials, Runtime
from scm_api.core.server import run
from scm_api.core.tx import Principal, Source, Tx
from scm_api.process import Urls, make_runtime
from scm_api.settings import settings


def api() -> object:
    """scm-api itself over SCM_DATABASE_URL."""
    url = settings().database_url
    assert url is not None
    return create_app(make_runtime(settings(), Urls(url, None)))


class _Unchecked(Database):
    """Transactions that name no organization and nobody who acts."""

    @asynccontextmanager
    async def transaction(self, principal: Principal, **options: Any) -> AsyncIterator[Tx]:
        async with self.raw("begin read only") as (connection, driver):
            yield Tx(
                connection,
                driver,
                organization_id=principal.organization_id,
                principal=principal,
                source=options.get("source") or Source(),
                now=options["now"],
            )


class _Anybody(Principal):
    """Somebody whose permissions are not looked at."""

    def may(self, permission: str) -> bool:
        return True

    def require(self, permission: str) -> None:
        pass


def unchecked() -> object:
    """scm-api for reads without authentication, tenant and permission check; the role is the
    database's superuser, to whom row-level security does not apply."""
    organization_id = UUID(os.environ["BENCH_ORGANIZATION"])
    principal = _Anybody("api_key", organization_id, "bench", organization_id, frozenset())

    async def authenticate(runtime: Runtime, credentials: Credentials) -> Principal:
        return principal

    made = make_runtime(settings(), Urls(os.environ["BENCH_ADMIN_URL"], None))
    database = _Unchecked(made.database.url)
    return create_app(replace(made, database=database, authenticate=authenticate))


if __name__ == "__main__":
    module, factory = sys.argv[1].split(":")
    application = getattr(importlib.import_module(module), factory)()
    run(application, "127.0.0.1", int(sys.argv[2]), log_config=log_config("json", "warning"))
