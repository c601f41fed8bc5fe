"""The one client for URLs that a user or a setting names: identity providers, webhooks.

Its rule: a host is resolved once, all its addresses are judged, and only they are connected to.
"""

import asyncio
import re
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from ipaddress import IPv6Address
from typing import Any, Literal, NoReturn

import httpcore
import httpx

from scm_api.core.public_addresses import is_public
from scm_api.core.strict_json import StrictJsonError, loads

TOTAL_SECONDS = 5.0
MAX_BODY_BYTES = 64_000
CONNECT_SECONDS = 2.0  # for one address: a dead first one leaves time for the second
PUBLIC_PORTS = frozenset({443, 8443})

_NAME = re.compile(r"[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*")
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e]*")
_FRAMING = frozenset({"connection", "content-length", "te", "transfer-encoding", "upgrade"})
_OUR_HEADERS = _FRAMING | {"accept-encoding", "host"}

Resolver = Callable[[str, int], Awaitable[Sequence[str]]]
"""Answers (host name, port) with addresses as text; raises `OSError` where there is none."""

RefusedReason = Literal["invalid_url", "scheme", "credentials", "port", "address", "header"]
FailedReason = Literal[
    "unresolved", "connection", "tls", "timeout", "protocol", "status", "too_large", "not_json"
]

# Threads of our own: names that never resolve must not hold up whoever else needs a thread.
_resolving = ThreadPoolExecutor(max_workers=4, thread_name_prefix="outgoing-resolve")


class OutgoingRefused(Exception):
    """We do not make this call, and nothing was sent.

    `reason`: invalid_url; scheme (not https); credentials (user or password in the URL); port (not
    443 or 8443); address (one address of the host is not public); header (not ours to set, or
    malformed). The text names neither the URL nor an address.
    """

    def __init__(self, reason: RefusedReason) -> None:
        super().__init__(f"outgoing call refused: {reason}")
        self.reason: RefusedReason = reason


class OutgoingFailed(Exception):
    """The call was allowed and did not succeed; whether the server saw it is not known.

    `reason`: unresolved, connection, tls, timeout, protocol (not HTTP); of `get_json` also status
    (not 200), too_large and not_json. `detail` says more where that is safe to show: what is wrong
    with the certificate or the JSON, or the status.
    """

    def __init__(self, reason: FailedReason, detail: str = "") -> None:
        super().__init__(f"outgoing call failed: {reason}" + (f" ({detail})" if detail else ""))
        self.reason: FailedReason = reason
        self.detail = detail


@dataclass(frozen=True)
class Answer:
    """What a server said, redirects included: they are answers and are not followed.

    `body` is as sent (never decompressed), cut where `truncated`.
    """

    status: int
    headers: httpx.Headers = field(repr=False)
    body: bytes = field(repr=False)
    truncated: bool


@dataclass(frozen=True)
class _Target:
    """A parsed URL. `host` is what certificates and servers know; `name` may end with a dot."""

    scheme: str
    name: str
    host: str
    port: int
    path: bytes = field(repr=False)

    @property
    def origin(self) -> tuple[str, str, int]:
        return self.scheme, self.host, self.port

    @property
    def authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _default_port(self.scheme) else f"{host}:{self.port}"


