"""Schemathesis finds nothing in a seeded sample of operations; `make fuzz` runs it over all."""

import pytest_asyncio

from scm_api.core.runtime import Runtime
from scm_api.process import Urls
from tests.contract.evil import SEED, sample
from tests.contract.schemathesis_run import run, worlds
from tests.contract.spec import operations

OPERATIONS = 60
SECONDS = 90


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def tokens(runtime: Runtime) -> list[str]:
    """The keys of two organizations with the example world."""
    return [world.token for world in await worlds(runtime)]


def test_schemathesis_finds_nothing(urls: Urls, tokens: list[str]) -> None:
    chosen = sample([operation.id for operation in operations()], OPERATIONS, SEED)
    found = run(
        urls,
        tokens,
        seed=SEED,
        examples=5,
        phases="examples,coverage",
        seconds=SECONDS,
        only=chosen,
    )
    assert not found, found
