"""Checking the JSON Web Tokens (RFC 7519) of the identity provider, by RFC 8725's advice.

The token never says how it is to be checked: algorithms come from the settings, keys from the
provider, and what its header offers instead is not looked at.
"""

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from scm_api.access.authentication import Refused
from scm_api.core.strict_json import StrictJsonError, loads

try:
    from jwt import PyJWK, PyJWS
    from jwt.algorithms import has_crypto
    from jwt.exceptions import PyJWTError
except ImportError:
    has_crypto = False

# Whether the extra `oidc` is installed.
IS_INSTALLED: bool = has_crypto

LONGEST_TOKEN = 8_192
_LONGEST_KID = 256
_LONGEST_SUBJECT = 255
_MOST_KEYS = 100
_DEEPEST = 8
_SMALLEST_RSA_BITS = 2048
_SEGMENT = re.compile(r"[A-Za-z0-9_-]+")
# Tokens of the provider with another purpose, such as logout+jwt, are signed with the same keys.
_TYPES = {"jwt", "at+jwt", "application/at+jwt"}
_ALGORITHMS_OF: dict[tuple[Any, Any], set[str]] = {
    ("RSA", None): {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"},
    ("EC", "P-256"): {"ES256"},
    ("EC", "P-384"): {"ES384"},
    ("EC", "P-521"): {"ES512"},
    ("OKP", "Ed25519"): {"EdDSA"},
}


@dataclass(frozen=True)
class Header:
    """What a token says of its signature."""

    algorithm: str
    kid: str | None


@dataclass(frozen=True)
class Claims:
    """What a genuine token says of its person. `email` is there only if the provider verified it;
    `nonce` and `authorized_party` are for the login alone."""

    issuer: str
    subject: str
    email: str | None = None
    nonce: str | None = None
    authorized_party: str | None = None


class Keys:
    """The provider's public keys, each with the algorithms its type and its own word allow."""

    def __init__(self, keys: Iterable[Any], algorithms: Iterable[str]) -> None:
        self._keys: list[tuple[str | None, dict[str, PyJWK]]] = []
        wanted = set(algorithms)
        for key in list(keys)[:_MOST_KEYS]:
            usable = _usable(key, wanted) if isinstance(key, dict) else {}
            if usable:
                kid = key.get("kid")
                self._keys.append((kid if isinstance(kid, str) else None, usable))

    def find(self, header: Header) -> list["PyJWK"]:
        """The keys a token may be signed with. A token that names no key is signed by the only one
        there is for its algorithm, or by none."""
        fitting = [(k, one[header.algorithm]) for k, one in self._keys if header.algorithm in one]
        if header.kid is None:
            return [key for _, key in fitting] if len(fitting) == 1 else []
        return [key for kid, key in fitting if kid == header.kid]


def _usable(key: dict[str, Any], wanted: set[str]) -> dict[str, "PyJWK"]:
    """A key of a JWKS (RFC 7517) by the algorithms it may be used with; none for one that is not
    for signatures, too short, unknown to us, or shown with its private half."""
    family = key.get("kty"), None if key.get("kty") == "RSA" else key.get("crv")
    operations = key.get("key_ops", ["verify"])
    try:
        algorithms = _ALGORITHMS_OF.get(family, set()) & wanted
        if key.get("alg") is not None:
            algorithms &= {key["alg"]}
        if key.get("use", "sig") != "sig" or "verify" not in operations or "d" in key:
            return {}
        made = {algorithm: PyJWK(key, algorithm) for algorithm in algorithms}
    except (PyJWTError, TypeError, ValueError):
        return {}
    is_short = key.get("kty") == "RSA" and any(
        one.key.key_size < _SMALLEST_RSA_BITS for one in made.values()
    )
    return {} if is_short else made


def read_header(token: str, algorithms: Iterable[str]) -> Header:
    """The header of a token that may be worth checking. Raises `Refused`."""
    if len(token) > LONGEST_TOKEN:
        raise Refused("jwt_too_long")
    parts = token.split(".")
    if len(parts) != 3:
        raise Refused("jwt_malformed")
    decoded = [_segment(part) for part in parts]
    header = _object(decoded[0])
    # RFC 7515, 4.1.11: what must be understood and is not makes the token invalid.
    if "crit" in header or "b64" in header or "zip" in header:
        raise Refused("jwt_critical_header")
    typ = header.get("typ", "JWT")
    if not isinstance(typ, str) or typ.lower() not in _TYPES:
        raise Refused("jwt_of_other_type")
    algorithm, kid = header.get("alg"), header.get("kid")
    if not isinstance(algorithm, str) or algorithm not in set(algorithms):
        raise Refused("jwt_algorithm")
    if kid is not None and not (isinstance(kid, str) and len(kid) <= _LONGEST_KID):
        raise Refused("jwt_malformed")
    return Header(algorithm, kid)


def read_claims(
    token: str,
    header: Header,
    keys: Keys,
    *,
    issuer: str,
    audience: str,
    now: datetime,
    leeway_seconds: int,
) -> Claims:
    """The claims of a token, if one of `keys` signed it for us and it is valid now.

    Raises `Refused`; nothing of the payload is read before the signature is found good.
    """
    found = keys.find(header)
    if not found:
        raise Refused("jwt_key_unknown")
    payload = next((p for key in found if (p := _verified(token, key)) is not None), None)
    if payload is None:
        raise Refused("jwt_signature")
    claims = _object(payload)
    if claims.get("iss") != issuer:
        raise Refused("jwt_issuer")
    _check_audience(claims.get("aud"), audience)
    _check_times(claims, now.timestamp(), leeway_seconds)
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= _LONGEST_SUBJECT:
        raise Refused("jwt_claims_missing")
    # Told apart from the tokens of a back-channel logout, which have no type in older providers.
    if "events" in claims:
        raise Refused("jwt_of_other_type")
    is_verified = claims.get("email_verified") is True
    return Claims(
        issuer,
        subject,
        _text(claims, "email") if is_verified else None,
        _text(claims, "nonce"),
        _text(claims, "azp"),
    )


def _verified(token: str, key: "PyJWK") -> bytes | None:
    try:
        payload: bytes = PyJWS().decode(token, key, algorithms=[key.algorithm_name])
    except (PyJWTError, TypeError, ValueError):
        return None
    return payload


def _check_audience(said: Any, audience: str) -> None:
    audiences = said if isinstance(said, list) else [said]
    if audience not in audiences or not all(isinstance(one, str) for one in audiences):
        raise Refused("jwt_audience")


def _check_times(claims: Mapping[str, Any], now: float, leeway: int) -> None:
    expires, issued, begins = (claims.get(name) for name in ("exp", "iat", "nbf"))
    if expires is None or issued is None:
        raise Refused("jwt_claims_missing")
    if "nbf" not in claims:
        begins = issued
    if not all(type(time) in (int, Decimal) for time in (expires, issued, begins)):
        raise Refused("jwt_claims_malformed")
    if expires <= now - leeway:
        raise Refused("jwt_expired")
    if max(issued, begins) > now + leeway:
        raise Refused("jwt_not_yet_valid")


def _segment(text: str) -> bytes:
    """Bytes of base64url without padding, in the one spelling they have."""
    if not _SEGMENT.fullmatch(text):
        raise Refused("jwt_malformed")
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        raise Refused("jwt_malformed") from None
    if base64.urlsafe_b64encode(data).rstrip(b"=").decode() != text:
        raise Refused("jwt_malformed")
    return data


def _object(data: bytes) -> dict[str, Any]:
    try:
        value = loads(data, max_depth=_DEEPEST)
    except StrictJsonError:
        raise Refused("jwt_malformed") from None
    if not isinstance(value, dict):
        raise Refused("jwt_malformed")
    return value


def _text(claims: Mapping[str, Any], name: str) -> str | None:
    value = claims.get(name)
    return value if isinstance(value, str) else None
