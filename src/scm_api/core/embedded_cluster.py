"""The database cluster on disk: how it is made, configured and addressed. Rule: the files named
`scm-api.*` are ours and written anew at each start; everything beside them is the operator's.
"""

import os
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from scm_api.core.embedded_process import (
    POSTGRES_MAJOR,
    EmbeddedPostgresError,
    ServerUser,
    give_tree,
    is_private_dir,
    make_private_dir,
    named_user,
    spawn,
    user_name,
    write_private,
)

ADMIN = "scm_admin"
PORT = 5432
SOCKET_NAME = f".s.PGSQL.{PORT}"
# sun_path holds 108 bytes on Linux and 104 on macOS and the BSDs, with the closing NUL.
SOCKET_PATH_MAX_BYTES = 103
# A socket folder stands in URLs, where asyncpg and libpq split hosts at a comma and SQLAlchemy
# at a colon, and in a PostgreSQL list.
PLAIN_PATH = re.compile(r"[A-Za-z0-9/._+@~-]+")

POSTGRESQL_CONF = """\
# Settings of scm-api. It writes that file anew at each start: put yours below, they win.
include 'scm-api.conf'
"""
SETTINGS = """\
# Written by scm-api at each start. Your own settings belong in postgresql.conf.
shared_buffers = 128MB
max_connections = 100
random_page_cost = 1.1
jit = off
work_mem = 16MB
max_wal_size = 2GB
# A first load fills empty tables within seconds: plans made for empty ones must not last.
autovacuum_naptime = 5s
timezone = 'UTC'
log_timezone = 'UTC'
# One log file a weekday, overwritten a week later.
logging_collector = on
log_directory = '../log'
log_filename = 'postgresql-%a.log'
log_rotation_age = 1d
log_rotation_size = 0
log_truncate_on_rotation = on
log_line_prefix = '%m [%p] %q%u@%d '
"""
PG_HBA_CONF = """\
# Only through the unix socket, and only OS users that pg_ident.conf names.
local  all          all  peer map=scm
local  replication  all  peer map=scm
"""
PG_IDENT_CONF = """\
# scm-api writes that file anew at each start: put your own lines below.
include scm-api.ident
"""
RELAXED = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")


@dataclass(frozen=True)
class Cluster:
    """The folders below the data folder of one embedded PostgreSQL."""

    data_dir: Path
    user: ServerUser

    @property
    def folder(self) -> Path:
        """PostgreSQL's own data directory."""
        return self.data_dir / "cluster"

    @property
    def log_folder(self) -> Path:
        """Where the server logs; `start.log` holds what it said before its logger ran."""
        return self.data_dir / "log"

    @property
    def pid_file(self) -> Path:
        """Written by the server while it runs: its pid, its folders and its status."""
        return self.folder / "postmaster.pid"


@dataclass(frozen=True)
class ServerStatus:
    """What `postmaster.pid` says of a server."""

    pid: int
    socket_dir: Path
    is_ready: bool


def read_status(cluster: Cluster) -> ServerStatus | None:
    """The content of `postmaster.pid`; None while there is none, or not yet a whole first line."""
    try:
        lines = cluster.pid_file.read_text(encoding="utf-8").splitlines()
        pid = int(lines[0])
    except (FileNotFoundError, IndexError, ValueError):
        return None
    socket_dir, status = [*lines, *[""] * 8][4:8:3]
    return ServerStatus(pid, Path(socket_dir), status.strip() == "ready")


def runs_relaxed(cluster: Cluster) -> bool:
    """Whether the running server was started without durability."""
    return RELAXED[0] in (cluster.folder / "postmaster.opts").read_text(encoding="utf-8")


def server_command(
    programs: Path, cluster: Cluster, socket_dir: Path, durable: bool
) -> list[str | Path]:
    """The command line of the server. What stands here, an operator's settings cannot change."""
    settings = [
        f"unix_socket_directories={socket_dir}",
        f"port={PORT}",
        "listen_addresses=",
    ]
    settings += ["unix_socket_permissions=0700", *(() if durable else RELAXED)]
    options = [part for setting in settings for part in ("-c", setting)]
    return [programs / "bin" / "postgres", "-D", cluster.folder, *options]


def ensure_cluster(cluster: Cluster, programs: Path, server_fd: int, *, durable: bool) -> None:
    """Run initdb unless it has been done, then write the files that are ours.

    initdb holds the server's lock `server_fd` too: if we are killed meanwhile, the next process
    waits for its end instead of running a second one in the same place.
    """
    if not cluster.folder.is_dir():
        _initdb(cluster, programs, server_fd, durable=durable)
    version = (cluster.folder / "PG_VERSION").read_text(encoding="utf-8").strip()
    if version != str(POSTGRES_MAJOR):
        raise EmbeddedPostgresError(
            f"{cluster.folder} was made by PostgreSQL {version}, this is {POSTGRES_MAJOR}. Dump it "
            "with the scm-api that made it, and restore the dump into a new data folder."
        )
    if not cluster.log_folder.is_dir():
        make_private_dir(cluster.log_folder, cluster.user)
    write_private(cluster.folder / "scm-api.conf", SETTINGS, cluster.user)
    write_ident(cluster)


