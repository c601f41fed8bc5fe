"""The server over real sockets: clients that are slow, silent, malformed, huge, or just good."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.server import Server

from scm_api.core.guards import BodySizeGuard, RequestId
from scm_api.core.server import Deadlines, configure

SHORT = Deadlines(
    header_seconds=0.4,
    body_idle_seconds=0.4,
    body_seconds=1.0,
    body_bytes_per_second=1_000_000,
    keep_alive_seconds=0.4,
    write_seconds=0.5,
    close_seconds=0.2,
)


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """`/slow` answers and `/late` reads after a second, `/huge` answers with a gigabyte; else: how
    many bytes came, and under which headers."""
    if scope["type"] == "lifespan":
        for event in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{event}.complete"})
        return
    if scope["path"] == "/late":
        await asyncio.sleep(1)
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        size, more = size + len(message["body"]), message["more_body"]
    if scope["path"] == "/slow":
        await asyncio.sleep(1)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for _ in range(16_384 if scope["path"] == "/huge" else 0):
        await send({"type": "http.response.body", "body": b"x" * 65_536, "more_body": True})
    names = sorted(name.decode() for name, _ in scope["headers"])
    body = json.dumps({"size": size, "headers": names}).encode()
    await send({"type": "http.response.body", "body": body})


@contextlib.contextmanager
def serving(app: ASGIApp, deadlines: Deadlines = SHORT) -> Iterator[tuple[str, int]]:
    listener = socket.create_server(("127.0.0.1", 0))
    server = Server(configure(app, deadlines=deadlines, timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield listener.getsockname()
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def address() -> Iterator[tuple[str, int]]:
    with serving(RequestId(BodySizeGuard(app, default_limit=1_000_000))) as found:
        yield found


@pytest.fixture
def connection(address: tuple[str, int]) -> Iterator[socket.socket]:
    with socket.create_connection(address, timeout=5) as opened:
        yield opened


def read_all(connection: socket.socket) -> bytes:
    """Everything until the server closes; a reset counts as closed."""
    received = b""
    with contextlib.suppress(ConnectionResetError):
        while chunk := connection.recv(65_536):
            received += chunk
    return received


def drip(connection: socket.socket, data: bytes, every: float = 0.05) -> bytes:
    """Send byte by byte until the server answers or closes; then what it said."""
    connection.settimeout(every)
    for n in range(len(data)):
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.send(data[n : n + 1])
        try:
            received = connection.recv(65_536)
        except TimeoutError:
            continue
        except ConnectionResetError:
            return b""
        connection.settimeout(5)
        return received + (read_all(connection) if received else b"")
    raise AssertionError("the server took it all")


def problem_of(answer: bytes) -> dict[str, object]:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"content-type: application/problem+json" in head
    assert b"x-content-type-options: nosniff" in head
    assert b"connection: close" in head
    document: dict[str, object] = json.loads(body)
    assert f"HTTP/1.1 {document['status']} ".encode() in head
    return document


def within(seconds: float) -> Callable[[], bool]:
    started = time.monotonic()
    return lambda: time.monotonic() - started < seconds


def test_half_open_connections_are_closed_while_good_requests_are_served(
    address: tuple[str, int],
) -> None:
    in_time = within(3)
    sockets = [socket.create_connection(address, timeout=5) for _ in range(100)]
    for n, half_open in enumerate(sockets):
        half_open.sendall((b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: a\r\n")[n % 3])
    slowest = 0.0
    with httpx.Client(base_url="http://{}:{}".format(*address)) as client:
        for _ in range(20):
            started = time.monotonic()
            assert client.get("/").status_code == 200
            slowest = max(slowest, time.monotonic() - started)
    answers = [read_all(half_open) for half_open in sockets]
    assert in_time()
    assert slowest < 0.25
    assert set(answers[::3]) == {b""}
    assert {problem_of(answer)["code"] for answer in answers[1::3]} == {"request_timeout"}
    for half_open in sockets:
        half_open.close()


def test_a_header_drip_does_not_extend_the_deadline(connection: socket.socket) -> None:
    in_time = within(1.5)
    answer = drip(connection, b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 200)
    assert problem_of(answer)["status"] == 408
    assert in_time()


def test_empty_lines_do_not_keep_an_idle_connection(connection: socket.socket) -> None:
    connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert connection.recv(65_536).startswith(b"HTTP/1.1 200")
    in_time = within(1.5)
    drip(connection, b"\r\n" * 100)
    assert in_time()


def test_a_stalled_body_is_refused(connection: socket.socket) -> None:
    in_time = within(1.5)
    connection.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345")
    problem = problem_of(read_all(connection))
    assert (problem["code"], problem["retryable"]) == ("request_timeout", True)
    assert in_time()


def test_a_body_drip_ends_at_the_total_deadline(connection: socket.socket) -> None:
    in_time = within(2.5)
    connection.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n")
    assert problem_of(drip(connection, b"x" * 500))["status"] == 408
    assert in_time()


def test_a_body_in_bits_that_arrives_in_time_is_served(connection: socket.socket) -> None:
    connection.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(3):
        time.sleep(0.2)
        connection.sendall(b"5\r\n12345\r\n")
    connection.sendall(b"0\r\n\r\n")
    assert b'"size": 15' in connection.recv(65_536)


def test_a_slow_handler_is_not_the_clients_fault(connection: socket.socket) -> None:
    connection.sendall(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\nGET / HT")
    received = b""
    while b'"size": 0' not in received:
        received += connection.recv(65_536)
    connection.sendall(b"TP/1.1\r\nHost: a\r\n\r\n")
    assert b'"size": 0' in connection.recv(65_536)


def test_a_body_we_read_late_is_not_the_clients_fault(connection: socket.socket) -> None:
    body = b"x" * 900_000
    connection.sendall(b"POST /late HTTP/1.1\r\nHost: a\r\nContent-Length: 900000\r\n\r\n" + body)
    assert b'"size": 900000' in connection.recv(65_536)


def test_a_client_told_to_wait_for_100_continue_may_wait(connection: socket.socket) -> None:
    connection.sendall(
        b"POST /late HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
    )
    assert connection.recv(65_536) == b"HTTP/1.1 100 Continue\r\n\r\n"
    connection.sendall(b"hi")
    assert b'"size": 2' in connection.recv(65_536)


def test_a_connection_is_reused_and_closed_when_idle(connection: socket.socket) -> None:
    for _ in range(4):
        connection.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi")
        assert b'"size": 2' in connection.recv(65_536)
        time.sleep(0.2)
    in_time = within(1.5)
    assert read_all(connection) == b""
    assert in_time()


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        b"GET http://[ HTTP/1.1\r\nHost: a\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
        b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
def test_malformed_http_is_a_400_problem(connection: socket.socket, garbage: bytes) -> None:
    connection.sendall(garbage)
    assert problem_of(read_all(connection))["code"] == "malformed_request"


def test_endless_headers_are_refused(connection: socket.socket) -> None:
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 1_000_000)
    assert problem_of(read_all(connection))["code"] == "headers_too_large"


def test_trailers_do_not_become_headers(connection: socket.socket) -> None:
    connection.sendall(
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"1\r\nx\r\n0\r\nAuthorization: Bearer x\r\n\r\n"
    )
    assert b'"headers": ["host", "transfer-encoding"]' in connection.recv(65_536)


def test_an_upgrade_offer_is_declined_by_answering(connection: socket.socket) -> None:
    connection.sendall(
        b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\n"
    )
    assert connection.recv(65_536).startswith(b"HTTP/1.1 200")


def test_a_client_that_does_not_read_is_dropped(connection: socket.socket) -> None:
    connection.sendall(b"GET /huge HTTP/1.1\r\nHost: a\r\n\r\n")
    time.sleep(1.5)
    # What the kernel had buffered, then the end.
    assert len(read_all(connection)) < 2**28


def resident_bytes(pid: int) -> int:
    shown = subprocess.run(
        ["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, check=True, text=True
    )
    return int(shown.stdout) * 1024


@contextlib.contextmanager
def process(code: str, **environment: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A server process of its own; `code` sees `run` and the bound `listener`."""
    preamble = (
        "import asyncio, socket, sys, threading, time\n"
        "from scm_api.core.guards import BodySizeGuard, LastResort, RequestId\n"
        "from scm_api.core.server import Deadlines, run\n"
        "listener = socket.create_server(('127.0.0.1', 0))\n"
        "print(listener.getsockname()[1], flush=True)\n"
    )
    folder = str(Path(__file__).parent)
    child = subprocess.Popen(
        [sys.executable, "-c", preamble + code],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "PYTHONPATH": ":".join([folder, *sys.path]), **environment},
    )
    assert child.stdout is not None
    try:
        yield child, int(child.stdout.readline())
    finally:
        child.kill()
        child.wait()
        child.stdout.close()


