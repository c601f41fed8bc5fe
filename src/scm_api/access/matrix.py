"""The matrix of operations and roles: what each template may do, derived from the routes."""

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from scm_api.access.permissions import EVERYTHING, TEMPLATES, RoleTemplate
from scm_api.core.operation_route import PUBLIC, SELF, OperationRoute
from scm_api.core.redaction import SEE_COSTS

Cell = Literal["yes", "no", "hidden costs"]


@dataclass(frozen=True)
class Row:
    """One operation; `cells` by the code of a template."""

    method: str
    path: str
    operation: str
    permission: str
    cells: dict[str, Cell]


def rows(routes: Iterable[Any]) -> list[Row]:
    """A row for every operation among `routes`, by path and method."""
    found = [
        Row(
            method,
            route.path,
            route.unique_id,
            route.permission,
            {code: _cell(template, route) for code, template in TEMPLATES.items()},
        )
        for route in routes
        if isinstance(route, OperationRoute)
        for method in sorted(route.methods or ())
    ]
    return sorted(found, key=lambda row: (row.path, row.method))


def _cell(role: RoleTemplate, route: OperationRoute) -> Cell:
    if route.permission == PUBLIC:
        return "yes"
    if route.permission != SELF and not _may(role, route.permission):
        return "no"
    return "yes" if _may(role, SEE_COSTS) or not route.costs else "hidden costs"


def _may(role: RoleTemplate, permission: str) -> bool:
    return not role.permissions.isdisjoint((permission, EVERYTHING))


def to_csv(matrix: Iterable[Row]) -> str:
    """The matrix as CSV (RFC 4180, but with plain line feeds)."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["method", "path", "operation", "permission", *TEMPLATES])
    for row in matrix:
        writer.writerow([row.method, row.path, row.operation, row.permission, *row.cells.values()])
    return text.getvalue()