class Outgoing:
    """Calls servers on the internet, and those of `allow` wherever they are.

    `allow` lists exact origins (`http://127.0.0.1:9000`), which may use http, any port and any
    address; raises `ValueError` for anything else. `total_seconds` bounds a call from resolving to
    the last byte, `max_body_bytes` what is read of an answer. Without `tls` a certificate must come
    from a public authority or one the operating system trusts. `resolver` and `network` replace
    getaddrinfo and the sockets. Proxies and other settings of the environment are not used.
    """

    def __init__(
        self,
        allow: Iterable[str] = (),
        *,
        total_seconds: float = TOTAL_SECONDS,
        max_body_bytes: int = MAX_BODY_BYTES,
        resolver: Resolver | None = None,
        network: httpcore.AsyncNetworkBackend | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._allowed = frozenset(_allowed_origin(text) for text in allow)
        self._total_seconds = total_seconds
        self._max_body_bytes = max_body_bytes
        self._resolver = resolver or resolve
        self._network = network or httpcore.AnyIOBackend()
        self._tls = tls or _trusted_authorities()

    async def check(self, url: str) -> None:
        """Judge a URL without calling it, as when somebody saves it; `request` judges again.

        Raises `OutgoingRefused`, and `OutgoingFailed` (unresolved, timeout).
        """
        async with self._bounded():
            await self._judged_addresses(self._target(url))

    async def request(
        self,
        method: Literal["GET", "POST", "PUT", "DELETE"],
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
    ) -> Answer:
        """Send one request on a connection of its own and return the answer, whatever its status.

        Raises `OutgoingRefused` before anything is sent, `OutgoingFailed` without a whole answer.
        """
        sent = _headers(headers or {})
        async with self._bounded():
            target = self._target(url)
            addresses = await self._judged_addresses(target)
            return await self._exchange(method, target, addresses, sent, content)

    async def get_json(self, url: str, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
        """The JSON object at a URL, read strictly.

        Raises `OutgoingRefused` and `OutgoingFailed`.
        """
        answer = await self.request(
            "GET", url, headers={"Accept": "application/json", **(headers or {})}
        )
        if answer.status != 200:
            raise OutgoingFailed("status", str(answer.status))
        if answer.truncated:
            raise OutgoingFailed("too_large")
        try:
            value = loads(answer.body)
        except StrictJsonError as error:
            raise OutgoingFailed("not_json", error.code) from None
        if not isinstance(value, dict):
            raise OutgoingFailed("not_json", "not an object")
        return value

    @asynccontextmanager
    async def _bounded(self) -> AsyncIterator[None]:
        """Bound the time of all that happens within, and name what goes wrong there."""
        try:
            async with asyncio.timeout(self._total_seconds):
                yield
        except (TimeoutError, httpcore.TimeoutException):
            raise OutgoingFailed("timeout") from None
        except (httpcore.NetworkError, httpcore.ProtocolError, OSError) as error:
            # The library's texts may repeat headers, so they go no further.
            _raise_failed(error)

    def _target(self, url: str) -> _Target:
        target = _parse(url)
        if target.origin not in self._allowed:
            if target.scheme != "https":
                raise OutgoingRefused("scheme")
            if target.port not in PUBLIC_PORTS:
                raise OutgoingRefused("port")
        return target

    async def _judged_addresses(self, target: _Target) -> list[str]:
        """The addresses of the host, resolved this once; all of them are fit to connect to."""
        try:
            answers = await self._resolver(target.name, target.port)
        except TimeoutError:
            raise
        except OSError:
            raise OutgoingFailed("unresolved") from None
        addresses = list(dict.fromkeys(answers))
        if not addresses:
            raise OutgoingFailed("unresolved")
        if target.origin not in self._allowed and not all(map(is_public, addresses)):
            raise OutgoingRefused("address")
        return addresses

    async def _exchange(
        self,
        method: str,
        target: _Target,
        addresses: Sequence[str],
        headers: list[tuple[str, str]],
        content: bytes | None,
    ) -> Answer:
        url = httpcore.URL(
            scheme=target.scheme, host=target.host, port=target.port, target=target.path
        )
        pinned = _Pinned(self._network, addresses)
        async with (
            httpcore.AsyncConnectionPool(ssl_context=self._tls, network_backend=pinned) as pool,
            pool.stream(
                method, url, headers=[("Host", target.authority), *headers], content=content
            ) as response,
        ):
            body = bytearray()
            async for chunk in response.aiter_stream():
                body += chunk
                if len(body) > self._max_body_bytes:
                    break
            return Answer(
                status=response.status,
                headers=httpx.Headers(response.headers),
                body=bytes(body[: self._max_body_bytes]),
                truncated=len(body) > self._max_body_bytes,
            )


class _Pinned(httpcore.AsyncNetworkBackend):
    """Connects to the judged addresses in their order, whatever name it is asked for.

    TLS is begun by httpcore afterwards, with the host name of the URL.
    """

    def __init__(self, network: httpcore.AsyncNetworkBackend, addresses: Sequence[str]) -> None:
        self._network = network
        self._addresses = addresses

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the signature is httpcore's
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        failed: Exception = httpcore.ConnectError()
        for address in self._addresses:
            try:
                return await self._network.connect_tcp(
                    address, port, CONNECT_SECONDS, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failed = error
        raise failed

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109 - the signature is httpcore's
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        raise httpcore.ConnectError


async def resolve(name: str, port: int) -> list[str]:
    """Ask the operating system, as every other program here does. Raises `OSError`."""
    # As bytes: the codec Python would use for text refuses names the system may know.
    ask = partial(socket.getaddrinfo, name.encode("ascii"), port, type=socket.SOCK_STREAM)
    found = await asyncio.get_running_loop().run_in_executor(_resolving, ask)
    return [str(sockaddr[0]) for *_, sockaddr in found]


def _parse(url: str) -> _Target:
    """Take a URL apart once, so that what is judged is what is called."""
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, UnicodeError):
        raise OutgoingRefused("invalid_url") from None
    if parsed.scheme not in {"http", "https"}:
        raise OutgoingRefused("scheme")
    if parsed.userinfo:
        raise OutgoingRefused("credentials")
    name = parsed.raw_host.decode("ascii").lower()
    host = name.removesuffix(".")  # of the name in DNS, not of the name in certificates
    port = parsed.port if parsed.port is not None else _default_port(parsed.scheme)
    if not (_is_ipv6(host) or (len(host) <= 253 and _NAME.fullmatch(host))):
        raise OutgoingRefused("invalid_url")
    if not 0 < port <= 65535:
        raise OutgoingRefused("port")
    return _Target(parsed.scheme, name, host, port, parsed.raw_path)


def _allowed_origin(text: str) -> tuple[str, str, int]:
    try:
        target = _parse(text)
        rest = httpx.URL(text)
    except OutgoingRefused as error:
        raise ValueError(f"An allowed origin is not valid: {error.reason}.") from None
    if rest.fragment or target.path != b"/":
        raise ValueError(f"{target.host!r} is allowed as a whole: scheme, host and port only.")
    return target.origin


def _headers(given: Mapping[str, str]) -> list[tuple[str, str]]:
    for name, value in given.items():
        well_formed = _HEADER_NAME.fullmatch(name) and _HEADER_VALUE.fullmatch(value)
        if not well_formed or name.lower() in _OUR_HEADERS:
            raise OutgoingRefused("header")
    ours = {"Accept-Encoding": "identity", "Connection": "close"}
    names = {name.lower() for name in given}
    agent = {} if "user-agent" in names else {"User-Agent": "scm-api"}
    return [*ours.items(), *agent.items(), *given.items()]


def _raise_failed(error: Exception) -> NoReturn:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            raise OutgoingFailed("tls", cause.verify_message) from None
        if isinstance(cause, ssl.SSLError):
            raise OutgoingFailed("tls") from None
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, httpcore.ProtocolError):
        raise OutgoingFailed("protocol") from None
    raise OutgoingFailed("connection") from None


def _is_ipv6(host: str) -> bool:
    try:
        IPv6Address(host)
    except ValueError:
        return False
    return "%" not in host


def _default_port(scheme: str) -> int:
    return 443 if scheme == "https" else 80


def _trusted_authorities() -> ssl.SSLContext:
    """The public authorities, and those an operator installed for an intranet."""
    context = httpx.create_ssl_context(trust_env=False)
    context.load_default_certs()
    return context