def write_ident(cluster: Cluster) -> bool:
    """Let the server's OS user, ourselves and root log in as any role; False if it was so before.

    Each of them can read the files of the database or become the one who can, so the map gives
    nobody anything new. scm_owner stays out by NOLOGIN.
    """
    names = {user_name(uid) for uid in (cluster.user.uid, os.geteuid(), 0)} - {None}
    quoted = sorted('"' + str(name).replace('"', '""') + '"' for name in names)
    text = "".join(f"scm  {name}  all\n" for name in quoted)
    return write_private(cluster.folder / "scm-api.ident", text, cluster.user)


def _initdb(cluster: Cluster, programs: Path, server_fd: int, *, durable: bool) -> None:
    """Make the cluster beside its place and move it there whole, so no half of one is ever used."""
    unfinished = cluster.data_dir / "cluster.new"
    shutil.rmtree(unfinished, ignore_errors=True)
    maker = named_user(cluster.user)
    make_private_dir(unfinished, maker)
    command: list[str | Path] = [programs / "bin" / "initdb", "--pgdata", unfinished]
    command += [
        "--username",
        ADMIN,
        "--auth",
        "peer",
        "--encoding",
        "UTF8",
        "--data-checksums",
    ]
    command += [
        "--locale-provider",
        "builtin",
        "--locale",
        "C.UTF-8",
        "--no-instructions",
    ]
    command += [] if durable else ["--no-sync"]
    try:
        with tempfile.TemporaryFile() as output:
            process = spawn(command, maker, output.fileno(), (server_fd,))
            try:
                code = process.wait()
            except BaseException:
                process.kill()
                process.wait()
                raise
            output.seek(0)
            said = output.read().decode(errors="replace")
        if code != 0:
            raise EmbeddedPostgresError(f"initdb could not make {cluster.folder}:\n{said.strip()}")
        write_private(unfinished / "postgresql.conf", POSTGRESQL_CONF, maker)
        write_private(unfinished / "pg_hba.conf", PG_HBA_CONF, maker)
        write_private(unfinished / "pg_ident.conf", PG_IDENT_CONF, maker)
        if maker != cluster.user:
            give_tree(unfinished, cluster.user)
        unfinished.rename(cluster.folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def ensure_socket_dir(cluster: Cluster) -> Path:
    """The folder of the unix socket: in the data folder, or where its path is too long for a
    socket, a private folder in the temporary one, whose place is kept in
    `scm-api.socket-dir`.

    A recorded folder is used only if it still is a 0700 folder of the server's user, so nobody can
    put one of his own in our way.
    """
    near = cluster.data_dir / "socket"
    fits = len(os.fsencode(near / SOCKET_NAME)) <= SOCKET_PATH_MAX_BYTES
    if fits and PLAIN_PATH.fullmatch(str(near)):
        if not near.exists():
            make_private_dir(near, cluster.user)
        elif not is_private_dir(near, cluster.user):
            raise EmbeddedPostgresError(
                f"{near} must be a folder of {cluster.user} that nobody else can enter. Remove it: "
                "it is made anew at the next start."
            )
        return near
    record = cluster.folder / "scm-api.socket-dir"
    if record.is_file():
        recorded = Path(record.read_text(encoding="utf-8"))
        if is_private_dir(recorded, cluster.user):
            return recorded
    made = Path(tempfile.mkdtemp(prefix="scm-api-"))
    if cluster.user.is_other:
        os.chown(made, cluster.user.uid, cluster.user.gid, follow_symlinks=False)
    write_private(record, str(made), cluster.user)
    return made


def remove_temporary_socket_dir(cluster: Cluster) -> None:
    """Remove the private folder that `ensure_socket_dir` made in the temporary one, if it did."""
    record = cluster.folder / "scm-api.socket-dir"
    if record.is_file():
        recorded = Path(record.read_text(encoding="utf-8"))
        if is_private_dir(recorded, cluster.user):
            shutil.rmtree(recorded, ignore_errors=True)
        record.unlink()


def log_tail(cluster: Cluster, lines: int = 12) -> str:
    """The last lines that the server logged, for error messages."""
    start = cluster.log_folder / "start.log"
    said = _last_lines(start, lines)
    # What it says before its logger runs, such as a wrong setting, stands in start.log alone.
    if not said or any("redirecting log output" in line for line in said):
        later = set(cluster.log_folder.glob("*.log")) - {start}
        newest = max(later, key=lambda file: file.stat().st_mtime, default=start)
        said = _last_lines(newest, lines)
    return "\n".join(said)


def _last_lines(file: Path, lines: int) -> list[str]:
    if not file.is_file():
        return []
    with file.open("rb") as content:
        content.seek(max(0, file.stat().st_size - 16_384))
        return content.read().decode(errors="replace").splitlines()[-lines:]
