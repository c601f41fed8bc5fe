"""Tokens of the identity provider as bearer tokens: who is let in, and every way not to be."""

import hmac
import json
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio
from cryptography.hazmat.primitives import serialization

from scm_api.core.runtime import Runtime
from tests.users.oidc_idp import (
    EC_KEY,
    ED_KEY,
    OTHER_RSA_KEY,
    RSA_KEY,
    IdentityProvider,
    b64,
    public_jwk,
    signed,
)
from tests.users.oidc_world import Caller, calling, person, running

PUBLIC_PEM = RSA_KEY.public_key().public_bytes(
    serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def idp(runtime: Runtime) -> AsyncIterator[IdentityProvider]:
    """One provider for this file, who knows one person."""
    async with running() as provider:
        await person(runtime, status="active", subject="subject-1", issuer=provider.url)
        yield provider


@pytest_asyncio.fixture(loop_scope="session")
async def caller(runtime: Runtime, idp: IdentityProvider) -> AsyncIterator[Caller]:
    """The application, called from a fresh address."""
    async with calling(runtime, idp) as made:
        yield made


@pytest.mark.parametrize(
    ("algorithm", "key", "kid"),
    [
        ("RS256", RSA_KEY, "rsa-1"),
        ("PS256", RSA_KEY, "rsa-1"),
        ("ES256", EC_KEY, "ec-1"),
        ("EdDSA", ED_KEY, "ed-1"),
        ("ES256", EC_KEY, None),
    ],
)
async def test_a_token_of_the_provider_speaks_for_its_person(
    caller: Caller, idp: IdentityProvider, algorithm: str, key: Any, kid: str | None
) -> None:
    token = idp.token(algorithm=algorithm, key=key, kid=kid)
    assert (await caller.read(token)).status_code == 200
    assert await caller.kinds() == []


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": ["somebody else", "scm client"]},
        {"exp": int(time.time()) + 7_200.5},
        {"nbf": int(time.time()) - 5},
        {"header": {"typ": "at+jwt"}},
        {"header": {"typ": None}},
        {"header": {"jku": "https://evil.example/keys", "x5u": "https://evil.example/x"}},
        {"header": {"jwk": public_jwk("rsa-1", OTHER_RSA_KEY)}},
    ],
    ids=str,
)
async def test_what_is_of_no_matter_does_no_harm(
    caller: Caller, idp: IdentityProvider, changes: dict[str, Any]
) -> None:
    if changes.get("header") == {"typ": None}:
        claims = json.dumps(idp.claims()).encode()
        token = signed(b'{"alg":"RS256","kid":"rsa-1"}', claims, "RS256", RSA_KEY)
    else:
        token = idp.token(**changes)
    assert (await caller.read(token)).status_code == 200


@pytest.mark.parametrize("seconds", [-25, 25])
async def test_a_clock_may_be_off_by_the_leeway(
    caller: Caller, idp: IdentityProvider, seconds: int
) -> None:
    now = int(time.time())
    if seconds < 0:
        token = idp.token(exp=now + seconds, iat=now - 300)
    else:
        token = idp.token(iat=now + seconds, nbf=now + seconds)
    assert (await caller.read(token)).status_code == 200


def _claims(idp: IdentityProvider) -> bytes:
    return json.dumps(idp.claims()).encode()


def _unsigned(idp: IdentityProvider, algorithm: str) -> str:
    header = json.dumps({"alg": algorithm, "kid": "rsa-1"}).encode()
    return f"{b64(header)}.{b64(_claims(idp))}."


def _hmac(idp: IdentityProvider, secret: bytes) -> str:
    # PyJWT refuses to sign with a public key, so the attacker's own library is played here.
    header = b'{"alg":"HS256","kid":"rsa-1"}'
    message = f"{b64(header)}.{b64(_claims(idp))}".encode()
    return f"{message.decode()}.{b64(hmac.digest(secret, message, 'sha256'))}"


