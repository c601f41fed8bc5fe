"""Rate limits, asked as the route asks them; two runtimes over one database are two processes."""

import asyncio
import dataclasses
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import asyncpg
import pytest

from scm_api.core import rate_limits
from scm_api.core.budgets import WINDOW_SECONDS, Budgets, Windows
from scm_api.core.db import Database
from scm_api.core.errors import RateLimited
from scm_api.core.runtime import Runtime
from scm_api.core.tx import Principal
from scm_api.settings import Settings
from tests.support import Client

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine is no slow database: where the count must be exact, reports are waited for."""
    monkeypatch.setattr(rate_limits, "REPORT_SECONDS", 30.0)


exact = pytest.mark.usefixtures("patient")


def principal(organization_id: UUID | None = None) -> Principal:
    return Principal("api_key", uuid4(), "a key", organization_id or uuid4(), frozenset())


def process(runtime: Runtime, *, key: int = 0, organization: int = 0, address: int = 0) -> Runtime:
    """Another process over the runtime's database, whose clock stands at noon."""
    limits = {
        "rate_limit_key_per_minute": key,
        "rate_limit_organization_per_minute": organization,
        "rate_limit_address_per_minute": address,
    }
    settings = runtime.settings.model_copy(update=limits)
    return dataclasses.replace(runtime, settings=settings, clock=lambda: NOON, budgets=Budgets())


async def admitted(made: Runtime, who: Principal, requests: int) -> int:
    """How many of so many simultaneous requests are admitted."""
    answers = await asyncio.gather(
        *(rate_limits.admit(made, who) for _ in range(requests)), return_exceptions=True
    )
    assert all(isinstance(answer, RateLimited | Mapping) for answer in answers), answers
    return sum(isinstance(answer, Mapping) for answer in answers)


def remaining(headers: Mapping[str, str]) -> int:
    return int(headers["RateLimit"].split(";r=")[1].split(";")[0])


async def test_without_limits_nothing_is_counted_and_no_header_sent(api: Client) -> None:
    made = process(api.runtime)
    async with api.counted() as statements:
        assert await admitted(made, api.principal(), 500) == 500
    assert statements == []
    assert await rate_limits.admit(made, api.principal()) == {}
    assert len(made.budgets.callers) == 0


async def test_the_headers_name_the_policies_and_the_tightest_budget(runtime: Runtime) -> None:
    made, who = process(runtime, key=1200, organization=12000), principal()
    headers = await rate_limits.admit(made, who)
    assert headers["RateLimit-Policy"] == '"key";q=1200;w=60, "organization";q=12000;w=60'
    until = WINDOW_SECONDS - (int(NOON.timestamp()) - who.id.int) % WINDOW_SECONDS
    assert headers["RateLimit"] == f'"key";r=1199;t={until}'


async def test_a_process_admits_exactly_the_quota(runtime: Runtime) -> None:
    made, who = process(runtime, key=50), principal()
    assert await admitted(made, who, 80) == 50
    assert await admitted(made, who, 10) == 0


async def test_a_refusal_says_what_is_used_up_and_when_to_return(runtime: Runtime) -> None:
    made, who = process(runtime, key=3, organization=100), principal()
    await admitted(made, who, 3)
    with pytest.raises(RateLimited) as refused:
        await rate_limits.admit(made, who)
    problem = refused.value
    left = int(problem.headers["RateLimit"].split(";t=")[1])
    assert problem.headers["RateLimit"] == f'"key";r=0;t={left}'
    assert int(problem.headers["Retry-After"]) >= left > 0
    assert "RateLimit-Policy" in problem.headers
    body = problem.body("en", "/v1/items", "r")
    assert body["type"] == "https://iana.org/assignments/http-problem-types#quota-exceeded"
    assert (body["status"], body["code"], body["retryable"]) == (429, "rate_limited", True)
    assert body["violated-policies"] == ["key"]
    assert body["detail"].endswith(f"try again in {left} s.")
    assert problem.body("zh-CN", "/v1/items", "r")["title"] == "请求过多"


