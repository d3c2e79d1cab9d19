"""Adyen, as its Checkout API v72 and standard webhooks v1 have it (docs.adyen.com).

A page is a payment link and not a hosted session: a link can be read and ended by its id alone, at any time, while a session
is told of only in exchange for what the shopper brings back, once, and can not be ended. Neither shows the payment behind it.
So how far a page is can be asked; what was paid, captured, cancelled or refunded comes by webhook alone.

Recalled and not confirmed: the live address, that a key is remembered for seven days, the header `transient-error`, and that
an answer 4xx of the types validation, security and configuration says that nothing was done.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, ClassVar

from pydantic import BaseModel

from chalicelib.connectors.adyen.amounts import AMOUNTS, CURRENCIES
from chalicelib.connectors.adyen.facts import PSP_REFERENCE, payment_reference_in
from chalicelib.connectors.adyen.link import LINK_ID, amount_of, link_fact, link_of, opened_of
from chalicelib.connectors.adyen.methods import METHODS
from chalicelib.connectors.adyen.references import modification_reference_of
from chalicelib.connectors.adyen.refusals import refusal_of
from chalicelib.connectors.adyen.settings import AdyenSettings
from chalicelib.connectors.adyen.signature import check
from chalicelib.connectors.adyen.tables import ALL, EVENT_CODE, MODIFICATION_STATUS
from chalicelib.connectors.adyen.webhook import identity_of, said_in
from chalicelib.contracts.amounts import Amounts, Unwritable
from chalicelib.contracts.calls import AttemptRef, CheckoutOrder, MoneyOrder, Opened, Refusal, RefusalKind
from chalicelib.contracts.connector import Capabilities, Connector
from chalicelib.contracts.conversation import Conversation, HttpRequest, HttpResponse, NotSent
from chalicelib.contracts.webhooks import Acknowledgement, AskPsp, Delivery, LeftOut, LookUp, WebhookSetup
from chalicelib.contracts.words import Words
from chalicelib.domain.errors import SignatureInvalid
from chalicelib.domain.facts import Fact, Kind
from chalicelib.domain.order import CaptureMode

VERSION = "v72"
TEST_BASE = f"https://checkout-test.adyen.com/{VERSION}"
LIVE_BASE = f"https://{{prefix}}-checkout-live.adyenpayments.com/checkout/{VERSION}"
KEY_LIVES_S = 7 * 86_400

# Ours by Adyen's words for why money goes back.
REFUND_REASONS = {
    "duplicate": "DUPLICATE",
    "fraud": "FRAUD",
    "fraudulent": "FRAUD",
    "customer_request": "CUSTOMER REQUEST",
    "requested_by_customer": "CUSTOMER REQUEST",
    "return": "RETURN",
    "returned": "RETURN",
    "other": "OTHER",
}


class AdyenConnector(Connector):
    name: ClassVar[str] = "adyen"
    title: ClassVar[str] = "Adyen"
    settings: ClassVar[type[BaseModel]] = AdyenSettings
    acknowledgement: ClassVar[Acknowledgement] = Acknowledgement(200, "[accepted]")
    signature_headers: ClassVar[frozenset[str]] = frozenset()  # the signature is in the body
    words: ClassVar[tuple[Words[Any], ...]] = ALL
    amounts: ClassVar[Amounts] = AMOUNTS
    capabilities: ClassVar[Capabilities] = Capabilities(
        operations=frozenset({"capture", "cancel", "refund", "expire"}),
        payment_methods=frozenset(METHODS),
        currencies=CURRENCIES,
        capture_modes=frozenset({CaptureMode.AUTOMATIC, CaptureMode.MANUAL}),
        partial_capture=True,
        multiple_captures=True,
        partial_refund=True,
        inert_until_visited=True,
        key_lives_s=dict.fromkeys(("open", "capture", "cancel", "refund"), KEY_LIVES_S),
        reads_money=False,
    )

    def __init__(self, settings: AdyenSettings) -> None:
        self._settings = settings
        prefix = settings.live_url_prefix
        self._base = TEST_BASE if prefix is None else LIVE_BASE.format(prefix=prefix)
        self._headers = {"X-API-Key": settings.api_key.get_secret_value()}
        both = (settings.hmac_key, settings.hmac_key_previous)
        self._hmac_keys = tuple(key.get_secret_value() for key in both if key)

    def test(self) -> Conversation[Refusal | None]:
        """Which payment methods the account has: it takes the key, and names the merchant account."""
        fields = {"merchantAccount": self._settings.merchant_account}
        response = yield self._post("/paymentMethods", fields, "test", moves_money=False)
        return None if response.status == 200 else refusal_of(response)

    def open_checkout(self, order: CheckoutOrder) -> Conversation[Opened | Refusal]:
        try:
            fields = link_of(order, self._settings.merchant_account, self._settings.page_minutes)
        except Unwritable as error:
            return Refusal(RefusalKind.MISCONFIGURED, str(error))
        response = yield self._post("/paymentLinks", fields, "open", key=order.attempt_id)
        if response.status not in (200, 201):
            return refusal_of(response)
        return opened_of(response.json(), order, fields)

    def fetch(self, attempt: AttemptRef) -> Conversation[Sequence[Fact]]:
        response = yield self._request("GET", _link_path(attempt), "fetch")
        return (link_fact(_read(response), attempt.attempt_id),)

    def recover(self, attempt: AttemptRef) -> Conversation[Opened | Refusal | None]:
        """Links can not be found by our reference, so the call is made again with its key."""
        return (yield from self.open_checkout(attempt.checkout))

    def expire(self, attempt: AttemptRef) -> Conversation[Sequence[Fact]]:
        """A link that is no longer active is refused: what it is then is read."""
        response = yield self._request("PATCH", _link_path(attempt), "expire", {"status": "expired"})
        if response.status in (400, 422):
            return (yield from self.fetch(attempt))
        return (link_fact(_read(response), attempt.attempt_id),)

    def capture(self, order: MoneyOrder) -> Conversation[Sequence[Fact] | Refusal]:
        return (yield from self._modify(order, "captures", "capture", Kind.CAPTURE))

    def cancel(self, order: MoneyOrder) -> Conversation[Sequence[Fact] | Refusal]:
        """Gives back whatever is still held, so it has no amount."""
        return (yield from self._modify(order, "cancels", "cancel", Kind.RELEASE))

    def refund(self, order: MoneyOrder) -> Conversation[Sequence[Fact] | Refusal]:
        reason = REFUND_REASONS.get((order.reason or "").lower())
        more = {"merchantRefundReason": reason} if reason else {}
        return (yield from self._modify(order, "refunds", "refund", Kind.REFUND, more))

    def _modify(
        self, order: MoneyOrder, what: str, operation: str, kind: Kind, more: dict[str, Any] | None = None
    ) -> Conversation[Sequence[Fact] | Refusal]:
        """Adyen only takes it in; its webhook has the answer's pspReference, so that both are one movement."""
        attempt_id = order.attempt.attempt_id
        payment = payment_reference_in(order.attempt.facts)
        if payment is None:
            raise NotSent("no webhook has told Adyen's reference of the payment yet")
        fields = {
            "merchantAccount": self._settings.merchant_account,
            "reference": modification_reference_of(attempt_id, order.operation_id),
            **(more or {}),
        }
        if kind is not Kind.RELEASE and order.amount is not None:
            try:
                fields["amount"] = amount_of(order.amount)
            except Unwritable as error:
                return Refusal(RefusalKind.MISCONFIGURED, str(error))
        response = yield self._post(f"/payments/{payment}/{what}", fields, operation, key=order.operation_id)
        if response.status not in (200, 201):
            return refusal_of(response)
        return (_movement_of(response.json(), order, kind, payment),)

    def verify(self, delivery: Delivery) -> Conversation[None]:
        if not self._hmac_keys:
            raise SignatureInvalid("The connection has no HMAC key yet, so no webhook can be told from a forgery.")
        check(delivery.body, self._hmac_keys)
        return None
        yield  # a conversation without a call

    def read(self, delivery: Delivery) -> Sequence[Fact | AskPsp | LookUp | LeftOut]:
        return said_in(delivery, self._hmac_keys, self._settings)

    def identity_of(self, delivery: Delivery) -> bytes:
        return identity_of(delivery, self._hmac_keys, self._settings)

    def webhook_setup(self, url: str) -> WebhookSetup:
        return WebhookSetup(
            url=url,
            events=EVENT_CODE.telling(),
            where="Customer Area of the merchant account, Developers, Webhooks: add a Standard webhook, method JSON",
            secret="HMAC key of the webhook, under Security: generate, copy, then save",  # noqa: S106 - words about it
            secret_field="hmac_key",  # noqa: S106 - a setting's name
        )

    def _post(
        self, path: str, fields: dict[str, Any], operation: str, *, key: str = "", moves_money: bool = True
    ) -> HttpRequest:
        return self._request("POST", path, operation, fields, key=key, moves_money=moves_money)

    def _request(
        self,
        method: str,
        path: str,
        operation: str,
        fields: dict[str, Any] | None = None,
        *,
        key: str = "",
        moves_money: bool = False,
    ) -> HttpRequest:
        headers = dict(self._headers)
        if key:
            headers["Idempotency-Key"] = key
        if fields is None:
            return HttpRequest(method, self._base + path, headers, operation=operation)
        headers["Content-Type"] = "application/json"
        text = json.dumps(fields, separators=(",", ":")).encode()
        return HttpRequest(method, self._base + path, headers, text, moves_money, operation)


def _movement_of(said: dict[str, Any], order: MoneyOrder, kind: Kind, payment: str) -> Fact:
    """Raises KeyError, TypeError or ValueError on what does not answer the call."""
    id, status = said["pspReference"], said["status"]
    if said["paymentPspReference"] != payment or not PSP_REFERENCE.fullmatch(id):
        raise ValueError("the answer is about another payment")
    amount = None if kind is Kind.RELEASE else AMOUNTS.read(said["amount"]["value"], said["amount"]["currency"])
    return Fact(
        order.attempt.attempt_id,
        kind,
        id,
        MODIFICATION_STATUS.of(status),
        amount,
        operation_id=order.operation_id,
        reason=MODIFICATION_STATUS.note(status),
    )


def _read(response: HttpResponse) -> Any:
    """Raises ValueError where Adyen did not answer with what was asked; the driver makes it a failed read."""
    if response.status != 200:
        raise ValueError(f"Adyen answered {response.status}")
    return response.json()


def _link_path(attempt: AttemptRef) -> str:
    reference = attempt.psp_reference or ""
    if not LINK_ID.fullmatch(reference):
        raise ValueError("the attempt has no usable reference at Adyen")
    return f"/paymentLinks/{reference}"