def _header(idp: IdentityProvider, header: bytes) -> str:
    return signed(header, _claims(idp), "RS256", RSA_KEY)


def _payload(payload: bytes) -> str:
    return signed(b'{"alg":"RS256","kid":"rsa-1"}', payload, "RS256", RSA_KEY)


def _bomb(depth: int) -> bytes:
    return b'{"alg":"RS256","kid":"rsa-1","x":' + b"[" * depth + b"]" * depth + b"}"


def _now(seconds: int) -> int:
    return int(time.time()) + seconds


Make = Callable[[IdentityProvider], str]
ATTACKS: dict[str, tuple[str | None, Make]] = {
    "alg none": ("jwt_malformed", lambda i: _unsigned(i, "none")),
    "alg none with a signature": ("jwt_algorithm", lambda i: _unsigned(i, "none") + "AAAA"),
    "alg NONE": ("jwt_algorithm", lambda i: _unsigned(i, "nOnE") + "AAAA"),
    "no alg": ("jwt_algorithm", lambda i: _header(i, b'{"kid":"rsa-1"}')),
    "alg is a list": ("jwt_algorithm", lambda i: _header(i, b'{"alg":["RS256"],"kid":"rsa-1"}')),
    "the public key as an HMAC secret": ("jwt_algorithm", lambda i: _hmac(i, PUBLIC_PEM)),
    "an algorithm not allowed": ("jwt_algorithm", lambda i: i.token(algorithm="RS512")),
    "an algorithm of another key type": (
        "jwt_key_unknown",
        lambda i: i.token(algorithm="ES256", key=EC_KEY, kid="rsa-1"),
    ),
    "another key under a known kid": ("jwt_signature", lambda i: i.token(key=OTHER_RSA_KEY)),
    "the attacker's key in the header": (
        "jwt_signature",
        lambda i: i.token(
            key=OTHER_RSA_KEY, header={"jwk": public_jwk("rsa-1", OTHER_RSA_KEY), "jku": i.url}
        ),
    ),
    "an unknown kid": ("jwt_key_unknown", lambda i: i.token(kid="rsa-2")),
    "another key and no kid": ("jwt_signature", lambda i: i.token(kid=None, key=OTHER_RSA_KEY)),
    "a path as kid": ("jwt_key_unknown", lambda i: i.token(kid="../../../../dev/null")),
    "SQL as kid": ("jwt_key_unknown", lambda i: i.token(kid="x' union select 'k")),
    "a number as kid": ("jwt_malformed", lambda i: i.token(header={"kid": 1})),
    "an endless kid": ("jwt_malformed", lambda i: i.token(kid="k" * 1000)),
    "crit": ("jwt_critical_header", lambda i: i.token(header={"crit": ["exp"], "exp": 1})),
    "b64 false": (
        "jwt_critical_header",
        lambda i: i.token(header={"crit": ["b64"], "b64": False}),
    ),
    "b64 false, not critical": ("jwt_critical_header", lambda i: i.token(header={"b64": False})),
    "a logout token": ("jwt_of_other_type", lambda i: i.token(header={"typ": "logout+jwt"})),
    "a logout token of old": ("jwt_of_other_type", lambda i: i.token(events={})),
    "expired": ("jwt_expired", lambda i: i.token(exp=_now(-31), iat=_now(-300))),
    "expired long ago": ("jwt_expired", lambda i: i.token(exp=0)),
    "not yet valid": ("jwt_not_yet_valid", lambda i: i.token(nbf=_now(40))),
    "issued in the future": ("jwt_not_yet_valid", lambda i: i.token(iat=_now(40))),
    "expiry is text": ("jwt_claims_malformed", lambda i: i.token(exp="9999999999")),
    "expiry is true": ("jwt_claims_malformed", lambda i: i.token(exp=True)),
    "expiry is infinite": ("jwt_malformed", lambda i: i.token(exp=float("inf"))),
    "expiry is null": (
        "jwt_claims_missing",
        lambda i: _payload(json.dumps({**i.claims(), "exp": None}).encode()),
    ),
    "not before is null": (
        "jwt_claims_malformed",
        lambda i: _payload(json.dumps({**i.claims(), "nbf": None}).encode()),
    ),
    "another issuer": ("jwt_issuer", lambda i: i.token(iss="https://evil.example")),
    "an issuer with a slash more": ("jwt_issuer", lambda i: i.token(iss=i.url + "/")),
    "another audience": ("jwt_audience", lambda i: i.token(aud="somebody else")),
    "part of the audience": ("jwt_audience", lambda i: i.token(aud="scm")),
    "an audience of objects": ("jwt_audience", lambda i: i.token(aud=[{}, "scm client"])),
    "no issuer": ("jwt_issuer", lambda i: i.token(iss=None)),
    "no audience": ("jwt_audience", lambda i: i.token(aud=None)),
    "no expiry": ("jwt_claims_missing", lambda i: i.token(exp=None)),
    "no time of issue": ("jwt_claims_missing", lambda i: i.token(iat=None)),
    "no subject": ("jwt_claims_missing", lambda i: i.token(sub=None)),
    "an empty subject": ("jwt_claims_missing", lambda i: i.token(sub="")),
    "a subject that is no text": ("jwt_claims_missing", lambda i: i.token(sub=1)),
    "SQL as subject": ("identity_unknown", lambda i: i.token(sub="' or true --")),
    "an unknown subject": ("identity_unknown", lambda i: i.token(sub="subject-2")),
    "the subject in capitals": ("identity_unknown", lambda i: i.token(sub="SUBJECT-1")),
    "a truncated signature": ("jwt_signature", lambda i: i.token()[:-2]),
    "no signature": ("jwt_malformed", lambda i: i.token().rpartition(".")[0] + "."),
    "a signature of zeros": (
        "jwt_signature",
        lambda i: (
            i.token(algorithm="ES256", key=EC_KEY, kid="ec-1").rpartition(".")[0]
            + "."
            + b64(bytes(64))
        ),
    ),
    "padding": ("jwt_malformed", lambda i: i.token() + "="),
    "a character more": ("jwt_signature", lambda i: i.token() + "A"),
    "another alphabet": ("jwt_malformed", lambda i: i.token() + "/+"),
    "100 kB": (None, lambda i: i.token(x="x" * 100_000)),
    "a nested bomb in the header": ("jwt_malformed", lambda i: _header(i, _bomb(1_000))),
    "the signature in JSON form": ("token_malformed", lambda i: b64(_claims(i))),
    "five parts": ("token_malformed", lambda i: i.token() + ".A.A"),
    "a header that is no object": ("jwt_malformed", lambda i: _header(i, b"[]")),
    "a header that is no JSON": ("jwt_malformed", lambda i: _header(i, b"\xff\xfe")),
    "a claim twice": (
        "jwt_malformed",
        lambda i: _payload(_claims(i)[:-1] + b',"sub":"subject-1"}'),
    ),
    "a header twice": (
        "jwt_malformed",
        lambda i: _header(i, b'{"alg":"none","alg":"RS256","kid":"rsa-1"}'),
    ),
    "claims that are no object": ("jwt_malformed", lambda i: _payload(b"null")),
    "NUL in the subject": ("jwt_malformed", lambda i: i.token(sub="subject-1\x00")),
}


@pytest.mark.parametrize(("kind", "make"), ATTACKS.values(), ids=ATTACKS)
async def test_every_attack_gets_the_answer_of_a_missing_token(
    caller: Caller, idp: IdentityProvider, kind: str | None, make: Make
) -> None:
    nothing = await caller.read(None)
    refused = await caller.read(make(idp))
    assert nothing.status_code == 401
    assert (refused.status_code, refused.content) == (401, nothing.content)
    assert dict(refused.headers) == dict(nothing.headers)
    if kind is not None:
        assert await caller.kinds() == [kind]
