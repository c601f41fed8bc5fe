"""What a request may hold, so that a small one never makes a large or a slow answer."""

import json
import time

import pytest

from scm_api.core.errors import MOST_ERRORS
from tests.support import Client


async def test_a_query_has_a_bounded_number_of_parameters(api: Client) -> None:
    many = "&".join(f"p{n}=1" for n in range(500))
    answer = await api.get(f"/v1/items?{many}")
    assert (answer.status_code, len(answer.json()["errors"])) == (422, 500)
    answer = await api.get(f"/v1/items?{many}&one=more")
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed_request")
    assert "500" in answer.json()["detail"]


async def test_a_body_that_is_wrong_everywhere_gets_a_bounded_answer(api: Client) -> None:
    body = json.dumps({f"f{n}": 1 for n in range(60_000)})
    assert len(body) < 1_000_000
    started = time.monotonic()
    headers = {"Content-Type": "application/json"}
    answer = await api.call("POST", "/v1/warehouses", content=body, headers=headers)
    assert answer.status_code == 422
    problem = answer.json()
    assert problem["count"] > 60_000
    assert len(problem["errors"]) == MOST_ERRORS
    assert len(answer.content) < 500_000
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Accept-Language", "zh-CN;q=0.5," * 4_000),
        ("Accept-Language", "-" * 50_000),
        ("If-None-Match", 'W/"1",' * 8_000),
        ("If-Match", '"1",' * 12_000),
        ("If-Match", " " * 50_000 + "x"),
        ("Authorization", "Bearer " + "scm_" * 12_000),
        ("Idempotency-Key", '"' * 50_000),
        ("traceparent", "0" * 50_000),
    ],
)
async def test_a_long_header_costs_no_time(api: Client, name: str, value: str) -> None:
    started = time.monotonic()
    for path, method in (("/v1/warehouses/W", "PATCH"), ("/v1/warehouses/W", "GET")):
        answer = await api.call(method, path, headers={name: value})
        assert answer.status_code < 500
    assert time.monotonic() - started < 1
