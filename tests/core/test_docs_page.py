"""The documentation page, complete without any other host."""

import re

import httpx
import pytest
from fastapi import FastAPI

from scm_api.core.docs_page import mount_docs
from scm_api.core.guards import RequestId


@pytest.fixture
def client() -> httpx.AsyncClient:
    app = FastAPI(title="Stock & <Orders>", docs_url=None, redoc_url=None)
    mount_docs(app)
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(RequestId(app)), base_url="http://testserver"
    )


async def test_the_page_names_no_other_host_and_has_no_inline_script(
    client: httpx.AsyncClient,
) -> None:
    answer = await client.get("/docs")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "//" not in answer.text
    assert re.findall(r"<script[^>]*>(.*?)</script>", answer.text, re.DOTALL) == ["", ""]
    assert re.search(r"\son\w+=", answer.text) is None
    assert "Stock &amp; &lt;Orders&gt;" in answer.text


async def test_the_policy_lets_only_our_own_files_in(client: httpx.AsyncClient) -> None:
    policy = (await client.get("/docs")).headers.get_list("content-security-policy")
    assert len(policy) == 1
    rules = dict(rule.split(" ", 1) for rule in policy[0].split("; "))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == "'self'"
    assert rules["connect-src"] == "'self'"
    assert rules["frame-ancestors"] == "'none'"
    assert "http" not in policy[0]


async def test_everything_the_page_asks_for_is_served_and_may_be_kept(
    client: httpx.AsyncClient,
) -> None:
    page = await client.get("/docs")
    addresses = re.findall(r'(?:src|href|openapi-url)="([^"]+)"', page.text)
    assets = [address for address in addresses if "assets" in address]
    assert len(assets) == 4
    for address in assets:
        answer = await client.get(page.url.join(address))
        assert answer.status_code == 200, address
        assert len(answer.content) > 100
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert answer.headers["x-content-type-options"] == "nosniff"
    document = await client.get(page.url.join(addresses[-3]))
    assert document.json()["openapi"].startswith("3.1")


async def test_the_assets_have_types_a_browser_accepts(client: httpx.AsyncClient) -> None:
    for file, media_type in (
        ("swagger-ui-bundle.js", "javascript"),
        ("init.js", "javascript"),
        ("swagger-ui.css", "text/css"),
        ("favicon-32x32.png", "image/png"),
    ):
        answer = await client.get(f"/docs/assets/{file}")
        assert media_type in answer.headers["content-type"]
        assert b"sourceMappingURL" not in answer.content


async def test_it_starts_with_links_and_a_remembered_key(client: httpx.AsyncClient) -> None:
    script = (await client.get("/docs/assets/init.js")).text
    assert "deepLinking: true" in script
    assert "persistAuthorization: true" in script
    assert 'validatorUrl: "none"' in script


@pytest.mark.parametrize("file", ["NOTICE", "nothing.js", "..%2f__init__.py", "../docs_page.py"])
async def test_no_other_file_is_served(client: httpx.AsyncClient, file: str) -> None:
    assert (await client.get(f"/docs/assets/{file}")).status_code in {404, 422}


async def test_the_page_is_not_part_of_the_contract(client: httpx.AsyncClient) -> None:
    assert (await client.get("/openapi.json")).json()["paths"] == {}
