"""Access tokens that must not open the door, most of them signed with the issuer's own key and wrong in one thing alone."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import RSAAlgorithm

from dev.identity.key_file import KeyFile
from tests.stack.problems import problem_of
from tests.stack.running import Json, Stack

READ = "/v1/payments"
STRANGER = generate_private_key(public_exponent=65537, key_size=2048)


def issuers_key(stack: Stack) -> tuple[str, RSAPrivateKey]:
    key = KeyFile(stack.var / "identity").signing_key()
    return key.id, key.private


def forged(stack: Stack, header: Json | None = None, key: Any = None, **claims: Any) -> str:
    """A token as the issuer would sign it for `demo`, but for what is given; a claim that is None is left out."""
    kid, own = issuers_key(stack)
    good = jwt.decode(stack.token(), options={"verify_signature": False})
    content = {name: value for name, value in {**good, **claims}.items() if value is not None}
    return jwt.encode(content, key or own, algorithm="RS256", headers={"typ": "at+jwt", "kid": kid, **(header or {})})


def encoded(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


def assembled(stack: Stack, header: Json, sign: Callable[[bytes], bytes]) -> str:
    """What no library would make: any header over the good claims, signed in any way."""
    signed = encoded(json.dumps(header).encode()) + "." + stack.token().split(".")[1]
    return signed + "." + encoded(sign(signed.encode()))


def by_hmac(stack: Stack, secret: bytes) -> str:
    header = {"alg": "HS256", "typ": "at+jwt", "kid": issuers_key(stack)[0]}
    return assembled(stack, header, lambda signed: hmac.new(secret, signed, hashlib.sha256).digest())


def public_bytes(stack: Stack, encoding: Encoding) -> bytes:
    return issuers_key(stack)[1].public_key().public_bytes(encoding, PublicFormat.SubjectPublicKeyInfo)


def public_jwk(key: RSAPrivateKey) -> Json:
    return dict(RSAAlgorithm.to_jwk(key.public_key(), as_dict=True))


def unsigned(stack: Stack, algorithm: str) -> str:
    return assembled(stack, {"alg": algorithm, "typ": "at+jwt"}, lambda signed: b"")


def tampered(stack: Stack) -> str:
    """`shop`'s good signature over more scopes."""
    head, claims, signature = stack.token("shop").split(".")
    content = json.loads(base64.urlsafe_b64decode(claims + "=="))
    return f"{head}.{encoded(json.dumps({**content, 'scope': 'config:write'}).encode())}.{signature}"


def stranger_without_kid(stack: Stack) -> str:
    claims = jwt.decode(stack.token(), options={"verify_signature": False})
    return jwt.encode(claims, STRANGER, algorithm="RS256", headers={"typ": "at+jwt"})


# What is wrong: how such a token is made.
FORGERIES: dict[str, Callable[[Stack], str]] = {
    "another issuer": lambda stack: forged(stack, iss="http://localhost:1"),
    "another issuer by a slash": lambda stack: forged(stack, iss=stack.identity + "/"),
    "no issuer": lambda stack: forged(stack, iss=None),
    "another audience": lambda stack: forged(stack, aud="another-api"),
    "another audience in a list": lambda stack: forged(stack, aud=["another-api", "paymentserver.example"]),
    "no audience": lambda stack: forged(stack, aud=None),
    "expired": lambda stack: forged(stack, exp=int(time.time()) - 60),
    "never expires": lambda stack: forged(stack, exp=None),
    "not valid yet": lambda stack: forged(stack, nbf=int(time.time()) + 300),
    "issued in the future": lambda stack: forged(stack, iat=int(time.time()) + 300),
    "no subject": lambda stack: forged(stack, sub=None),
    "a stranger's key under the issuer's name": lambda stack: forged(stack, key=STRANGER),
    "a stranger's key under no name": stranger_without_kid,
    "tampered claims": tampered,
    "alg none": lambda stack: unsigned(stack, "none"),
    "alg None": lambda stack: unsigned(stack, "None"),
    "alg NONE": lambda stack: unsigned(stack, "NONE"),
    "alg empty": lambda stack: unsigned(stack, ""),
    "the signature cut off": lambda stack: stack.token().rpartition(".")[0] + ".",
    "the public key's PEM as HMAC secret": lambda stack: by_hmac(stack, public_bytes(stack, Encoding.PEM)),
    "the public key's DER as HMAC secret": lambda stack: by_hmac(stack, public_bytes(stack, Encoding.DER)),
    "the empty HMAC secret": lambda stack: by_hmac(stack, b""),
    "kid to a file": lambda stack: forged(stack, {"kid": "../../../../dev/null"}, key=STRANGER),
    "kid with SQL": lambda stack: forged(stack, {"kid": "x' UNION SELECT 'key' --"}, key=STRANGER),
    "kid that is an address": lambda stack: forged(stack, {"kid": "http://localhost:1/key"}, key=STRANGER),
    "kid too long": lambda stack: forged(stack, {"kid": "k" * 3000}),
    "jku": lambda stack: forged(stack, {"jku": "http://localhost:1/jwks.json"}),
    "x5u": lambda stack: forged(stack, {"x5u": "http://localhost:1/chain.pem"}),
    "jwk": lambda stack: forged(stack, {"jwk": public_jwk(STRANGER)}, key=STRANGER),
    "x5c": lambda stack: forged(stack, {"x5c": ["MIIB"]}),
    "crit": lambda stack: forged(stack, {"crit": ["exp"]}),
    "an ID token's typ": lambda stack: forged(stack, {"typ": "JWT"}),
    "no typ": lambda stack: forged(stack, {"typ": ""}),
    "garbage": lambda stack: "garbage",
    "three parts of garbage": lambda stack: "a.b.c",
    "five parts": lambda stack: stack.token() + ".a.b",
    "too long": lambda stack: "a" * 7000 + "." + stack.token(),
    "empty parts": lambda stack: "..",
}


