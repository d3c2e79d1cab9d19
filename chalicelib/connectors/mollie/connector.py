"""Mollie's Payments API (docs.mollie.com/reference/payments-api); its version stands in the paths."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from pydantic import BaseModel

from chalicelib.connectors.mollie import webhook
from chalicelib.connectors.mollie.amounts import AMOUNTS, CURRENCIES, amount_of, money_in
from chalicelib.connectors.mollie.facts import (
    ATTEMPT,
    CANCELLATION,
    LAST,
    OPERATION,
    attempt_in,
    capture_fact,
    found,
    gone,
    missed_refunds,
    named_in,
    payment_facts,
    refund_fact,
    release_fact,
)
from chalicelib.connectors.mollie.methods import METHODS
from chalicelib.connectors.mollie.order import description_of, metadata_of, payment_of
from chalicelib.connectors.mollie.places import BASE, PAYMENTS, id_in, key_of, payment_path
from chalicelib.connectors.mollie.refusals import refusal_of
from chalicelib.connectors.mollie.settings import MollieSettings
from chalicelib.connectors.mollie.signature import HEADER
from chalicelib.connectors.mollie.tables import ALL, PAYMENT_STATUS, Stage
from chalicelib.contracts.amounts import Amounts, Unwritable
from chalicelib.contracts.calls import AttemptRef, CheckoutOrder, MoneyOrder, Opened, Refusal, RefusalKind
from chalicelib.contracts.connector import Capabilities, Connector
from chalicelib.contracts.conversation import Conversation, HttpRequest, HttpResponse
from chalicelib.contracts.page import page_in
from chalicelib.contracts.webhooks import (
    AskPsp,
    Delivery,
    LookUp,
    WebhookAddress,
    WebhookSetup,
)
from chalicelib.contracts.words import Words
from chalicelib.domain.facts import Fact, Kind, State
from chalicelib.domain.order import CaptureMode
from chalicelib.domain.payment import NextAction

KEY_LIVES_S = 3_600
RELEASE_LIVES_S = 60 * 86_400  # a release gives back what is held: a repeat does no more, with its key or without
GONE_AFTER = timedelta(minutes=15)  # since Mollie took it: a younger refund may only not be shown yet
PARTS = ("captures", "refunds", "chargebacks")
PARTS_MAX = 250  # of each; a payment of ours has at most 100 operations
Done = Sequence[Fact] | Refusal
Json = Mapping[str, Any]


class MollieConnector(Connector):
    name: ClassVar[str] = "mollie"
    title: ClassVar[str] = "Mollie"
    settings: ClassVar[type[BaseModel]] = MollieSettings
    signature_headers: ClassVar[frozenset[str]] = frozenset({HEADER})
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
        key_lives_s={**dict.fromkeys(("open", "capture", "refund"), KEY_LIVES_S), "cancel": RELEASE_LIVES_S},
        names_operations=True,
        releases_rest=True,
        webhook_address=WebhookAddress.OWN,
    )

    def __init__(self, settings: MollieSettings, now_s: Callable[[], float] = time.time) -> None:
        self._settings = settings
        self.now_s = now_s
        self._headers = {"Authorization": f"Bearer {settings.api_key.get_secret_value()}"}

    def test(self) -> Conversation[Refusal | None]:
        response = yield self._get("/v2/methods", "test")
        return None if response.status == 200 else refusal_of(response)

    def open_checkout(self, order: CheckoutOrder) -> Conversation[Opened | Refusal]:
        try:
            fields = payment_of(order)
        except Unwritable as error:
            return Refusal(RefusalKind.MISCONFIGURED, str(error))
        response = yield self._post(PAYMENTS, fields, "open", key=order.attempt_id)
        if response.status != 201:
            return refusal_of(response)
        return self._opened(response.json(), order)

    def fetch(self, attempt: AttemptRef) -> Conversation[Sequence[Fact]]:
        """Mollie does not show a refund that was cancelled: one that it does not list is asked for by its id
        (docs.mollie.com/reference/get-refund). While it is young, a list may only be behind."""
        payment, parts = yield from self._payment(attempt.psp_reference)
        facts = payment_facts(payment, parts, attempt, self._now())
        path = payment_path(attempt.psp_reference)
        for missed in missed_refunds(facts, attempt, self._now() - GONE_AFTER):
            response = yield self._get(f"{path}/refunds/{id_in(missed.id, 're')}", "fetch")
            facts += (gone(missed) if response.status == 404 else found(missed, _read(response)),)
        return facts

    def recover(self, attempt: AttemptRef) -> Conversation[Opened | Refusal | None]:
        """Payments can not be found by our reference, so the call is made again with its key."""
        return (yield from self.open_checkout(attempt.checkout))

    def expire(self, attempt: AttemptRef) -> Conversation[Sequence[Fact]]:
        """Mollie lets few pages be ended before their time, which is short. 422 says that it has just become something
        else: what that is, is read."""
        payment, parts = yield from self._payment(attempt.psp_reference)
        open = PAYMENT_STATUS.of(payment["status"]) is Stage.OPEN and payment.get("isCancelable") is True
        if not open:
            return payment_facts(payment, parts, attempt, self._now())
        path = payment_path(attempt.psp_reference)
        response = yield HttpRequest("DELETE", BASE + path, self._headers, operation="expire")
        if response.status == 422:
            return (yield from self.fetch(attempt))
        return payment_facts(_read(response), parts, attempt, self._now())

    def capture(self, order: MoneyOrder) -> Conversation[Done]:
        """After the last capture Mollie is told to release the rest. Should that call go wrong, it is made again by itself."""
        path, last = payment_path(order.attempt.psp_reference), _leaves_a_rest(order)
        try:
            fields = {} if order.amount is None else {"amount": amount_of(order.amount)}
        except Unwritable as error:
            return Refusal(RefusalKind.MISCONFIGURED, str(error))
        fields["metadata"] = _named(order) | ({LAST: "yes"} if last else {})
        response = yield self._post(f"{path}/captures", fields, "capture", key=order.operation_id)
        if response.status != 201:
            return refusal_of(response)
        fact = capture_fact(_ours(response.json(), order), order.attempt.attempt_id)
        yield from self.release_rest(order)
        return (fact,)

    def release_rest(self, order: MoneyOrder) -> Conversation[None]:
        """Two releases do no more than one, whether Mollie still knows the key or not."""
        if not _leaves_a_rest(order):
            return
        path, key = payment_path(order.attempt.psp_reference), f"{order.operation_id}-release"
        response = yield self._post(f"{path}/release-authorization", {}, "release", key=key, moves_money=False)
        if response.status not in (202, 422):  # 422: nothing is held any more
            raise ValueError(f"Mollie answered {response.status} to the release of the rest")

    def cancel(self, order: MoneyOrder) -> Conversation[Done]:
        """A release takes no metadata: the operation is named on the payment before. It is under way when Mollie has taken
        it, and its bank may never do it. Nothing shows whether it has, so one that was not answered is asked for until it
        is: never can the hold that still stands prove that the release is not under way."""
        path = payment_path(order.attempt.psp_reference)
        named = {"metadata": {**metadata_of(order.attempt.checkout), CANCELLATION: order.operation_id}}
        response = yield self._send("PATCH", path, named, "name")
        if response.status != 200:
            return refusal_of(response)
        response = yield self._post(f"{path}/release-authorization", {}, "cancel", key=order.operation_id)
        if response.status != 202:
            return refusal_of(response)
        id = id_in(order.attempt.psp_reference, "tr")
        return (release_fact(id, order.attempt.attempt_id, State.PENDING, order.operation_id),)

    def refund(self, order: MoneyOrder) -> Conversation[Done]:
        """The reason is the merchant's own: Mollie would show it to the shopper."""
        try:
            amount = amount_of(order.amount or order.attempt.checkout.order.amount)
        except Unwritable as error:
            return Refusal(RefusalKind.MISCONFIGURED, str(error))
        path = f"{payment_path(order.attempt.psp_reference)}/refunds"
        description = description_of(order.attempt.checkout)
        fields = {"amount": amount, "description": description, "metadata": _named(order)}
        response = yield self._post(path, fields, "refund", key=order.operation_id)
        if response.status != 201:
            return refusal_of(response)
        return (refund_fact(_ours(response.json(), order), order.attempt.attempt_id),)

    def verify(self, delivery: Delivery) -> Conversation[None]:
        both = (self._settings.webhook_secret, self._settings.webhook_secret_previous)
        webhook.verify(delivery, [secret.get_secret_value() for secret in both if secret])
        return None
        yield  # a conversation without a call

    def read(self, delivery: Delivery) -> Sequence[Fact | AskPsp | LookUp]:
        return webhook.said_in(delivery)

    def look_up(self, psp_object: str) -> Conversation[Sequence[Fact | AskPsp]]:
        """The payment that a signed event is about, or is below. One that is not there is nobody's of ours."""
        response = yield self._get(payment_path(psp_object), "look_up")
        if response.status == 404:
            return ()
        payment = _read(response)
        if payment["id"] != psp_object:
            raise ValueError("Mollie answered with another payment than was asked for")
        attempt_id = attempt_in(payment)
        return (AskPsp(attempt_id, psp_object),) if attempt_id else ()

    def webhook_setup(self, url: str) -> WebhookSetup:
        return webhook.setup(url)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self.now_s(), UTC)

    def _opened(self, payment: Json, order: CheckoutOrder) -> Opened:
        """Raises ValueError, KeyError or TypeError for what is not the payment that was asked for."""
        id = id_in(payment["id"], "tr")
        if money_in(payment) != order.order.amount:
            raise ValueError("the payment is for another amount than was asked")
        facts = payment_facts(payment, dict.fromkeys(PARTS, ()), AttemptRef(order, None), self._now())
        if PAYMENT_STATUS.of(payment["status"]) is not Stage.OPEN:
            return Opened(id, None, facts)
        url = page_in(payment["_links"]["checkout"]["href"])
        ends = payment.get("expiresAt")
        expires_at = datetime.fromisoformat(str(ends).replace("Z", "+00:00")) if ends else None
        return Opened(id, NextAction(url, expires_at=expires_at), facts)

    def _payment(self, payment_id: str | None) -> Conversation[tuple[Json, Mapping[str, Sequence[Json]]]]:
        """The payment with its parts. Those that Mollie did not embed, though it has some, are read by themselves."""
        path = payment_path(payment_id)
        payment = _read((yield self._get(f"{path}?embed={','.join(PARTS)}", "fetch")))
        if payment["id"] != payment_id:
            raise ValueError("Mollie answered with another payment than was asked for")
        embedded = payment.get("_embedded") or {}
        parts: dict[str, Sequence[Json]] = {}
        for name in PARTS:
            parts[name] = embedded.get(name) or ()
            if name not in embedded and name in payment["_links"]:
                page = _read((yield self._get(f"{path}/{name}?limit={PARTS_MAX}", "fetch")))
                if (page.get("_links") or {}).get("next"):
                    raise ValueError(f"the payment has more than {PARTS_MAX} {name}")
                parts[name] = page["_embedded"][name]
        return payment, parts

    def _get(self, path: str, operation: str) -> HttpRequest:
        return HttpRequest("GET", BASE + path, self._headers, operation=operation)

    def _post(self, path: str, fields: Json, operation: str, *, key: str, moves_money: bool = True) -> HttpRequest:
        return self._send("POST", path, fields, operation, key=key_of(key), moves_money=moves_money)

    def _send(
        self, method: str, path: str, fields: Json, operation: str, *, key: str = "", moves_money: bool = False
    ) -> HttpRequest:
        headers = {**self._headers, "Content-Type": "application/json"}
        if key:
            headers["Idempotency-Key"] = key
        body = json.dumps(fields, separators=(",", ":")).encode()
        return HttpRequest(method, BASE + path, headers, body, moves_money, operation)


def _leaves_a_rest(order: MoneyOrder) -> bool:
    """Whether the last capture leaves something held, as far as is known."""
    if not order.final or order.amount is None:
        return False
    others = (one for one in order.attempt.facts if _is_capture(one) and one.operation_id != order.operation_id)
    captured = (one.amount.value for one in others if one.amount)
    return sum(captured) + order.amount.value < order.attempt.checkout.order.amount.value


def _is_capture(fact: Fact) -> bool:
    return fact.kind is Kind.CAPTURE and fact.state is not State.FAILED


def _named(order: MoneyOrder) -> dict[str, str]:
    return {ATTEMPT: order.attempt.attempt_id, OPERATION: order.operation_id}


def _ours(thing: Json, order: MoneyOrder) -> Json:
    """The movement that was asked for. Raises ValueError where it is another."""
    if named_in(thing, OPERATION) != order.operation_id:
        raise ValueError("Mollie answered with another movement than was asked for")
    return thing


def _read(response: HttpResponse) -> Any:
    """Raises ValueError where Mollie did not answer with what was asked; the driver makes it a failed read."""
    if response.status != 200:
        raise ValueError(f"Mollie answered {response.status}")
    return response.json()
