"""The rules of the wire that hold for every operation alike."""

from collections import defaultdict
from dataclasses import replace

import httpx
import pytest

from tests.contract.spec import (
    Operation,
    assert_documented,
    assert_problem,
    operations,
    with_body,
    writing,
)
from tests.contract.world import second_key
from tests.support import Client, problem_codes

every_operation = pytest.mark.parametrize("operation", operations(), ids=str)
every_body = pytest.mark.parametrize("operation", with_body(), ids=str)
every_write = pytest.mark.parametrize("operation", writing(), ids=str)
every_get = pytest.mark.parametrize(
    "operation", [o for o in operations() if o.method == "get"], ids=str
)
every_strong_action = pytest.mark.parametrize(
    "operation", [o for o in operations() if o.needs_if_match], ids=str
)


@every_operation
async def test_an_unknown_query_parameter_is_refused_by_name(
    operation: Operation, template: Client
) -> None:
    response = await operation.example().with_(query={"colour": "red"}).send(template)
    body = assert_problem(response, 422, "validation_failed")
    assert [(e["parameter"], e["code"]) for e in body["errors"]] == [
        ("colour", "unknown_parameter")
    ]
    assert_documented(operation, response)


@every_body
async def test_an_unknown_field_is_refused_with_its_pointer(
    operation: Operation, template: Client
) -> None:
    call = operation.example()
    response = await replace(call, body={**call.body, "colour": "red"}).send(template)
    body = assert_problem(response, 422, "validation_failed")
    assert ("#/colour", "unknown_field") in [(e.get("pointer"), e["code"]) for e in body["errors"]]


@every_body
async def test_a_body_of_another_media_type_is_refused(
    operation: Operation, template: Client
) -> None:
    call = operation.example()
    for media_type in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        response = await template.call(
            call.method, call.url, content=b"{}", headers={"Content-Type": media_type}
        )
        assert_problem(response, 415, "unsupported_media_type")
    response = await template.call(call.method, call.url, content=b"{}")
    assert_problem(response, 415, "unsupported_media_type")


@every_body
async def test_malformed_json_is_refused(operation: Operation, template: Client) -> None:
    call = operation.example()
    for content in (b"{", b"{'a': 1}", b'{"a": NaN}', b'{"a": 1, "a": 2}', b"\xff\xfe{}"):
        response = await template.call(
            call.method, call.url, content=content, headers={"Content-Type": "application/json"}
        )
        assert_problem(response, 400, "malformed_json")


@every_body
async def test_a_body_that_is_missing_or_no_object_is_refused(
    operation: Operation, template: Client
) -> None:
    call = operation.example()
    for content in (b"", b"[]", b"null", b'"text"', b"1"):
        response = await template.call(
            call.method, call.url, content=content, headers={"Content-Type": "application/json"}
        )
        assert_problem(response, 422, "validation_failed")


@pytest.mark.parametrize("operation", [o for o in operations() if not o.is_public], ids=str)
async def test_a_call_without_a_valid_key_is_refused(
    operation: Operation, http: httpx.AsyncClient
) -> None:
    call = operation.example()
    for headers in ({}, {"Authorization": "Bearer scm_live_" + "x" * 50}, {"Authorization": "x"}):
        response = await http.request(call.method, call.url, headers=headers)
        assert_problem(response, 401, "unauthenticated")
        assert response.headers["www-authenticate"].startswith("Bearer")


@pytest.fixture(scope="session")
def keys() -> dict[str, Client]:
    """Keys that lack one permission and have all others, by the permission they lack."""
    return {}


@pytest.mark.parametrize("operation", [o for o in operations() if o.is_permitted], ids=str)
async def test_a_key_without_the_permission_is_refused(
    operation: Operation, template: Client, keys: dict[str, Client]
) -> None:
    lacking = operation.permission
    if lacking not in keys:
        others = {o.permission for o in operations() if o.is_permitted} - {lacking}
        keys[lacking] = await second_key(template, *sorted(others))
    response = await operation.example().send(keys[lacking])
    body = assert_problem(response, 403, "permission_denied")
    assert body["required_permission"] == lacking


def _methods_by_path() -> dict[str, set[str]]:
    methods = defaultdict(set)
    for operation in operations():
        methods[operation.path].add(operation.method.upper())
    return methods


@pytest.mark.parametrize("path", sorted(_methods_by_path()))
async def test_a_method_a_path_lacks_is_refused_with_all_that_it_has(
    path: str, template: Client
) -> None:
    operation = next(o for o in operations() if o.path == path)
    url = operation.example().url
    # A path written out is what it says: /items/bulk is never /items/{item}.
    has = set(_methods_by_path()[path])
    if "GET" in has:
        has.add("HEAD")
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"):
        if method in has:
            continue
        response = await template.call(method, url)
        assert_problem(response, 405, "method_not_allowed")
        assert set(response.headers["allow"].split(", ")) == has


