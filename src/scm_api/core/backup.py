"""Dump a database to one file and restore it, whole or not at all. Rule: a file or a database is
complete or untouched, and a password never stands on a command line.
"""

import asyncio
import contextlib
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

import asyncpg

from scm_api.core.embedded_process import POSTGRES_MAJOR, binary
from scm_api.core.migrate import create_roles

Progress = Callable[[str], None]
Connection: TypeAlias = asyncpg.Connection
Prepare = Callable[[Connection], Awaitable[None]]

# What libpq and asyncpg both understand. The rest of a URL's query is for SQLAlchemy.
SHARED_PARAMETERS = frozenset(
    {"application_name", "dbname", "host", "passfile", "port", "sslcert", "sslkey", "sslmode"}
    | {"sslrootcert", "target_session_attrs", "user"}
)
ENCRYPTED = frozenset({"require", "verify-ca", "verify-full"})
# Where `restore(force=True)` keeps the old content until the new one is in.
ASIDE = "before_restore_"
ERROR_LINES = 20

IS_USER_SCHEMA = "nspname !~ '^pg_' AND nspname <> 'information_schema'"
USER_SCHEMAS = f"SELECT nspname FROM pg_namespace WHERE {IS_USER_SCHEMA} ORDER BY nspname"
# One row for each table or sequence, view, function, type and schema that is not PostgreSQL's own.
USER_OBJECTS = f"""
SELECT (SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
         WHERE {IS_USER_SCHEMA})
     + (SELECT count(*) FROM pg_proc JOIN pg_namespace n ON n.oid = pronamespace
         WHERE {IS_USER_SCHEMA})
     + (SELECT count(*) FROM pg_type JOIN pg_namespace n ON n.oid = typnamespace
         WHERE {IS_USER_SCHEMA})
     + (SELECT count(*) FROM pg_namespace WHERE {IS_USER_SCHEMA} AND nspname <> 'public')
"""
# As initdb leaves it: pg_dump writes down only what differs from that.
NEW_PUBLIC_SCHEMA = """
CREATE SCHEMA public AUTHORIZATION pg_database_owner;
GRANT USAGE ON SCHEMA public TO PUBLIC;
COMMENT ON SCHEMA public IS 'standard public schema';
"""
TABLES_AND_SEQUENCES = f"""
SELECT format('%I.%I', nspname, relname) AS name, relkind = 'S' AS is_sequence
  FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace
 WHERE relkind IN ('r', 'S') AND {IS_USER_SCHEMA}
 ORDER BY 1
"""
# A sum does not depend on the order of the rows and needs no memory for them; 2 x 64 bits of MD5.
TABLE_DIGEST = """
SELECT concat_ws(':', count(*),
         coalesce(sum(('x' || left(h, 16))::bit(64)::bigint::numeric), 0),
         coalesce(sum(('x' || right(h, 16))::bit(64)::bigint::numeric), 0))
  FROM (SELECT md5(row_::text) AS h FROM ONLY {table} AS row_) AS hashes
"""
SEQUENCE_DIGEST = "SELECT concat_ws(':', last_value, is_called) FROM {table}"


class BackupError(RuntimeError):
    """A dump or a restore was refused or failed. Unless the message says otherwise, what was there
    before is unchanged."""


async def dump(dsn: str, target: Path, *, progress: Progress | None = None) -> None:
    """Write the database at `dsn` to `target` (pg_dump's custom format, mode 0600).

    The role needs to read all rows: a superuser, or one with BYPASSRLS. `target` is replaced only
    by a complete dump. `progress` gets one line for each thing written. Raises BackupError.
    """
    target = target.expanduser().absolute()
    if target.is_dir():
        raise BackupError(f"{target} is a folder; name the file to write.")
    try:
        fd, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent)
    except OSError as error:
        raise BackupError(f"Cannot write in {target.parent}: {error.strerror}.") from error
    os.close(fd)
    unfinished = Path(name)
    try:
        await _run("pg_dump", dsn, ["--format=custom", f"--file={unfinished}"], progress)
        unfinished.replace(target)
        _sync_folder(target.parent)
    finally:
        unfinished.unlink(missing_ok=True)