async def test_who_comes_back_when_told_finds_a_new_budget(runtime: Runtime) -> None:
    made, who = process(runtime, key=3), principal()
    await admitted(made, who, 3)
    with pytest.raises(RateLimited) as refused:
        await rate_limits.admit(made, who)
    wait = timedelta(seconds=int(refused.value.headers["Retry-After"]))
    almost = dataclasses.replace(made, clock=lambda: NOON + wait - timedelta(seconds=1.01))
    assert await admitted(almost, who, 1) == 0
    later = dataclasses.replace(made, clock=lambda: NOON + wait)
    assert await admitted(later, who, 10) == 3


async def test_keys_of_one_organization_share_its_budget_and_no_others(runtime: Runtime) -> None:
    made, first = process(runtime, key=30, organization=40), principal()
    second = principal(first.organization_id)
    assert await admitted(made, first, 50) == 30
    assert await admitted(made, second, 50) == 10
    assert await admitted(made, principal(), 50) == 30
    with pytest.raises(RateLimited) as refused:
        await rate_limits.admit(made, first)
    assert refused.value.params["violated-policies"] == ["key", "organization"]


@exact
@pytest.mark.parametrize("quota", [1, 7, 100, 400])
async def test_two_processes_exceed_the_quota_by_a_lease_each_at_most(
    runtime: Runtime, quota: int
) -> None:
    lease = max(1, quota // rate_limits.LEASES_A_WINDOW)
    one, two, who = process(runtime, key=quota), process(runtime, key=quota), principal()
    total = 0
    for _ in range(4):
        both = await asyncio.gather(*(admitted(made, who, quota) for made in (one, two)))
        total += sum(both)
    assert quota <= total <= quota + 2 * lease


@exact
async def test_a_process_that_comes_late_admits_a_lease_at_most(runtime: Runtime) -> None:
    one, two, who = process(runtime, key=200), process(runtime, key=200), principal()
    assert await admitted(one, who, 300) == 200
    assert await admitted(two, who, 300) <= 200 // rate_limits.LEASES_A_WINDOW


@exact
async def test_one_request_in_many_costs_a_statement(api: Client) -> None:
    made, lease = process(api.runtime, key=400), 400 // rate_limits.LEASES_A_WINDOW
    async with api.counted() as statements:
        assert await admitted(made, api.principal(), lease) == lease
        assert statements == []
        for _ in range(200 - lease):
            await rate_limits.admit(made, api.principal())
    reports = [sql for sql in statements if "rate_window" in sql]
    assert len(reports) == 200 // lease - 1


async def test_an_answer_of_304_costs_nothing(runtime: Runtime) -> None:
    made, who = process(runtime, key=5), principal()
    for _ in range(20):
        assert remaining(await rate_limits.admit(made, who)) == 4
        assert remaining(rate_limits.give_back(made, who)) == 5
    assert await admitted(made, who, 10) == 5


async def test_what_is_given_back_in_the_next_minute_was_not_counted_there(
    runtime: Runtime,
) -> None:
    made, who = process(runtime, key=5), principal()
    await rate_limits.admit(made, who)
    later = dataclasses.replace(made, clock=lambda: NOON + timedelta(minutes=1))
    assert remaining(rate_limits.give_back(later, who)) == 5
    assert await admitted(later, who, 10) == 5


async def test_a_database_that_is_away_refuses_nobody_below_the_quota(runtime: Runtime) -> None:
    away = Database("postgresql://nobody@127.0.0.1:1/nothing")
    made, who = dataclasses.replace(process(runtime, key=60), database=away), principal()
    started = time.monotonic()
    assert await admitted(made, who, 100) == 60
    assert time.monotonic() - started < 1
    await away.dispose()


async def test_a_slow_database_holds_a_request_up_once_and_briefly(
    runtime: Runtime, admin: asyncpg.Connection
) -> None:
    made, who = process(runtime, key=60), principal()
    assert await admitted(made, who, 4) == 4
    async with admin.transaction():
        await admin.execute("lock table rate_window in access exclusive mode")
        started = time.monotonic()
        assert await admitted(made, who, 50) == 50
        assert time.monotonic() - started < rate_limits.REPORT_SECONDS + 0.5
    window = made.budgets.callers.at(
        (who.organization_id, who.id), who.id.int % WINDOW_SECONDS, NOON.timestamp()
    )
    assert window.report is not None
    await window.report
    # What was waiting has arrived, and the count is shared again.
    stored = "select used from rate_window where scope_id = $1"
    assert await admin.fetchval(stored, who.id) == window.shared == 6
    made.budgets.alone_until = 0.0
    assert await admitted(made, who, 50) == 6
    assert await admin.fetchval(stored, who.id) >= 54


@exact
async def test_a_report_of_a_past_minute_changes_nothing(
    runtime: Runtime, admin: asyncpg.Connection
) -> None:
    who, one, two = principal(), process(runtime, key=20), process(runtime, key=20)
    behind = dataclasses.replace(two, clock=lambda: NOON - timedelta(minutes=1))
    assert await admitted(one, who, 11) == 11
    assert await admitted(behind, who, 30) == 20
    row = await admin.fetchrow("select * from rate_window where scope_id = $1", who.id)
    assert row is not None
    assert row["used"] == 10
    assert NOON - timedelta(minutes=1) < row["window_start"] <= NOON


@exact
async def test_a_new_minute_starts_the_row_over(
    runtime: Runtime, admin: asyncpg.Connection
) -> None:
    made, who = process(runtime, key=20), principal()
    later = dataclasses.replace(made, clock=lambda: NOON + timedelta(minutes=1))
    assert await admitted(made, who, 30) == 20
    assert await admitted(later, who, 5) == 5
    rows = await admin.fetch("select used from rate_window where scope_id = $1", who.id)
    assert [row["used"] for row in rows] == [4]


def test_no_more_callers_are_remembered_than_there_is_room_for() -> None:
    windows, now = Windows(most=100), NOON.timestamp()
    for caller in range(1_000):
        windows.at(caller, 0, now).own += 1
    assert len(windows) == 100
    assert windows.at(999, 0, now).used == 1
    assert windows.at(0, 0, now).used == 0


def test_a_window_ends_after_a_minute_of_its_own_phase() -> None:
    windows = Windows(most=10)
    window = windows.at("a", 7, 600.0)
    assert window.ends_at == 607.0
    assert windows.at("a", 7, 606.9) is window
    assert windows.at("a", 7, 607.0).ends_at == 667.0
    # A clock that was set back by more than a minute does not freeze the budget.
    assert windows.at("a", 7, 300.0).ends_at == 307.0


def test_an_address_may_send_so_many_requests_without_credentials(runtime: Runtime) -> None:
    made = process(runtime, address=3)
    headers = [rate_limits.admit_address(made, "203.0.113.7") for _ in range(3)]
    assert [remaining(h) for h in headers] == [2, 1, 0]
    assert headers[0]["RateLimit-Policy"] == '"address";q=3;w=60'
    with pytest.raises(RateLimited) as refused:
        rate_limits.admit_address(made, "203.0.113.7")
    assert refused.value.params["violated-policies"] == ["address"]
    with pytest.raises(RateLimited):
        rate_limits.admit_address(made, "::ffff:203.0.113.7")
    assert remaining(rate_limits.admit_address(made, "203.0.113.8")) == 2


def test_an_ipv6_network_counts_as_one_address(runtime: Runtime) -> None:
    made = process(runtime, address=3)
    counts = [
        remaining(rate_limits.admit_address(made, f"2001:db8:1:{network}::{host}"))
        for network, host in ((1, 1), (1, 2), (2, 1), (1, "ffff"))
    ]
    assert counts == [2, 1, 2, 0]


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.8.8", "::1", "", None, "unix:"])
def test_the_machine_itself_is_not_limited(runtime: Runtime, address: str | None) -> None:
    made = process(runtime, address=1)
    assert [rate_limits.admit_address(made, address) for _ in range(3)] == [{}, {}, {}]
    assert len(made.budgets.addresses) == 0


def test_limits_of_keys_are_off_unless_set() -> None:
    settings = Settings()
    assert settings.rate_limit_key_per_minute == settings.rate_limit_organization_per_minute == 0


async def test_the_registry_of_problems_names_the_registered_type(api: Client) -> None:
    kinds = {kind["code"]: kind for kind in (await api.ok("GET", "/v1/problems"))["data"]}
    registered = "https://iana.org/assignments/http-problem-types#quota-exceeded"
    assert kinds["rate_limited"]["type"] == registered
    assert kinds["not_found"]["type"] == "https://scm-api.dev/problems/not-found"