async def test_an_unknown_path_is_not_found(template: Client) -> None:
    for path in ("/", "/v1", "/v1/", "/v1/nothing", "/v1/items/", "/v1//items", "/v2/items"):
        assert_problem(await template.get(path), 404, "route_not_found")


@every_get
async def test_head_is_get_without_the_body(operation: Operation, template: Client) -> None:
    call = await operation.runnable(template)
    got = await call.send(template)
    head = await replace(call, method="HEAD").send(template)
    assert head.status_code == got.status_code == 200
    for name in ("etag", "content-type", "link"):
        assert head.headers.get(name) == got.headers.get(name)


@every_get
async def test_a_version_already_held_is_not_sent_again(
    operation: Operation, template: Client
) -> None:
    call = await operation.runnable(template)
    got = await call.send(template)
    if "etag" not in got.headers:
        assert operation.spec["responses"].get("304") is None or "{" in operation.path
        return
    for tag in (got.headers["etag"], f'"0", {got.headers["etag"]}', "*"):
        again = await call.with_(headers={"If-None-Match": tag}).send(template)
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == got.headers["etag"]
    again = await call.with_(headers={"If-None-Match": '"0"'}).send(template)
    assert again.status_code == 200


@every_operation
async def test_problems_speak_chinese_to_who_asks_for_it(
    operation: Operation, template: Client
) -> None:
    headers = {"Accept-Language": "zh-CN,zh;q=0.9,en;q=0.5", "X-Request-Id": "my.request-1"}
    call = operation.example().with_(query={"colour": "red"}, headers=headers)
    response = await call.send(template)
    body = assert_problem(response, 422)
    assert response.headers["content-language"] == "zh-CN"
    assert body["title"] == "校验失败"
    assert body["errors"][0]["detail"] == "此接口没有参数 colour。"
    assert body["request_id"] == response.headers["x-request-id"] == "my.request-1"


@every_write
async def test_an_idempotency_key_that_is_none_is_refused(
    operation: Operation, template: Client
) -> None:
    call = await operation.runnable(template)
    for key in ("", "with space", '""', "x" * 256, "caf\u00e9".encode().decode("latin-1")):
        response = await call.with_(headers={"Idempotency-Key": key.encode("latin-1")}).send(
            template
        )
        assert_problem(response, 400, "idempotency_key_invalid")


@every_write
async def test_dry_run_is_a_boolean(operation: Operation, template: Client) -> None:
    call = (await operation.runnable(template)).with_(query={"dry_run": "perhaps"})
    body = assert_problem(await call.send(template), 422, "validation_failed")
    assert body["errors"][0]["parameter"] == "dry_run"


async def test_a_key_is_not_taken_twice_for_different_requests(world: Client) -> None:
    headers = {"Idempotency-Key": "one-key"}
    body = {"code": "WH-8", "name": "First"}
    first = await world.post("/v1/warehouses", body, headers=headers)
    assert first.status_code == 201
    other = await world.post("/v1/warehouses", {**body, "code": "WH-9"}, headers=headers)
    assert_problem(other, 422, "idempotency_key_reused")
    elsewhere = await world.post("/v1/categories", {"code": "C-9", "name": "x"}, headers=headers)
    assert elsewhere.status_code == 201, "the path is part of the key's scope"
    colleague = await second_key(world, "*")
    theirs = await colleague.post("/v1/warehouses", {**body, "code": "WH-9"}, headers=headers)
    assert theirs.status_code == 201, "the caller is part of the key's scope"


async def test_a_refusal_that_leaves_a_trace_leaves_its_key_free(world: Client) -> None:
    """A refused issue is recorded as a shortage; the same call, sent again, is judged again."""
    line = {"item": {"sku": "SKU-1001"}, "warehouse": {"code": "WH-1"}, "quantity": "5000"}
    body = {"type": "sales_issue", "lines": [line]}
    headers = {"Idempotency-Key": "order-77"}
    for _ in range(3):
        refused = await world.post("/v1/stock-movements", body, headers=headers)
        assert_problem(refused, 409, "insufficient_stock")
    shortages = (await world.ok("GET", "/v1/shortages"))["data"]
    assert len(shortages) == 1, "recorded once for one key"
    arrival = {"type": "adjustment_in", "lines": [line]}
    await world.ok("POST", "/v1/stock-movements", json=arrival)
    done = await world.post("/v1/stock-movements", body, headers=headers)
    assert done.status_code == 201, done.text


@every_strong_action
async def test_an_action_that_needs_a_version_asks_for_it_and_compares_it(
    operation: Operation, world: Client
) -> None:
    call = operation.example()
    assert_problem(await call.send(world), 428, "precondition_required")
    for tag in ('"999999"', 'W/"1"', '"x"'):
        stale = call.with_(headers={"If-Match": tag})
        body = assert_problem(await stale.send(world), 412, "version_mismatch")
        assert body["current_version"] >= 1


