"""The identity provider (OpenID Connect): what it says of itself, its keys, and trading codes.

Every call goes through the guarded client. What is known is kept and outlives the provider's
absence by a day, so that its outage is not ours.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from urllib.parse import quote, urlencode

import httpx

from scm_api.access.authentication import Refused
from scm_api.core.errors import Text, Unavailable
from scm_api.core.outgoing import Outgoing, OutgoingFailed, OutgoingRefused
from scm_api.core.strict_json import StrictJsonError, loads
from scm_api.settings import Settings
from scm_api.users.oidc_tokens import IS_INSTALLED, Header, Keys

T = TypeVar("T")

METADATA_SECONDS = 3_600.0
KEYS_SECONDS = 600.0
# Between two attempts, so that tokens with made-up keys cannot make us call the provider.
PAUSE_SECONDS = 30.0
LONGEST_OUTAGE_SECONDS = 86_400.0
_WHERE = "/.well-known/openid-configuration"
_DOWN = Text("the identity provider does not answer", "身份提供方无响应")
_BUSY = Text("many logins are in progress", "正在进行的登录过多")


class ProviderDown(Unavailable):
    """The provider cannot be asked, and what we know of it is missing or too old."""

    def __init__(self) -> None:
        super().__init__(_DOWN)


@dataclass(frozen=True)
class Metadata:
    """What the provider's discovery document says (OpenID Connect Discovery 1.0)."""

    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    takes_basic: bool


class _Kept(Generic[T]):
    """A value fetched when it is too old or asked for anew, at most once every `PAUSE_SECONDS`."""

    def __init__(
        self, fetch: Callable[[], Awaitable[T]], lasts_seconds: float, clock: Callable[[], float]
    ) -> None:
        self._fetch, self._lasts, self._clock = fetch, lasts_seconds, clock
        self._value: T | None = None
        self._fetched = self._tried = float("-inf")
        self._lock = asyncio.Lock()

    async def get(self, *, anew: bool = False) -> T:
        """The value, or what is left of it while the provider is away. Raises `ProviderDown`."""
        asked = self._clock()
        is_fresh = asked - self._fetched < self._lasts
        if self._value is not None and not anew and (is_fresh or self._lock.locked()):
            return self._usable()
        async with self._lock:
            # Whoever waited here has what the one before him fetched.
            if self._fetched < asked and self._clock() - self._tried >= PAUSE_SECONDS:
                await self._renew()
        return self._usable()

    async def _renew(self) -> None:
        self._tried = self._clock()
        try:
            self._value = await self._fetch()
        except (OutgoingFailed, OutgoingRefused, ProviderDown):
            return
        self._fetched = self._clock()

    def _usable(self) -> T:
        if self._value is None or self._clock() - self._fetched > LONGEST_OUTAGE_SECONDS:
            raise ProviderDown
        return self._value


