"""An identity provider on loopback that does as a test says, and tokens of every kind."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

NOW = 1_800_000_000
AUDIENCE = "paymentserver"


@dataclass
class Clock:
    now: float = NOW

    def __call__(self) -> float:
        return self.now


@cache
def rsa_key(name: str = "first") -> rsa.RSAPrivateKey:
    """Making one takes long: each name has one for the whole run."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@cache
def ec_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@cache
def ed_key() -> ed25519.Ed25519PrivateKey:
    return ed25519.Ed25519PrivateKey.generate()


def jwk_of(key: Any, kid: str | None = "first", **members: Any) -> dict[str, Any]:
    kind = {rsa.RSAPrivateKey: RSAAlgorithm, ec.EllipticCurvePrivateKey: ECAlgorithm}
    algorithm = next((made for base, made in kind.items() if isinstance(key, base)), OKPAlgorithm)
    jwk = algorithm.to_jwk(key.public_key(), as_dict=True)  # type: ignore[attr-defined]
    jwk.pop("key_ops", None)
    return {**jwk, **({} if kid is None else {"kid": kid}), **members}


@dataclass
class Provider:
    """What it serves may be changed at any time; `asked` are the paths that were asked for."""

    url: str = ""
    keys: list[dict[str, Any]] = field(default_factory=lambda: [jwk_of(rsa_key())])
    discovery: dict[str, Any] = field(default_factory=dict)  # members to serve instead of the right ones
    status: int = 200
    body: bytes | None = None  # served instead of everything
    asked: list[str] = field(default_factory=list)
    gate: threading.Event | None = None  # where there is one, answers wait for it

    @property
    def fetches(self) -> int:
        return self.asked.count("/.well-known/openid-configuration")

    def __call__(self, environ: Any, start_response: Any) -> Any:
        request = Request(environ)
        self.asked.append(request.path)
        if self.gate is not None:
            assert self.gate.wait(20)
        if self.status >= 300:
            return Response(status=self.status, headers={"Location": f"{self.url}/keys"})(environ, start_response)
        document = {"keys": self.keys}
        if request.path.endswith("openid-configuration"):
            document = {"issuer": self.url, "jwks_uri": f"{self.url}/keys", **self.discovery}
        body = json.dumps(document).encode() if self.body is None else self.body
        return Response(body, content_type="application/json")(environ, start_response)


@contextmanager
def served(app: Any) -> Iterator[str]:
    """The URL of a WSGI app on a free port."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://localhost:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def claims_of(provider: Provider, **changed: Any) -> dict[str, Any]:
    """Good ones, but for what is changed; a claim changed to ... is left out."""
    good = {
        "iss": provider.url,
        "aud": AUDIENCE,
        "sub": "shop-7",
        "client_id": "shop",
        "merchant_id": "books",
        "scope": "payments:read payments:write",
        "iat": NOW - 10,
        "nbf": NOW - 10,
        "exp": NOW + 3_600,
        "jti": "a-jti",
    }
    return {name: value for name, value in (good | changed).items() if value is not ...}


def bearer(provider: Provider, key: Any = None, alg: str = "RS256", head: Any = None, **claims: Any) -> str:
    """An Authorization header. `head` are members of the JOSE header; ... leaves one out."""
    return f"Bearer {token_of(claims_of(provider, **claims), key or rsa_key(), alg, head)}"


def token_of(claims: Any, key: Any, alg: str = "RS256", head: Any = None) -> str:
    header = {"alg": alg, "typ": "at+jwt", "kid": "first", **(head or {})}
    header = {name: value for name, value in header.items() if value is not ...}
    signed = f"{b64(json.dumps(header))}.{b64(claims if isinstance(claims, str) else json.dumps(claims))}"
    algorithm = jwt.get_algorithm_by_name(alg)
    return f"{signed}.{b64(algorithm.sign(signed.encode(), key))}"


def b64(value: str | bytes) -> str:
    given = value.encode() if isinstance(value, str) else value
    return base64.urlsafe_b64encode(given).rstrip(b"=").decode()
