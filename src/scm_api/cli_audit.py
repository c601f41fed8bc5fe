"""`scm-api audit`: prove that the books add up, and that nothing sealed was changed."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from scm_api.audit import (
    Head,
    Organization,
    Report,
    audit_organization,
    heads,
    organizations,
    verify_organization,
)
from scm_api.core.errors import NotFound
from scm_api.core.runtime import Runtime
from scm_api.process import database_urls, make_runtime, prepare
from scm_api.serving import ended_by_signals, in_system
from scm_api.settings import settings
from scm_api.trail.verifying import Finding, Verification

audit_commands = typer.Typer(
    help="Prove that the books add up, and that nothing sealed was changed.",
    invoke_without_command=True,
)
console = Console(soft_wrap=True, highlight=False)
errors = Console(stderr=True, soft_wrap=True, highlight=False)
T = TypeVar("T")

Code = Annotated[
    str | None, typer.Option("--organization", "-o", help="Code; all organizations if absent.")
]


@audit_commands.callback()
def audit(context: typer.Context) -> None:
    """Prove from the ledger that every balance, value and open order adds up."""
    if context.invoked_subcommand is not None:
        return
    report = Report()

    async def work(runtime: Runtime, organization: Organization) -> None:
        await audit_organization(runtime, organization, report)

    for_each(None, "Auditing", work)
    if report.findings:
        show(
            "Audit findings",
            ("organization", "check", "what", "expected", "found"),
            report.findings,
        )
        raise typer.Exit(1)
    console.print(report.summary())


@audit_commands.command()
def verify(
    organization: Code = None,
    head: Annotated[
        list[str] | None, typer.Option(help="A seal noted earlier, which must still be there.")
    ] = None,
    heads_file: Annotated[
        Path | None,
        typer.Option("--heads", help="What `audit head` printed earlier.", exists=True),
    ] = None,
) -> None:
    """Compute every seal anew; name the row that was changed, deleted, inserted or moved."""
    expected = {seal: seal for seal in head or []}
    if heads_file is not None:
        expected |= {line.split()[-1]: line for line in heads_file.read_text().splitlines() if line}
    try:
        wanted = {bytes.fromhex(seal): named for seal, named in expected.items()}
    except ValueError as error:
        raise typer.BadParameter("A seal is 64 hexadecimal digits.") from error

    async def work(runtime: Runtime, organization: Organization) -> Verification:
        return await verify_organization(runtime, organization, wanted.keys())

    verified = for_each(organization, "Verifying", work)
    findings = [(code, *finding) for code, done in verified.items() for finding in done.findings]
    seen = {seal for done in verified.values() for seal in done.heads}
    for seal, named in wanted.items():
        if seal not in seen:
            gone = Finding("missing", "audit_seal", named, "the newest seals were taken away")
            findings.append(("", *gone))
    if findings:
        show("Findings", ("organization", "problem", "table", "row", "where"), findings)
        raise typer.Exit(1)
    console.print(_summary(list(verified.values())))


def _summary(verified: list[Verification]) -> str:
    rows, seals, unkeyed, waiting = (
        sum(getattr(done, name) for done in verified)
        for name in ("rows", "seals", "unkeyed", "waiting")
    )
    text = (
        f"Verified: {len(verified)} organization(s), {rows} rows under {seals} seals; "
        f"{waiting} rows wait for theirs."
    )
    if unkeyed and settings().seal_key is not None:
        text += f" {unkeyed} seals were made without a key."
    return text


@audit_commands.command()
def head(organization: Code = None) -> None:
    """Print the newest seals: keep them where nobody who can write the database can."""

    async def work(runtime: Runtime, organization: Organization) -> list[Head]:
        return await heads(runtime, organization)

    for found in for_each(organization, "Reading", work).values():
        for one in found:
            console.print(f"{escape(one.organization)} {one.stream} {one.no} {one.seal}")


_ACCESSES = """
select to_char(l.happened_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS') as at, l.kind, l.count,
       o.code as organization, u.email as person, coalesce(k.name, l.key_id::text) as key,
       l.address, nullif(l.detail, '{}')::text as detail, l.request_id
from access_log l
left join organization o on o.id = l.about_organization_id
left join user_account u on u.id = l.user_id
left join api_key k on k.organization_id = l.about_organization_id and k.id = l.key_id
where l.happened_at >= coalesce($1, '-infinity'::timestamptz)
order by l.happened_at desc, l.id desc limit $2
"""


@audit_commands.command()
def accesses(
    since: Annotated[
        datetime | None, typer.Option(help="Only from this time on, in UTC.", show_default=False)
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Rows at most.")] = 200,
) -> None:
    """Print who came in or was refused, newest first: of all organizations, and what belongs to
    none, such as guesses of keys that do not exist."""
    start = since and since.replace(tzinfo=UTC)
    rows = in_system(lambda connection: connection.fetch(_ACCESSES, start, limit))
    columns = ("at", "kind", "count", "organization", "person", "key", "address", "detail")
    table = Table(*columns, "request")
    for row in rows:
        table.add_row(*("" if value is None else escape(str(value)) for value in row))
    Console(width=None if console.is_terminal else 240).print(table)


def for_each(
    code: str | None, words: str, work: Callable[[Runtime, Organization], Awaitable[T]]
) -> dict[str, T]:
    """Do something for the organization of a code, or for all; the results by code."""
    chosen = settings()

    async def run() -> dict[str, T]:
        if urls.embedded is not None:
            await prepare(urls)
        runtime = make_runtime(chosen, urls)
        try:
            found = [o for o in await organizations(runtime) if code in (None, o.code)]
            if code is not None and not found:
                raise NotFound(kind="organization", reference=code)
            with progress(words) as bar:
                return {one.code: await work(runtime, one) for one in bar.track(found)}
        finally:
            await runtime.database.dispose()

    with ended_by_signals(), database_urls(chosen) as urls:
        return asyncio.run(run())


def progress(words: str) -> Progress:
    """A progress bar on standard error; nothing where that is no terminal."""
    return Progress(
        TextColumn(words),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=errors,
        transient=True,
        disable=not errors.is_terminal,
    )


def show(title: str, columns: Iterable[str], lines: Sequence[tuple[str, ...]]) -> None:
    """What was found, as a table."""
    table = Table(*columns, title=title)
    for line in lines:
        table.add_row(*(escape(value) for value in line))
    Console(width=200 if not console.is_terminal else None).print(table)
    errors.print(f"{len(lines)} finding(s).")