GUARDED = """
from test_server import app
run(RequestId(BodySizeGuard(app)), '127.0.0.1', 0, sockets=[listener])
"""


@pytest.mark.parametrize("declared", [True, False])
def test_64_megabytes_are_refused_without_taking_memory(declared: bool) -> None:
    size, piece = 64 * 2**20, b"x" * 2**20
    with process(GUARDED) as (child, port):
        url = f"http://127.0.0.1:{port}"
        for _ in range(20):  # warm up
            assert httpx.post(url, content=b"x" * 900_000).status_code == 200
        before = resident_bytes(child.pid)
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            framing = f"Content-Length: {size}" if declared else "Transfer-Encoding: chunked"
            connection.sendall(f"POST / HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n".encode())
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                for _ in range(64):
                    connection.sendall(piece if declared else b"100000\r\n" + piece + b"\r\n")
            answer = read_all(connection)
        assert resident_bytes(child.pid) - before < 5 * 2**20
    assert problem_of(answer)["code"] == "body_too_large"


HUNG = """
async def app(scope, receive, send):
    if scope['type'] == 'lifespan':
        while True:
            message = await receive()
            await send({'type': message['type'] + '.complete'})
    if scope['path'] == '/thread':
        await asyncio.shield(asyncio.to_thread(time.sleep, 60))
    if scope['path'] == '/hung':
        await asyncio.sleep(60)
    if scope['path'] == '/finishes':
        await asyncio.sleep(0.5)
    await send({'type': 'http.response.start', 'status': 200, 'headers': []})
    await send({'type': 'http.response.body', 'body': b'done'})

run(RequestId(LastResort(app)), '127.0.0.1', 0, sockets=[listener], timeout_graceful_shutdown=1,
    deadlines=Deadlines(exit_seconds=0.5))
"""