class Provider:
    """One provider, as one process knows it. `clock` counts seconds from anywhere."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        assert settings.oidc_issuer is not None
        self._settings = settings
        self._issuer = settings.oidc_issuer
        self._outgoing = Outgoing(settings.outgoing_allow)
        self._metadata = _Kept(self._fetch_metadata, METADATA_SECONDS, clock)
        self._keys = _Kept(self._fetch_keys, KEYS_SECONDS, clock)
        # A login holds a database connection while it waits: the others are for everybody else.
        self._logins = asyncio.Semaphore(max(1, settings.db_pool_size // 2))

    async def keys_for(self, header: Header) -> Keys:
        """The provider's keys; asked for anew if none of those known fits the token.

        Raises `ProviderDown`.
        """
        keys = await self._keys.get()
        return keys if keys.find(header) else await self._keys.get(anew=True)

    async def metadata(self) -> Metadata:
        """Where the provider's endpoints are. Raises `ProviderDown`."""
        return await self._metadata.get()

    async def trade(self, code: str, verifier: str, redirect_uri: str) -> str:
        """The ID token for an authorization code (RFC 6749, 4.1.3, with RFC 7636).

        Raises `Refused` if the provider does not take the code, `Unavailable` if it does not answer
        or too many ask at once.
        """
        if self._logins.locked():
            raise Unavailable(_BUSY)
        async with self._logins:
            metadata = await self.metadata()
            form = {
                "grant_type": "authorization_code",
                "code": code,
                "code_verifier": verifier,
                "redirect_uri": redirect_uri,
            }
            headers = {
                "Content-Type": "application/x-www-form-urlencoded",
                "Accept": "application/json",
                **self._identify(metadata, form),
            }
            try:
                answer = await self._outgoing.request(
                    "POST", metadata.token_endpoint, headers=headers, content=_form(form)
                )
            except (OutgoingFailed, OutgoingRefused):
                raise ProviderDown from None
        if answer.status >= 500 or answer.status == 429 or answer.truncated:
            raise ProviderDown
        if answer.status != 200:
            raise Refused("oidc_code_refused")
        return _id_token(answer.body)

    def _identify(self, metadata: Metadata, form: dict[str, str]) -> dict[str, str]:
        """Say who we are: in the headers it gives, or in the form (RFC 6749, 2.3.1)."""
        client_id, secret = self._settings.oidc_client_id or "", self._settings.oidc_client_secret
        if secret is None:
            form["client_id"] = client_id
            return {}
        if not metadata.takes_basic:
            form |= {"client_id": client_id, "client_secret": secret.get_secret_value()}
            return {}
        user, password = (quote(part, safe="") for part in (client_id, secret.get_secret_value()))
        auth = httpx.BasicAuth(user, password)
        request = next(auth.auth_flow(httpx.Request("POST", metadata.token_endpoint)))
        return {"Authorization": request.headers["Authorization"]}

    async def _fetch_metadata(self) -> Metadata:
        said = await self._outgoing.get_json(self._issuer.rstrip("/") + _WHERE)
        # Discovery 1.0, 4.3: whoever answers in another's name is not believed.
        if said.get("issuer") != self._issuer:
            raise ProviderDown
        methods = said.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        return Metadata(
            self._endpoint(said, "authorization_endpoint"),
            self._endpoint(said, "token_endpoint"),
            self._endpoint(said, "jwks_uri"),
            isinstance(methods, list) and "client_secret_basic" in methods,
        )

    def _endpoint(self, said: Mapping[str, Any], name: str) -> str:
        url = said.get(name)
        # Browsers are sent to one of them, so it may be no `javascript:` nor fall back to http.
        scheme = self._issuer.split(":")[0]
        if not isinstance(url, str) or not url.startswith((f"{scheme}://", "https://")):
            raise ProviderDown
        return url

    async def _fetch_keys(self) -> Keys:
        metadata = await self.metadata()
        said = await self._outgoing.get_json(metadata.jwks_uri)
        keys = said.get("keys")
        if not isinstance(keys, list):
            raise ProviderDown
        return Keys(keys, self._settings.oidc_algorithms)


def _form(fields: Mapping[str, str]) -> bytes:
    return urlencode(fields).encode()


def _id_token(body: bytes) -> str:
    try:
        said = loads(body)
    except StrictJsonError:
        raise Refused("oidc_answer_malformed") from None
    token = said.get("id_token") if isinstance(said, dict) else None
    if not isinstance(token, str):
        raise Refused("oidc_answer_malformed")
    return token


# The providers of this process: one, but for tests.
_providers: dict[Settings, Provider] = {}


def provider_of(settings: Settings) -> Provider | None:
    """The provider the settings name; None without one, or without the package to check tokens."""
    if settings.oidc_issuer is None or not IS_INSTALLED:
        return None
    if settings not in _providers:
        _providers[settings] = Provider(settings)
    return _providers[settings]
