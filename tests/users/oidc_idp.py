"""A small identity provider on this machine, with keys of its own, that also signs nonsense."""

import asyncio
import base64
import hashlib
import json
import secrets
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import uvicorn
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm, get_default_algorithms

CLIENT_ID, CLIENT_SECRET = "scm client", "s:ecret/+ä"
REDIRECT_URI = "https://scm.example.com/login/callback"
RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER_RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
ED_KEY = ed25519.Ed25519PrivateKey.generate()


def b64(data: bytes) -> str:
    """base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def signed(header: bytes, payload: bytes, algorithm: str, key: Any) -> str:
    """A token of exactly these bytes."""
    message = f"{b64(header)}.{b64(payload)}"
    maker = get_default_algorithms()[algorithm]
    return f"{message}.{b64(maker.sign(message.encode(), maker.prepare_key(key)))}"


def public_jwk(kid: str, key: Any, **more: Any) -> dict[str, Any]:
    """The public half of a key as it stands in a JWKS."""
    family = {
        rsa.RSAPrivateKey: RSAAlgorithm,
        ec.EllipticCurvePrivateKey: ECAlgorithm,
        ed25519.Ed25519PrivateKey: OKPAlgorithm,
    }
    maker = next(made for kind, made in family.items() if isinstance(key, kind))
    jwk: dict[str, Any] = maker.to_jwk(key.public_key(), as_dict=True)
    return {**{n: v for n, v in jwk.items() if n != "key_ops"}, "kid": kid, "use": "sig", **more}


@dataclass
class IdentityProvider:
    """What it says and signs can be changed by a test; `asked` counts the calls by path."""

    url: str = ""
    keys: list[dict[str, Any]] = field(
        default_factory=lambda: [
            public_jwk("rsa-1", RSA_KEY),
            public_jwk("ec-1", EC_KEY),
            public_jwk("ed-1", ED_KEY),
        ]
    )
    metadata: dict[str, Any] = field(default_factory=dict)
    asked: dict[str, int] = field(default_factory=dict)
    is_down: bool = False
    codes: dict[str, dict[str, Any]] = field(default_factory=dict)

    def claims(self, **changes: Any) -> dict[str, Any]:
        """Claims that are good now; None takes one away."""
        now = int(time.time())
        good = {
            "iss": self.url,
            "aud": CLIENT_ID,
            "sub": "subject-1",
            "iat": now,
            "exp": now + 300,
            **changes,
        }
        return {name: value for name, value in good.items() if value is not None}

    def token(
        self,
        *,
        key: Any = RSA_KEY,
        algorithm: str = "RS256",
        kid: str | None = "rsa-1",
        header: dict[str, Any] | None = None,
        **changes: Any,
    ) -> str:
        """A token of the provider, good but for the changes."""
        said = {"alg": algorithm, "typ": "JWT", **({"kid": kid} if kid else {}), **(header or {})}
        payload = json.dumps(self.claims(**changes)).encode()
        return signed(json.dumps(said).encode(), payload, algorithm, key)

    def authorize(self, authorization_url: str, **claims: Any) -> tuple[str, str]:
        """What the browser brings back after a person logged in here: state and code."""
        split = urlsplit(authorization_url)
        assert f"{split.scheme}://{split.netloc}{split.path}" == f"{self.url}/authorize"
        asked = {name: values[0] for name, values in parse_qs(split.query).items()}
        assert asked["response_type"] == "code"
        assert asked["client_id"] == CLIENT_ID
        assert asked["code_challenge_method"] == "S256"
        assert "openid" in asked["scope"].split()
        code = secrets.token_urlsafe(16)
        self.codes[code] = {**asked, "claims": {"nonce": asked["nonce"], **claims}}
        return asked["state"], code

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        path = scope["path"]
        self.asked[path] = self.asked.get(path, 0) + 1
        status, answer = 200, {}
        body = (await receive()).get("body", b"")
        if self.is_down:
            status = 503
        elif path == "/.well-known/openid-configuration":
            answer = {
                "issuer": self.url,
                "authorization_endpoint": f"{self.url}/authorize",
                "token_endpoint": f"{self.url}/token",
                "jwks_uri": f"{self.url}/keys",
                **self.metadata,
            }
        elif path == "/keys":
            answer = {"keys": self.keys}
        elif path == "/token":
            status, answer = self._trade(dict(scope["headers"]), body.decode())
        else:
            status = 404
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": json.dumps(answer).encode()})

    def _trade(self, headers: dict[bytes, bytes], body: str) -> tuple[int, dict[str, Any]]:
        form = {name: values[0] for name, values in parse_qs(body).items()}
        basic = base64.b64encode(b"scm%20client:s%3Aecret%2F%2B%C3%A4")
        flow = self.codes.pop(form.get("code", ""), None)
        challenge = b64(hashlib.sha256(form["code_verifier"].encode()).digest())
        if (
            headers.get(b"authorization") != b"Basic " + basic
            or flow is None
            or flow["code_challenge"] != challenge
            or flow["redirect_uri"] != form["redirect_uri"]
            or form["grant_type"] != "authorization_code"
        ):
            return 400, {"error": "invalid_grant"}
        claims = dict(flow["claims"])
        token = claims.pop("token", None) or self.token(**claims)
        return 200, {"token_type": "Bearer", "access_token": "opaque", "id_token": token}


@asynccontextmanager
async def running() -> AsyncIterator[IdentityProvider]:
    """A provider that listens on a free port of this machine meanwhile."""
    provider = IdentityProvider()
    config = uvicorn.Config(provider, lifespan="off", log_config=None, access_log=False)
    server = uvicorn.Server(config)
    listening = socket.create_server(("127.0.0.1", 0))
    provider.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    task = asyncio.create_task(server._serve([listening]))
    try:
        yield provider
    finally:
        server.should_exit = True
        await task
