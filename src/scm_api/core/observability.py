"""Logs and metrics of a process: no secrets in them, and route templates, not paths, as labels."""

import json
import logging.config
import os
import re
import sys
import time
from collections.abc import MutableMapping
from functools import lru_cache
from typing import Any, Literal

import structlog
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LogFormat = Literal["json", "console"]
logger: structlog.stdlib.BoundLogger = structlog.get_logger("scm_api")

REDACTED = "[redacted]"
UNMATCHED = "unmatched"
_QUIET_PATHS = {"/livez", "/readyz", "/healthz", "/metrics"}
_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
_SECRET_KEY = re.compile(
    r"authorization|passw(or)?d|secret|token|api_?key|cookie|private_key|credential", re.IGNORECASE
)
# API keys, bearer credentials, and the password of a DSN, wherever they stand in a text.
_SECRET_VALUE = re.compile(
    r"scm_(?:live|test)_[\w-]+|(?<=[Bb]earer )\S+|(?<=://)[^/\s:@]*:[^/\s@]+(?=@)"
)
_DEPTH = 6  # of nested values that are searched for secrets
_encoder = json.JSONEncoder(ensure_ascii=False, default=repr, skipkeys=True)


@lru_cache(maxsize=1024)
def _names_a_secret(key: str) -> bool:
    return _SECRET_KEY.search(key) is not None


def scrub(value: Any, depth: int = _DEPTH) -> Any:
    """The value with secrets blanked: entries under telling keys, and tokens inside any text."""
    if isinstance(value, str):
        # Substring tests are far cheaper than the pattern, and nearly always enough.
        suspicious = "scm_" in value or "earer " in value or "://" in value
        return _SECRET_VALUE.sub(REDACTED, value) if suspicious else value
    if depth == 0 or not isinstance(value, dict | list | tuple):
        return value
    if isinstance(value, dict):
        return {
            key: REDACTED if _names_a_secret(str(key)) else scrub(member, depth - 1)
            for key, member in value.items()
        }
    return [scrub(entry, depth - 1) for entry in value]


def scrub_secrets(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """The structlog processor that keeps secrets out of the logs."""
    scrubbed: dict[str, Any] = scrub(dict(event))
    return scrubbed


def _shared_processors() -> list[Any]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="timestamp"),
    ]


def _final_processors(log_format: LogFormat) -> list[Any]:
    if log_format == "console":
        return [scrub_secrets, structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
    # The traceback becomes text first, so that it is scrubbed too.
    return [
        structlog.processors.format_exc_info,
        scrub_secrets,
        _render_json,
    ]


def _render_json(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> str:
    return _encoder.encode(event)


def formatter(log_format: LogFormat) -> logging.Formatter:
    """The formatter that gives lines of the standard library's loggers the shape of ours."""
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*_shared_processors(), structlog.stdlib.add_logger_name],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            *_final_processors(log_format),
        ],
    )


def log_config(log_format: LogFormat = "json", level: str = "info") -> dict[str, Any]:
    """The `logging.config` dictionary for uvicorn, SQLAlchemy and all other standard loggers."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"scm": {"()": f"{__name__}.formatter", "log_format": log_format}},
        "handlers": {
            "stderr": {
                "class": "logging.StreamHandler",
                "formatter": "scm",
                "stream": "ext://sys.stderr",
            }
        },
        "root": {"handlers": ["stderr"], "level": level.upper()},
        # One line a request is ours (AccessLog); these would log each outgoing call too.
        "loggers": {name: {"level": "WARNING"} for name in ("uvicorn.access", "httpx", "httpcore")},
    }


def configure_logging(log_format: LogFormat = "json", level: str = "info") -> None:
    """Send all logs of this process to stderr: one JSON object a line, or colourful for people."""
    logging.config.dictConfig(log_config(log_format, level))
    structlog.configure(
        processors=[*_shared_processors(), *_final_processors(log_format)],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level.upper()]
        ),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )


class MetricsRegistry:
    """The metrics of one application, in a registry of their own; other parts register here too.

    With `PROMETHEUS_MULTIPROC_DIR` set, `render` sums over all worker processes.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "scm_http_requests_total",
            "Requests answered.",
            ("method", "route", "status"),
            registry=self.registry,
        )
        self.duration = Histogram(
            "scm_http_request_duration_seconds",
            "Seconds from the head of a request to the end of its answer.",
            ("method", "route"),
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
            registry=self.registry,
        )
        self.in_flight = Gauge(
            "scm_http_requests_in_flight",
            "Requests being served.",
            registry=self.registry,
            multiprocess_mode="livesum",
        )
        self.queue_waiting = Gauge(
            "scm_queue_waiting",
            "Background jobs that no worker has taken yet.",
            registry=self.registry,
            multiprocess_mode="mostrecent",
        )
        self.feed_lag = Gauge(
            "scm_feed_lag_seconds",
            "Age of the oldest open transaction: newer events are not shown before it ends.",
            registry=self.registry,
            multiprocess_mode="mostrecent",
        )
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)

    def render(self) -> tuple[bytes, str]:
        """The metrics in Prometheus' text format, and its content type."""
        registry = self.registry
        if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry), CONTENT_TYPE_LATEST


METRICS = MetricsRegistry()


def render_metrics(metrics: MetricsRegistry = METRICS) -> tuple[bytes, str]:
    """The body and content type of `GET /metrics`."""
    return metrics.render()


def route_template(scope: Scope) -> str:
    """The path of the matched route with its `{parameters}`, or `unmatched`."""
    path = getattr(scope.get("route"), "path", None)
    return path if isinstance(path, str) and path else UNMATCHED


class _Watch:
    """The status an answer carries: 499 if the client left before it, 500 if it never came."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status = 499
        self.started_at = time.perf_counter()

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        await self._send(message)

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self.started_at


class Metrics:
    """Counts and times requests by method, route template and status."""

    def __init__(self, app: ASGIApp, metrics: MetricsRegistry = METRICS) -> None:
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        method = scope["method"] if scope["method"] in _METHODS else "OTHER"
        watch = _Watch(send)
        self.metrics.in_flight.inc()
        try:
            await self.app(scope, receive, watch.send)
        except Exception:
            watch.status = 500
            raise
        finally:
            self.metrics.in_flight.dec()
            route = route_template(scope)
            self.metrics.requests.labels(method, route, str(watch.status)).inc()
            self.metrics.duration.labels(method, route).observe(watch.seconds)


class AccessLog:
    """Writes one line a request, probes and `/metrics` excepted; a 5xx is an error.

    What the application binds to structlog's context (organization_id, principal) stands in it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in _QUIET_PATHS:
            await self.app(scope, receive, send)
            return
        method = scope["method"]
        watch = _Watch(send)
        try:
            await self.app(scope, receive, watch.send)
        except Exception:
            watch.status = 500
            raise
        finally:
            write = logger.error if watch.status >= 500 else logger.info
            write(
                "request",
                method=method,
                route=route_template(scope),
                status=watch.status,
                duration_ms=round(watch.seconds * 1e3, 3),
            )
