"""Browsers: nothing is open to other origins unless the operator names them."""

import httpx

from scm_api.app import EXPOSED, create_app
from scm_api.core.runtime import Runtime
from scm_api.process import Urls, make_runtime
from scm_api.settings import Settings
from tests.support import Client

SHOP = "https://shop.example"


async def _ask(runtime: Runtime, method: str, **headers: str) -> httpx.Response:
    transport = httpx.ASGITransport(create_app(runtime), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        return await client.request(method, "/v1/items", headers=headers)


async def test_no_origin_is_let_in_by_default(api: Client) -> None:
    answer = await api.get("/v1/items", headers={"Origin": SHOP})
    assert "access-control-allow-origin" not in answer.headers


async def test_a_named_origin_may_write_and_read_the_headers_of_the_contract(
    api: Client, urls: Urls
) -> None:
    runtime = make_runtime(Settings(cors_origins=(SHOP,), db_pool_size=1), urls)
    try:
        preflight = await _ask(
            runtime,
            "OPTIONS",
            **{
                "Origin": SHOP,
                "Access-Control-Request-Method": "PATCH",
                "Access-Control-Request-Headers": "authorization,if-match,idempotency-key",
            },
        )
        assert preflight.status_code == 200
        assert preflight.headers["access-control-allow-origin"] == SHOP
        assert "PATCH" in preflight.headers["access-control-allow-methods"]
        answer = await _ask(runtime, "GET", Origin=SHOP, Authorization=f"Bearer {api.token}")
        assert answer.status_code == 200
        exposed = answer.headers["access-control-expose-headers"].split(", ")
        assert set(EXPOSED) <= set(exposed)
        stranger = await _ask(runtime, "GET", Origin="https://evil.example")
        assert "access-control-allow-origin" not in stranger.headers
        refused = await _ask(runtime, "GET", Origin=SHOP)
        assert refused.status_code == 401
        assert refused.headers["access-control-allow-origin"] == SHOP, "refusals can be read too"
    finally:
        await runtime.database.dispose()