@pytest.mark.parametrize("forgery", sorted(FORGERIES))
def test_a_bad_token_is_refused(stack: Stack, forgery: str) -> None:
    headers = {"Authorization": f"Bearer {FORGERIES[forgery](stack)}"}
    answer = stack.call("GET", READ, client=None, headers=headers)
    problem_of(stack, answer, 401, "unauthenticated")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer ")


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Basic ZGVtbzpkZW1vLXNlY3JldA==", "bearer: x", "Bearer a b"]
)
def test_a_header_without_a_token_is_refused(stack: Stack, header: str) -> None:
    answer = stack.call("GET", READ, client=None, headers={"Authorization": header})
    problem_of(stack, answer, 401, "unauthenticated")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer ")


def test_a_call_without_a_header_is_refused(stack: Stack) -> None:
    answer = stack.call("GET", READ, client=None)
    problem_of(stack, answer, 401, "unauthenticated")
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="paymentserver"'


def test_a_token_in_the_address_is_none(stack: Stack) -> None:
    """RFC 6750 allows it, and addresses end in logs."""
    problem_of(stack, stack.call("GET", f"{READ}?access_token={stack.token()}", client=None), 401, "unauthenticated")


def test_the_forger_itself_makes_good_tokens(stack: Stack) -> None:
    """Otherwise the refusals above would prove nothing."""
    headers = {"Authorization": f"Bearer {forged(stack)}"}
    assert stack.call("GET", READ, client=None, headers=headers).status_code == 200


@pytest.mark.parametrize("merchant", [None, "", "Default", "default/other", "../default", ["default"], 7, "x" * 41])
def test_a_token_without_a_usable_merchant_account_is_forbidden(stack: Stack, merchant: object) -> None:
    headers = {"Authorization": f"Bearer {forged(stack, merchant_id=merchant)}"}
    problem_of(stack, stack.call("GET", READ, client=None, headers=headers), 403, "forbidden")


def scoped_operations(stack: Stack) -> list[tuple[str, str, str]]:
    paths = stack.call("GET", "/openapi.json", client=None).json()["paths"]
    return [
        (method.upper(), path, operation["security"][0]["bearer"][0])
        for path, operations in paths.items()
        for method, operation in operations.items()
        if operation["security"]
    ]


def test_every_operation_asks_for_its_scope(stack: Stack) -> None:
    """`shop` may read and write payments and nothing else; what it may do is not called, so that nothing happens."""
    for method, path, scope in scoped_operations(stack):
        if scope not in ("payments:read", "payments:write"):
            answer = stack.call(method, path.replace("{", "").replace("}", ""), client="shop")
            assert scope in problem_of(stack, answer, 403, "forbidden")["detail"], f"{method} {path}"
            assert f'scope="{scope}"' in answer.headers["WWW-Authenticate"]


def test_every_operation_with_a_scope_asks_for_a_token(stack: Stack) -> None:
    for method, path, _ in scoped_operations(stack):
        answer = stack.call(method, path.replace("{", "").replace("}", ""), client=None)
        problem_of(stack, answer, 401, "unauthenticated")


def test_a_token_with_one_scope_opens_that_one_alone(stack: Stack) -> None:
    for mine, path in [("payments:read", READ), ("config:read", "/v1/routes"), ("audit:read", "/v1/audit")]:
        headers = {"Authorization": f"Bearer {forged(stack, scope=mine)}"}
        for scope, other in [("payments:read", READ), ("config:read", "/v1/routes"), ("audit:read", "/v1/audit")]:
            answer = stack.call("GET", other, client=None, headers=headers)
            assert answer.status_code == (200 if scope == mine else 403), f"{other} with {mine} (which opens {path})"
