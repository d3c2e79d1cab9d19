"""Paystack's Transactions, Refunds and Disputes, as paystack.com/docs/api has them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from pydantic import BaseModel

from chalicelib.connectors.paystack.answers import data_of, is_absent, object_of, refusal_of
from chalicelib.connectors.paystack.listing import TooLong, listed
from chalicelib.connectors.paystack.page import page_of
from chalicelib.connectors.paystack.reading import (
    asked_of,
    may_be_paid,
    movements_of,
    reference_of,
    refund_fact,
    transaction_facts,
    transaction_of,
    unexplained,
)
from chalicelib.connectors.paystack.settings import PaystackSettings
from chalicelib.connectors.paystack.signature import HEADER, check
from chalicelib.connectors.paystack.tables import ALL, AMOUNTS, CURRENCIES, METHODS
from chalicelib.connectors.paystack.webhook import said_by
from chalicelib.contracts.amounts import Amounts, Unwritable
from chalicelib.contracts.calls import AttemptRef, CheckoutOrder, MoneyOrder, Opened, Refusal, RefusalKind
from chalicelib.contracts.connector import Capabilities, Connector
from chalicelib.contracts.conversation import Conversation, HttpRequest, ReadFailed
from chalicelib.contracts.page import page_in
from chalicelib.contracts.webhooks import AskPsp, Delivery, LookUp, WebhookSetup
from chalicelib.contracts.words import Words
from chalicelib.domain.facts import Fact, Kind, State
from chalicelib.domain.order import CaptureMode
from chalicelib.domain.payment import NextAction

BASE = "https://api.paystack.co"
NOTE_CHARACTERS_MAX = 200


class PaystackConnector(Connector):
    name: ClassVar[str] = "paystack"
    title: ClassVar[str] = "Paystack"
    settings: ClassVar[type[BaseModel]] = PaystackSettings
    signature_headers: ClassVar[frozenset[str]] = frozenset({HEADER})
    words: ClassVar[tuple[Words[Any], ...]] = ALL
    amounts: ClassVar[Amounts] = AMOUNTS
    # `names_operations` is left out although a read shows them: that a refund's note comes back as it was sent is not known,
    # and a refund that is not seen must not count as one that never was.
    capabilities: ClassVar[Capabilities] = Capabilities(
        operations=frozenset({"refund"}),
        payment_methods=frozenset(METHODS),
        currencies=CURRENCIES,
        capture_modes=frozenset({CaptureMode.AUTOMATIC}),
        partial_refund=True,
        inert_until_visited=True,
        looks_up_references=True,
    )

    def __init__(self, settings: PaystackSettings) -> None:
        self._settings = settings
        self._headers = {"Authorization": f"Bearer {settings.secret_key.get_secret_value()}"}

    def test(self) -> Conversation[Refusal | None]:
        response = yield self._get("/refund?perPage=1", "test")
        refusal = refusal_of(response)
        if refusal is None:
            data_of(response)
        return refusal

    def open_checkout(self, order: CheckoutOrder) -> Conversation[Opened | Refusal]:
        """The answer repeats neither amount nor currency; reading does."""
        body = page_of(order, self._settings.email)
        if isinstance(body, Refusal):
            return body
        response = yield self._post("/transaction/initialize", body, "open")
        refusal = refusal_of(response)
        if refusal is not None:
            return refusal
        data, reference = object_of(response), reference_of(order.attempt_id)
        if data.get("reference") != reference:
            raise ValueError("the answer is not the page that was asked for")
        page = NextAction(page_in(data.get("authorization_url")))
        return Opened(reference, page, (Fact(order.attempt_id, Kind.CHECKOUT, reference, State.OPEN),))

    def recover(self, attempt: AttemptRef) -> Conversation[Opened | Refusal | None]:
        """The page's address is in no answer but the first, so one that is found has none: nobody was ever shown it."""
        reference = reference_of(attempt.attempt_id)
        response = yield self._get(f"/transaction/verify/{reference}", "recover")
        if is_absent(response):
            return None
        data = object_of(response)
        if asked_of(data) != attempt.checkout.order.amount:
            raise ValueError("the transaction is not for the amount that was asked")
        return Opened(reference, None, tuple(transaction_facts(attempt.attempt_id, data)))

    def fetch(self, attempt: AttemptRef) -> Conversation[Sequence[Fact]]:
        """Lists that are too long keep nobody from hearing that it was paid; once that is known, they are an error."""
        reference = reference_of(attempt.attempt_id)
        if attempt.psp_reference != reference:
            raise ReadFailed(f"Paystack has this attempt as {reference}, and no other name")
        response = yield self._get(f"/transaction/verify/{reference}", "fetch")
        data = object_of(response)
        facts = transaction_facts(attempt.attempt_id, data)
        if not may_be_paid(data):
            return facts
        try:
            refunds = yield from listed(f"{BASE}/refund", data["id"], self._headers)
            disputes = yield from listed(f"{BASE}/dispute", data["id"], self._headers)
            movements = movements_of(attempt.attempt_id, data, refunds, disputes)
        except TooLong:
            if any(fact.kind is Kind.CAPTURE for fact in attempt.facts):
                raise
            return facts
        return facts + movements if movements else unexplained(data, facts)

    def refund(self, order: MoneyOrder) -> Conversation[Sequence[Fact] | Refusal]:
        """Paystack has no keys: our operation's id is the first word of the note that it lists with the refund."""
        if order.amount is None:
            raise ValueError("a refund has an amount")
        attempt_id = order.attempt.attempt_id
        try:
            amount = AMOUNTS.written(order.amount)
        except Unwritable as error:
            return Refusal(RefusalKind.MISCONFIGURED, str(error))
        note = f"{order.operation_id} {order.reason or ''}".strip()[:NOTE_CHARACTERS_MAX]
        body = {"transaction": reference_of(attempt_id), "amount": amount, "merchant_note": note}
        response = yield self._post("/refund", body, "refund")
        refusal = refusal_of(response)
        if refusal is not None:
            return refusal
        data = object_of(response)
        if transaction_of(data).get("reference") != body["transaction"]:
            raise ValueError("the refund is not of the transaction that was asked for")
        return [replace(refund_fact(attempt_id, data), operation_id=order.operation_id)]

    def verify(self, delivery: Delivery) -> Conversation[None]:
        both = (self._settings.secret_key, self._settings.secret_key_previous)
        check(delivery.headers.get(HEADER), delivery.body, [secret.get_secret_value() for secret in both if secret])
        return None
        yield  # a conversation without a call

    def read(self, delivery: Delivery) -> Sequence[Fact | AskPsp | LookUp]:
        return said_by(delivery.body)

    def webhook_setup(self, url: str) -> WebhookSetup:
        where = "Paystack's dashboard, Settings, API Keys & Webhooks: the webhook URL of the connection's mode"
        return WebhookSetup(
            url, (), where, "the secret key of that mode, which the connection has already", "secret_key"
        )

    def _get(self, path: str, operation: str) -> HttpRequest:
        return HttpRequest("GET", BASE + path, self._headers, operation=operation)

    def _post(self, path: str, body: Mapping[str, Any], operation: str) -> HttpRequest:
        """A call that moves money, and that is never repeated."""
        headers = {**self._headers, "Content-Type": "application/json"}
        text = json.dumps(body, separators=(",", ":")).encode()
        return HttpRequest("POST", BASE + path, headers, text, moves_money=True, operation=operation)
