"""A development identity server that is served for real, and a browser's part of signing in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import requests

from chalicelib.identity.verify import TokenVerifier
from dev.identity import create_app
from dev.identity.codes import challenge_of
from tests.identity.issuing import served

BACK = "http://localhost:8123/studio/"
VERIFIER = "a-verifier-of-more-than-forty-three-characters-0123456789"


@dataclass
class Server:
    """One that is served, and how a client talks to it."""

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


@contextmanager
def identity_in(state: Path) -> Iterator[Server]:
    late = Late()
    with served(late) as url:
        late.app = create_app(url, state, "paymentserver")
        yield Server(url, state)


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
