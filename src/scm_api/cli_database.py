"""`scm-api db`: the whole database to one file and back."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from scm_api.core import backup, migrate
from scm_api.process import DATABASE, Urls, database_urls
from scm_api.serving import ended_by_signals
from scm_api.settings import settings

database_commands = typer.Typer(help="Dump and restore the whole database.")
console = Console(soft_wrap=True, highlight=False)


def _admin(urls: Urls) -> str:
    """A role that reads every organization's rows."""
    if urls.admin is None:
        raise backup.BackupError(
            "Set SCM_MIGRATION_DATABASE_URL: only a role past row-level security sees all rows."
        )
    return urls.admin


@database_commands.command()
def dump(
    path: Annotated[Path, typer.Argument(help="File to write; replaced only by a whole dump.")],
) -> None:
    """Write the whole database to one file."""
    with ended_by_signals(), database_urls(settings()) as urls:
        asyncio.run(backup.dump(_admin(urls), path))
    console.print(f"Wrote {path}.")


@database_commands.command()
def restore(
    path: Annotated[Path, typer.Argument(help="A file that `db dump` wrote.", exists=True)],
    is_forced: Annotated[
        bool, typer.Option("--force", help="Replace what the database holds.")
    ] = False,
) -> None:
    """Fill the database from a dump, whole or not at all. Stop the servers before."""

    async def run(urls: Urls) -> None:
        if urls.embedded is not None:
            await migrate.create_database(urls.embedded.admin_dsn, DATABASE)
        await backup.restore(_admin(urls), path, force=is_forced)

    with ended_by_signals(), database_urls(settings()) as urls:
        asyncio.run(run(urls))
    console.print(f"Restored {path}.")
