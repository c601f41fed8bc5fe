"""Logs and metrics of an application built as users build it, read back as tools read them."""

import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import httpx
import pytest
import structlog
from fastapi import APIRouter, FastAPI
from prometheus_client.parser import text_string_to_metric_families
from starlette.types import ASGIApp

from scm_api.core.guards import RequestId
from scm_api.core.observability import (
    AccessLog,
    LogFormat,
    Metrics,
    MetricsRegistry,
    configure_logging,
    logger,
    render_metrics,
    scrub,
)


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level, configuration = root.handlers[:], root.level, structlog.get_config()
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.configure(**configuration)


@pytest.fixture
def metrics() -> MetricsRegistry:
    return MetricsRegistry()


@pytest.fixture
def app(metrics: MetricsRegistry) -> ASGIApp:
    app = FastAPI()
    router = APIRouter(prefix="/v1/items")

    @router.get("/{item_id}")
    async def read(item_id: str) -> str:
        structlog.contextvars.bind_contextvars(organization_id="org-1", principal="key-1")
        return item_id

    @router.post("/{item_id}/fail")
    async def fail(item_id: str) -> None:
        raise RuntimeError("postgresql://scm:hunter2@db/scm")

    @app.get("/livez")
    async def livez() -> str:
        return "ok"

    app.include_router(router)
    return RequestId(Metrics(AccessLog(app), metrics))


def client_of(app: ASGIApp) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://testserver")


def samples(metrics: MetricsRegistry, name: str) -> dict[tuple[tuple[str, str], ...], float]:
    body, content_type = render_metrics(metrics)
    assert content_type.startswith("text/plain")
    return {
        tuple(sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
        if sample.name == name
    }


def lines(captured: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in captured.splitlines()]


async def test_requests_are_counted_by_route_template(
    app: ASGIApp, metrics: MetricsRegistry
) -> None:
    async with client_of(app) as client:
        for path in ("/v1/items/1", "/v1/items/2", "/no/such/path", "/v1/items/%00"):
            await client.get(path)
        await client.post("/v1/items/3/fail")
        await client.request("BREW", "/v1/items/1")
    counted = samples(metrics, "scm_http_requests_total")
    by_label = {
        (labels["method"], labels["route"], labels["status"]): value
        for labels, value in ((dict(key), value) for key, value in counted.items())
    }
    assert by_label == {
        ("GET", "/v1/items/{item_id}", "200"): 3,
        ("GET", "unmatched", "404"): 1,
        ("POST", "/v1/items/{item_id}/fail", "500"): 1,
        ("OTHER", "/v1/items/{item_id}", "405"): 1,
    }
    timed = samples(metrics, "scm_http_request_duration_seconds_count")
    assert timed[(("method", "GET"), ("route", "/v1/items/{item_id}"))] == 3
    assert samples(metrics, "scm_http_requests_in_flight")[()] == 0


async def test_two_applications_do_not_share_their_counts(app: ASGIApp) -> None:
    other = MetricsRegistry()
    async with client_of(app) as client:
        await client.get("/v1/items/1")
    assert samples(other, "scm_http_requests_total") == {}


def test_the_process_itself_is_measured(metrics: MetricsRegistry) -> None:
    assert samples(metrics, "process_resident_memory_bytes")[()] > 1_000_000


async def test_a_request_is_one_json_line(app: ASGIApp, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("json", "info")
    async with client_of(app) as client:
        await client.get("/v1/items/secret-id?token=abc", headers={"X-Request-Id": "r-1"})
        await client.get("/livez")
        await client.post("/v1/items/1/fail", headers={"X-Request-Id": "r-2"})
    captured = capsys.readouterr()
    first, second = lines(captured.err)
    assert captured.out == ""
    assert datetime.fromisoformat(first.pop("timestamp")).utcoffset() is not None
    assert 0 < first.pop("duration_ms") < 5_000
    assert first == {
        "level": "info",
        "event": "request",
        "method": "GET",
        "route": "/v1/items/{item_id}",
        "status": 200,
        "request_id": "r-1",
        "organization_id": "org-1",
        "principal": "key-1",
    }
    assert (second["level"], second["status"], second["request_id"]) == ("error", 500, "r-2")
    assert "organization_id" not in second


def test_secrets_never_reach_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("json", "info")
    try:
        raise RuntimeError("cannot reach postgresql://scm:hunter2@db/scm with scm_test_ab_cd")
    except RuntimeError:
        logger.exception(
            "failed with scm_live_abc_DEF-123",
            Authorization="Bearer abc",
            header="Bearer abc.def",
            nested={"api_key": "k", "list": [{"new_password": "p", "name": "bolt"}]},
        )
    logging.getLogger("uvicorn.error").error("refused %s", "scm_live_abc_def")
    text = capsys.readouterr().err
    ours, theirs = lines(text)
    assert ours["event"] == "failed with [redacted]"
    assert ours["Authorization"] == "[redacted]"
    assert ours["header"] == "Bearer [redacted]"
    assert ours["nested"] == {
        "api_key": "[redacted]",
        "list": [{"new_password": "[redacted]", "name": "bolt"}],
    }
    assert "RuntimeError: cannot reach postgresql://[redacted]@db/scm" in ours["exception"]
    assert theirs["event"] == "refused [redacted]"
    assert theirs["logger"] == "uvicorn.error"
    assert "hunter2" not in text
    assert "scm_test_ab_cd" not in text


def test_scrubbing_keeps_what_is_no_secret() -> None:
    harmless = {"route": "/v1/items/{item_id}", "url": "https://a.example/b", "n": 1, "none": None}
    assert scrub(harmless) == harmless


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_quieter_levels_are_left_out(
    log_format: LogFormat, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging(log_format, "warning")
    logger.info("too quiet")
    logging.getLogger("sqlalchemy").info("too quiet")
    logger.warning("库存不足", item="SKU-7", api_key="k")
    text = capsys.readouterr().err
    assert "too quiet" not in text
    assert "库存不足" in text
    assert "SKU-7" in text
    assert "[redacted]" in text
    assert text.startswith("{") == (log_format == "json")


def test_several_workers_are_summed(tmp_path: Any) -> None:
    script = """
import os, sys
from scm_api.core.observability import METRICS, render_metrics
METRICS.requests.labels("GET", "/v1/items", "200").inc()
sys.stdout.write(render_metrics()[0].decode())
"""
    outputs = [
        subprocess.run(
            [sys.executable, "-c", script],
            env={"PROMETHEUS_MULTIPROC_DIR": str(tmp_path), "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for _ in range(2)
    ]
    counter = 'scm_http_requests_total{method="GET",route="/v1/items",status="200"}'
    assert f"{counter} 1.0" in outputs[0]
    assert f"{counter} 2.0" in outputs[1]
