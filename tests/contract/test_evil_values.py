"""No input gives a 5xx, and every refusal is a problem document in the language asked for.

A seeded sample runs by default; `SCM_FUZZ=full` sends every value to every place.
"""

import re
from typing import Any
from urllib.parse import quote

import asyncpg
import httpx
import pytest

from tests.contract.evil import FULL, SEED, Shot, encode, kind_of, places, put, sample, shots
from tests.contract.spec import Operation, assert_problem, operations, with_body
from tests.contract.world import copy
from tests.support import Client

SHOTS_EACH = 25
CHINESE = re.compile("[\u4e00-\u9fff]")
HEADERS = {"Accept-Language": "zh-CN"}


async def _fire(shot: Shot, caller: Client) -> httpx.Response:
    call = (
        await shot.operation.runnable(caller)
        if shot.kind == "header"
        else (shot.operation.example())
    )
    if shot.kind == "body":
        return await caller.call(
            call.method,
            call.url,
            params=call.query,
            content=encode(call.body, shot.place, shot.value),
            headers={"Content-Type": "application/json", **HEADERS},
        )
    if shot.kind == "path":
        segment = quote(shot.value, safe="")
        url = shot.operation.path.replace(f"{{{shot.place}}}", segment)
        for name, value in call.path.items():
            url = url.replace(f"{{{name}}}", value)
        return await caller.call(
            call.method, url, params=call.query, json=call.body, headers=HEADERS
        )
    if shot.kind == "header":
        headers = {shot.place: shot.value.encode(), **HEADERS}
        return await call.with_(headers=headers).send(caller)
    return await call.with_(query={shot.place: shot.value}, headers=HEADERS).send(caller)


@pytest.mark.parametrize("operation", operations(), ids=str)
async def test_no_value_in_any_place_gives_a_5xx(
    operation: Operation, session_admin: asyncpg.Connection, template: Client
) -> None:
    caller = await copy(session_admin, template)
    found = shots(operation)
    for shot in found if FULL else sample(found, SHOTS_EACH, SEED):
        response = await _fire(shot, caller)
        where = f"{shot.kind} {shot.place} = {str(shot.value)[:80]!r}: {response.text[:300]}"
        assert response.status_code < 500, where
        if response.is_error:
            body = assert_problem(response, response.status_code)
            for words in (body["title"], body["detail"], *(e["detail"] for e in body["errors"])):
                assert CHINESE.search(words), f"{where}: {words}"


def _neither(kinds: set[str]) -> list[Any]:
    """What looks like a whole number or a truth value and is none in JSON."""
    if "integer" in kinds:
        return [True, False, "1", "30", 1.5]
    return [0, 1, "true", "yes"] if "boolean" in kinds else []


@pytest.mark.parametrize("operation", with_body(), ids=str)
async def test_a_whole_number_is_no_text_and_a_truth_value_no_number(
    operation: Operation, template: Client
) -> None:
    schema = operation.body_schema or {}
    call = operation.example()
    if any(parameter["name"] == "dry_run" for parameter in operation.parameters):
        call = call.with_(query={"dry_run": "true"})
    for path in dict.fromkeys(places(schema)):
        for value in _neither(kind_of(schema, path)):
            body = (await call.with_(body=put(call.body, path, value)).send(template)).json()
            # A bulk operation answers line by line.
            lines = body.get("results", [body])
            pointers = {error.get("pointer") for line in lines for error in line["errors"]}
            assert "#/" + "/".join(map(str, path)) in pointers, (path, value, body)


async def test_a_body_of_64_mb_is_refused_before_anybody_reads_it(
    http: httpx.AsyncClient,
) -> None:
    headers = {"Content-Type": "application/json"}
    response = await http.post("/v1/items", content=b" " * 64_000_000, headers=headers)
    assert_problem(response, 413, "body_too_large")


async def test_a_refusal_does_not_echo_what_was_sent(template: Client) -> None:
    secret = "hunter2-" + "x" * 50
    for body in ({"code": [secret], "name": 1}, {"code": "A", "name": {secret: 1}}):
        response = await template.post("/v1/warehouses", body)
        assert secret not in response.text
