"""Paytrail's payment API, version 2.0.0 (docs.paytrail.com and its published OpenAPI file)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, ClassVar

from pydantic import BaseModel

from chalicelib.connectors.paytrail.account import Account
from chalicelib.connectors.paytrail.facts import facts_of_payment, facts_of_refund, told_by_callback
from chalicelib.connectors.paytrail.order import GROUPS, payment_of, refund_of
from chalicelib.connectors.paytrail.settings import PaytrailSettings
from chalicelib.connectors.paytrail.tables import ALL, AMOUNT_MAX, AMOUNTS, CURRENCIES, CURRENCY
from chalicelib.contracts.amounts import Amounts, Unwritable
from chalicelib.contracts.calls import AttemptRef, CheckoutOrder, MoneyOrder, Opened, Refusal, RefusalKind
from chalicelib.contracts.connector import Capabilities, Connector
from chalicelib.contracts.conversation import Conversation
from chalicelib.contracts.page import page_in
from chalicelib.contracts.query import parameters_of
from chalicelib.contracts.webhooks import (
    AskPsp,
    Delivery,
    LookUp,
    WebhookAddress,
    WebhookSetup,
)
from chalicelib.contracts.words import Words
from chalicelib.domain.errors import SignatureInvalid, Unreadable
from chalicelib.domain.facts import Fact, Kind, State
from chalicelib.domain.order import CaptureMode
from chalicelib.domain.payment import NextAction

_TRANSACTION = re.compile(r"[0-9A-Za-z-]{1,64}")  # it becomes part of addresses


class PaytrailConnector(Connector):
    name: ClassVar[str] = "paytrail"
    title: ClassVar[str] = "Paytrail"
    settings: ClassVar[type[BaseModel]] = PaytrailSettings
    words: ClassVar[tuple[Words[Any], ...]] = ALL
    amounts: ClassVar[Amounts] = AMOUNTS
    capabilities: ClassVar[Capabilities] = Capabilities(
        operations=frozenset({"refund"}),
        payment_methods=frozenset(GROUPS),
        currencies=CURRENCIES,
        capture_modes=frozenset({CaptureMode.AUTOMATIC}),
        partial_refund=True,
        inert_until_visited=True,
        key_lives_s={},  # no operation of the specification has a key
        webhook_methods=frozenset({"GET"}),
        webhook_address=WebhookAddress.TOLD,
        amount_limits={CURRENCY: (1, AMOUNT_MAX)},
    )

    def __init__(self, settings: PaytrailSettings) -> None:
        self._settings = settings
        self._account = Account(settings)

    def test(self) -> Conversation[Refusal | None]:
        said = self._account.said_in((yield self._account.get("/merchants/payment-providers", "test")))
        if isinstance(said, Refusal):
            return said
        if not isinstance(said, list):
            raise ValueError("the payment methods are a list")
        return None

    def open_checkout(self, order: CheckoutOrder) -> Conversation[Opened | Refusal]:
        """The answer does not repeat the amount; a read does, and every callback."""
        try:
            body = payment_of(order, self._settings.email)
        except Unwritable as error:
            return Refusal(RefusalKind.MISCONFIGURED, str(error))
        said = self._account.said_in((yield self._account.post("/payments", body, order.attempt_id, "open")))
        if isinstance(said, Refusal):
            return said
        transaction_id = said["transactionId"]
        if not _TRANSACTION.fullmatch(transaction_id):
            raise ValueError("a page has a transaction")
        page = Fact(order.attempt_id, Kind.CHECKOUT, transaction_id, State.OPEN)
        return Opened(transaction_id, NextAction(page_in(said["href"])), (page,))

    def fetch(self, attempt: AttemptRef) -> Conversation[Sequence[Fact]]:
        transaction_id = _transaction_of(attempt)
        request = self._account.get(f"/payments/{transaction_id}", "fetch", transaction_id)
        said = self._account.said_in((yield request))
        if isinstance(said, Refusal):
            raise ValueError("the read was refused")  # what it said may hold our key
        return facts_of_payment(said, attempt.attempt_id, transaction_id)

    def refund(self, order: MoneyOrder) -> Conversation[Sequence[Fact] | Refusal]:
        transaction_id = _transaction_of(order.attempt)
        try:
            body = refund_of(order)
        except Unwritable as error:
            return Refusal(RefusalKind.MISCONFIGURED, str(error))
        path = f"/payments/{transaction_id}/refund"
        said = self._account.said_in(
            (yield self._account.post(path, body, order.operation_id, "refund", transaction_id))
        )
        if isinstance(said, Refusal):
            return said
        return facts_of_refund(said, order.attempt.attempt_id, order.operation_id)

    def verify(self, delivery: Delivery) -> Conversation[None]:
        """A callback has no body: with one, the last lines that were signed could be moved into it."""
        if delivery.body or not self._account.has_signed(parameters_of(delivery.query), b""):
            raise SignatureInvalid("The signature does not fit the callback and the account's key.")
        return None
        yield  # a conversation without a call

    def read(self, delivery: Delivery) -> Sequence[Fact | AskPsp | LookUp]:
        try:
            said = parameters_of(delivery.query)
        except SignatureInvalid as error:
            raise Unreadable(error.detail) from None
        return told_by_callback(said)

    def webhook_setup(self, url: str) -> WebhookSetup:
        return WebhookSetup(url, (), "nowhere: each payment and refund tells Paytrail where its callbacks go")


def _transaction_of(attempt: AttemptRef) -> str:
    """It stands in addresses of calls, so it must be one."""
    if attempt.psp_reference is None or not _TRANSACTION.fullmatch(attempt.psp_reference):
        raise ValueError("the attempt has no transaction")
    return attempt.psp_reference
