"""Plans of a large catalogue: the statements do not grow with the lines."""

from typing import Any
from uuid import UUID

import pytest

from scm_api.core import jobs
from scm_api.core.jobs import Work
from scm_api.replenishment import service
from tests.replenishment.company import Company
from tests.replenishment.large import fill
from tests.support import Client


async def _statements(company: Company) -> tuple[int, dict[str, Any]]:
    """How many statements a plan sends, and what it gives; nothing is kept."""
    api = company.api
    started = (await api.post("/v1/replenishment/plans", {})).json()
    sent: list[str] = []
    async with api.runtime.database.transaction(api.principal(), now=api.runtime.clock()) as tx:
        job = await jobs.find(tx, UUID(started["id"]))
        work = Work(api.runtime, tx.principal, UUID(started["id"]), job["params"])
        with tx.driver.query_logger(lambda record: sent.append(record.query)):
            result = await service.make(tx, work)
    return len(sent), result


@pytest.mark.parametrize("sizes", [(20, 2000)])
async def test_two_thousand_lines_take_the_statements_of_twenty(
    api: Client, other: Client, sizes: tuple[int, int]
) -> None:
    counts = []
    for client, size in zip((api, other), sizes, strict=True):
        company = await Company.found(client)
        await fill(company, size, 60)
        statements, result = await _statements(company)
        assert result["lines"] == size
        assert sum(result["outcomes"].values()) == size
        assert result["suggestions"]["opened"] == result["outcomes"]["suggested"] > size / 3
        counts.append(statements)
    # asyncpg may look up a type once more on a connection that is new.
    assert abs(counts[0] - counts[1]) <= 2, counts
    assert max(counts) <= 40
