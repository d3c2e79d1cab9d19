"""A merchant account's calls: each request is signed, and each answer is believed only where it is signed too."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from chalicelib.connectors.paytrail.refusals import refusal_of
from chalicelib.connectors.paytrail.settings import PaytrailSettings
from chalicelib.connectors.paytrail.signature import ALGORITHM, is_signed, signature_of
from chalicelib.contracts.conversation import HttpRequest, HttpResponse

BASE = "https://services.paytrail.com"


class Account:
    """`now_s` is the wall's time: Paytrail wants each request's."""

    def __init__(self, settings: PaytrailSettings, now_s: Callable[[], float] = time.time) -> None:
        self._settings, self.now_s = settings, now_s

    @property
    def merchant_id(self) -> str:
        return self._settings.merchant_id

    def has_signed(self, parameters: Mapping[str, str], body: bytes) -> bool:
        """Whether this account's key did, present or previous, and for this account."""
        both = (self._settings.secret_key, self._settings.secret_key_previous)
        fits = is_signed(parameters, body, [secret.get_secret_value() for secret in both if secret])
        return fits and parameters.get("checkout-account") == self.merchant_id

    def get(self, path: str, operation: str, transaction_id: str | None = None) -> HttpRequest:
        headers = self._signed("GET", operation, transaction_id, transaction_id or "", b"")
        return HttpRequest("GET", BASE + path, headers, operation=operation)

    def post(
        self, path: str, body: Mapping[str, Any], ours: str, operation: str, transaction_id: str | None = None
    ) -> HttpRequest:
        """A call that moves money; `ours` is our attempt's or operation's id."""
        text = json.dumps(body, separators=(",", ":")).encode()
        headers = {
            **self._signed("POST", operation, transaction_id, ours, text),
            "Content-Type": "application/json; charset=utf-8",
        }
        return HttpRequest("POST", BASE + path, headers, text, moves_money=True, operation=operation)

    def said_in(self, response: HttpResponse) -> Any:
        """The document of an answer: a dictionary or list, or a Refusal. Raises ValueError for what is not Paytrail's word,
        which the driver makes an unknown outcome for a call that moves money."""
        signed = self.has_signed(response.headers, response.body)
        if response.status not in (200, 201):
            return refusal_of(response, signed=signed)
        if not signed:
            raise ValueError("the answer's signature does not fit")
        return response.json()

    def _signed(
        self, method: str, operation: str, transaction_id: str | None, ours: str, body: bytes
    ) -> dict[str, str]:
        """The nonce is what we call the thing and when: no two calls have one, and it needs no chance."""
        now = datetime.fromtimestamp(self.now_s(), UTC)
        headers = {
            "checkout-account": self.merchant_id,
            "checkout-algorithm": ALGORITHM,
            "checkout-method": method,
            "checkout-nonce": f"{operation}-{ours}-{now:%Y%m%d%H%M%S%f}",
            "checkout-timestamp": f"{now:%Y-%m-%dT%H:%M:%S}.{now.microsecond // 1000:03d}Z",
        }
        if transaction_id is not None:
            headers["checkout-transaction-id"] = transaction_id
        secret = self._settings.secret_key.get_secret_value()
        return {**headers, "signature": signature_of(secret, ALGORITHM, headers, body)}
