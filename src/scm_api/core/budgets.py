"""Counting requests by the minute, in the memory of one process, for a bounded number of callers.

Nothing here waits or asks anybody; what processes tell each other is in `rate_limits`.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field

WINDOW_SECONDS = 60


@dataclass(slots=True)
class Window:
    """One caller's minute: `shared` requests that all processes have reported, this one's included,
    and `own` that this process has admitted and not yet reported."""

    ends_at: float
    shared: int = 0
    own: int = 0
    report: asyncio.Task[None] | None = None

    @property
    def used(self) -> int:
        """The requests of this minute, as far as this process knows; never too many."""
        return self.shared + self.own


class Windows:
    """The current minutes of at most `most` callers; the longest open are forgotten first."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._by_caller: OrderedDict[Hashable, Window] = OrderedDict()

    def __len__(self) -> int:
        return len(self._by_caller)

    def at(self, caller: Hashable, phase: int, now: float) -> Window:
        """The caller's window at an instant (Unix seconds).

        It begins `phase` seconds after a full minute. Callers of different phases get their new
        budgets at different moments, so those who wait for theirs do not all return at once.
        """
        window = self._by_caller.get(caller)
        # More than a minute ahead: the clock was set back.
        if window is not None and 0 < window.ends_at - now <= WINDOW_SECONDS:
            return window
        self._by_caller.pop(caller, None)
        while len(self._by_caller) >= self.most:
            self._by_caller.popitem(last=False)
        window = Window(now - (now - phase) % WINDOW_SECONDS + WINDOW_SECONDS)
        self._by_caller[caller] = window
        return window


@dataclass
class Budgets:
    """What one process knows of its callers' budgets. `alone_until` is an instant of the monotonic
    clock: until then the process counts for itself, because the database did not answer."""

    callers: Windows = field(default_factory=lambda: Windows(20_000))
    addresses: Windows = field(default_factory=lambda: Windows(20_000))
    alone_until: float = 0.0
