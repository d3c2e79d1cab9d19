"""The development identity server over real HTTP: how programs get tokens, how people sign in, and what is refused."""

from __future__ import annotations

import os
import re
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import jwt
import pytest
import requests

from chalicelib.domain.errors import Unauthenticated
from chalicelib.identity.verify import TokenVerifier
from dev.identity import create_app
from dev.identity.accounts import API_SCOPES, USERS, is_studio_address
from dev.identity.codes import CODE_LIVES_S, Codes, challenge_of
from dev.identity.key_file import KEPT_S, KeyFile
from tests.identity.issuing import served

BACK = "http://localhost:8123/studio/"
VERIFIER = "a-verifier-of-more-than-forty-three-characters-0123456789"
EVERY_SCOPE = set(API_SCOPES)


@dataclass
class Server:
    url: str
    state: Path

    def token(self, client: str = "demo", **form: str) -> requests.Response:
        return requests.post(
            f"{self.url}/token",
            data={"grant_type": "client_credentials", **form},
            auth=(client, f"{client}-secret"),
            timeout=10,
        )

    def redeem(self, code: str, **changed: str) -> requests.Response:
        form = {
            "grant_type": "authorization_code",
            "client_id": "studio",
            "code": code,
            "redirect_uri": BACK,
            "code_verifier": VERIFIER,
        }
        return requests.post(f"{self.url}/token", data=form | changed, timeout=10)


class Late:
    """Stands in until the port, and with it the issuer, is known."""

    app: Any = None

    def __call__(self, environ: Any, start_response: Any) -> Any:
        return self.app(environ, start_response)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    late, state = Late(), tmp_path_factory.mktemp("identity")
    with served(late) as url:
        late.app = create_app(url, state, "paymentserver")
        yield Server(url, state)


@pytest.fixture
def browser() -> Iterator[requests.Session]:
    with requests.Session() as session:
        yield session


def asking(**changed: str | None) -> dict[str, str]:
    """The query of an authorization request; None leaves a parameter out."""
    good = {
        "client_id": "studio",
        "response_type": "code",
        "redirect_uri": BACK,
        "code_challenge": challenge_of(VERIFIER),
        "code_challenge_method": "S256",
        "state": "a state & more",
        "nonce": "a-nonce",
        "scope": "openid profile",
    }
    return {name: value for name, value in (good | changed).items() if value is not None}


def authorize(server: Server, browser: requests.Session, **changed: str | None) -> requests.Response:
    return browser.get(f"{server.url}/authorize", params=asking(**changed), allow_redirects=False, timeout=10)


def submit(
    page: requests.Response, browser: requests.Session, username: str = "admin", password: str = "admin", **form: str
) -> requests.Response:
    """Fills in the page as a browser would."""
    action = re.search(r'<form method="post" action="([^"]+)"', page.text)
    csrf = re.search(r'name="csrf" value="([^"]+)"', page.text)
    assert action is not None
    assert csrf is not None
    fields = {"csrf": csrf[1], "username": username, "password": password, **form}
    return browser.post(urljoin(page.url, unescape(action[1])), data=fields, allow_redirects=False, timeout=10)


def told(answer: requests.Response) -> dict[str, str]:
    """What the browser carries back to the Studio."""
    assert answer.status_code == 303
    assert answer.headers["Location"].startswith(BACK)
    return {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["Location"]).query).items()}


def signed_in(server: Server, browser: requests.Session, **changed: str | None) -> dict[str, str]:
    return told(submit(authorize(server, browser, **changed), browser))


def verified(server: Server, answer: requests.Response) -> Any:
    assert answer.status_code == 200, answer.text
    return TokenVerifier(server.url, "paymentserver").verify(f"Bearer {answer.json()['access_token']}")


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


def test_a_person_signs_in_with_every_scope(server: Server, browser: requests.Session) -> None:
    back = signed_in(server, browser)
    assert (back["state"], back["iss"]) == ("a state & more", server.url)
    caller = verified(server, server.redeem(back["code"]))
    assert (caller.subject, caller.client_id, caller.merchant_id) == ("admin", "studio", "default")
    assert caller.scopes >= EVERY_SCOPE


