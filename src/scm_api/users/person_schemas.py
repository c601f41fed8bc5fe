"""Bodies of sessions, of one's own account, and of the links that open accounts."""

import re
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import MISSING, AfterValidator, ConfigDict, Field, SecretStr

from scm_api.core.language import Language
from scm_api.core.rules import broken
from scm_api.core.schemas import Code, Integer, Link, Name, Number, Page, Read, Strict
from scm_api.users.errors import EMAIL

# As browsers check it (WHATWG HTML); other alphabets come as punycode.
_EMAIL_PATTERN = (
    r"^[a-zA-Z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}"
    r"@[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(\.[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)+$"
)


def is_email(text: str) -> bool:
    """Whether a text has the form of an e-mail address."""
    return len(text) <= 254 and re.fullmatch(_EMAIL_PATTERN, text) is not None


def _email(value: str) -> str:
    if not is_email(value):
        raise broken(EMAIL)
    return value.lower()


Email = Annotated[str, Field(pattern=_EMAIL_PATTERN, description="E-mail."), AfterValidator(_email)]
# Secrets are of a type that shows itself in no log and no error.
Password = Annotated[SecretStr, Field(min_length=1, max_length=200, description="The password.")]
NewPassword = Annotated[
    SecretStr,
    Field(
        min_length=1,
        max_length=200,
        description="10 to 200 characters; not the e-mail, the name, the "
        "organization or a common one, with or without digits around.",
    ),
]
OneTimeToken = Annotated[
    SecretStr, Field(min_length=1, max_length=200, description="The token in the link.")
]
RefreshToken = Annotated[
    SecretStr, Field(min_length=1, max_length=200, description="`scm_rt_...`, used up by this.")
]
TotpCode = Annotated[
    str, Field(pattern=r"^[0-9]{6}$", description="The code the authenticator shows now.")
]
RecoveryCode = Annotated[
    SecretStr,
    Field(min_length=1, max_length=40, description="One of the ten recovery codes instead."),
]
DeviceToken = Annotated[
    SecretStr,
    Field(
        min_length=1,
        max_length=200,
        description="`device_token` of an earlier login here: failures elsewhere do not delay it.",
    ),
]


def _example(values: dict[str, Any]) -> ConfigDict:
    return ConfigDict(extra="forbid", json_schema_extra={"examples": [values]})


def said(secret: SecretStr | None) -> str | None:
    """The text of a secret, or None."""
    return None if secret is None else secret.get_secret_value()


class SessionCreate(Strict):
    """A login by password."""

    model_config = _example({"email": "li.wei@example.com", "password": "correct horse 42 battery"})

    email: Email
    password: Password
    organization: Code | None = Field(
        default=None, description="Code of the organization that calls are about by default."
    )
    totp_code: TotpCode | None = None
    recovery_code: RecoveryCode | None = None
    device_token: DeviceToken | None = None


class SessionTokens(Read):
    """The tokens of a session, shown this once."""

    session_id: UUID
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105
    access_token: str | None = Field(description="Send it as `Authorization: Bearer ...`.")
    expires_in: int = Field(description="Seconds the access token is good for.")
    refresh_token: str | None = Field(description="Good for one exchange against new tokens.")
    refresh_expires_in: int = Field(description="Seconds the refresh token is good for.")


class SessionCreated(SessionTokens):
    """A new session."""

    user_id: UUID
    device_token: str | None = Field(
        description="Keep it for the next login from here; null if the one sent still counts."
    )


class SessionRefresh(Strict):
    """An exchange of a refresh token."""

    model_config = _example({"refresh_token": "scm_rt_b2x4example_kept-by-the-client"})

    refresh_token: RefreshToken


class InvitationAccept(Strict):
    """An invitation accepted: with a password to be chosen by who has no account yet, else with the
    password (and code) of the account there is."""

    model_config = _example(
        {"token": "scm_in_b2x4example_from-the-link", "password": "a new phrase 42"}
    )

    token: OneTimeToken
    password: NewPassword
    name: Name | None = Field(default=None, description="One's name, if the account is new.")
    totp_code: TotpCode | None = None
    recovery_code: RecoveryCode | None = None
    device_token: DeviceToken | None = None


