"""The sandbox PSP, as its manual (dev/sandbox/README.md) describes it."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar

from pydantic import BaseModel

from chalicelib.connectors.sandbox.facts import (
    AMOUNTS,
    CHECKOUTS,
    DECLINES,
    DISPUTES,
    MONEY,
    MOVEMENTS,
    TRIES,
    decline_of,
    facts_of,
    money_of,
    movement_of,
)
from chalicelib.connectors.sandbox.settings import SandboxSettings
from chalicelib.connectors.sandbox.signature import check
from chalicelib.contracts.amounts import Amounts
from chalicelib.contracts.calls import AttemptRef, CheckoutOrder, MoneyOrder, Opened, Refusal, RefusalKind
from chalicelib.contracts.connector import Capabilities, Connector
from chalicelib.contracts.conversation import Conversation, HttpRequest, HttpResponse
from chalicelib.contracts.webhooks import Acknowledgement, AskPsp, Delivery, LookUp, WebhookSetup
from chalicelib.contracts.words import Words
from chalicelib.domain.errors import Unreadable
from chalicelib.domain.facts import Fact, Kind
from chalicelib.domain.json_text import parse
from chalicelib.domain.money import EXPONENT
from chalicelib.domain.order import CaptureMode
from chalicelib.domain.payment import NextAction

_OPERATION = {"captures": "capture", "cancel": "cancel", "refunds": "refund"}
_MOVEMENT = {"captures": Kind.CAPTURE, "cancel": Kind.RELEASE, "refunds": Kind.REFUND}
CLOSED_PORT = "http://127.0.0.1:1"  # where the misbehaviour `refuse` dials: nobody listens there

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


class SandboxConnector(Connector):
    name: ClassVar[str] = "sandbox"
    title: ClassVar[str] = "Sandbox PSP"
    settings: ClassVar[type[BaseModel]] = SandboxSettings
    acknowledgement: ClassVar[Acknowledgement] = Acknowledgement(200, '{"received":true}', "application/json")
    signature_headers: ClassVar[frozenset[str]] = frozenset({"sandbox-signature"})
    words: ClassVar[tuple[Words[Any], ...]] = (CHECKOUTS, MONEY, MOVEMENTS, TRIES, DISPUTES, DECLINES)
    amounts: ClassVar[Amounts] = AMOUNTS
    capabilities: ClassVar[Capabilities] = Capabilities(
        operations=frozenset({"capture", "cancel", "refund", "expire"}),
        payment_methods=frozenset({"card", "ideal"}),
        currencies=frozenset(EXPONENT),
        capture_modes=frozenset({CaptureMode.AUTOMATIC, CaptureMode.MANUAL}),
        partial_capture=True,
        multiple_captures=True,
        partial_refund=True,
        inert_until_visited=True,
        looks_up_references=True,
        key_lives_s={"open": 86_400, "capture": 86_400, "cancel": 86_400, "refund": 86_400, "complete": 86_400},
        names_operations=True,
        completes_on_return=True,
    )

    def __init__(self, settings: SandboxSettings) -> None:
        self._settings = settings
        self._base = settings.base_url.rstrip("/")
        self._authorization = f"Bearer {settings.api_key.get_secret_value()}"

    @property
    def needs_return_link(self) -> bool:
        return self._settings.capture_on_return

    def test(self) -> Conversation[Refusal | None]:
        response = yield self._get("/v1/sessions?reference=none", "test")
        return None if response.status == 200 else _refusal_of(response)

    def open_checkout(self, order: CheckoutOrder) -> Conversation[Opened | Refusal]:
        response = yield self._post(
            "/v1/sessions", _session_order(order), order.attempt_id, "open", base=self._dialled(order)
        )
        if response.status not in (200, 201):
            return _refusal_of(response)
        session = response.json()
        if money_of(session["amount"]) != order.order.amount:
            raise ValueError("the page is for another amount than was asked")
        return self._opened(session, order.attempt_id)

    def fetch(self, attempt: AttemptRef) -> Conversation[Sequence[Fact]]:
        response = yield self._get(f"/v1/sessions/{_part(attempt.psp_reference)}", "fetch")
        return facts_of(_session_in(response), attempt.attempt_id)

    def recover(self, attempt: AttemptRef) -> Conversation[Opened | Refusal | None]:
        response = yield self._get(f"/v1/sessions?reference={_part(attempt.attempt_id)}", "recover")
        found = _session_in(response)["items"]
        return self._opened(found[0], attempt.attempt_id) if found else None

    def expire(self, attempt: AttemptRef) -> Conversation[Sequence[Fact]]:
        """409 says that it was paid meanwhile: what it was is read."""
        path = f"/v1/sessions/{_part(attempt.psp_reference)}"
        response = yield self._post(f"{path}/expire", {}, f"{attempt.attempt_id}-expire", "expire", moves_money=False)
        if response.status == 409:
            response = yield self._get(path, "fetch")
        return facts_of(_session_in(response), attempt.attempt_id)

    def complete(self, attempt: AttemptRef) -> Conversation[Sequence[Fact] | Refusal]:
        path = f"/v1/sessions/{_part(attempt.psp_reference)}/complete"
        key = f"{attempt.attempt_id}-complete"
        response = yield self._post(path, {"reference": attempt.attempt_id}, key, "complete")
        if response.status != 200:
            return _refusal_of(response)
        return facts_of(_session_in(response), attempt.attempt_id)

    def capture(self, order: MoneyOrder) -> Conversation[Sequence[Fact] | Refusal]:
        return (yield from self._operate(order, "captures", {"amount": _amount(order), "final": order.final}))

    def cancel(self, order: MoneyOrder) -> Conversation[Sequence[Fact] | Refusal]:
        return (yield from self._operate(order, "cancel", {}))

    def refund(self, order: MoneyOrder) -> Conversation[Sequence[Fact] | Refusal]:
        return (yield from self._operate(order, "refunds", {"amount": _amount(order), "reason": order.reason}))

    def _operate(self, order: MoneyOrder, what: str, more: dict[str, Any]) -> Conversation[Sequence[Fact] | Refusal]:
        path = f"/v1/sessions/{_part(order.attempt.psp_reference)}/{what}"
        body = {"reference": order.operation_id, **more}
        response = yield self._post(path, body, order.operation_id, _OPERATION[what])
        if response.status not in (200, 201):
            return _refusal_of(response)
        return (movement_of(response.json(), _MOVEMENT[what], order.attempt.attempt_id),)

    def verify(self, delivery: Delivery) -> Conversation[None]:
        settings = self._settings
        secrets = [
            secret.get_secret_value()
            for secret in (settings.webhook_secret, settings.webhook_secret_previous)
            if secret
        ]
        check(delivery.headers.get("sandbox-signature"), delivery.body, secrets, delivery.received_at.timestamp())
        return None
        yield  # a conversation without a call

    def read(self, delivery: Delivery) -> Sequence[Fact | AskPsp | LookUp]:
        try:
            session = parse(delivery.body)["data"]
            return facts_of(session, str(session["reference"]))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise Unreadable(f"The webhook is no sandbox event ({type(error).__name__}).") from None

    def webhook_setup(self, url: str) -> WebhookSetup:
        return WebhookSetup(
            url, (), "the account's `webhook_url` at the sandbox", "the account's webhook secret", "webhook_secret"
        )

    def _opened(self, session: dict[str, Any], attempt_id: str) -> Opened:
        expires_at = datetime.fromisoformat(str(session["expires_at"]).replace("Z", "+00:00"))
        action = NextAction(str(session["url"]), expires_at=expires_at) if session["status"] == "open" else None
        return Opened(str(session["id"]), action, facts_of(session, attempt_id))

    def _dialled(self, order: CheckoutOrder) -> str:
        asked = (order.order.metadata or {}).get(order.connection_id)
        return CLOSED_PORT if asked == "refuse" else self._base

    def _get(self, path: str, operation: str) -> HttpRequest:
        return HttpRequest("GET", self._base + path, {"Authorization": self._authorization}, operation=operation)

    def _post(
        self, path: str, body: dict[str, Any], key: str, operation: str, *, moves_money: bool = True, base: str = ""
    ) -> HttpRequest:
        headers = {
            "Authorization": self._authorization,
            "Content-Type": "application/json",
            "Idempotency-Key": key,
        }
        text = json.dumps(body, separators=(",", ":")).encode()
        return HttpRequest("POST", (base or self._base) + path, headers, text, moves_money, operation)


def _amount(order: MoneyOrder) -> dict[str, Any] | None:
    return None if order.amount is None else {"value": order.amount.value, "currency": order.amount.currency}


def _session_order(order: CheckoutOrder) -> dict[str, Any]:
    wanted = order.order
    return {
        "reference": order.attempt_id,
        "amount": {"value": wanted.amount.value, "currency": wanted.amount.currency},
        "capture": str(wanted.capture),
        "return_url": order.return_url,
        "cancel_url": order.cancel_url,
        "description": wanted.description or wanted.order_reference,
        "metadata": {"order_reference": wanted.order_reference, **(wanted.metadata or {})},
    }


def _session_in(response: HttpResponse) -> dict[str, Any]:
    """Raises ValueError where the sandbox did not answer with what was asked; the driver makes it a failed read."""
    if response.status != 200:
        raise ValueError(f"the sandbox answered {response.status}")
    document: dict[str, Any] = response.json()
    return document


def _refusal_of(response: HttpResponse) -> Refusal:
    """The sandbox's definite no: 402 a decline, 429 too many calls, everything else a mistake of ours or the settings."""
    error = response.json()["error"]
    message = str(error.get("message") or error["code"])[:200]
    if response.status == 402:
        decline = decline_of(str(error.get("decline_code") or ""), message)
        return Refusal(RefusalKind.DECLINED, f"{decline.cls} decline, {decline.code}", decline)
    if response.status == 429:
        return Refusal(RefusalKind.RATE_LIMITED, "too many calls", retry_after_s=_seconds(response))
    return Refusal(RefusalKind.MISCONFIGURED, f"{response.status} {error['code']}: {message}")


def _seconds(response: HttpResponse) -> int | None:
    given = response.headers.get("retry-after", "")
    return int(given) if given.isdigit() and len(given) < 6 else None


def _part(text: str | None) -> str:
    """Raises ValueError for what is no id of the sandbox's."""
    if not text or not _ID.fullmatch(text):
        raise ValueError("the attempt has no usable reference at the PSP")
    return text