@every_strong_action
async def test_a_star_says_that_it_exists_and_names_no_version(
    operation: Operation, world: Client
) -> None:
    call = operation.example().with_(headers={"If-Match": "*"})
    assert_problem(await call.send(world), 428, "precondition_required")


@every_strong_action
async def test_one_of_several_versions_is_enough(operation: Operation, world: Client) -> None:
    call = await operation.runnable(world)
    tags = f'"999998", {call.headers["If-Match"]}, W/"1"'
    response = await call.with_(headers={"If-Match": tags}).send(world)
    assert response.is_success, response.text


async def test_if_match_on_what_does_not_exist_is_refused(world: Client) -> None:
    item = {"sku": "SKU-7", "name": "New", "base_unit": "EA"}
    for tag in ("*", '"1"'):
        headers = {"If-Match": tag}
        refused = await world.put("/v1/items/sku=SKU-7", item, headers=headers)
        assert_problem(refused, 412, "version_mismatch")
        terms = await world.put("/v1/suppliers/code=S-02/items/sku=SKU-1003", {}, headers=headers)
        assert_problem(terms, 412, "version_mismatch")
    path = "/v1/items/sku=SKU-1003"
    changed = await world.patch(path, {"note": "seen"}, headers={"If-Match": "*"})
    assert changed.status_code == 200
    stale = await world.patch(path, {"note": "again", "version": 1}, headers={"If-Match": "*"})
    assert_problem(stale, 412, "version_mismatch")


async def test_security_headers_stand_on_every_kind_of_answer(template: Client) -> None:
    for path in ("/v1/items", "/v1/nothing", "/v1/items/sku=NONE"):
        headers = (await template.get(path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "private, no-cache"
        assert "default-src 'none'" in headers["content-security-policy"]


async def test_a_page_leads_to_the_next_by_cursor_and_by_link(template: Client) -> None:
    first = await template.get("/v1/items", params={"limit": 2})
    link = first.headers["link"]
    assert link.endswith('; rel="next"')
    second = await template.get(link[1 : link.index(">")])
    seen = [row["sku"] for page in (first, second) for row in page.json()["data"]]
    assert seen == ["SKU-1001", "SKU-1002", "SKU-1003"]
    assert "link" not in second.headers
    assert second.json()["has_more"] is False


LISTS = [o for o in operations() if any(p["name"] == "cursor" for p in o.parameters)]


@pytest.mark.parametrize("operation", LISTS, ids=str)
async def test_a_list_read_in_pages_of_one_is_the_whole_list(
    operation: Operation, template: Client
) -> None:
    call = await operation.runnable(template)
    whole = (await call.with_(query={"limit": 500, "include_total": "true"}).send(template)).json()
    assert whole["total"] == len(whole["data"])
    rows, cursor = [], {}
    while True:
        response = await call.with_(query={"limit": 1, **cursor}).send(template)
        page = response.json()
        rows += page["data"]
        assert ("link" in response.headers) == page["has_more"]
        if not page["has_more"]:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert rows == whole["data"]


@pytest.mark.parametrize("operation", LISTS, ids=str)
async def test_a_cursor_we_did_not_make_is_refused(operation: Operation, template: Client) -> None:
    call = await operation.runnable(template)
    for cursor in ("", "x", "eyJhIjoxfQ", "W10", "WyJhIiwiYiJd", "é", "\u0000", "W251bGxd"):
        response = await call.with_(query={"cursor": cursor}).send(template)
        body = assert_problem(response, 422, "validation_failed")
        assert body["errors"][0]["parameter"] == "cursor", cursor


async def test_every_problem_the_document_names_is_in_the_registry(template: Client) -> None:
    registry = {row["code"] for row in (await template.ok("GET", "/v1/problems"))["data"]}
    for operation in operations():
        for status, response in operation.spec["responses"].items():
            if status[0] in "45":
                named = {part.split("`")[1] for part in response["description"].split("; ")}
                assert named <= registry, operation.id


async def test_field_rules_have_both_languages(template: Client) -> None:
    wrong = {"code": "", "name": "x" * 201, "colour": 1}
    english = await template.post("/v1/warehouses", wrong)
    chinese = await template.post("/v1/warehouses", wrong, headers={"Accept-Language": "zh"})
    assert problem_codes(english) == problem_codes(chinese)
    for one, other in zip(english.json()["errors"], chinese.json()["errors"], strict=True):
        assert one["detail"] != other["detail"]


async def test_the_document_itself_needs_no_key(http: httpx.AsyncClient) -> None:
    response = await http.get("/openapi.json")
    assert response.status_code == 200
    assert response.json()["openapi"] == "3.1.0"
