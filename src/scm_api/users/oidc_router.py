"""HTTP of logging in through the identity provider, and of linking oneself to it."""

from fastapi import Request

from scm_api.core.errors import NotFound, Unavailable
from scm_api.core.http import OpenTx, operation, router
from scm_api.core.operation_route import PUBLIC, SELF
from scm_api.users import oidc_linking, oidc_login
from scm_api.users.errors import LoginFailed, PersonRequired
from scm_api.users.oidc_linking import FreshLoginRequired, IdentityLinked, OnlyWayIn
from scm_api.users.oidc_login import OidcNotConfigured
from scm_api.users.oidc_schemas import (
    IdentityList,
    IdentityRead,
    OidcAuthorizationCreate,
    OidcAuthorizationRead,
    OidcSessionCreate,
)
from scm_api.users.person_schemas import SessionTokens

oidc_sessions = router("sessions", "/v1/sessions/oidc")
identities = router("me", "/v1/me/identities")

_LINKING = (PersonRequired, FreshLoginRequired, OidcNotConfigured, Unavailable)


@oidc_sessions.post(
    "/authorizations",
    status_code=201,
    summary="Begin a login at the provider",
    **operation(PUBLIC, errors=[OidcNotConfigured, Unavailable]),
)
async def authorize_oidc(
    tx: OpenTx, request: Request, body: OidcAuthorizationCreate
) -> OidcAuthorizationRead:
    """Where to send the browser so that its person logs in at the organization's identity provider
    (OpenID Connect, authorization code with PKCE).

    The browser comes back to `redirect_uri` with `state` and `code` within ten minutes. Keep the
    `state` with the browser, and go on with `POST /v1/sessions/oidc` only if the same came back.
    """
    begun = await oidc_login.begin(tx, request.app.state.runtime, body.redirect_uri)
    return OidcAuthorizationRead.model_validate(begun)


@oidc_sessions.post(
    "",
    status_code=201,
    summary="Log in by the provider's code",
    **operation(
        PUBLIC,
        errors=[LoginFailed, OidcNotConfigured, Unavailable],
        secrets=["access_token", "refresh_token"],
    ),
)
async def create_oidc(tx: OpenTx, request: Request, body: OidcSessionCreate) -> SessionTokens:
    """Open a session for the person whom the provider knows.

    Whoever was invited and has no password yet is recognised once by the verified e-mail, which
    also accepts the invitation; an account with a password is linked by its owner first
    (`POST /v1/me/identities/authorizations`). A state counts once, and every failure is the same
    401 `login_failed`. A dry run uses up the provider's code.
    """
    tokens = await oidc_login.log_in(
        tx,
        request.app.state.runtime,
        state=body.state,
        code=body.code,
        user_agent=request.headers.get("user-agent"),
    )
    return SessionTokens(**vars(tokens))


@identities.get("", summary="My identities", **operation(SELF, errors=[PersonRequired]))
async def list_identities(tx: OpenTx) -> IdentityList:
    """By which identities one may log in, the newest first."""
    rows = await oidc_linking.of_person(tx)
    return IdentityList(data=[IdentityRead(**dict(row)) for row in rows])


@identities.post(
    "/authorizations",
    status_code=201,
    summary="Begin to link an identity",
    **operation(SELF, errors=[*_LINKING], secrets=["authorization_url", "state"]),
)
async def authorize_identity(
    tx: OpenTx, request: Request, body: OidcAuthorizationCreate
) -> OidcAuthorizationRead:
    """As `POST /v1/sessions/oidc/authorizations`, but what comes back is linked to the caller, who
    must have logged in within the last ten minutes."""
    begun = await oidc_linking.begin_link(tx, request.app.state.runtime, body.redirect_uri)
    return OidcAuthorizationRead.model_validate(begun)


@identities.post(
    "",
    status_code=201,
    summary="Link an identity",
    **operation(SELF, errors=[*_LINKING, LoginFailed, IdentityLinked]),
)
async def link_identity(tx: OpenTx, request: Request, body: OidcSessionCreate) -> IdentityRead:
    """Link the identity that came back with a code to the caller, who began this himself. From now
    on it logs him in, without his password and second factor: the provider asks for its own."""
    row = await oidc_linking.finish_link(
        tx, request.app.state.runtime, state=body.state, code=body.code
    )
    return IdentityRead(**dict(row))


@identities.delete(
    "",
    status_code=204,
    summary="Remove my identities",
    **operation(SELF, errors=[PersonRequired, FreshLoginRequired, OnlyWayIn, NotFound]),
)
async def unlink_identities(tx: OpenTx) -> None:
    """Log in by password only from now on; needs a login within the last ten minutes."""
    await oidc_linking.unlink(tx)


routers = [oidc_sessions, identities]