async def restore(
    dsn: str,
    source: Path,
    *,
    force: bool = False,
    prepare: Prepare = create_roles,
    progress: Progress | None = None,
) -> None:
    """Fill the database at `dsn` from a file of `dump`, in one transaction.

    The role is a superuser, or the owner of the database and a member of the owner of its tables.
    A database that holds anything is refused, unless `force`: then its content is set aside, and
    dropped after the restore or put back if that fails. Stop everything that uses it before.
    `prepare` runs first and creates the roles that the dump names: they belong to the server, so a
    dump does not hold them. Raises BackupError.
    """
    source = source.expanduser().absolute()
    await _check_dump(source)
    async with _connection(dsn) as connection:
        if not force and await connection.fetchval(USER_OBJECTS):
            name = await connection.fetchval("SELECT current_database()")
            raise BackupError(
                f"The database {name} is not empty. Restore into an empty one, or replace its "
                "content with --force."
            )
        await prepare(connection)
        kept = await _set_aside(connection) if force else []
        try:
            options = ["--single-transaction", "--exit-on-error", str(source)]
            await _run("pg_restore", dsn, options, progress)
        except BaseException:
            await asyncio.shield(_put_back(connection, kept))
            raise
        try:
            await _finish(connection, kept)
        except asyncpg.PostgresError as error:
            raise BackupError(
                f"The content of {source} is in, but the last step failed: {error}. What was there "
                f"before, if anything, is in schemas named {ASIDE}..."
            ) from error


