"""The indexed router answers as FastAPI's own router would."""

import itertools

import pytest
from fastapi.routing import APIRoute
from starlette.routing import Match, Route

from scm_api.app import bare_app
from scm_api.core.routing import IndexedRouter, _key

APP = bare_app()
ROUTES = [r for r in APP.router.routes if isinstance(r, APIRoute | Route)]
INDEX = IndexedRouter(APP.router.routes, APP.router.app)
VALUES = ("sku=SKU-1001", "01900000-0000-7000-8000-000000000001", "bulk", "as-of", "x", "a:b")
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


def _paths() -> list[str]:
    paths = {"/", "/v1", "/v1/", "/v1/items/", "/nothing", "/v1/items//x", "//v1/items"}
    for route in ROUTES:
        names = list(route.param_convertors)
        for values in itertools.product(VALUES, repeat=min(len(names), 2)):
            path = route.path
            for name, value in zip(names, values, strict=False):
                path = path.replace(f"{{{name}}}", value)
            paths |= {path, f"{path}/", f"{path}/extra"}
    return sorted(paths)


def _first(routes: list, scope: dict) -> object:
    for route in routes:
        match, _ = route.matches(scope)
        if match is Match.FULL:
            return route
    return None


@pytest.mark.parametrize("method", METHODS)
def test_every_path_finds_the_route_that_asking_all_in_order_finds(method: str) -> None:
    found = 0
    for path in _paths():
        scope = {"type": "http", "method": method, "path": path, "root_path": "", "headers": []}
        if method not in INDEX.written_out.get(path, {method}):
            continue
        plain = _first(list(APP.router.routes), dict(scope))
        indexed = _first([*INDEX.index.get(_key(path), ()), *INDEX.anywhere], dict(scope))
        assert indexed is plain, path
        found += plain is not None
    assert found > 0


def test_every_operation_is_reached_by_its_own_path() -> None:
    """No operation hides behind another whose path has a parameter in the same place."""
    for route in ROUTES:
        path = route.path
        for name in route.param_convertors:
            path = path.replace(f"{{{name}}}", "zz-unlikely")
        for method in (route.methods or set()) - {"HEAD"}:
            scope = {"type": "http", "method": method, "path": path, "root_path": ""}
            assert _first(list(APP.router.routes), scope) is route, f"{method} {route.path}"
