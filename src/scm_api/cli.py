"""The `scm-api` command. Rule: it parses and prints; what it does is done elsewhere."""

import asyncio
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import asyncpg
import typer
from rich.console import Console
from rich.markup import escape

from scm_api import cli_access, demo, worker
from scm_api.app import bare_app
from scm_api.cli_audit import audit_commands
from scm_api.cli_database import database_commands
from scm_api.core.backup import BackupError
from scm_api.core.embedded import EmbeddedPostgresError
from scm_api.core.errors import Problem
from scm_api.core.observability import configure_logging
from scm_api.core.self_check import Finding
from scm_api.process import Urls, database_urls, make_runtime, prepare
from scm_api.serving import Readiness, check, ended_by_signals, get_ready, serve
from scm_api.settings import Settings, settings

app = typer.Typer(
    help="Inventory and procurement in one live flow: a JSON REST API on PostgreSQL.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(cli_access.organizations, name="organizations")
app.add_typer(cli_access.keys, name="keys")
app.add_typer(cli_access.users, name="users")
app.add_typer(database_commands, name="db")
app.add_typer(audit_commands, name="audit")
console = Console(soft_wrap=True, highlight=False)
errors = Console(stderr=True, soft_wrap=True, highlight=False)


def main() -> None:
    """Run the command line; what the user can mend is one line, not a traceback."""
    try:
        app()
    except (EmbeddedPostgresError, BackupError, asyncpg.PostgresError, OSError) as error:
        errors.print(f"[red]Error:[/red] {escape(str(error))}")
    except Problem as problem:
        errors.print(f"[red]Error:[/red] {escape(str(problem.body('en', '', '')['detail']))}")
    else:
        return
    sys.exit(1)


@contextmanager
def database(chosen: Settings) -> Iterator[Urls]:
    """The database of the settings, put down again however the command ends."""
    with ended_by_signals(), database_urls(chosen) as urls:
        yield urls


@app.command("serve")
def serve_command(
    host: Annotated[str | None, typer.Option(help="Address to listen at. [SCM_HOST]")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port; 0 picks a free one. [SCM_PORT]")
    ] = None,
    processes: Annotated[int, typer.Option(min=1, max=64, help="HTTP processes.")] = 1,
    with_worker: Annotated[
        bool, typer.Option("--worker/--no-worker", help="Run a worker beside the server.")
    ] = True,
) -> None:
    """Serve the API. Without SCM_DATABASE_URL it brings its own PostgreSQL."""
    chosen = with_options(settings(), host=host, port=port)
    with database(chosen) as urls:
        readiness = asyncio.run(get_ready(chosen, urls))
        refuse_findings(readiness)
        if readiness.first_key is not None:
            console.print(f"First API key, shown only this once: {readiness.first_key.token}")
        serve(
            chosen,
            urls,
            with_worker=with_worker,
            processes=processes,
            announce=lambda url: console.print(f"Serving {url} (documentation: {url}/docs)"),
        )


@app.command("worker")
def worker_command(
    parent_pipe: Annotated[
        int | None,
        typer.Option(hidden=True, help="Stop when this file descriptor reaches its end."),
    ] = None,
) -> None:
    """Run queued jobs, event consumers and chores; start as many as you like."""
    chosen = settings()
    with database(chosen) as urls:
        if parent_pipe is None:
            refuse_findings(Readiness(asyncio.run(check_prepared(chosen, urls))))
        configure_logging(chosen.log_format, chosen.log_level)
        job_process = worker.Worker(make_runtime(chosen, urls))
        asyncio.run(worker.run(job_process, watch_parent=parent_pipe))


async def check_prepared(chosen: Settings, urls: Urls) -> list[Finding]:
    """The self-check, after the embedded database (never an operator's) was brought to head."""
    if urls.embedded is not None:
        await prepare(urls)
    return await check(chosen, urls)


@app.command()
def migrate() -> None:
    """Bring the database to the current schema; makes the roles where they are missing."""
    with database(settings()) as urls:
        if urls.admin is None:
            errors.print("Set SCM_MIGRATION_DATABASE_URL to a role that may create tables.")
            raise typer.Exit(1)
        asyncio.run(prepare(urls))
        console.print("The database is at the current schema.")


@app.command()
def doctor() -> None:
    """Check what must hold before serving, and say how to mend what does not."""
    chosen = settings()
    with database(chosen) as urls:
        findings = asyncio.run(check_prepared(chosen, urls))
        where = urls.embedded.data_dir if urls.embedded else urlsplit(urls.app).hostname
        if findings:
            show_findings(findings)
            raise typer.Exit(1)
        console.print(f"All is well with the database at {where}.")


@app.command()
def openapi(
    path: Annotated[
        Path, typer.Argument(help="File to write, or - for standard output.", allow_dash=True)
    ] = Path("openapi/openapi.json"),
    is_check: Annotated[
        bool, typer.Option("--check", help="Write nothing; fail if the file differs.")
    ] = False,
) -> None:
    """Write the OpenAPI document, with sorted keys."""
    text = json.dumps(bare_app().openapi(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    if str(path) == "-":
        sys.stdout.write(text)
    elif not is_check:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        console.print(f"Wrote {path}.")
    elif not path.is_file() or path.read_text(encoding="utf-8") != text:
        errors.print(f"{path} is not what the program says. Write it anew: scm-api openapi {path}")
        raise typer.Exit(1)
    else:
        console.print(f"{path} is up to date.")


@app.command("demo")
def demo_command(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 picks a free one.")] = 8000,
    is_serving: Annotated[
        bool, typer.Option("--serve/--no-serve", help="Keep serving at the end.")
    ] = True,
    data_dir: Annotated[Path | None, typer.Option(help="Folder of the demo's data.")] = None,
    past_days: Annotated[int, typer.Option(min=28, help="Days of the past to live.")] = 365,
) -> None:
    """Build a year in the life of a small wholesaler, plan, order, receive, and serve it."""
    # Into a file or a pipe, tables keep the width they are made for.
    wide = Console(highlight=False, width=None if console.is_terminal else 100)
    with ended_by_signals():
        demo.run(wide, data_dir=data_dir, port=port, is_serving=is_serving, past_days=past_days)


def with_options(base: Settings, **options: Any) -> Settings:
    """The settings with the options a caller gave."""
    return base.model_copy(update={name: v for name, v in options.items() if v is not None})


def refuse_findings(readiness: Readiness) -> None:
    """Refuse to go on when the self-check found anything."""
    if readiness.findings:
        show_findings(readiness.findings)
        raise typer.Exit(1)


def show_findings(findings: list[Finding]) -> None:
    """What is wrong and how to mend it, on standard error."""
    for finding in findings:
        errors.print(f"[red]{finding.check}[/red]: {escape(finding.what)}")
        errors.print(f"  mend: {escape(finding.mend)}")
    errors.print(f"{len(findings)} finding(s): refusing to serve until they are mended.")
