"""Examples of logging in through an identity provider, which runs on this machine meanwhile."""

from typing import TYPE_CHECKING, Any
from uuid import uuid4

from scm_api.core.runtime import Runtime
from tests.support import Client
from tests.users.oidc_idp import CLIENT_ID, CLIENT_SECRET, REDIRECT_URI, IdentityProvider
from tests.users.people import Person, invite, join, new_email

if TYPE_CHECKING:
    from tests.contract.spec import Call

_LINKS = "/v1/me/identities"
# The providers that run, by issuer: a caller finds the one that its application trusts.
_running: dict[str, IdentityProvider] = {}


def trusting(settings: Any, provider: IdentityProvider) -> Any:
    """The settings of an application that trusts the provider."""
    _running[provider.url] = provider
    ours = {
        "oidc_issuer": provider.url,
        "oidc_client_id": CLIENT_ID,
        "oidc_client_secret": CLIENT_SECRET,
        "oidc_redirect_uris": (REDIRECT_URI,),
        "outgoing_allow": (provider.url,),
    }
    return type(settings)(**{**settings.model_dump(), **ours})


def provider_of(runtime: Runtime) -> IdentityProvider:
    """The provider that an application trusts."""
    return _running[str(runtime.settings.oidc_issuer)]


def came_back(runtime: Runtime, begun: dict[str, Any], **claims: Any) -> dict[str, str]:
    """What the browser brings back from where it was sent, after somebody logged in there."""
    url = begun["authorization_url"]
    state, code = provider_of(runtime).authorize(url, **{"sub": uuid4().hex, **claims})
    return {"state": state, "code": code}


async def log_in(call: "Call", caller: Client) -> "Call":
    """Somebody who was invited and comes back from the provider, known by his e-mail."""
    email = new_email()
    await invite(caller, email)
    asked = {"redirect_uri": REDIRECT_URI}
    begun = await caller.ok("POST", "/v1/sessions/oidc/authorizations", json=asked)
    back = came_back(caller.runtime, begun, email=email, email_verified=True)
    fit: Call = call.with_(body=back)
    return fit


async def linking(caller: Client) -> tuple[Person, dict[str, str]]:
    """A member who comes back from the provider to link what he is there."""
    person = await join(caller)
    begun = await person.ok("POST", f"{_LINKS}/authorizations", {"redirect_uri": REDIRECT_URI})
    return person, came_back(caller.runtime, begun)


async def linked(caller: Client) -> Person:
    """A member who may also log in by the provider."""
    person, back = await linking(caller)
    await person.ok("POST", _LINKS, back)
    return person
