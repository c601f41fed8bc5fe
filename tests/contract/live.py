"""The application behind a real socket, for clients that are real processes."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from scm_api.app import create_app
from scm_api.process import Urls, make_runtime
from scm_api.settings import Settings


@contextmanager
def served(urls: Urls) -> Iterator[str]:
    """Serves on a free port of this machine meanwhile; gives the base URL."""
    # Its own runtime: connections belong to the event loop that opened them.
    app = create_app(make_runtime(Settings(db_pool_size=5), urls))
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="on"))
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    try:
        for _ in range(200):
            if server.started:
                break
            time.sleep(0.025)
        assert server.started
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()