async def table_digests(dsn: str) -> dict[str, str]:
    """A digest of each table's rows and each sequence's state, by `schema.name`.

    Two databases with the same digests hold the same rows, in whatever order. All are of one
    moment. A table's digest is its number of rows and the sums of both halves of the rows' MD5.
    """
    async with (
        _connection(dsn) as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        # The text of a row depends on these; a row that a policy hides must fail, not vanish.
        await connection.execute(
            "SET LOCAL timezone = 'UTC'; SET LOCAL datestyle = 'ISO'; SET LOCAL row_security = off;"
            "SET LOCAL intervalstyle = 'postgres'; SET LOCAL bytea_output = 'hex';"
            "SET LOCAL extra_float_digits = 1"
        )
        digests: dict[str, str] = {}
        for name, is_sequence in await connection.fetch(TABLES_AND_SEQUENCES):
            query = SEQUENCE_DIGEST if is_sequence else TABLE_DIGEST
            digests[name] = await connection.fetchval(query.format(table=name))
        return digests


async def _check_dump(source: Path) -> None:
    """Refuse what is no dump before anything is changed."""
    try:
        with source.open("rb") as file:
            is_dump = file.read(5) == b"PGDMP"
    except OSError as error:
        raise BackupError(f"Cannot read {source}: {error.strerror}.") from error
    if not is_dump:
        raise BackupError(f"{source} is not a dump in PostgreSQL's custom format.")


async def _set_aside(connection: Connection) -> list[str]:
    """Rename every schema, so that the restore finds an empty database; the old names.

    One that a killed restore left is renamed once more: nothing is dropped before success.
    """
    names: list[str] = [name for (name,) in await connection.fetch(USER_SCHEMAS)]
    async with connection.transaction():
        # Longest first: the name of one may be what another is renamed to.
        for name in sorted(names, key=len, reverse=True):
            await connection.execute(
                f"ALTER SCHEMA {_quoted(name)} RENAME TO {_quoted(ASIDE + name)}"
            )
        await connection.execute(NEW_PUBLIC_SCHEMA)
    return sorted(names, key=len)


async def _put_back(connection: Connection, names: Sequence[str]) -> None:
    if not names:
        return
    async with connection.transaction():
        await connection.execute("DROP SCHEMA public")
        for name in names:
            await connection.execute(
                f"ALTER SCHEMA {_quoted(ASIDE + name)} RENAME TO {_quoted(name)}"
            )


async def _finish(connection: Connection, old: Sequence[str]) -> None:
    """Drop what was set aside, let the event feed go on behind the restored events, and give the
    planner its statistics, which a dump does not hold."""
    async with connection.transaction():
        for name in old:
            await connection.execute(f"DROP SCHEMA {_quoted(ASIDE + name)} CASCADE")
        if await connection.fetchval("SELECT to_regprocedure('feed_after_restore()') IS NOT NULL"):
            await connection.execute("SELECT feed_after_restore()")
    await connection.execute("ANALYZE")


async def _run(program: str, dsn: str, options: Sequence[str], progress: Progress | None) -> None:
    """Run pg_dump or pg_restore against `dsn`; BackupError with what it said if it fails."""
    url, password = _split_password(dsn)
    process = await asyncio.create_subprocess_exec(
        _client_program(program, url),
        "--verbose",
        "--no-password",
        f"--dbname={url}",
        *options,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env={
            **os.environ,
            "LC_ALL": "C",
            **({} if password is None else {"PGPASSWORD": password}),
        },
        # Ctrl-C is for us: we then end the program ourselves, and clean up after it.
        start_new_session=True,
    )
    assert process.stderr is not None
    said: list[str] = []
    try:
        async for line in process.stderr:
            said = [*said[1 - ERROR_LINES :], line.decode(errors="replace").rstrip()]
            if progress:
                progress(said[-1].removeprefix(f"{program}: "))
        code = await process.wait()
    finally:
        if process.returncode is None:
            process.terminate()
            await asyncio.shield(process.wait())
    if code != 0:
        errors = [line for line in said if ": error: " in line or ": detail: " in line] or said
        raise BackupError(f"{program} failed:\n" + "\n".join(errors))


def _client_program(name: str, url: str) -> str:
    """The program in the wheel, or the one of the system where the URL asks for encryption, which
    the wheel's is built without."""
    if dict(parse_qsl(urlsplit(url).query)).get("sslmode") not in ENCRYPTED:
        return str(binary(name))
    if (found := shutil.which(name)) is None:
        raise BackupError(
            f"This connection is encrypted, and the {name} that comes with scm-api cannot do that. "
            f"Install the PostgreSQL client programs, version {POSTGRES_MAJOR} or later."
        )
    return found


def _split_password(dsn: str) -> tuple[str, str | None]:
    """A URL for libpq and asyncpg without the password, and the password."""
    parts = urlsplit(dsn)
    scheme = parts.scheme.partition("+")[0]
    if scheme not in {"postgresql", "postgres"}:
        raise BackupError("A database URL begins with postgresql://")
    credentials, at, hosts = parts.netloc.rpartition("@")
    user, colon, in_netloc = credentials.partition(":")
    query = parse_qsl(parts.query, keep_blank_values=True)
    password = unquote(in_netloc) if colon else dict(query).get("password")
    kept = [
        ("sslmode" if key == "ssl" else key, value)
        for key, value in query
        if key in SHARED_PARAMETERS or (key == "ssl" and value in ENCRYPTED)
    ]
    url = (
        scheme,
        user + at + hosts,
        parts.path,
        urlencode(kept, safe="/,:", quote_via=quote),
        "",
    )
    return urlunsplit(url), password


@contextlib.asynccontextmanager
async def _connection(dsn: str) -> AsyncIterator[Connection]:
    url, password = _split_password(dsn)
    options: dict[str, Any] = {} if password is None else {"password": password}
    try:
        connection = await asyncpg.connect(url, **options)
    except (OSError, asyncpg.PostgresError) as error:
        raise BackupError(f"Cannot connect to the database: {error}") from error
    try:
        yield connection
    except asyncpg.PostgresError as error:
        raise BackupError(str(error)) from error
    finally:
        await connection.close()


def _quoted(identifier: str) -> str:
    return '"' + identifier.replace('"', '""') + '"'


def _sync_folder(folder: Path) -> None:
    """Make a rename in `folder` outlast a power cut."""
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
