"""What a running process holds: its database, its clock, and how it recognises callers."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from scm_api.core.budgets import Budgets
from scm_api.core.db import Database
from scm_api.core.tx import Principal
from scm_api.settings import Settings


@dataclass(frozen=True)
class Credentials:
    """What a request says about who sends it, and from where."""

    authorization: str | None
    organization: str | None = None
    address: str | None = None
    request_id: str = ""


Authenticate = Callable[["Runtime", Credentials], Awaitable[Principal]]
# What a principal is in each of his organizations that the predicate picks, by code. Rows have
# `organization_id`, `code`, `name` and `group_code`.
Across = Callable[
    ["Runtime", Principal, Callable[[Any], bool]], Awaitable[Sequence[tuple[Any, Principal]]]
]
# Whether whoever asked for a job may still work here.
IsActive = Callable[["Runtime", Principal], Awaitable[bool]]


def utc_now() -> datetime:
    """The wall clock in UTC."""
    return datetime.now(UTC)


@dataclass
class Runtime:
    """Handed to the application at start; tests replace the clock here and nothing else."""

    settings: Settings
    database: Database
    authenticate: Authenticate
    across: Across
    is_active: IsActive
    clock: Callable[[], datetime] = field(default=utc_now)
    budgets: Budgets = field(default_factory=Budgets)