def test_a_person_gets_only_the_scopes_that_were_asked_for(server: Server, browser: requests.Session) -> None:
    back = signed_in(server, browser, scope="payments:read")
    answer = server.redeem(back["code"])
    assert verified(server, answer).scopes == {"payments:read"}
    assert "id_token" not in answer.json()


def test_the_id_token_is_for_the_client_and_carries_the_nonce(server: Server, browser: requests.Session) -> None:
    token = server.redeem(signed_in(server, browser)["code"]).json()["id_token"]
    keys = jwt.PyJWKSet.from_dict(requests.get(f"{server.url}/.well-known/jwks.json", timeout=10).json())
    claims = jwt.decode(
        token, keys[jwt.get_unverified_header(token)["kid"]], audience="studio", issuer=server.url, algorithms=["RS256"]
    )
    assert (claims["sub"], claims["nonce"]) == ("admin", "a-nonce")


def test_an_id_token_is_no_access_token(server: Server, browser: requests.Session) -> None:
    token = server.redeem(signed_in(server, browser)["code"]).json()["id_token"]
    for accepting in (("at+jwt",), ("at+jwt", "JWT")):
        with pytest.raises(Unauthenticated):
            TokenVerifier(server.url, "paymentserver", token_types=accepting).verify(f"Bearer {token}")


def test_userinfo_names_the_person(server: Server, browser: requests.Session) -> None:
    token = server.redeem(signed_in(server, browser)["code"]).json()["access_token"]
    answer = requests.get(f"{server.url}/userinfo", headers={"Authorization": f"Bearer {token}"}, timeout=10)
    assert answer.json() == {"sub": "admin", "name": "Administrator", "preferred_username": "admin"}


@pytest.mark.parametrize(("authorization", "status"), [(None, 401), ("Bearer nonsense", 401), ("Basic eDp5", 401)])
def test_userinfo_needs_a_token(server: Server, authorization: str | None, status: int) -> None:
    headers = {"Authorization": authorization} if authorization else {}
    answer = requests.get(f"{server.url}/userinfo", headers=headers, timeout=10)
    assert answer.status_code == status
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_userinfo_is_not_for_programs(server: Server) -> None:
    headers = {"Authorization": f"Bearer {server.token().json()['access_token']}"}
    assert requests.get(f"{server.url}/userinfo", headers=headers, timeout=10).status_code == 403


def test_a_code_works_once(server: Server, browser: requests.Session) -> None:
    code = signed_in(server, browser)["code"]
    assert server.redeem(code).status_code == 200
    again = server.redeem(code)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")


@pytest.mark.parametrize(
    "changed",
    [
        {"code_verifier": VERIFIER + "x"},
        {"code_verifier": challenge_of(VERIFIER)},
        {"code_verifier": "short"},
        {"redirect_uri": BACK + "elsewhere"},
    ],
    ids=repr,
)
def test_a_code_is_bound_and_a_wrong_try_uses_it_up(
    server: Server, browser: requests.Session, changed: dict[str, str]
) -> None:
    code = signed_in(server, browser)["code"]
    assert server.redeem(code, **changed).json()["error"] == "invalid_grant"
    assert server.redeem(code).json()["error"] == "invalid_grant"


def test_a_code_needs_its_verifier(server: Server, browser: requests.Session) -> None:
    assert server.redeem(signed_in(server, browser)["code"], code_verifier="").json()["error"] == "invalid_request"


def test_a_code_ends_after_a_minute() -> None:
    now = 1000.0
    codes = Codes(lambda: now)
    code = codes.issue(
        USERS["admin"],
        client_id="studio",
        redirect_uri=BACK,
        challenge=challenge_of(VERIFIER),
        scopes=(),
        nonce=None,
        signed_in_s=0,
    )
    now += CODE_LIVES_S
    assert codes.redeem(code, client_id="studio", redirect_uri=BACK, verifier=VERIFIER) is None


def test_a_wrong_password_shows_the_page_again(server: Server, browser: requests.Session) -> None:
    answer = submit(authorize(server, browser), browser, password="wrong")
    assert answer.status_code == 401
    assert 'role="alert"' in answer.text
    assert told(submit(answer, browser))["code"]


