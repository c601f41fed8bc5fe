"""`scm-api demo` from start to serving. Rule: a demo that was finished once is served as it is; one
that was broken off is made anew; a database that holds anything else is left alone."""

import asyncio
import os
import time
from datetime import datetime, timedelta
from pathlib import Path

import asyncpg
from rich.console import Console

from scm_api import sample
from scm_api.audit import Organization, Report, audit_organization
from scm_api.core import consumers, migrate
from scm_api.core.embedded import EmbeddedPostgresError, default_data_dir
from scm_api.core.runtime import utc_now
from scm_api.demo import figures, screen, world
from scm_api.demo.story import Story
from scm_api.demo.trade import Trade
from scm_api.demo.world import Clock, World
from scm_api.process import DATABASE, Urls, database_urls, make_runtime, prepare
from scm_api.serving import check, serve, system_connection
from scm_api.settings import Settings

# The last days are the story; the buyer is silent before it, so that the plan finds work.
STORY_DAYS = 12
QUIET_DAYS = 3
KEY_FILE, APPROVER_FILE = "demo-key", "demo-approver-key"


def run(
    console: Console, *, data_dir: Path | None, port: int, is_serving: bool, past_days: int
) -> None:
    """Build the demo where it is missing, with at most `past_days` of its past, then serve it."""
    folder = (data_dir or default_data_dir().with_name("demo")).expanduser().resolve()
    settings = Settings(
        database_url=None,
        data_dir=folder,
        durable=False,
        port=port,
        log_format="console",
        log_level="warning",
    )
    with database_urls(settings) as urls:
        if not (folder / KEY_FILE).is_file():
            made = asyncio.run(_build(settings, urls, console, past_days))
            _write_key(folder / APPROVER_FILE, made.approver.token)
            # Written last: its presence says that the demo is whole.
            _write_key(folder / KEY_FILE, made.buyer.token)
        else:
            asyncio.run(prepare(urls))
            console.print(f"Found the demo in {folder}.")
        if not is_serving:
            return
        for finding in asyncio.run(check(settings, urls)):
            raise EmbeddedPostgresError(f"{finding.what} {finding.mend}")
        serve(settings, urls, announce=lambda url: _announce(console, url, folder))


def _write_key(path: Path, token: str) -> None:
    unfinished = path.with_name(f"{path.name}.new")
    unfinished.unlink(missing_ok=True)
    fd = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with open(fd, "w") as file:
        file.write(token + "\n")
    unfinished.replace(path)


async def _build(settings: Settings, urls: Urls, console: Console, past_days: int) -> World:
    """Make the demo's data; gives its world, with the API keys."""
    began = time.monotonic()
    today = datetime.now(world.ZONE).date()
    # Its calendar moves by whole weeks: this one reaches today at least.
    company = sample.load(today + timedelta(days=6))
    last = company.days.index(today) - 1
    first = max(0, last - STORY_DAYS - past_days + 1)
    await _start_afresh(urls)
    runtime = make_runtime(settings, urls)
    clock = Clock(world.at(company.days[first], 6))
    runtime.clock = clock
    try:
        screen.heading(console, f"{company.name}: {company.days[first]} to {company.days[last]}")
        made = await world.create(runtime, clock, company, company.days[first])
        trade = await _live_the_year(made, console, first, last - STORY_DAYS)
        story = Story(console, made, trade, last - STORY_DAYS + 1)
        await story.tell(last)
        clock.now = utc_now()
        await story.plan_again()
        await consumers.drain(runtime)
        await _prove(made, trade, console)
    finally:
        await runtime.database.dispose()
    console.print(f"Made in {time.monotonic() - began:.0f} s.")
    return made


async def _start_afresh(urls: Urls) -> None:
    """A new database, unless the present one holds more than a demo that was broken off."""
    await prepare(urls)
    async with system_connection(urls) as connection:
        codes = {row["code"] for row in await connection.fetch("select code from organization")}
    if not codes:
        return
    if codes != {world.ORGANIZATION}:
        raise EmbeddedPostgresError(
            "This data folder holds other organizations. Choose another one with --data-dir."
        )
    assert urls.embedded is not None
    admin = await asyncpg.connect(urls.embedded.admin_dsn)
    try:
        await admin.execute(f'drop database "{DATABASE}" with (force)')
    finally:
        await admin.close()
    await migrate.create_database(urls.embedded.admin_dsn, DATABASE)
    await prepare(urls)


async def _live_the_year(made: World, console: Console, first: int, last: int) -> Trade:
    """Post the opening stock and live the days from `first` to `last` of the sample."""
    company = made.company
    console.print(
        f"{len(company.items)} items in {len(company.warehouses)} warehouses from "
        f"{len(company.suppliers)} suppliers. The sales of each day are real "
        "(UCI Online Retail, see NOTICE)."
    )
    trade = Trade.at_the_beginning(made, first)
    await trade.open()
    began = time.monotonic()
    with screen.progress(console) as bars:
        bar = bars.add_task("Living the year, day by day", total=last - first + 1, note="")
        for index in range(first, last + 1):
            await trade.day(index, is_buyer_at_work=index <= last - QUIET_DAYS)
            bars.update(bar, advance=1, note=str(company.days[index]))
    seconds = time.monotonic() - began
    counts = trade.counts
    screen.table(
        console,
        ["stock documents", "lines", "a second", "units sold", "lost sales", "orders", "receipts"],
        [
            (
                counts.documents,
                counts.lines,
                int(counts.lines / seconds),
                counts.sold,
                counts.lost,
                counts.orders,
                counts.receipts,
            )
        ],
        title="The past, ordered by a simple rule",
    )
    return trade


async def _prove(made: World, trade: Trade, console: Console) -> None:
    """The ledger must agree with the arrays the days were lived by, and with itself."""
    async with made.transaction() as tx:
        found = await figures.on_hand(tx, made)
    if not (found == trade.on_hand).all():
        raise RuntimeError("The ledger and the replay disagree about what is on hand.")
    report = Report()
    organization = Organization(made.organization_id, world.ORGANIZATION)
    await audit_organization(made.runtime, organization, report)
    console.print()
    console.print(report.summary())
    if report.findings:
        raise RuntimeError(f"The audit found {report.findings[0]}")


def _announce(console: Console, url: str, folder: Path) -> None:
    header = '-H "Authorization: Bearer $KEY"'
    paths = (
        "/v1/replenishment/suggestions?status=open&limit=3",
        "/v1/alerts?status=open&limit=3",
        "/v1/stock?limit=3",
    )
    lines = (
        "",
        f"Serving {url}, documentation at {url}/docs",
        f"API keys (also in {folder}): the buyer's, who may everything but approve his own orders,",
        "and the approver's:",
        f"  export KEY={(folder / KEY_FILE).read_text().strip()}",
        f"  export APPROVER_KEY={(folder / APPROVER_FILE).read_text().strip()}",
        *(f"  curl -s {header} '{url}{path}'" for path in paths),
        "Ctrl-C ends it and leaves nothing running.",
    )
    # One line each, however narrow the terminal: people copy them.
    console.print("\n".join(lines), soft_wrap=True, markup=False, highlight=False)
