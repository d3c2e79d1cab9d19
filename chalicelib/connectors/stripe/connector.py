"""Stripe, as its API reference has it (docs.stripe.com/api), at one pinned version."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar
from urllib.parse import urlencode

from pydantic import BaseModel

from chalicelib.connectors.stripe.amounts import AMOUNTS, CURRENCIES, limits
from chalicelib.connectors.stripe.errors import ERRORS
from chalicelib.connectors.stripe.events import Said, said_in
from chalicelib.connectors.stripe.facts import (
    ATTEMPT,
    CANCELLATION,
    OPERATION,
    attempt_in,
    checked_id,
    dispute_fact,
    intent_facts,
    intent_id_in,
    money_in,
    never_came,
    refund_fact,
    session_fact,
    session_facts,
)
from chalicelib.connectors.stripe.form import encoded
from chalicelib.connectors.stripe.methods import METHODS
from chalicelib.connectors.stripe.refusals import refusal_of
from chalicelib.connectors.stripe.session import session_of
from chalicelib.connectors.stripe.settings import StripeSettings
from chalicelib.connectors.stripe.signature import check
from chalicelib.connectors.stripe.tables import ALL, API_VERSION, EVENT_TYPE
from chalicelib.contracts.amounts import Amounts, Unwritable
from chalicelib.contracts.calls import AttemptRef, CheckoutOrder, MoneyOrder, Opened, Refusal, RefusalKind
from chalicelib.contracts.connector import Capabilities, Connector
from chalicelib.contracts.conversation import Conversation, HttpRequest, HttpResponse
from chalicelib.contracts.page import page_in
from chalicelib.contracts.webhooks import AskPsp, Delivery, WebhookMade, WebhookSetup
from chalicelib.contracts.words import Words
from chalicelib.domain.facts import Fact
from chalicelib.domain.order import CaptureMode
from chalicelib.domain.payment import NextAction

BASE = "https://api.stripe.com"
KEY_LIVES_S = 86_400
PAGE_MAX = 100
PAGES_MAX = 4  # of refunds: a payment of ours has at most 100 operations
NOTHING_PAID = Refusal(RefusalKind.MISCONFIGURED, "nothing was paid on the page")
REASONS = frozenset({"duplicate", "fraudulent", "requested_by_customer"})


class StripeConnector(Connector):
    name: ClassVar[str] = "stripe"
    title: ClassVar[str] = "Stripe"
    settings: ClassVar[type[BaseModel]] = StripeSettings
    signature_headers: ClassVar[frozenset[str]] = frozenset({"stripe-signature"})
    words: ClassVar[tuple[Words[Any], ...]] = (*ALL, *ERRORS)
    amounts: ClassVar[Amounts] = AMOUNTS
    capabilities: ClassVar[Capabilities] = Capabilities(
        operations=frozenset({"capture", "cancel", "refund", "expire"}),
        payment_methods=frozenset(METHODS),
        currencies=CURRENCIES,
        capture_modes=frozenset({CaptureMode.AUTOMATIC, CaptureMode.MANUAL}),
        partial_capture=True,
        partial_refund=True,
        inert_until_visited=True,
        key_lives_s=dict.fromkeys(("open", "capture", "cancel", "refund"), KEY_LIVES_S),
        names_operations=True,
        amount_limits=limits(),
    )

    def __init__(self, settings: StripeSettings) -> None:
        self._settings = settings
        self._headers = {
            "Authorization": f"Bearer {settings.api_key.get_secret_value()}",
            "Stripe-Version": API_VERSION,
        }

    def test(self) -> Conversation[Refusal | None]:
        response = yield self._get("/v1/checkout/sessions", "test", limit=1)
        return None if response.status == 200 else refusal_of(response)

    def open_checkout(self, order: CheckoutOrder) -> Conversation[Opened | Refusal]:
        try:
            fields = session_of(order)
        except Unwritable as error:
            return Refusal(RefusalKind.MISCONFIGURED, str(error))
        response = yield self._post("/v1/checkout/sessions", fields, "open", key=order.attempt_id)
        if response.status != 200:
            return refusal_of(response)
        session = response.json()
        if money_in(session, "amount_total") != order.order.amount or attempt_in(session) != order.attempt_id:
            raise ValueError("the page is not the one that was asked for")
        return _opened(session, order.attempt_id)

    def fetch(self, attempt: AttemptRef) -> Conversation[Sequence[Fact]]:
        expand = ["payment_intent.latest_charge"]
        response = yield self._get(_session_path(attempt), "fetch", expand=expand)
        session = _the_session(response, attempt)
        facts = list(session_facts(session, attempt.attempt_id))
        intent = _in_full(session, "payment_intent")
        charge = _in_full(intent, "latest_charge")
        facts += never_came(session, intent, attempt.facts)
        # Not by `amount_refunded`: one that failed is no longer in it, and one that waits perhaps not yet. What a read does not
        # show may be taken for what never happened.
        if charge.get("captured"):
            for refund in (yield from self._all("/v1/refunds", intent["id"])):
                facts.append(refund_fact(refund, attempt.attempt_id))
        if charge.get("disputed"):
            for dispute in (yield from self._all("/v1/disputes", intent["id"])):
                facts.append(dispute_fact(dispute, attempt.attempt_id))
        return facts

    def recover(self, attempt: AttemptRef) -> Conversation[Opened | Refusal | None]:
        """Sessions can not be found by our reference, so the call is made again with its key."""
        return (yield from self.open_checkout(attempt.checkout))

    def expire(self, attempt: AttemptRef) -> Conversation[Sequence[Fact]]:
        """400 says that the session is no longer open: what it is then is read."""
        response = yield self._post(f"{_session_path(attempt)}/expire", {}, "expire", moves_money=False)
        if response.status == 400:
            return (yield from self.fetch(attempt))
        return (session_fact(_the_session(response, attempt), attempt.attempt_id),)

    def capture(self, order: MoneyOrder) -> Conversation[Sequence[Fact] | Refusal]:
        try:
            fields = _amount(order, "amount_to_capture")
        except Unwritable as error:
            return Refusal(RefusalKind.MISCONFIGURED, str(error))
        fields["metadata"] = {OPERATION: order.operation_id}
        intent_id = yield from self._intent_id(order)
        if intent_id is None:
            return NOTHING_PAID
        path = f"/v1/payment_intents/{intent_id}/capture"
        response = yield self._post(path, fields, "capture", key=order.operation_id)
        return _intent_or_refusal(response, order, intent_id)

    def cancel(self, order: MoneyOrder) -> Conversation[Sequence[Fact] | Refusal]:
        """Cancelling takes no metadata: the operation is named on the Payment Intent before."""
        intent_id = yield from self._intent_id(order)
        if intent_id is None:
            return NOTHING_PAID
        path = f"/v1/payment_intents/{intent_id}"
        named = {"metadata": {CANCELLATION: order.operation_id}}
        response = yield self._post(path, named, "name", moves_money=False)
        if response.status != 200:
            return refusal_of(response)
        fields = {"cancellation_reason": order.reason} if order.reason in REASONS else {}
        response = yield self._post(f"{path}/cancel", fields, "cancel", key=order.operation_id)
        return _intent_or_refusal(response, order, intent_id)

    def refund(self, order: MoneyOrder) -> Conversation[Sequence[Fact] | Refusal]:
        try:
            fields = _amount(order, "amount")
        except Unwritable as error:
            return Refusal(RefusalKind.MISCONFIGURED, str(error))
        intent_id = yield from self._intent_id(order)
        if intent_id is None:
            return NOTHING_PAID
        fields["payment_intent"] = intent_id
        fields["metadata"] = {ATTEMPT: order.attempt.attempt_id, OPERATION: order.operation_id}
        if order.reason in REASONS:
            fields["reason"] = order.reason
        response = yield self._post("/v1/refunds", fields, "refund", key=order.operation_id)
        if response.status != 200:
            return refusal_of(response)
        refund = refund_fact(response.json(), order.attempt.attempt_id)
        if refund.operation_id != order.operation_id:
            raise ValueError("the answer is another refund")
        return (refund,)

    def verify(self, delivery: Delivery) -> Conversation[None]:
        both = (self._settings.webhook_secret, self._settings.webhook_secret_previous)
        secrets = [secret.get_secret_value() for secret in both if secret]
        check(delivery.headers.get("stripe-signature"), delivery.body, secrets, delivery.received_at.timestamp())
        return None
        yield  # a conversation without a call

    def read(self, delivery: Delivery) -> Said:
        return said_in(delivery.body, self._settings.livemode)

    def look_up(self, psp_object: str) -> Conversation[Sequence[Fact | AskPsp]]:
        """A Payment Intent names the attempt; what is behind it is read from there."""
        response = yield self._get(f"/v1/payment_intents/{checked_id(psp_object)}", "look_up")
        attempt_id = attempt_in(_read(response))
        return (AskPsp(attempt_id),) if attempt_id else ()

    def webhook_setup(self, url: str) -> WebhookSetup:
        return WebhookSetup(
            url=url,
            events=EVENT_TYPE.telling(),
            where="Stripe Dashboard, Workbench, Webhooks: add a destination for events of your account, API version "
            + API_VERSION,
            secret="Signing secret of the destination (whsec_…)",  # noqa: S106 - words about it
            secret_field="webhook_secret",  # noqa: S106 - a setting's name
            creates=True,
        )

    def create_webhook(self, url: str) -> Conversation[WebhookMade | Refusal]:
        fields = {"url": url, "enabled_events": list(EVENT_TYPE.telling()), "api_version": API_VERSION}
        response = yield self._post("/v1/webhook_endpoints", fields, "create_webhook", moves_money=False)
        if response.status != 200:
            return refusal_of(response)
        endpoint = response.json()
        return WebhookMade(str(endpoint["id"]), {"webhook_secret": str(endpoint["secret"])})

    def _intent_id(self, order: MoneyOrder) -> Conversation[str | None]:
        """The session alone knows its Payment Intent, which there is once the shopper has paid."""
        response = yield self._get(_session_path(order.attempt), "fetch")
        return intent_id_in(_the_session(response, order.attempt))

    def _all(self, path: str, intent_id: str) -> Conversation[list[Mapping[str, Any]]]:
        """All refunds or disputes of a Payment Intent."""
        found: list[Mapping[str, Any]] = []
        more: dict[str, Any] = {}
        for _ in range(PAGES_MAX):
            page = _read((yield self._get(path, "fetch", payment_intent=intent_id, limit=PAGE_MAX, **more)))
            found += page["data"]
            if not page["has_more"] or not page["data"]:
                return found
            more = {"starting_after": page["data"][-1]["id"]}
        raise ValueError(f"there are more than {PAGES_MAX * PAGE_MAX}")

    def _get(self, path: str, operation: str, **query: Any) -> HttpRequest:
        pairs = [
            (f"{name}[]", one) if isinstance(value, list) else (name, value)
            for name, value in query.items()
            for one in (value if isinstance(value, list) else [value])
        ]
        asked = f"?{urlencode(pairs, safe='[]')}" if pairs else ""
        return HttpRequest("GET", f"{BASE}{path}{asked}", self._headers, operation=operation)

    def _post(
        self, path: str, fields: Mapping[str, Any], operation: str, *, key: str = "", moves_money: bool = True
    ) -> HttpRequest:
        headers = {**self._headers, "Content-Type": "application/x-www-form-urlencoded"}
        if key:
            headers["Idempotency-Key"] = key
        return HttpRequest("POST", BASE + path, headers, encoded(fields), moves_money, operation)


def _intent_or_refusal(response: HttpResponse, order: MoneyOrder, intent_id: str) -> Sequence[Fact] | Refusal:
    if response.status != 200:
        return refusal_of(response)
    intent = response.json()
    if intent["id"] != intent_id:
        raise ValueError("the answer is another Payment Intent")
    return tuple(intent_facts(intent, order.attempt.attempt_id))


def _opened(session: Mapping[str, Any], attempt_id: str) -> Opened:
    """Raises KeyError, TypeError or ValueError on what is no page that a shopper may be sent to."""
    expires_at = datetime.fromtimestamp(session["expires_at"], UTC)
    action = NextAction(page_in(session["url"]), expires_at=expires_at) if session["status"] == "open" else None
    return Opened(checked_id(session["id"]), action, tuple(session_facts(session, attempt_id)))


def _amount(order: MoneyOrder, field: str) -> dict[str, Any]:
    """Raises Unwritable."""
    return {} if order.amount is None else {field: AMOUNTS.written(order.amount)}


def _read(response: HttpResponse) -> Any:
    """Raises ValueError where Stripe did not answer with what was asked; the driver makes it a failed read."""
    if response.status != 200:
        raise ValueError(f"Stripe answered {response.status}")
    return response.json()


def _the_session(response: HttpResponse, attempt: AttemptRef) -> Any:
    """Raises KeyError, TypeError or ValueError for what is not the attempt's session."""
    session = _read(response)
    if (session["id"], attempt_in(session)) != (attempt.psp_reference, attempt.attempt_id):
        raise ValueError("the answer is another attempt's session")
    return session


def _in_full(thing: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """What the read was to expand, empty where there is none. Raises ValueError for its id alone: what is below it would be
    taken for what never happened."""
    found = thing.get(name) or {}
    if not isinstance(found, Mapping):
        raise ValueError(f"Stripe did not answer with the {name} in full")
    return found


def _session_path(attempt: AttemptRef) -> str:
    return f"/v1/checkout/sessions/{checked_id(attempt.psp_reference)}"
