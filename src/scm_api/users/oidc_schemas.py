"""Bodies of logging in through the identity provider."""

from datetime import datetime
from typing import Annotated

from pydantic import ConfigDict, Field

from scm_api.core.schemas import Read, Strict

_REDIRECT_URI = "https://scm.example.com/login/callback"
_STATE = "x1R2b0JmZ3VQd2l0c1N0YXRlSXNSYW5kb21fMzJieXRl"

RedirectUri = Annotated[
    str,
    Field(
        min_length=1,
        max_length=2_000,
        description="One of SCM_OIDC_REDIRECT_URIS, to the character.",
        examples=[_REDIRECT_URI],
    ),
]


class OidcAuthorizationCreate(Strict):
    """Where the browser returns to from the provider."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"redirect_uri": _REDIRECT_URI}]})

    redirect_uri: RedirectUri


class OidcAuthorizationRead(Read):
    """Where to send the browser, and how to recognise its return."""

    authorization_url: str | None = Field(description="The provider's page for this login.")
    state: str | None = Field(
        description="Keep it with the browser that began, and go on only if the same comes back: "
        "otherwise somebody else's login was slipped to it."
    )
    expires_in: int = Field(description="Seconds until the browser must have come back.")


class OidcSessionCreate(Strict):
    """What the provider gave the browser."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"state": _STATE, "code": "SplxlOBeZQQYbYS6WxSbIA"}]}
    )

    state: str = Field(min_length=1, max_length=200, description="As the authorization gave it.")
    code: str = Field(min_length=1, max_length=4_000, description="The authorization code.")


class IdentityRead(Read):
    """A person as an identity provider knows it."""

    issuer: str
    subject: str
    created_at: datetime


class IdentityList(Read):
    """All identities of a person, the newest first."""

    data: list[IdentityRead]
