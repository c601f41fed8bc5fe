"""Chores of people's accounts: what has expired is deleted."""

from collections.abc import Awaitable, Callable

from scm_api.core.runtime import Runtime

_PURGES = (
    "delete from login_throttle where last_at < now() - interval '1 day'",
    # An expired refresh token that comes again is as unknown as any other.
    "delete from session_token where expires_at < now() - interval '1 day'",
    "delete from user_session where least(expires_at, revoked_at) < now() - interval '90 days'",
    "delete from one_time_link where least(expires_at, used_at) < now() - interval '30 days'",
    "delete from known_device where last_used_at < now() - interval '180 days'",
)


async def purge(runtime: Runtime) -> None:
    """Delete throttle counts, tokens, sessions, links and devices that count for nothing more."""
    for statement in _PURGES:
        async with runtime.database.system() as driver:
            await driver.execute(statement)


SCHEDULES: list[tuple[str, str, Callable[[Runtime], Awaitable[None]]]] = [
    ("purge_people", "7,22,37,52 * * * *", purge)
]
