"""Our launcher for the PostgreSQL that ships in a wheel, for everyone who brings no server.
Rule: what runs is decided by kernel locks, never by guesses from pids, so nothing is left running
and nothing in use is stopped, however its users end.

Three lock files in the data folder hold everything together:

- `start.lock`, exclusive: starting and stopping happen one at a time; who comes second waits.
- `server.lock`, exclusive: the server inherits it and holds it until its last process has ended,
  so a free lock proves that no server runs, and a dead pid or a reused one does not matter.
- `users.lock`, shared: every process that uses the server holds it. `stop()` asks for it
  exclusively; who gets it was the last user, and stops the server. The kernel drops the share of a
  process that is killed, so its server goes to the next user, who adopts it and stops it.
"""

import fcntl
import os
import signal
import socket
import subprocess
import time
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote, urlencode

from scm_api.core.embedded_cluster import (
    ADMIN,
    PORT,
    SOCKET_NAME,
    Cluster,
    ServerStatus,
    ensure_cluster,
    ensure_socket_dir,
    log_tail,
    read_status,
    remove_temporary_socket_dir,
    runs_relaxed,
    server_command,
    write_ident,
)
from scm_api.core.embedded_process import (
    POLL_SECONDS,
    POSTGRES_MAJOR,
    EmbeddedPostgresError,
    ServerUser,
    binary,
    choose_server_user,
    exclusive_lock,
    make_data_dir,
    open_anew,
    open_lock,
    send_signal,
    server_installation,
    spawn,
    try_lock,
    works_in,
)
from scm_api.settings import settings

__all__ = ["EmbeddedPostgres", "EmbeddedPostgresError", "binary", "default_data_dir"]

# After a crash the server replays its log before it is ready, which can take minutes.
START_SECONDS = 300.0
TURN_SECONDS = START_SECONDS + 60
# Processes of a killed server that still run a query (they end when they look up from it), or an
# initdb whose starter was killed.
ORPHANS_SECONDS = 10.0
FAST_STOP_SECONDS = 30.0
IMMEDIATE_STOP_SECONDS = 5.0
# Servers that this process started. Kept past their EmbeddedPostgres, because a server can outlive
# it while others use it, and a child must be waited for by whoever started it.
_children: dict[int, subprocess.Popen[bytes]] = {}
# PostgreSQL's SSLRequest: any server answers it with one byte, before any authentication.
SSL_REQUEST = bytes.fromhex("0000000804d2162f")


def default_data_dir() -> Path:
    """`SCM_DATA_DIR`, else the platform's place for a user's data (root: `/var/lib`)."""
    if (chosen := settings().data_dir) is not None:
        return chosen
    if os.geteuid() == 0:
        return Path(f"/var/lib/scm-api/pg{POSTGRES_MAJOR}")
    base = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(base) / "scm-api" / f"pg{POSTGRES_MAJOR}"


