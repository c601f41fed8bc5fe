"""The identities of a person at the provider, linked by himself with a fresh login."""

import asyncpg

from scm_api.access.authentication import Refused
from scm_api.core.errors import Conflict, NotFound, Problem, Text
from scm_api.core.runtime import Runtime
from scm_api.core.tx import Tx
from scm_api.users import me
from scm_api.users.oidc_login import Authorization, begin, prove, refusal
from scm_api.users.oidc_people import link

# A token that was stolen is rarely this young, and what it links would outlive it.
FRESH_SECONDS = 10 * 60


class FreshLoginRequired(Problem):
    status, code = 403, "fresh_login_required"
    title = Text("Log in again first", "请先重新登录")
    detail = Text(
        "This needs a login within the last {minutes} minutes.",
        "此操作需要在最近 {minutes} 分钟内登录。",
    )


class IdentityLinked(Conflict):
    code = "identity_linked"
    title = Text("There is a link already", "身份已关联")
    detail = Text(
        "This identity belongs to an account, or your account has another one of this provider.",
        "该身份已属于某账户,或您的账户已关联此提供方的其他身份。",
    )


class OnlyWayIn(Conflict):
    code = "only_way_in"
    title = Text("The only way in", "唯一的登录方式")
    detail = Text(
        "Without this identity you could not log in any more; set a password first.",
        "解除此身份后您将无法登录;请先设置密码。",
    )


_LIST = """
select issuer, subject, created_at from user_identity where user_id = $1
order by created_at desc, issuer, subject
"""


async def of_person(tx: Tx) -> list[asyncpg.Record]:
    """The caller's identities, the newest first. Raises `PersonRequired`."""
    return await tx.fetch(_LIST, me.person_of(tx.principal))


async def begin_link(tx: Tx, runtime: Runtime, redirect_uri: str) -> Authorization:
    """Begin to link an identity to the caller's account.

    Raises `PersonRequired`, `FreshLoginRequired`, and what `begin` raises.
    """
    await _require_fresh(tx)
    return await begin(tx, runtime, redirect_uri, user_id=tx.principal.user_id)


async def finish_link(tx: Tx, runtime: Runtime, *, state: str, code: str) -> asyncpg.Record:
    """Link the identity that came back from the provider to the account that sent it there.

    Raises what `begin_link` raises, `LoginFailed`, `Unavailable`, `IdentityLinked`.
    """
    await _require_fresh(tx)
    user_id = tx.principal.user_id
    assert user_id is not None
    try:
        claims = await prove(tx, runtime, state=state, code=code, user_id=user_id)
    except Refused as refused:
        raise await refusal(tx, refused) from None
    # One of two at once waits here for the other.
    await tx.execute("select from user_account where id = $1 for update", user_id)
    has_one = await tx.fetchval(
        "select true from user_identity where user_id = $1 and issuer = $2", user_id, claims.issuer
    )
    if has_one or not await link(tx.driver, user_id, claims, tx.source):
        raise IdentityLinked(keep_writes=True)
    row = await tx.fetchrow(f"with mine as ({_LIST}) select * from mine limit 1", user_id)
    assert row is not None
    return row


async def unlink(tx: Tx) -> None:
    """Remove the caller's identities. Raises `PersonRequired`, `FreshLoginRequired`, `NotFound`;
    `OnlyWayIn` for an account without a password."""
    await _require_fresh(tx)
    user_id = tx.principal.user_id
    await tx.execute("select from user_account where id = $1 for update", user_id)
    has_password = await tx.fetchval(
        "select true from user_credential where user_id = $1 and password_hash is not null", user_id
    )
    if not has_password:
        raise OnlyWayIn
    gone = await tx.fetch("delete from user_identity where user_id = $1 returning true", user_id)
    if not gone:
        raise NotFound(kind="identity", reference=str(user_id))


async def _require_fresh(tx: Tx) -> None:
    """Only a session will do: neither a personal key nor a token of the provider is a login."""
    session_id = me.session_of(tx.principal)
    is_fresh = await tx.fetchval(
        "select created_at > now() - make_interval(secs => $2) from user_session where id = $1",
        session_id,
        FRESH_SECONDS,
    )
    if not is_fresh:
        raise FreshLoginRequired(minutes=FRESH_SECONDS // 60)
