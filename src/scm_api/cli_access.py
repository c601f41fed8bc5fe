"""`scm-api organizations` and `scm-api keys`: who may use the API. A key is shown once, here."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, TypeVar
from uuid import UUID

import asyncpg
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from scm_api.access import service as access
from scm_api.process import database_urls, prepare
from scm_api.serving import ended_by_signals, system_connection
from scm_api.settings import settings

organizations = typer.Typer(help="Organizations: each sees only its own data.")
keys = typer.Typer(help="API keys of an organization.")
console = Console(soft_wrap=True, highlight=False)
T = TypeVar("T")

Organization = Annotated[str, typer.Option("--organization", "-o", help="Code.")]


def in_system(work: Callable[[asyncpg.Connection], Awaitable[T]]) -> T:
    """Run one system transaction on the settings' database."""

    async def run() -> T:
        if urls.embedded is not None:
            await prepare(urls)
        async with system_connection(urls) as connection:
            return await work(connection)

    with ended_by_signals(), database_urls(settings()) as urls:
        return asyncio.run(run())


@organizations.command("create")
def create_organization(
    code: str,
    name: Annotated[str, typer.Option(help="Name; the code if absent.")] = "",
    currency: Annotated[str, typer.Option(help="ISO 4217 code of its books.")] = "CNY",
    time_zone: Annotated[str, typer.Option(help="IANA time zone of its days.")] = "UTC",
) -> None:
    """Create an organization."""

    async def work(connection: asyncpg.Connection) -> UUID:
        return await access.create_organization(
            connection, code=code, name=name or code, base_currency=currency, time_zone=time_zone
        )

    console.print(f"Created organization {escape(code)} ({in_system(work)}).")


@organizations.command("list")
def list_organizations() -> None:
    """List the organizations."""
    rows = in_system(
        lambda connection: connection.fetch(
            "select code, name, base_currency, time_zone, created_at from organization order by 1"
        )
    )
    _show(["code", "name", "currency", "time zone", "created"], rows)


@keys.command("create")
def create_key(
    organization: Organization = "main",
    name: Annotated[str, typer.Option(help="What the key is for.")] = "key",
    permission: Annotated[
        list[str] | None, typer.Option(help="Such as items:read; repeat it. All if absent.")
    ] = None,
    days: Annotated[int | None, typer.Option(min=1, help="Days until it expires.")] = None,
) -> None:
    """Create an API key and show it, this once."""
    expires_at = None if days is None else datetime.now(UTC) + timedelta(days=days)

    async def work(connection: asyncpg.Connection) -> access.NewKey:
        return await access.create_key(
            connection,
            await access.find_organization(connection, organization),
            name=name,
            permissions=permission or ("*",),
            expires_at=expires_at,
        )

    key = in_system(work)
    console.print(f"Key {key.id}, shown only this once:\n{key.token}")


@keys.command("list")
def list_keys(organization: Organization = "main") -> None:
    """List the keys of an organization; the secrets are not kept."""

    async def work(connection: asyncpg.Connection) -> list[asyncpg.Record]:
        rows: list[asyncpg.Record] = await connection.fetch(
            """
            select id, name, array_to_string(permissions, ', '), created_at, last_used_at,
                   expires_at, revoked_at
            from api_key where organization_id = $1 order by created_at
            """,
            await access.find_organization(connection, organization),
        )
        return rows

    _show(
        ["id", "name", "permissions", "created", "last used", "expires", "revoked"],
        in_system(work),
    )


@keys.command("revoke")
def revoke_key(key_id: UUID) -> None:
    """Revoke a key; every process refuses it within a second."""
    in_system(lambda connection: access.revoke_key(connection, key_id))
    console.print(f"Revoked {key_id}.")


def _show(head: list[str], rows: list[asyncpg.Record]) -> None:
    table = Table(*head)
    for row in rows:
        table.add_row(*(escape(_text(value)) for value in row))
    Console(width=None if console.is_terminal else 220).print(table)


def _text(value: object) -> str:
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M")
    return "" if value is None else str(value)
