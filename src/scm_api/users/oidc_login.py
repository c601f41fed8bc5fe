"""Logging in through the identity provider: authorization code, PKCE, state and nonce.

The provider is asked inside the request's transaction, which meanwhile holds its connection and
the one row of this login: five seconds a call, and in half of the pool's connections at once.
"""

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx
from pydantic_core import from_json, to_json

from scm_api.access import access_log
from scm_api.access.authentication import Refused, digest
from scm_api.core.errors import Invalid, Problem, Rule, Text
from scm_api.core.runtime import Runtime
from scm_api.core.tx import Tx
from scm_api.users import sessions
from scm_api.users.errors import LoginFailed
from scm_api.users.logins import counted
from scm_api.users.oidc_people import person_of
from scm_api.users.oidc_provider import Provider, provider_of
from scm_api.users.oidc_tokens import Claims, read_claims, read_header
from scm_api.users.sessions import SessionTokens

FLOW_SECONDS = 10 * 60
_SCOPE = "openid email profile"


class OidcNotConfigured(Problem):
    """The process has no identity provider: settings or the extra `oidc` are missing."""

    status, code = 409, "oidc_not_configured"
    title = Text("No identity provider", "未配置身份提供方")
    detail = Text(
        "This server has no identity provider; log in with a password, or let its operator set "
        "SCM_OIDC_ISSUER, SCM_OIDC_CLIENT_ID and SCM_OIDC_REDIRECT_URIS.",
        "此服务器未配置身份提供方;请使用密码登录,或由运维设置 SCM_OIDC_ISSUER、"
        "SCM_OIDC_CLIENT_ID 和 SCM_OIDC_REDIRECT_URIS。",
    )


UNKNOWN_REDIRECT_URI = Rule(
    "unknown_redirect_uri",
    Text(
        "This redirect URI is not one of SCM_OIDC_REDIRECT_URIS.",
        "此重定向 URI 不在 SCM_OIDC_REDIRECT_URIS 之列。",
    ),
)


@dataclass(frozen=True)
class Authorization:
    """Where to send the browser, and the `state` with which it must come back."""

    authorization_url: str
    state: str
    expires_in: int = FLOW_SECONDS


_STORE = """
insert into oidc_flow (state_sha256, data, expires_at)
values ($1, $2::text::jsonb, now() + make_interval(secs => $3))
"""
# A few of those nobody came back for; those another request is removing are left to it.
_FORGET = """
delete from oidc_flow where state_sha256 in (
  select state_sha256 from oidc_flow where expires_at < now() limit 100 for update skip locked)
"""


def _configured(runtime: Runtime) -> tuple[Provider, str, str]:
    """The provider, its issuer and our client id. Raises `OidcNotConfigured`."""
    settings = runtime.settings
    provider = provider_of(settings)
    if (
        provider is None
        or settings.oidc_issuer is None
        or settings.oidc_client_id is None
        or not settings.oidc_redirect_uris
    ):
        raise OidcNotConfigured
    return provider, settings.oidc_issuer, settings.oidc_client_id


async def begin(
    tx: Tx, runtime: Runtime, redirect_uri: str, *, user_id: UUID | None = None
) -> Authorization:
    """Begin a login, or with `user_id` the linking of an identity to that person's account.

    Raises `OidcNotConfigured`, `Invalid` for a redirect URI that is not allowed, `ProviderDown`.
    """
    provider, _, client_id = _configured(runtime)
    if redirect_uri not in runtime.settings.oidc_redirect_uris:
        raise Invalid([UNKNOWN_REDIRECT_URI.at("/redirect_uri")])
    metadata = await provider.metadata()
    state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
    data = {"nonce": nonce, "verifier": verifier, "redirect_uri": redirect_uri, "user_id": user_id}
    await tx.execute(_FORGET)
    await tx.execute(_STORE, digest(state), to_json(data).decode(), FLOW_SECONDS)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest())
    url = httpx.URL(metadata.authorization_endpoint).copy_merge_params(
        {
            "response_type": "code",
            "client_id": client_id,
            "redirect_uri": redirect_uri,
            "scope": _SCOPE,
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge.rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }
    )
    return Authorization(str(url), state)


async def log_in(
    tx: Tx, runtime: Runtime, *, state: str, code: str, user_agent: str | None
) -> SessionTokens:
    """End a login with the code that the provider gave the browser: a session of the person.

    Raises `LoginFailed` whatever was wrong, `Unavailable` while the provider does not answer.
    """
    try:
        claims = await prove(tx, runtime, state=state, code=code)
        person = await person_of(tx.driver, claims, tx.source)
    except Refused as refused:
        raise await refusal(tx, refused) from None
    return await sessions.start(
        tx, person.id, method="oidc", address=tx.source.address, user_agent=user_agent
    )


async def prove(
    tx: Tx, runtime: Runtime, *, state: str, code: str, user_id: UUID | None = None
) -> Claims:
    """Who came back with a state and a code; `user_id` as it was at the beginning.

    A state counts once, unless the provider does not answer. Raises `OidcNotConfigured`, `Refused`,
    `Unavailable`.
    """
    provider, _, _ = _configured(runtime)
    flow = await _take(tx, state, user_id)
    token = await provider.trade(code, flow["verifier"], flow["redirect_uri"])
    claims = await _read(runtime, token)
    if not hmac.compare_digest((claims.nonce or "").encode(), flow["nonce"].encode()):
        raise Refused("oidc_nonce_wrong", user_id=user_id)
    return claims


# Of two at once, the second waits for the first and finds nothing: a code that a provider sees
# twice makes it distrust both.
_TAKE = """
delete from oidc_flow
where state_sha256 = $1 and expires_at > now() and data->>'user_id' is not distinct from $2
returning data::text
"""


async def _take(tx: Tx, state: str, user_id: UUID | None) -> dict[str, Any]:
    data = await tx.fetchval(_TAKE, digest(state), user_id and str(user_id))
    if data is None:
        raise Refused("oidc_state_unknown", user_id=user_id)
    flow: dict[str, Any] = from_json(data)
    return flow


async def _read(runtime: Runtime, token: str) -> Claims:
    """What an ID token says, checked as OpenID Connect Core 1.0, 3.1.3.7 asks."""
    provider, issuer, client_id = _configured(runtime)
    settings = runtime.settings
    header = read_header(token, settings.oidc_algorithms)
    claims = read_claims(
        token,
        header,
        await provider.keys_for(header),
        issuer=issuer,
        audience=client_id,
        # Not the request's time: the token was made after it.
        now=runtime.clock(),
        leeway_seconds=settings.oidc_leeway_seconds,
    )
    if claims.authorized_party not in (None, client_id):
        raise Refused("jwt_audience")
    return claims


async def refusal(tx: Tx, refused: Refused) -> Problem:
    """The constant refusal; why stands in the access log, which outlives the refused request
    and a dry run."""
    await access_log.write(
        tx.driver,
        refused.kind,
        user_id=refused.about.get("user_id"),
        address=tx.source.address,
        request_id=tx.request_id,
    )
    return counted(tx, LoginFailed())
