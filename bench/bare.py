"""The peers of one run: an ASGI application with nothing but asyncpg and the ledger statement, and
FastAPI's own hello."""

import json
import os
from uuid import UUID

import asyncpg
from fastapi import FastAPI
from pydantic import BaseModel

from bench.sql import for_asyncpg
from scm_api.core.ids import uuid7
from scm_api.settings import settings

_SQL = for_asyncpg()
_OK = [(b"content-type", b"application/json")]


class Bare:
    """POST {"item", "place", "warehouse", "customer", "organization"}: posts one issue."""

    def __init__(self) -> None:
        self.pool: asyncpg.Pool | None = None

    async def __call__(self, scope, receive, send) -> None:
        if scope["type"] == "lifespan":
            while True:
                message = await receive()
                await send({"type": message["type"] + ".complete"})
                if message["type"] == "lifespan.shutdown":
                    return
        if self.pool is None:
            self.pool = await asyncpg.create_pool(
                settings().database_url,
                min_size=8,
                max_size=16,
                server_settings={"app.organization_id": os.environ["BENCH_ORGANIZATION"]},
            )
        body = json.loads((await receive())["body"])
        async with self.pool.acquire() as connection:
            rows = await connection.fetch(
                _SQL, UUID(body["organization"]), uuid7(), UUID(body["item"]),
                UUID(body["place"]), UUID(body["warehouse"]), UUID(body["customer"]),
            )  # fmt: skip
        content = json.dumps({"value": str(rows[0]["value"])}).encode()
        headers = [*_OK, (b"content-length", str(len(content)).encode())]
        await send({"type": "http.response.start", "status": 201, "headers": headers})
        await send({"type": "http.response.body", "body": content})


def ledger() -> Bare:
    return Bare()


class Hello(BaseModel):
    message: str


def hello() -> FastAPI:
    app = FastAPI()

    @app.get("/hello")
    async def hello() -> Hello:
        return Hello(message="hello")

    return app
