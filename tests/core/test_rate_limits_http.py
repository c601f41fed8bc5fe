"""Rate limits as a client meets them: fields, refusals, addresses nobody forges."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from scm_api.app import bare_app, create_app
from scm_api.core.budgets import Budgets
from scm_api.core.http import operation, router
from scm_api.core.operation_route import PUBLIC
from scm_api.core.runtime import Runtime
from tests.support import Client, new_client

ADDRESS = ("203.0.113.9", 4711)


def limited(runtime: Runtime, **limits: int) -> Runtime:
    """Another process over the runtime's database, with limits in requests a minute."""
    update = {f"rate_limit_{name}_per_minute": quota for name, quota in limits.items()}
    settings = runtime.settings.model_copy(update=update)
    return replace(runtime, settings=settings, budgets=Budgets())


@asynccontextmanager
async def calling(app: Any, address: tuple[str, int] = ADDRESS) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=address)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


def left(response: httpx.Response) -> int:
    return int(response.headers["ratelimit"].split(";r=")[1].split(";")[0])


async def test_every_answer_tells_the_budget_refusals_too(runtime: Runtime) -> None:
    async with calling(create_app(limited(runtime, key=20, organization=50))) as http:
        api = await new_client(runtime, http)
        answers = [
            await api.get("/v1/items"),
            await api.get("/v1/items", params={"unknown": "1"}),
            await api.get("/v1/jobs/00000000-0000-0000-0000-000000000000"),
            await api.post("/v1/warehouses", {"code": "W", "name": "W", "time_zone": "UTC"}),
        ]
    assert [a.status_code for a in answers] == [200, 422, 404, 201]
    assert [left(a) for a in answers] == [19, 18, 17, 16]
    policies = {a.headers["ratelimit-policy"] for a in answers}
    assert policies == {'"key";q=20;w=60, "organization";q=50;w=60'}


async def test_over_the_limit_nothing_is_done_and_the_answer_says_when_to_return(
    runtime: Runtime,
) -> None:
    async with calling(create_app(limited(runtime, key=5))) as http:
        api = await new_client(runtime, http)
        answers = await asyncio.gather(
            *(
                api.post("/v1/warehouses", {"code": f"W-{n}", "name": "W", "time_zone": "UTC"})
                for n in range(12)
            )
        )
        other = await new_client(runtime, http, organization_id=api.organization_id)
        stored = await other.ok("GET", "/v1/warehouses")
    assert Counter(a.status_code for a in answers) == {201: 5, 429: 7}
    assert len(stored["data"]) == 5
    refused = next(a for a in answers if a.status_code == 429)
    assert refused.headers["content-type"] == "application/problem+json"
    reset = int(refused.headers["ratelimit"].split(";t=")[1])
    assert 0 < reset <= int(refused.headers["retry-after"]) <= 60
    problem = refused.json()
    assert problem["type"] == "https://iana.org/assignments/http-problem-types#quota-exceeded"
    assert (problem["code"], problem["violated-policies"]) == ("rate_limited", ["key"])


async def test_an_answer_of_304_is_free(runtime: Runtime) -> None:
    async with calling(create_app(limited(runtime, key=5))) as http:
        api = await new_client(runtime, http)
        body = {"code": "W", "name": "W", "time_zone": "UTC"}
        made = await api.post("/v1/warehouses", body)
        where = made.headers["location"]
        headers = {"If-None-Match": made.headers["etag"]}
        answers = [await api.get(where, headers=headers) for _ in range(10)]
        assert [(a.status_code, left(a)) for a in answers] == [(304, 4)] * 10
        assert left(await api.get(where)) == 3
        # Asked whether there is anything at all, the answer costs as much as a read, and counts.
        anything = await api.get(where, headers={"If-None-Match": "*"})
        assert (anything.status_code, left(anything)) == (304, 2)


async def test_without_limits_there_are_no_fields(api: Client) -> None:
    answer = await api.get("/v1/items")
    assert "ratelimit" not in answer.headers
    assert "ratelimit-policy" not in answer.headers


def public_app(runtime: Runtime, address: int) -> Any:
    """The application with one operation that needs no credentials."""
    public = router("public")

    @public.get("/hello", **operation(PUBLIC))
    async def hello() -> dict[str, str]:
        return {"hello": "anybody"}

    app = bare_app()
    app.state.runtime = limited(runtime, address=address)
    app.router.middleware_stack = public
    return app


async def test_a_header_cannot_give_a_stranger_another_address(runtime: Runtime) -> None:
    async with calling(public_app(runtime, 5)) as http:
        forged = [
            {name: f"198.51.100.{n}"}
            for n in range(4)
            for name in ("X-Forwarded-For", "X-Real-IP", "Forwarded", "True-Client-IP")
        ]
        answers = [await http.get("/v1/public/hello", headers=headers) for headers in forged]
    assert Counter(a.status_code for a in answers) == {200: 5, 429: 11}
    assert answers[-1].json()["violated-policies"] == ["address"]


async def test_a_trusted_proxy_names_the_strangers_address(runtime: Runtime) -> None:
    """As uvicorn does for `FORWARDED_ALLOW_IPS`; what a client put before the proxy's word is
    worth nothing."""
    app = ProxyHeadersMiddleware(public_app(runtime, 2), trusted_hosts="10.0.0.1")

    async def get(http: httpx.AsyncClient, forwarded: str) -> int:
        headers = {"X-Forwarded-For": forwarded}
        return (await http.get("/v1/public/hello", headers=headers)).status_code

    async with calling(app, ("10.0.0.1", 80)) as http:
        first = [await get(http, f"127.0.0.1, 192.0.2.{n}, 203.0.113.1") for n in range(4)]
        second = [await get(http, "203.0.113.2") for _ in range(3)]
    assert (first, second) == ([200, 200, 429, 429], [200, 200, 429])