def test_a_form_from_elsewhere_signs_nobody_in(server: Server, browser: requests.Session) -> None:
    page = authorize(server, browser)
    assert submit(page, browser, csrf="guessed").status_code == 401
    with requests.Session() as another:
        assert submit(page, another).status_code == 401


def test_the_page_suits_a_phone_and_can_not_be_framed(server: Server, browser: requests.Session) -> None:
    page = authorize(server, browser, state='"><script>alert(1)</script>')
    assert 'name="viewport" content="width=device-width' in page.text
    assert "<script" not in page.text
    assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
    assert "HttpOnly" in page.headers["Set-Cookie"]
    assert "SameSite=Lax" in page.headers["Set-Cookie"]


def test_who_has_signed_in_is_not_asked_again_until_signing_out(server: Server, browser: requests.Session) -> None:
    signed_in(server, browser)
    assert told(authorize(server, browser, prompt="none"))["code"]
    assert authorize(server, browser, prompt="login").status_code == 200
    leaving = {"post_logout_redirect_uri": BACK, "state": "bye"}
    gone = browser.get(f"{server.url}/logout", params=leaving, allow_redirects=False, timeout=10)
    assert told(gone) == {"state": "bye"}
    assert told(authorize(server, browser, prompt="none"))["error"] == "login_required"


def test_signing_out_leads_nowhere_but_to_the_studio(server: Server, browser: requests.Session) -> None:
    leaving = {"post_logout_redirect_uri": "https://elsewhere.example/"}
    assert browser.get(f"{server.url}/logout", params=leaving, allow_redirects=False, timeout=10).status_code == 400
    assert browser.get(f"{server.url}/logout", timeout=10).status_code == 200


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"scope": "everything"}, "invalid_scope"),
        ({"prompt": "none"}, "login_required"),
        ({"prompt": "consent"}, "invalid_request"),
    ],
    ids=repr,
)
def test_other_authorization_requests_are_told_to_the_client(
    server: Server, browser: requests.Session, changed: dict[str, str | None], error: str
) -> None:
    back = told(authorize(server, browser, **changed))
    assert (back["error"], back["state"], back["iss"]) == (error, "a state & more", server.url)


@pytest.mark.parametrize(
    "changed",
    [
        {"client_id": "demo"},
        {"client_id": None},
        {"redirect_uri": "https://elsewhere.example/"},
        {"redirect_uri": None},
    ],
    ids=repr,
)
def test_a_wrong_client_or_address_leads_nowhere(
    server: Server, browser: requests.Session, changed: dict[str, str | None]
) -> None:
    answer = authorize(server, browser, **changed)
    assert answer.status_code == 400
    assert "Location" not in answer.headers


@pytest.mark.parametrize(
    "address",
    ["http://localhost:8000/studio", "http://localhost:8000/studio/", "http://127.0.0.1:9/studio/callback?a=b"],
)
def test_the_studio_may_be_at_any_port(address: str) -> None:
    assert is_studio_address(address)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "http://localhost:8000/",
        "http://localhost:8000/studious",
        "http://localhost:8000/studio/../evil",
        "http://localhost:8000/studio#fragment",
        "http://localhost:8000@evil.example/studio",
        "http://localhost.evil.example/studio",
        "http://evil.example/studio",
        "https://localhost:8000/studio",
        "//localhost/studio",
        "http:\\\\localhost\\studio",
        "http://localhost:99999/studio",
        "http://localhost:8000/studio/\nX: y",
        "javascript://localhost/studio",
    ],
)
def test_other_addresses_are_not_the_studios(address: str) -> None:
    assert not is_studio_address(address)


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


def test_it_serves_as_a_program_quietly_and_takes_a_rotation_from_the_command_line(
    tmp_path: Path, free_port: int
) -> None:
    server = Server(f"http://localhost:{free_port}", tmp_path)
    development = {"PAYMENTSERVER_ENV": "development"}
    with program(tmp_path, "--port", str(free_port), "--issuer", server.url, **development) as started:
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


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
