"""What we keep of the identity provider: asked rarely, replaced in time, good without it."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from pydantic import ValidationError

from scm_api.access.authentication import Refused
from scm_api.core.errors import Unavailable
from scm_api.core.runtime import Runtime
from scm_api.settings import Settings
from scm_api.users.oidc_provider import Provider, ProviderDown
from scm_api.users.oidc_tokens import Header, Keys, read_claims, read_header
from tests.users.oidc_idp import (
    EC_KEY,
    OTHER_RSA_KEY,
    RSA_KEY,
    IdentityProvider,
    public_jwk,
    running,
)
from tests.users.oidc_world import calling

KNOWN, UNKNOWN = Header("RS256", "rsa-1"), Header("RS256", "rsa-2")


@pytest_asyncio.fixture(loop_scope="session")
async def idp() -> AsyncIterator[IdentityProvider]:
    """A provider nobody has asked yet."""
    async with running() as provider:
        yield provider


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def _settings(idp: IdentityProvider, **more: Any) -> Settings:
    return Settings(oidc_issuer=idp.url, outgoing_allow=(idp.url,), **more)


async def test_keys_are_fetched_once_in_ten_minutes(idp: IdentityProvider) -> None:
    clock = Clock()
    provider = Provider(_settings(idp), clock)
    for _ in range(3):
        assert (await provider.keys_for(KNOWN)).find(KNOWN)
    assert idp.asked == {"/.well-known/openid-configuration": 1, "/keys": 1}
    clock.now += 601
    await provider.keys_for(KNOWN)
    assert idp.asked == {"/.well-known/openid-configuration": 1, "/keys": 2}


async def test_tokens_with_made_up_keys_cost_one_call_in_thirty_seconds(
    idp: IdentityProvider,
) -> None:
    clock = Clock()
    provider = Provider(_settings(idp), clock)
    await provider.keys_for(KNOWN)
    clock.now += 31
    made_up = [Header("RS256", f"made-up-{n}") for n in range(50)]
    await asyncio.gather(*(provider.keys_for(header) for header in made_up))
    assert idp.asked["/keys"] == 2


async def test_a_new_key_is_known_as_soon_as_it_is_used(idp: IdentityProvider) -> None:
    clock = Clock()
    provider = Provider(_settings(idp), clock)
    assert not (await provider.keys_for(UNKNOWN)).find(UNKNOWN)
    idp.keys = [public_jwk("rsa-2", OTHER_RSA_KEY)]
    clock.now += 31
    keys = await provider.keys_for(UNKNOWN)
    assert keys.find(UNKNOWN)
    assert not keys.find(KNOWN), "a key the provider took away is gone"


async def test_an_outage_of_the_provider_is_not_ours_for_a_day(idp: IdentityProvider) -> None:
    clock = Clock()
    provider = Provider(_settings(idp), clock)
    await provider.keys_for(KNOWN)
    idp.is_down = True
    clock.now += 5_000
    assert (await provider.keys_for(KNOWN)).find(KNOWN)
    assert (await provider.keys_for(UNKNOWN)).find(KNOWN)
    assert idp.asked["/keys"] == 2
    clock.now += 86_400
    with pytest.raises(ProviderDown):
        await provider.keys_for(KNOWN)


async def test_a_provider_that_was_never_reached_is_answered_with_retry_later(
    runtime: Runtime, idp: IdentityProvider
) -> None:
    idp.is_down = True
    async with calling(runtime, idp) as caller:
        answer = await caller.read(idp.token())
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert answer.headers["retry-after"]


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "https://evil.example"},
        {"jwks_uri": None},
        {"jwks_uri": "file:///etc/passwd"},
        {"jwks_uri": "https://169.254.169.254/keys"},
        {"jwks_uri": "http://127.0.0.1:1/keys"},
        {"authorization_endpoint": "javascript:alert(1)"},
    ],
    ids=str,
)
async def test_a_provider_that_says_something_wrong_is_not_used(
    idp: IdentityProvider, metadata: dict[str, Any]
) -> None:
    idp.metadata = metadata
    with pytest.raises(ProviderDown):
        await Provider(_settings(idp)).keys_for(KNOWN)
    assert "/keys" not in idp.asked


async def test_logins_leave_connections_to_everybody_else(idp: IdentityProvider) -> None:
    provider = Provider(_settings(idp, oidc_client_id="scm", db_pool_size=4))
    trades = [provider.trade("code", "verifier", "https://x") for _ in range(5)]
    ends = await asyncio.gather(*trades, return_exceptions=True)
    assert [type(end) for end in ends] == [Refused] * 2 + [Unavailable] * 3


@pytest.mark.parametrize(
    "key",
    [
        public_jwk("k", RSA_KEY, use="enc"),
        public_jwk("k", RSA_KEY, key_ops=["encrypt"]),
        public_jwk("k", RSA_KEY, alg="RS512"),
        public_jwk("k", RSA_KEY, d="AQAB"),
        public_jwk("k", RSA_KEY, kty="EC"),
        public_jwk("k", RSA_KEY, kty=["RSA"]),
        public_jwk("k", RSA_KEY, n=5),
        public_jwk("k", rsa.generate_private_key(public_exponent=65537, key_size=1024)),
        public_jwk("k", ec.generate_private_key(ec.SECP384R1())),
        public_jwk("k", ec.generate_private_key(ec.SECP256K1())),
        {"kty": "oct", "kid": "k", "k": "c2VjcmV0"},
        {"kty": "oct", "kid": "k", "k": "c2VjcmV0", "alg": "RS256"},
        {},
        "RSA",
        None,
    ],
    ids=str,
)
def test_a_key_that_is_not_for_our_signatures_is_left_out(key: Any) -> None:
    keys = Keys([key], Settings().oidc_algorithms)
    for algorithm in (*Settings().oidc_algorithms, "HS256", "none"):
        assert keys.find(Header(algorithm, "k")) == []


def test_a_key_is_used_with_its_own_algorithms_only() -> None:
    keys = Keys(
        [public_jwk("k", RSA_KEY, alg="PS256"), public_jwk("e", EC_KEY)], ("RS256", "PS256")
    )
    assert len(keys.find(Header("PS256", "k"))) == 1
    assert keys.find(Header("RS256", "k")) == []
    assert keys.find(Header("ES256", "e")) == []


@pytest.mark.parametrize("algorithm", ["none", "HS256", "HS512", "ES256K", "rs256"])
def test_only_signatures_with_a_public_key_can_be_allowed(algorithm: str) -> None:
    with pytest.raises(ValidationError):
        Settings(oidc_algorithms=("RS256", algorithm))


def test_no_single_character_of_a_token_can_be_another(runtime: Runtime) -> None:
    idp = IdentityProvider(url="https://idp.example")
    keys = Keys(idp.keys, ("ES256",))
    token = idp.token(algorithm="ES256", key=EC_KEY, kid="ec-1")

    def read(text: str) -> str:
        header = read_header(text, ("ES256",))
        about = {"issuer": idp.url, "audience": "scm client", "leeway_seconds": 30}
        return read_claims(text, header, keys, now=runtime.clock(), **about).subject

    assert read(token) == "subject-1"
    for place, character in enumerate(token):
        for other in {"A", "B", "_", "."} - {character}:
            with pytest.raises(Refused):
                read(token[:place] + other + token[place + 1 :])


def test_without_the_package_everything_else_works() -> None:
    script = (
        "import sys; sys.modules['jwt'] = None\n"
        "from scm_api.app import bare_app\n"
        "from scm_api.settings import Settings\n"
        "from scm_api.users.oidc_provider import provider_of\n"
        "from scm_api.users.oidc_tokens import IS_INSTALLED\n"
        "assert '/v1/sessions/oidc' in bare_app().openapi()['paths']\n"
        "assert not IS_INSTALLED\n"
        "assert provider_of(Settings(oidc_issuer='https://idp.example')) is None\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script], env=os.environ, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
