"""The embedded PostgreSQL starts once, is shared, recovers, and is never left running or open."""

import os
import pwd
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncpg
import pytest
import sqlalchemy
from sqlalchemy.ext.asyncio import create_async_engine

from scm_api.core.embedded import EmbeddedPostgres, EmbeddedPostgresError, default_data_dir
from scm_api.core.embedded_process import ServerUser, server_installation
from scm_api.settings import settings

IS_ROOT = os.geteuid() == 0
# One process that uses the server: says its pid and whether it adopted it, ends with its stdin.
USER_PROCESS = """
import signal, sys
from pathlib import Path
from scm_api.core.embedded import EmbeddedPostgres
interrupts = []
signal.signal(signal.SIGINT, lambda *_: interrupts.append(print("interrupted", flush=True)))
with EmbeddedPostgres(Path(sys.argv[1]), durable=False) as server:
    print(server.pid, server.adopted, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def base() -> Iterator[Path]:
    """A folder that the server can reach also when the tests run as root."""
    with tempfile.TemporaryDirectory(prefix="scm-test-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture(scope="module")
def made_once() -> Iterator[Path]:
    """A data folder that most tests share: initdb is the slow part of them."""
    with tempfile.TemporaryDirectory(prefix="scm-test-") as name:
        Path(name).chmod(0o755)
        with EmbeddedPostgres(Path(name) / "pg", durable=False):
            pass
        yield Path(name) / "pg"


@pytest.fixture
def data_dir(made_once: Path) -> Iterator[Path]:
    """A data folder that has been used before; whatever a test does, no server may be left."""
    yield made_once
    server = EmbeddedPostgres(made_once, durable=False)
    was_left = server.is_running()
    if was_left:
        with server:
            pass
    assert not was_left


@pytest.fixture
def open_user(data_dir: Path) -> Iterator[Callable[[], "subprocess.Popen[str]"]]:
    """Start processes that use the server of `data_dir`; they end with the test."""
    processes: list[subprocess.Popen[str]] = []

    def start() -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", USER_PROCESS, str(data_dir)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            start_new_session=True,
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.communicate(timeout=30)


def said(process: "subprocess.Popen[str]") -> tuple[int, bool]:
    assert process.stdout is not None
    pid, adopted = process.stdout.readline().split()
    return int(pid), adopted == "True"


def psql(server: EmbeddedPostgres, sql: str) -> str:
    command = [str(server.binary("psql")), server.admin_dsn, "-XAtqc", sql]
    output = subprocess.check_output(command, text=True)
    return output.strip()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def kill_server(server: EmbeddedPostgres) -> None:
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while server.is_running() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not server.is_running()


async def test_a_fresh_server_is_durable_and_private(base: Path) -> None:
    with EmbeddedPostgres(base / "pg") as server:
        assert not server.adopted
        connection = await asyncpg.connect(server.dsn("scm_admin", "postgres"))
        names = ("fsync", "synchronous_commit", "full_page_writes", "data_checksums", "jit")
        shown = {name: await connection.fetchval(f"SHOW {name}") for name in names}
        assert shown == {**dict.fromkeys(names, "on"), "jit": "off"}
        assert await connection.fetchval("SHOW listen_addresses") == ""
        assert await connection.fetchval("SHOW timezone") == "UTC"
        query = "SELECT (datlocprovider, datlocale, encoding)::text FROM pg_database LIMIT 1"
        assert await connection.fetchval(query) == "(b,C.UTF-8,6)"
        methods = "SELECT array_agg(DISTINCT auth_method) FROM pg_hba_file_rules"
        assert await connection.fetchval(methods) == ["peer"]
        await connection.close()
        assert mode(base / "pg") == (0o711 if IS_ROOT else 0o700)
        assert {mode(base / "pg" / name) for name in ("cluster", "socket", "log")} == {0o700}
    assert not server.is_running()


async def test_the_url_works_for_sqlalchemy_and_for_an_odd_database_name(data_dir: Path) -> None:
    with EmbeddedPostgres(data_dir, durable=False) as server:
        psql(server, 'CREATE ROLE "scm_app" LOGIN; ')
        psql(server, 'CREATE DATABASE "Größe 1"')
        url = server.dsn("scm_app", "Größe 1").replace("postgresql:", "postgresql+asyncpg:")
        engine = create_async_engine(url)
        async with engine.connect() as connection:
            query = sqlalchemy.text("SELECT current_user || '@' || current_database()")
            assert (await connection.execute(query)).scalar() == "scm_app@Größe 1"
        await engine.dispose()


def test_a_second_user_adopts_and_the_last_one_stops(
    data_dir: Path, open_user: Callable[[], "subprocess.Popen[str]"]
) -> None:
    serve = EmbeddedPostgres(data_dir, durable=False)
    serve.start()
    pid = serve.pid
    short = open_user()
    assert said(short) == (pid, True)
    short.communicate(timeout=30)
    assert serve.pid == pid
    assert psql(serve, "SELECT 1") == "1"

    longer = open_user()
    assert said(longer) == (pid, True)
    serve.stop()
    assert serve.is_running()
    longer.communicate(timeout=30)
    assert not serve.is_running()


def test_a_killed_starter_leaves_a_server_that_the_next_one_adopts_and_stops(
    data_dir: Path, open_user: Callable[[], "subprocess.Popen[str]"]
) -> None:
    starter = open_user()
    pid, adopted = said(starter)
    assert not adopted
    starter.kill()
    starter.wait()
    with EmbeddedPostgres(data_dir, durable=False) as server:
        assert (server.pid, server.adopted) == (pid, True)
    assert not server.is_running()


def test_of_processes_that_start_at_once_one_starts_and_the_others_adopt(
    data_dir: Path, open_user: Callable[[], "subprocess.Popen[str]"]
) -> None:
    users = [open_user() for _ in range(3)]
    answers = [said(user) for user in users]
    assert len({pid for pid, _ in answers}) == 1
    assert sorted(adopted for _, adopted in answers) == [False, True, True]
    for user in users:
        user.communicate(timeout=30)
    assert not EmbeddedPostgres(data_dir).is_running()


def test_who_is_killed_while_making_the_cluster_does_not_hinder_the_next(base: Path) -> None:
    starter = subprocess.Popen(
        [sys.executable, "-c", USER_PROCESS, str(base / "pg")],
        stdin=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    made = base / "pg" / "cluster.new" / "PG_VERSION"
    while not made.exists() and starter.poll() is None:
        time.sleep(0.002)
    starter.kill()
    starter.communicate()
    assert made.exists()
    with EmbeddedPostgres(base / "pg", durable=False) as server:
        assert not server.adopted
        assert psql(server, "SELECT 1") == "1"
        assert not made.parent.exists()


def test_an_interrupt_in_the_terminal_reaches_its_users_but_not_the_server(
    data_dir: Path, open_user: Callable[[], "subprocess.Popen[str]"]
) -> None:
    user = open_user()
    pid, _ = said(user)
    os.killpg(user.pid, signal.SIGINT)
    assert user.stdout is not None
    assert user.stdout.readline() == "interrupted\n"
    with EmbeddedPostgres(data_dir, durable=False) as server:
        assert server.pid == pid
        assert psql(server, "SELECT 1") == "1"


def test_a_killed_server_is_started_again_with_all_that_was_committed(data_dir: Path) -> None:
    with EmbeddedPostgres(data_dir) as server:
        psql(server, "CREATE TABLE kept AS SELECT generate_series(1, 1000) AS n")
        killed = server.pid
        kill_server(server)
        assert server.pid is None
        server.start()
        assert server.pid != killed
        assert not server.adopted
        assert psql(server, "SELECT sum(n) FROM kept") == "500500"
    assert not server.is_running()


def test_a_stale_pid_file_that_names_a_living_process_does_not_hinder(data_dir: Path) -> None:
    with EmbeddedPostgres(data_dir, durable=False) as server:
        kill_server(server)
        pid_file = data_dir / "cluster" / "postmaster.pid"
        owner = pid_file.stat()
        # Of the server's own user: of any other PostgreSQL knows that it cannot be a server.
        other = subprocess.Popen(["sleep", "60"], user=owner.st_uid if IS_ROOT else None)
        try:
            _, rest = pid_file.read_text().split("\n", 1)
            pid_file.write_text(f"{other.pid}\n{rest}")
            server.start()
            assert server.pid != other.pid
            assert other.poll() is None
        finally:
            other.kill()
            other.wait()


def test_a_relaxed_server_is_not_adopted_by_who_wants_durability(data_dir: Path) -> None:
    with (
        EmbeddedPostgres(data_dir, durable=False) as relaxed,
        pytest.raises(EmbeddedPostgresError, match="without durability"),
    ):
        EmbeddedPostgres(data_dir).start()
    assert not relaxed.is_running()


def test_no_other_os_user_gets_in(data_dir: Path) -> None:
    with EmbeddedPostgres(data_dir, durable=False) as server:
        owner = (data_dir / "cluster").stat().st_uid
        allowed = {"root", pwd.getpwuid(os.geteuid()).pw_name, pwd.getpwuid(owner).pw_name}
        mapped = psql(server, "SELECT sys_name FROM pg_ident_file_mappings").splitlines()
        assert set(mapped) == allowed
        if not IS_ROOT:
            return
        nobody = pwd.getpwnam("nobody")
        programs = server_installation(data_dir, ServerUser(nobody.pw_uid, nobody.pw_gid))

        def refused() -> str:
            return subprocess.run(
                [programs / "bin" / "psql", server.admin_dsn, "-c", "SELECT 1"],
                user=nobody.pw_uid,
                group=nobody.pw_gid,
                extra_groups=[],
                cwd="/",
                capture_output=True,
                text=True,
            ).stderr

        assert "Permission denied" in refused()
        # Even with both doors of the file system open, the server itself says no.
        server.socket_dir.chmod(0o711)
        (server.socket_dir / ".s.PGSQL.5432").chmod(0o777)
        assert "Peer authentication failed" in refused()
    # And it does not start again behind an open door.
    with pytest.raises(EmbeddedPostgresError, match="nobody else can enter"):
        server.start()
    server.socket_dir.chmod(0o700)


def test_a_long_path_gets_a_private_socket_folder_that_is_shared_and_removed(base: Path) -> None:
    deep = base / ("d" * 60) / ("e" * 60)
    with EmbeddedPostgres(deep, durable=False) as server:
        first = server.socket_dir
        assert len(str(first)) < 60
        assert mode(first) == 0o700
        with EmbeddedPostgres(deep, durable=False) as second:
            assert second.adopted
            assert second.socket_dir == first
            assert psql(second, "SELECT 1") == "1"
        kill_server(server)
        server.start()
        assert server.socket_dir == first
        kill_server(server)
        # Another user could put a folder of his own where a removed one was.
        first.chmod(0o777)
        server.start()
        assert server.socket_dir != first
        last = server.socket_dir
    assert not last.exists()
    for left in first.iterdir():
        left.unlink()
    first.rmdir()


def test_folders_that_are_not_ours_stay_as_they_are(base: Path) -> None:
    closed = base / "closed"
    closed.mkdir(mode=0o700)
    shared = base / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    before = {path: path.stat() for path in (base, closed, shared)}
    with pytest.raises(EmbeddedPostgresError, match="other users"):
        EmbeddedPostgres(shared, durable=False).start()
    inside = EmbeddedPostgres(closed / "pg", durable=False)
    if IS_ROOT:
        with pytest.raises(EmbeddedPostgresError, match=r"may not enter .*closed.*SCM_DATA_DIR"):
            inside.start()
        assert not (closed / "pg").exists()
    else:
        with inside:
            assert psql(inside, "SELECT 1") == "1"
    for path, old in before.items():
        assert (path.stat().st_mode, path.stat().st_uid) == (old.st_mode, old.st_uid)


def test_the_server_is_never_root_and_works_for_an_owner_without_a_name(base: Path) -> None:
    expected = os.geteuid()
    if IS_ROOT:
        expected = 54399
        (base / "pg").mkdir(mode=0o755)
        os.chown(base / "pg", expected, expected)
    with EmbeddedPostgres(base / "pg", durable=False) as server:
        assert Path(f"/proc/{server.pid}").stat().st_uid == expected != 0
        owners = {path.lstat().st_uid for path in (base / "pg" / "cluster").rglob("*")}
        assert owners == {expected}
        assert psql(server, "SELECT current_user") == "scm_admin"


def test_programs_that_the_server_cannot_reach_are_copied_for_it(
    base: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = base / "closed"
    closed.mkdir(mode=0o700)
    package = server_installation(base, ServerUser(os.geteuid(), os.getegid())).parent
    for original in (package, package.with_name(f"{package.name}.libs")):
        if original.exists():
            (closed / original.name).symlink_to(original)
    monkeypatch.syspath_prepend(closed)
    with EmbeddedPostgres(data_dir, durable=False) as server:
        assert psql(server, "SELECT 1") == "1"
        program = Path(os.readlink(f"/proc/{server.pid}/exe"))
        assert program.is_relative_to(data_dir) == IS_ROOT


def test_a_server_that_cannot_start_is_explained_and_nothing_is_left(data_dir: Path) -> None:
    with EmbeddedPostgres(data_dir, durable=False) as server:
        pass
    settings_file = data_dir / "cluster" / "postgresql.conf"
    settings_file.write_text(settings_file.read_text() + "work_mem = much\n")
    with pytest.raises(EmbeddedPostgresError, match=r'"work_mem": "much"'):
        server.start()
    assert not server.is_running()
    settings_file.write_text(settings_file.read_text().replace("much", "5MB"))
    with server:
        assert psql(server, "SHOW work_mem") == "5MB"


def test_the_data_folder_is_the_chosen_or_the_usual_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCM_DATA_DIR", "/srv/scm")
    settings.cache_clear()
    assert default_data_dir() == Path("/srv/scm")
    monkeypatch.delenv("SCM_DATA_DIR")
    monkeypatch.setenv("XDG_DATA_HOME", "/xdg")
    settings.cache_clear()
    usual = "/var/lib/scm-api/pg18" if IS_ROOT else "/xdg/scm-api/pg18"
    assert default_data_dir() == Path(usual)
    settings.cache_clear()