class EmbeddedPostgres:
    """One user's hold on the PostgreSQL server of a data folder; a context manager.

    Many processes may hold the same server at once: the first starts it, the others adopt it, the
    last one to let go stops it. It listens on a unix socket only and lets in only the OS user who
    owns it (and root), as any role that may log in. `durable=False` trades the data after a crash
    of the machine for speed: tests and demos only.
    """

    def __init__(self, data_dir: Path, *, durable: bool = True) -> None:
        try:
            self.data_dir = data_dir.expanduser().resolve()
        except RuntimeError as error:
            raise EmbeddedPostgresError(
                f"{error} Choose a folder for the data with SCM_DATA_DIR."
            ) from error
        self.durable = durable
        self.adopted = False
        self._cluster = Cluster(self.data_dir, ServerUser(os.geteuid(), os.getegid()))
        self._socket_dir: Path | None = None
        self._users_fd: int | None = None

    def start(self) -> None:
        """Adopt the server of the data folder or start it; make the database cluster if needed.

        Called again it does nothing while the server runs, and starts it anew if it died. Raises
        EmbeddedPostgresError.
        """
        if self.pid is not None:
            return
        try:
            user = choose_server_user(self.data_dir)
            make_data_dir(self.data_dir, user)
            self._cluster = Cluster(self.data_dir, user)
            with self._turn():
                self._hold()
                try:
                    self._adopt_or_start()
                except BaseException:
                    self._let_go()
                    raise
        except PermissionError as error:
            raise EmbeddedPostgresError(
                f"This user may not use the data folder {self.data_dir}: {error}. Run as the user "
                "who made it, or choose another folder with SCM_DATA_DIR."
            ) from error
        except OSError as error:
            raise EmbeddedPostgresError(
                f"Cannot start PostgreSQL in {self.data_dir}: {error}"
            ) from error

    def stop(self) -> None:
        """Let go of the server, and stop it (fast shutdown) if nobody else uses it."""
        if self._users_fd is None:
            return
        with self._turn():
            is_last = try_lock(self._users_fd, fcntl.LOCK_EX)
            try:
                if is_last:
                    self._shut_down()
            finally:
                self._let_go()

    def is_running(self) -> bool:
        """Whether any process of the server lives."""
        try:
            fd = os.open(self.data_dir / "server.lock", os.O_RDWR | os.O_NOFOLLOW)
        except FileNotFoundError:
            return False
        try:
            # Shared, so that two who ask at once do not take each other for the server.
            return not try_lock(fd, fcntl.LOCK_SH)
        finally:
            os.close(fd)

    @property
    def pid(self) -> int | None:
        """The server's process id; None while it does not run, or this object does not use it."""
        status = read_status(self._cluster) if self._users_fd is not None else None
        if status is None or works_in(status.pid, self._cluster.folder) is False:
            return None
        return status.pid if self.is_running() else None

    @property
    def socket_dir(self) -> Path:
        """The folder of the unix socket."""
        if self._socket_dir is None:
            raise EmbeddedPostgresError("The embedded PostgreSQL has not been started.")
        return self._socket_dir

    @property
    def admin_dsn(self) -> str:
        """The URL of the superuser on the database `postgres`."""
        return self.dsn(ADMIN, "postgres")

    def dsn(self, user: str, database: str) -> str:
        """A `postgresql://` URL that asyncpg, SQLAlchemy, psql and libpq understand alike."""
        where = urlencode({"host": self.socket_dir, "port": PORT}, safe="/")
        return f"postgresql://{quote(user, safe='')}@/{quote(database, safe='')}?{where}"

    def binary(self, name: str) -> Path:
        """The path of a PostgreSQL program of the same version, such as `psql` or `pgbench`."""
        return binary(name)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _turn(self) -> AbstractContextManager[None]:
        return exclusive_lock(self.data_dir / "start.lock", self._cluster.user, TURN_SECONDS)

    def _hold(self) -> None:
        if self._users_fd is None:
            self._users_fd = open_lock(self.data_dir / "users.lock", self._cluster.user)
        # Only stop() asks for it exclusively, and only in its turn.
        fcntl.flock(self._users_fd, fcntl.LOCK_SH)

    def _let_go(self) -> None:
        if self._users_fd is not None:
            os.close(self._users_fd)
        self._users_fd = None

    def _adopt_or_start(self) -> None:
        server_fd = open_lock(self.data_dir / "server.lock", self._cluster.user)
        try:
            deadline = time.monotonic() + ORPHANS_SECONDS
            while not try_lock(server_fd, fcntl.LOCK_EX):
                status = read_status(self._cluster)
                if status and works_in(status.pid, self._cluster.folder) is not False:
                    if self._adopt():
                        return
                elif time.monotonic() > deadline:
                    raise EmbeddedPostgresError(
                        f"The PostgreSQL server of {self.data_dir} was killed, but processes of "
                        f"it still work. End them (fuser {self.data_dir}/server.lock)."
                    )
                time.sleep(POLL_SECONDS)
            process = self._spawn(server_fd)
        finally:
            os.close(server_fd)
        self._confirm_start(process)

    def _adopt(self) -> bool:
        """Take over the running server; False if it ends instead."""
        if self.durable and runs_relaxed(self._cluster):
            raise EmbeddedPostgresError(
                f"The PostgreSQL server of {self.data_dir} was started without durability, for "
                "tests or a demo. End that process first, or choose another SCM_DATA_DIR."
            )
        status = self._wait_until_ready(None)
        if status is None:
            return False
        if write_ident(self._cluster):
            send_signal(status.pid, signal.SIGHUP)
        self.adopted = True
        return True

    def _spawn(self, server_fd: int) -> subprocess.Popen[bytes]:
        programs = server_installation(self.data_dir, self._cluster.user)
        ensure_cluster(self._cluster, programs, server_fd, durable=self.durable)
        socket_dir = ensure_socket_dir(self._cluster)
        self._clear_leftovers(socket_dir)
        command = server_command(programs, self._cluster, socket_dir, self.durable)
        with open_anew(self._cluster.log_folder / "start.log") as log:
            process = spawn(command, self._cluster.user, log.fileno(), (server_fd,))
        _children[process.pid] = process
        return process

    def _confirm_start(self, process: subprocess.Popen[bytes]) -> None:
        try:
            if self._wait_until_ready(process.pid) is None:
                raise EmbeddedPostgresError(
                    f"PostgreSQL ended while it was starting:\n{log_tail(self._cluster)}"
                )
        except BaseException:
            process.send_signal(signal.SIGQUIT)
            _reap(process.pid)
            raise
        self.adopted = False

    def _clear_leftovers(self, socket_dir: Path) -> None:
        """Remove what a killed server left: its pid may be another process by now, and PostgreSQL
        would then refuse to start. Without /proc that judgement is left to PostgreSQL."""
        status = read_status(self._cluster)
        if status is not None:
            _reap(status.pid)
            works_here = works_in(status.pid, self._cluster.folder)
            if works_here:
                raise EmbeddedPostgresError(
                    f"A PostgreSQL server that scm-api did not start (pid {status.pid}) runs on "
                    f"{self._cluster.folder}. Stop it: kill -INT {status.pid}"
                )
            if works_here is None:
                return
        for path in (self._cluster.pid_file, socket_dir / f"{SOCKET_NAME}.lock"):
            path.unlink(missing_ok=True)

    def _wait_until_ready(self, expected_pid: int | None) -> ServerStatus | None:
        """Wait until the server accepts connections; None once it has ended instead.

        `expected_pid` is that of a server just started: until it has written its pid file, that of
        an earlier one may stand there.
        """
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            status = read_status(self._cluster)
            if status and status.is_ready and status.pid == (expected_pid or status.pid):
                self._socket_dir = status.socket_dir
                if self._answers():
                    return status
            if not self.is_running():
                return None
            time.sleep(POLL_SECONDS)
        raise EmbeddedPostgresError(
            f"PostgreSQL was not ready after {START_SECONDS:g} s.\n{log_tail(self._cluster)}"
        )

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(5.0)
            try:
                connection.connect(str(self.socket_dir / SOCKET_NAME))
                connection.sendall(SSL_REQUEST)
                return len(connection.recv(1)) == 1
            except OSError:
                return False

    def _shut_down(self) -> None:
        """SIGINT rolls back what is open and writes everything down. If that takes too long, the
        server is made to end as in a crash, from which it recovers at the next start."""
        status = read_status(self._cluster)
        stages = (
            (signal.SIGINT, FAST_STOP_SECONDS),
            (signal.SIGQUIT, IMMEDIATE_STOP_SECONDS),
            (signal.SIGKILL, IMMEDIATE_STOP_SECONDS),
        )
        for number, seconds in stages:
            if status and works_in(status.pid, self._cluster.folder) is not False:
                send_signal(status.pid, number)
            deadline = time.monotonic() + seconds
            while self.is_running() and time.monotonic() < deadline:
                time.sleep(POLL_SECONDS)
            if not self.is_running():
                break
        else:
            raise EmbeddedPostgresError(f"PostgreSQL did not stop.\n{log_tail(self._cluster)}")
        remove_temporary_socket_dir(self._cluster)
        if status:
            _reap(status.pid)


def _reap(pid: int) -> None:
    """Take the exit status of an ended server if it is our child: started by us, or left to us by
    its dead starter where we are process 1 of a container."""
    if (process := _children.pop(pid, None)) is not None:
        try:
            process.wait(IMMEDIATE_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        return
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
