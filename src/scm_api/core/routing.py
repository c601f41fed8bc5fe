"""Finding the route of a request through an index on its first two path segments.

Asking 200 routes one after the other costs more than answering; the index also knows the full
`Allow` of a path. Every answer is the one the plain router would give (tests hold this), but that a
path written out in full is never taken for a parameter's value.
"""

from collections import defaultdict
from collections.abc import Iterable

from fastapi.routing import APIRoute
from starlette.routing import BaseRoute, Match, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from scm_api.core.errors import Invalid, Malformed, MethodNotAllowed, RouteNotFound, Rule, Text

_NO_NUL = Rule(
    "no_nul",
    Text("A NUL character has no place in a path or query.", "路径和查询中不能含 NUL 字符。"),
)
# Parameters may repeat, as a filter by many codes does; each unknown one is named in the answer.
_MOST_PARAMETERS = 500
_TOO_MANY_PARAMETERS = Text(
    f"A query may have {_MOST_PARAMETERS} parameters.", f"查询参数上限为 {_MOST_PARAMETERS} 个。"
)


def _key(path: str) -> tuple[str, ...]:
    return tuple(path.split("/", 3)[1:3])


class IndexedRouter:
    """An ASGI application over flat routes. Routes with a parameter among their first two segments
    are asked last."""

    def __init__(self, routes: Iterable[BaseRoute], lifespan: ASGIApp) -> None:
        self.lifespan = lifespan
        self.index: dict[tuple[str, ...], list[Route]] = defaultdict(list)
        self.anywhere: list[BaseRoute] = []
        # The methods of a path without parameters. It is what it says and nothing else:
        # `/items/bulk` is never the item "bulk", which is read as `sku=bulk`.
        self.written_out: dict[str, set[str]] = defaultdict(set)
        for route in routes:
            path = getattr(route, "path", "")
            if isinstance(route, APIRoute | Route) and "{" not in path:
                self.written_out[path] |= route.methods or set()
            if isinstance(route, APIRoute | Route) and not any("{" in s for s in _key(path)):
                self.index[_key(path)].append(route)
            else:
                self.anywhere.append(route)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.lifespan(scope, receive, send)
            return
        if scope["type"] == "http" and scope["method"] == "HEAD":
            # HEAD is GET without the body, which the server leaves out.
            scope = {**scope, "method": "GET"}
        if "\x00" in scope["path"]:
            raise Malformed(reason=_NO_NUL.text)
        query: bytes = scope.get("query_string", b"")
        if query.count(b"&") >= _MOST_PARAMETERS:
            raise Malformed(reason=_TOO_MANY_PARAMETERS)
        if b"%00" in query:
            names = [
                part.split("=")[0] for part in query.decode("latin-1").split("&") if "%00" in part
            ]
            raise Invalid([_NO_NUL.at_parameter(name) for name in names])
        written_out = self.written_out.get(scope["path"])
        if written_out and scope.get("method") not in written_out:
            raise _method_not_allowed(written_out)
        allowed: set[str] = set()
        for route in (*self.index.get(_key(scope["path"]), ()), *self.anywhere):
            match, child_scope = route.matches(scope)
            if match == Match.FULL:
                scope.update(child_scope)
                scope.setdefault("route", route)
                await route.handle(scope, receive, send)
                return
            if match == Match.PARTIAL:
                allowed |= getattr(route, "methods", None) or set()
        if allowed:
            raise _method_not_allowed(allowed)
        raise RouteNotFound


def _method_not_allowed(methods: set[str]) -> MethodNotAllowed:
    allow = ", ".join(sorted(methods | ({"HEAD"} if "GET" in methods else set())))
    return MethodNotAllowed(headers={"Allow": allow}, allow=allow)
