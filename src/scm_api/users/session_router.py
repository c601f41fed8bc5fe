"""HTTP of sessions, of one's own account, and of the links that open accounts."""

from typing import Annotated
from uuid import UUID

from fastapi import Path, Query, Request

from scm_api.core.errors import NotFound, VersionMismatch
from scm_api.core.http import OpenTx, ReplyTo, operation, router
from scm_api.core.operation_route import PUBLIC, SELF
from scm_api.core.pages import PageParams
from scm_api.users import logins, people, sessions
from scm_api.users import me as own
from scm_api.users.errors import (
    LinkNotValid,
    LoginFailed,
    LoginThrottled,
    NoSecondFactor,
    PersonRequired,
    ProofFailed,
    SecondFactorActive,
    SecondFactorRequired,
)
from scm_api.users.logins import Proof
from scm_api.users.person_schemas import (
    InvitationAccept,
    InvitationAccepted,
    InvitationLook,
    LinkLook,
    MePatch,
    MeRead,
    OwnInvitationAccept,
    PasswordChange,
    PasswordReset,
    PasswordResetLook,
    RecoveryCodes,
    SessionCreate,
    SessionCreated,
    SessionList,
    SessionRead,
    SessionRefresh,
    SessionTokens,
    TotpConfirm,
    TotpRemove,
    TotpSecret,
    TotpStart,
    said,
)

session_router = router("sessions")
invitation_router = router("sessions", "/v1/invitations")
reset_router = router("sessions", "/v1/password-resets")
me_router = router("me")

SessionKey = Annotated[
    UUID,
    Path(description="The session's id.", examples=["01900000-0000-7000-8000-00000000005e"]),
]
_PROOF = (PersonRequired, ProofFailed, LoginThrottled)


@session_router.post(
    "",
    status_code=201,
    summary="Log in",
    **operation(
        PUBLIC,
        errors=[LoginFailed, SecondFactorRequired, LoginThrottled],
        secrets=["access_token", "refresh_token", "device_token"],
    ),
)
async def create(tx: OpenTx, request: Request, body: SessionCreate) -> SessionCreated:
    """Open a session with e-mail and password, and a code where a second factor is on.

    Every failure is the same 401 `login_failed`; only after the right password,
    `second_factor_required` asks for the code. After five failures of an account from one network
    (/24 or /64), that network waits for this account, 30 s and then ever longer; others do not, nor
    does a client that sends the `device_token` of an earlier login.
    """
    login = await logins.log_in(
        tx,
        Proof(
            body.email,
            body.password.get_secret_value(),
            body.totp_code,
            said(body.recovery_code),
            said(body.device_token),
        ),
        organization=body.organization,
        user_agent=request.headers.get("user-agent"),
    )
    return SessionCreated(
        **vars(login.tokens), user_id=login.person.id, device_token=login.device_token
    )


@session_router.post(
    "/refresh",
    summary="Exchange a refresh token",
    **operation(PUBLIC, secrets=["access_token", "refresh_token"]),
)
async def refresh(tx: OpenTx, body: SessionRefresh) -> SessionTokens:
    """New tokens for a refresh token, which counts once.

    It waits 30 days for its use, a session lasts 90 days. One that comes a second time was copied:
    the whole session ends.
    """
    tokens = await sessions.refresh(tx, body.refresh_token.get_secret_value())
    return SessionTokens(**vars(tokens))


@session_router.post(
    "/revoke", status_code=204, summary="Log out", **operation(SELF, errors=[PersonRequired])
)
async def revoke(tx: OpenTx) -> None:
    """End the session whose access token this call carries."""
    session_id = own.session_of(tx.principal)
    await sessions.end(tx, own.person_of(tx.principal), why="logged_out", only=session_id)


@invitation_router.post(
    "/accept",
    summary="Accept an invitation",
    **operation(PUBLIC, errors=[LinkNotValid, LoginFailed, SecondFactorRequired, LoginThrottled]),
)
async def accept_invitation(tx: OpenTx, body: InvitationAccept) -> InvitationAccepted:
    """Become a member by the token of an invitation.

    Who has no account yet chooses his password here. For an e-mail that has an account, `password`
    (and a code, where a second factor is on) must be that account's; who logs in otherwise accepts
    with `POST /v1/me/invitations`.
    """
    accepted = await people.accept(
        tx,
        body.token.get_secret_value(),
        body.name,
        Proof(
            "",
            body.password.get_secret_value(),
            body.totp_code,
            said(body.recovery_code),
            said(body.device_token),
        ),
    )
    return InvitationAccepted(**vars(accepted))


@invitation_router.post(
    "/look",
    summary="Look at an invitation",
    **operation(PUBLIC, errors=[LinkNotValid], read_only=True),
)
async def look_at_invitation(tx: OpenTx, body: LinkLook) -> InvitationLook:
    """What the token of an invitation is for, and whether accepting it takes the password of an
    account there is, or choosing one. Nothing is used up."""
    return await people.look_at_invitation(tx, body.token.get_secret_value())


@reset_router.post(
    "/look",
    summary="Look at a password reset",
    **operation(PUBLIC, errors=[LinkNotValid], read_only=True),
)
async def look_at_reset(tx: OpenTx, body: LinkLook) -> PasswordResetLook:
    """Whose password the token of a link resets. Nothing is used up."""
    return await people.look_at_reset(tx, body.token.get_secret_value())


