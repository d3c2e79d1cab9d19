"""How people sign in at the development identity server, and what is refused, over real HTTP."""

from __future__ import annotations

from collections.abc import Iterator

import jwt
import pytest
import requests

from chalicelib.domain.errors import Unauthenticated
from chalicelib.identity.verify import TokenVerifier
from dev.identity.accounts import API_SCOPES, USERS, is_studio_address
from dev.identity.codes import CODE_LIVES_S, Codes, challenge_of
from tests.dev.identity_server import BACK, VERIFIER, Server, authorize, identity_in, signed_in, submit, told, verified


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with identity_in(tmp_path_factory.mktemp("identity")) as made:
        yield made


@pytest.fixture
def browser() -> Iterator[requests.Session]:
    with requests.Session() as session:
        yield session


def test_a_person_signs_in_with_every_scope(server: Server, browser: requests.Session) -> None:
    back = signed_in(server, browser)
    assert (back["state"], back["iss"]) == ("a state & more", server.url)
    caller = verified(server, server.redeem(back["code"]))
    assert (caller.subject, caller.client_id, caller.merchant_id) == ("admin", "studio", "default")
    assert caller.scopes >= set(API_SCOPES)


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
