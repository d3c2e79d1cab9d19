"""PayPal's access token: had for the app's id and secret, kept until it lapses, had anew once when PayPal no longer takes it
(developer.paypal.com/api/rest/authentication)."""

from __future__ import annotations

import base64
import json
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from chalicelib.contracts.conversation import Conversation, HttpRequest, HttpResponse, ReadFailed

BASE = {"sandbox": "https://api-m.sandbox.paypal.com", "live": "https://api-m.paypal.com"}
MARGIN_S = 60  # before its end a token is no longer used
LIVES_MAX_S = 86_400
_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]{8,8000}")


class Session:
    """Thread-safe. Two threads may both have a token made; the later one is kept."""

    def __init__(
        self, environment: str, client_id: str, client_secret: str, now_s: Callable[[], float] = time.time
    ) -> None:
        self.base = BASE[environment]
        credentials = base64.b64encode(f"{client_id}:{client_secret}".encode()).decode()
        self._asking = HttpRequest(
            "POST",
            f"{self.base}/v1/oauth2/token",
            {"Authorization": f"Basic {credentials}", "Content-Type": "application/x-www-form-urlencoded"},
            b"grant_type=client_credentials",
            operation="token",
        )
        self._now_s = now_s  # of the wall, since a frozen function's other clocks stand still
        self._lock = threading.Lock()
        self._token, self._ends_s = "", 0.0

    def ask(self, request: HttpRequest) -> Conversation[HttpResponse]:
        """The answer to `request`, or the token's endpoint's own no (401, 429). A call that was answered 401 did nothing, so
        it is made again with another token. Raises ReadFailed where there is no token to be had."""
        for _ in range(2):
            token = self._kept()
            made = not token
            if made:
                said = yield self._asking
                if said.status != 200:
                    return _no_token(said)
                token = self._keep(said)
            response = yield _bearing(request, token)
            if response.status != 401 or made:
                break
            self._forget(token)
        return response

    def get(self, path: str, operation: str) -> HttpRequest:
        return HttpRequest("GET", self.base + path, operation=operation)

    def post(
        self,
        path: str,
        body: Mapping[str, Any] | bytes | None,
        operation: str,
        *,
        key: str = "",
        moves_money: bool = True,
    ) -> HttpRequest:
        """`key` is the PayPal-Request-Id: a call that is made again with it is answered as the first was."""
        headers = {"Content-Type": "application/json", "Prefer": "return=representation"}
        if key:
            headers["PayPal-Request-Id"] = key
        text = body if isinstance(body, bytes) else json.dumps(body or {}, separators=(",", ":")).encode()
        return HttpRequest("POST", self.base + path, headers, text, moves_money, operation)

    def renew(self) -> Conversation[HttpResponse]:
        """The token's endpoint's answer, however young the token is: it shows whether the secret is still good."""
        said = yield self._asking
        if said.status != 200:
            return _no_token(said)
        self._keep(said)
        return said

    def _kept(self) -> str:
        with self._lock:
            return self._token if self._now_s() < self._ends_s else ""

    def _keep(self, said: HttpResponse) -> str:
        """Raises ReadFailed for what is no token, so that nothing odd stands in a header."""
        try:
            found = said.json()
            token, lives_s = found["access_token"], found["expires_in"]
        except (ValueError, KeyError, TypeError):
            raise ReadFailed("PayPal's answer holds no token") from None
        if not isinstance(token, str) or not _TOKEN.fullmatch(token) or type(lives_s) is not int:
            raise ReadFailed("PayPal's answer holds no token")
        with self._lock:
            self._token, self._ends_s = token, self._now_s() + min(lives_s, LIVES_MAX_S) - MARGIN_S
        return token

    def _forget(self, token: str) -> None:
        with self._lock:
            if self._token == token:
                self._token = ""


def _bearing(request: HttpRequest, token: str) -> HttpRequest:
    return replace(request, headers={**request.headers, "Authorization": f"Bearer {token}"})


def _no_token(said: HttpResponse) -> HttpResponse:
    """The endpoint's no as any call's: wrong credentials are 400 or 401 there."""
    if said.status == 429:
        return said
    if said.status in (400, 401, 403):
        return replace(said, status=401)
    raise ReadFailed(f"PayPal gave no token ({said.status})")
