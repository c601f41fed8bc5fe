"""How long a refused login takes does not tell whether the e-mail is known."""

import gc
import random
import time
from collections.abc import Iterator, Sequence

import pytest

from tests.support import Client
from tests.users.people import from_address, join, new_email

_LOGINS = 400
# The first find caches and pools cold.
_WARMING_UP = 20
_ACCOUNTS = 20


def cliffs_delta(first: Sequence[float], second: Sequence[float]) -> float:
    """How much more often values of `first` exceed those of `second` than the other way round, from
    -1 to 1 (Cliff 1993); 0 for the same distribution."""
    above = sum(a > b for a in first for b in second)
    below = sum(a < b for a in first for b in second)
    return (above - below) / (len(first) * len(second))


async def _measure(api: Client, emails: Sequence[str]) -> float:
    """Cliff's delta between the times of known and of unknown e-mails, asked in turn, whichever of
    a pair is first by lot."""
    times: tuple[list[float], list[float]] = [], []
    for number in range(_WARMING_UP + _LOGINS):
        pair = (emails[number % len(emails)], new_email())
        for kind in random.sample((0, 1), 2):
            http = from_address(api.http)
            body = {"email": pair[kind], "password": "not the password"}
            begun = time.perf_counter()
            answer = await http.post("/v1/sessions", json=body)
            times[kind].append(time.perf_counter() - begun)
            assert answer.status_code == 401
    return cliffs_delta(times[0][_WARMING_UP:], times[1][_WARMING_UP:])


@pytest.fixture
def no_collection() -> Iterator[None]:
    """A pause of the garbage collector would hit either kind by chance."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_collection")
async def test_known_and_unknown_people_wait_alike(api: Client) -> None:
    emails = [(await join(api)).email for _ in range(_ACCOUNTS)]
    # Among 400 and 400 equal times, one measurement in four thousand exceeds 0.15 by chance.
    assert abs(await _measure(api, emails)) < 0.15


async def test_known_and_unknown_people_cost_the_same_statements(api: Client) -> None:
    person = await join(api)
    counts = []
    for email in (person.email, new_email()):
        async with api.counted() as sent:
            body = {"email": email, "password": "not the password"}
            await from_address(api.http).post("/v1/sessions", json=body)
        counts.append(len(sent))
    assert counts[0] == counts[1] > 0


def test_cliffs_delta_is_one_where_all_of_the_first_are_greater() -> None:
    assert cliffs_delta([3.0, 4.0], [1.0, 2.0]) == 1
    assert cliffs_delta([1.0, 3.0], [2.0]) == 0