def terminate_during(path: str) -> tuple[bytes, float]:
    """The answer to a request during which SIGTERM comes, and the seconds to the process's end."""
    with process(HUNG) as (child, port):
        assert httpx.get(f"http://127.0.0.1:{port}/").text == "done"
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            time.sleep(0.2)
            started = time.monotonic()
            child.send_signal(signal.SIGTERM)
            answer = read_all(connection)
            assert child.wait(timeout=10) in {-signal.SIGTERM, 128 + signal.SIGTERM}
    return answer, time.monotonic() - started


def test_sigterm_lets_a_running_request_finish() -> None:
    answer, seconds = terminate_during("/finishes")
    assert answer.startswith(b"HTTP/1.1 200")
    assert seconds < 1.5


def test_sigterm_ends_despite_a_hung_request_and_tells_its_client_to_retry() -> None:
    answer, seconds = terminate_during("/hung")
    assert problem_of(answer)["code"] == "unavailable"
    assert seconds < 3


def test_sigterm_ends_despite_a_request_that_cannot_be_cancelled() -> None:
    _, seconds = terminate_during("/thread")
    assert seconds < 3


WORKERS = """
if __name__ == '__main__':
    run('test_server:app', '127.0.0.1', 0, sockets=[listener], workers=2,
        timeout_graceful_shutdown=1)
"""


def test_several_workers_serve_and_end_together() -> None:
    with process(WORKERS) as (child, port):
        for _ in range(100):
            with contextlib.suppress(httpx.TransportError):
                assert httpx.get(f"http://127.0.0.1:{port}/", timeout=2).status_code == 200
                break
            time.sleep(0.1)
        else:
            raise AssertionError("no worker came up")
        child.send_signal(signal.SIGTERM)
        assert child.wait(timeout=10) == 0