@reset_router.post(
    "",
    status_code=204,
    summary="Set a password by link",
    **operation(PUBLIC, errors=[LinkNotValid]),
)
async def reset_password(tx: OpenTx, body: PasswordReset) -> None:
    """Set a new password with the token of a link. All sessions end and every other reset link of
    the person becomes worthless; a second factor stays."""
    await people.reset_password(tx, body.token.get_secret_value(), body.password.get_secret_value())


@me_router.get("", summary="Who am I", **operation(SELF))
async def get(tx: OpenTx) -> MeRead:
    """The caller, person or key, with all organizations, roles, permissions and limits."""
    return await own.read(tx)


@me_router.patch(
    "", summary="Change my profile", **operation(SELF, errors=[PersonRequired, VersionMismatch])
)
async def change(tx: OpenTx, body: MePatch) -> MeRead:
    """Change one's name or language (JSON Merge Patch), if `version` is sent: that version. There
    is no ETag: what one may in one's organizations changes without the profile. The access log of
    each of them says what changed."""
    return await own.change(tx, body)


@me_router.post(
    "/password",
    status_code=204,
    summary="Change my password",
    **operation(SELF, errors=_PROOF, secret_body=True),
)
async def change_password(tx: OpenTx, body: PasswordChange) -> None:
    """Change one's password by the old one. All other sessions end."""
    await own.change_password(
        tx, body.old_password.get_secret_value(), body.new_password.get_secret_value()
    )


@me_router.post(
    "/invitations",
    summary="Accept an invitation as myself",
    **operation(SELF, errors=[PersonRequired, LinkNotValid], secret_body=True),
)
async def accept_own_invitation(tx: OpenTx, body: OwnInvitationAccept) -> InvitationAccepted:
    """Become a member of a further organization by the token of an invitation to oneself."""
    user_id = own.person_of(tx.principal)
    accepted = await people.accept_as(tx, body.token.get_secret_value(), user_id)
    return InvitationAccepted(**vars(accepted))


@me_router.get("/sessions", summary="My sessions", **operation(SELF, errors=[PersonRequired]))
async def list_sessions(
    tx: OpenTx, reply: ReplyTo, wanted: Annotated[PageParams, Query()]
) -> SessionList:
    """One's open sessions, in the order they began."""
    page = await sessions.of_person(tx, own.person_of(tx.principal), wanted)
    reply.next_page(page.next_cursor)
    current = tx.principal.session_id
    rows = [SessionRead(**dict(row), is_current=row["id"] == current) for row in page.rows]
    return SessionList(**page.body(rows))


@me_router.delete(
    "/sessions",
    status_code=204,
    summary="Log out everywhere",
    **operation(SELF, errors=[PersonRequired]),
)
async def end_sessions(tx: OpenTx) -> None:
    """End all of one's sessions, this one included."""
    user_id = own.person_of(tx.principal)
    await sessions.end(tx, user_id, why="logged_out_everywhere")
    await people.log(tx, "logged_out_everywhere", user_id, tx.organization_id)


@me_router.delete(
    "/sessions/{session}",
    status_code=204,
    summary="End one of my sessions",
    **operation(SELF, errors=[PersonRequired, NotFound]),
)
async def end_session(tx: OpenTx, session: SessionKey) -> None:
    """End one of one's own sessions."""
    await sessions.end_one(tx, own.person_of(tx.principal), session)


@me_router.post(
    "/totp",
    summary="Begin a second factor",
    **operation(
        SELF,
        errors=[*_PROOF, SecondFactorActive],
        secrets=["secret", "otpauth_uri"],
        secret_body=True,
    ),
)
async def start_totp(tx: OpenTx, body: TotpStart) -> TotpSecret:
    """A secret for an authenticator (TOTP, RFC 6238: SHA-1, 6 digits, 30 s). It counts once a code
    of it was confirmed; until then another call replaces it."""
    secret, uri = await own.start_totp(tx, body.password.get_secret_value())
    return TotpSecret(secret=secret, otpauth_uri=uri)


@me_router.post(
    "/totp/confirm",
    summary="Switch the second factor on",
    **operation(
        SELF,
        errors=[*_PROOF, SecondFactorActive, NoSecondFactor],
        secrets=["recovery_codes"],
        secret_body=True,
    ),
)
async def confirm_totp(tx: OpenTx, body: TotpConfirm) -> RecoveryCodes:
    """Confirm the secret by a code; from now on a login needs one. A code counts once, and may be
    one step of 30 s off."""
    return RecoveryCodes(recovery_codes=await own.confirm_totp(tx, body.totp_code))


@me_router.delete(
    "/totp",
    status_code=204,
    summary="Switch the second factor off",
    **operation(SELF, errors=[*_PROOF, NoSecondFactor], secret_body=True),
)
async def remove_totp(tx: OpenTx, body: TotpRemove) -> None:
    """Remove the second factor, with the password and a code or a recovery code."""
    await own.remove_totp(
        tx, body.password.get_secret_value(), body.totp_code, said(body.recovery_code)
    )


routers = [session_router, invitation_router, reset_router, me_router]
