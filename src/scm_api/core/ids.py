"""Time-ordered identifiers (UUIDv7, RFC 9562), made here so that any PostgreSQL 17+ will do."""

import os
import threading
import time
from uuid import UUID

_lock = threading.Lock()
_last_ns = 0


def uuid7() -> UUID:
    """A UUIDv7, strictly increasing within the process: 48 bits of milliseconds, 12 bits of
    sub-millisecond time, 62 random bits."""
    global _last_ns
    with _lock:
        # One sub-millisecond step is 1/4096 ms, about 245 ns; never go back or stand still.
        now = max(time.time_ns(), _last_ns + 245)
        _last_ns = now
    milliseconds, rest = divmod(now, 1_000_000)
    fraction = (rest << 12) // 1_000_000
    random = int.from_bytes(os.urandom(8)) & ((1 << 62) - 1)
    return UUID(int=milliseconds << 80 | 0x7 << 76 | fraction << 64 | 0b10 << 62 | random)