class LinkLook(Strict):
    """A link to be looked at before it is used."""

    model_config = _example({"token": "scm_in_b2x4example_from-the-link"})

    token: OneTimeToken


class InvitationLook(Read):
    """What an invitation is for, and what accepting it takes."""

    kind: Literal["invitation"] = "invitation"
    email: str
    organization_name: str
    has_account: bool = Field(
        description="Whether `password` must be that of the account there is; else it is chosen."
    )
    needs_code: bool = Field(description="Whether that account asks for a code, too.")
    expires_at: datetime


class PasswordResetLook(Read):
    """Whose password a link resets."""

    kind: Literal["password_reset"] = "password_reset"
    email: str
    expires_at: datetime


class OwnInvitationAccept(Strict):
    """An invitation accepted by the person who is logged in."""

    model_config = _example({"token": "scm_in_b2x4example_from-the-link"})

    token: OneTimeToken


class InvitationAccepted(Read):
    """The membership that has begun."""

    user_id: UUID
    email: str
    organization_id: UUID
    organization: str = Field(description="Its code.")
    organization_name: str


class PasswordReset(Strict):
    """A new password, by the token of a link."""

    model_config = _example(
        {"token": "scm_pr_b2x4example_from-the-link", "password": "a new phrase 42"}
    )

    token: OneTimeToken
    password: NewPassword


class OwnOrganization(Read):
    """An organization the caller belongs to, and what he may do there."""

    id: UUID
    code: str
    name: str
    is_current: bool = Field(description="Whether this request was about it.")
    roles: list[str]
    permissions: list[str] = Field(description="All that is granted; `*` for everything.")
    warehouses: list[Link] | None = Field(description="Only these; null: all.")
    categories: list[Link] | None = Field(description="With all below them; null: all.")
    amount_limit: Number | None = Field(description="In base currency; null: any amount.")


class MeRead(Read):
    """Who the caller is and what he may do."""

    kind: Literal["user", "api_key"]
    id: UUID = Field(description="The person's, or the key's.")
    name: str
    user_id: UUID | None = Field(description="The person, also behind a personal key.")
    email: str | None
    language: Language | None
    has_second_factor: bool | None = Field(description="Null for a key.")
    session_id: UUID | None
    organizations: list[OwnOrganization]
    version: int | None = Field(description="The profile's; null for a key.")


class MePatch(Strict):
    """Changes to one's own profile (JSON Merge Patch)."""

    model_config = _example({"name": "Li Wei", "language": "zh-CN"})

    name: Name | MISSING = MISSING
    language: Language | None | MISSING = MISSING
    version: Integer | None = Field(default=None, description="The version read.")


class PasswordChange(Strict):
    """A new password, by the old one."""

    model_config = _example(
        {"old_password": "correct horse 42 battery", "new_password": "a new phrase 42"}
    )

    old_password: Password
    new_password: NewPassword


class SessionRead(Read):
    """A session that is open."""

    id: UUID
    is_current: bool
    method: str = Field(description="password, password_totp or oidc.")
    address: str | None = Field(description="Where it began.")
    user_agent: str | None
    created_at: datetime
    last_used_at: datetime = Field(description="Exact to a minute.")
    expires_at: datetime


class SessionList(Page[SessionRead]):
    """The open sessions."""


class TotpStart(Strict):
    """The password, so that a stolen session cannot set up a second factor."""

    model_config = _example({"password": "correct horse 42 battery"})

    password: Password


class TotpSecret(Read):
    """A secret for an authenticator, shown this once; it counts once a code of it was confirmed."""

    secret: str | None = Field(description="Base32, to be typed.")
    otpauth_uri: str | None = Field(description="The same as an address, for a QR code.")


class TotpConfirm(Strict):
    """A code of the new authenticator."""

    model_config = _example({"totp_code": "123456"})

    totp_code: TotpCode


class RecoveryCodes(Read):
    """Ten codes for the day the authenticator is lost, each good once; shown this once."""

    recovery_codes: list[str] | None


class TotpRemove(Strict):
    """The password, and a code or a recovery code."""

    model_config = _example({"password": "correct horse 42 battery", "totp_code": "123456"})

    password: Password
    totp_code: TotpCode | None = None
    recovery_code: RecoveryCode | None = None
