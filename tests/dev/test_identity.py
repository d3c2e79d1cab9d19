"""The development identity server over real HTTP: how programs get tokens, its keys, and where it refuses to run."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
import requests

from chalicelib.identity.verify import TokenVerifier
from dev.identity import create_app
from dev.identity.accounts import API_SCOPES
from dev.identity.key_file import KEPT_S, KeyFile
from tests.dev.identity_server import Server, identity_in, verified
from tests.ports import free_port

EVERY_SCOPE = set(API_SCOPES)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with identity_in(tmp_path_factory.mktemp("identity")) as made:
        yield made


@pytest.mark.parametrize(
    ("client", "merchant", "scopes"),
    [
        ("demo", "default", EVERY_SCOPE),
        ("shop", "default", {"payments:read", "payments:write"}),
        ("other-shop", "other", EVERY_SCOPE),
    ],
)
def test_a_program_gets_a_token_that_paymentserver_accepts(
    server: Server, client: str, merchant: str, scopes: set[str]
) -> None:
    caller = verified(server, server.token(client))
    assert (caller.client_id, caller.merchant_id, caller.scopes) == (client, merchant, scopes)


def test_a_token_is_what_rfc_9068_describes(server: Server) -> None:
    answer = server.token("shop")
    token = answer.json()["access_token"]
    claims = jwt.decode(token, options={"verify_signature": False})
    assert jwt.get_unverified_header(token)["typ"] == "at+jwt"
    assert set(claims) == {"iss", "aud", "sub", "client_id", "merchant_id", "scope", "iat", "nbf", "exp", "jti"}
    assert claims["exp"] - claims["iat"] == answer.json()["expires_in"] == 3600
    assert answer.headers["Cache-Control"] == "no-store"


def test_the_secret_may_be_posted(server: Server) -> None:
    form = {"grant_type": "client_credentials", "client_id": "demo", "client_secret": "demo-secret"}
    assert verified(server, requests.post(f"{server.url}/token", data=form, timeout=10)).client_id == "demo"


def test_a_scope_parameter_narrows(server: Server) -> None:
    answer = server.token("demo", scope="audit:read payments:read")
    assert verified(server, answer).scopes == {"audit:read", "payments:read"}
    assert set(answer.json()["scope"].split()) == {"audit:read", "payments:read"}


@pytest.mark.parametrize("scope", ["refunds:write", "payments:read refunds:write", "nonsense", "openid"])
def test_a_scope_that_the_client_lacks_is_invalid(server: Server, scope: str) -> None:
    answer = server.token("shop", scope=scope)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_scope")


@pytest.mark.parametrize(
    ("form", "auth", "status", "error"),
    [
        ({}, ("demo", "wrong"), 401, "invalid_client"),
        ({}, ("demo", "é"), 401, "invalid_client"),
        ({}, ("nobody", "demo-secret"), 401, "invalid_client"),
        ({}, None, 401, "invalid_client"),
        ({"client_id": "demo"}, None, 401, "invalid_client"),
        ({"client_id": "studio"}, None, 400, "unauthorized_client"),
        ({"client_id": "studio", "client_secret": "x"}, None, 401, "invalid_client"),
        ({"client_secret": "demo-secret"}, ("demo", "demo-secret"), 400, "invalid_request"),
        ({"client_id": "shop"}, ("demo", "demo-secret"), 400, "invalid_request"),
        ({"grant_type": "password"}, ("demo", "demo-secret"), 400, "unsupported_grant_type"),
        ({"grant_type": None}, ("demo", "demo-secret"), 400, "invalid_request"),
        ({"grant_type": "authorization_code"}, ("demo", "demo-secret"), 400, "unauthorized_client"),
        ({"scope": ["audit:read", "audit:read"]}, ("demo", "demo-secret"), 400, "invalid_request"),
    ],
)
def test_other_token_requests_are_refused(
    server: Server, form: dict[str, Any], auth: Any, status: int, error: str
) -> None:
    encoded = None if auth is None else tuple(part.encode() for part in auth)
    answer = requests.post(
        f"{server.url}/token", data={"grant_type": "client_credentials"} | form, auth=encoded, timeout=10
    )
    assert (answer.status_code, answer.json()["error"]) == (status, error)


def test_rotation_signs_with_a_new_key_and_keeps_the_former_one(server: Server) -> None:
    verifier = TokenVerifier(server.url, "paymentserver")
    old = f"Bearer {server.token().json()['access_token']}"
    verifier.verify(old)
    made = requests.post(f"{server.url}/rotate", timeout=10).json()["kid"]
    new = server.token().json()["access_token"]
    assert jwt.get_unverified_header(new)["kid"] == made
    assert verifier.verify(f"Bearer {new}").subject == "demo"
    assert verifier.verify(old).subject == "demo"


def test_a_web_page_can_not_rotate(server: Server) -> None:
    for headers in ({"Origin": "http://evil.example"}, {"Origin": "null"}, {"Host": "evil.example"}):
        assert requests.post(f"{server.url}/rotate", headers=headers, timeout=10).status_code in (403, 421)


def test_a_former_key_is_published_until_its_last_token_has_ended(tmp_path: Path) -> None:
    now = 1000.0
    keys = KeyFile(tmp_path, lambda: now)
    first = keys.signing_key().id
    second = keys.rotate()
    now += KEPT_S - 1
    assert [key["kid"] for key in keys.published()] == [second, first]
    now += 1
    assert [key["kid"] for key in keys.published()] == [second]


def test_keys_outlive_a_restart_and_are_private(tmp_path: Path) -> None:
    first = KeyFile(tmp_path / "state").published()
    assert KeyFile(tmp_path / "state").published() == first
    assert "d" not in first[0]
    assert stat.S_IMODE((tmp_path / "state" / "keys.json").stat().st_mode) == 0o600


def test_local_scripts_may_read_tokens_and_no_others(server: Server) -> None:
    for path in ("/token", "/.well-known/openid-configuration", "/.well-known/jwks.json", "/userinfo"):
        local, remote = (
            requests.options(f"{server.url}{path}", headers={"Origin": origin}, timeout=10).headers
            for origin in ("http://localhost:8123", "http://localhost.evil.example")
        )
        assert local["Access-Control-Allow-Origin"] == "http://localhost:8123"
        assert "Access-Control-Allow-Origin" not in remote


def test_discovery_names_only_what_is_there(server: Server) -> None:
    found = requests.get(f"{server.url}/.well-known/openid-configuration", timeout=10).json()
    assert found["issuer"] == server.url
    for name in ("authorization_endpoint", "token_endpoint", "userinfo_endpoint", "end_session_endpoint", "jwks_uri"):
        assert requests.options(found[name], timeout=10).status_code == 200


@pytest.mark.parametrize(
    "issuer", ["https://login.example", "http://login.example", "http://localhost:1/", "localhost"]
)
def test_the_issuer_is_this_machine(tmp_path: Path, issuer: str) -> None:
    with pytest.raises(ValueError, match="localhost"):
        create_app(issuer, tmp_path)


def program(state: Path, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    base = {name: value for name, value in os.environ.items() if not name.startswith("PAYMENTSERVER_")}
    return subprocess.Popen(
        [sys.executable, "-m", "dev.identity", "--state", str(state), *arguments],
        env=base | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("environment", [{}, {"PAYMENTSERVER_ENV": "production"}, {"PAYMENTSERVER_ENV": ""}], ids=repr)
def test_it_refuses_to_start_outside_development(tmp_path: Path, environment: dict[str, str]) -> None:
    with program(tmp_path / "state", "--port", "0", **environment) as started:
        _, complaint = started.communicate(timeout=60)
    assert started.returncode == 2
    assert "PAYMENTSERVER_ENV=development" in complaint
    assert not (tmp_path / "state").exists()


def test_it_serves_as_a_program_quietly_and_takes_a_rotation_from_the_command_line(tmp_path: Path) -> None:
    port = free_port()
    server = Server(f"http://localhost:{port}", tmp_path)
    development = {"PAYMENTSERVER_ENV": "development"}
    with program(tmp_path, "--port", str(port), "--issuer", server.url, **development) as started:
        try:
            ends = time.monotonic() + 60
            while True:
                try:
                    old = server.token().json()["access_token"]
                    break
                except requests.ConnectionError:
                    assert time.monotonic() < ends
                    time.sleep(0.02)
            with program(tmp_path, "--rotate", **development) as rotation:
                made = rotation.communicate(timeout=60)[0].strip()
            new = server.token().json()["access_token"]
            assert jwt.get_unverified_header(old)["kid"] != jwt.get_unverified_header(new)["kid"] == made
        finally:
            started.terminate()
        printed, complained = started.communicate(timeout=60)
    assert (started.returncode, printed, complained) == (0, "", "")
