"""PayPal, as its API reference has it (developer.paypal.com/api/orders/v2 and payments/v2; the version stands in the paths).

Nothing is paid on PayPal's page: the shopper approves there, and the order is captured or authorized once she is back. So an
order that we do not complete takes nothing, and that is how one is expired: PayPal has no call for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

from pydantic import BaseModel

from chalicelib.connectors.paypal import certificate, operations, webhooks
from chalicelib.connectors.paypal.amounts import AMOUNTS, CURRENCIES
from chalicelib.connectors.paypal.answers import MONEY, opened_in, order_in, read, the_order
from chalicelib.connectors.paypal.certificate import Certificates
from chalicelib.connectors.paypal.events import said_in as event_in
from chalicelib.connectors.paypal.facts import declined_facts, order_facts, seconds_in
from chalicelib.connectors.paypal.issues import ERROR_NAME, ISSUE, WAS_DONE_BEFORE, Verdict
from chalicelib.connectors.paypal.methods import METHODS
from chalicelib.connectors.paypal.order import order_of
from chalicelib.connectors.paypal.places import path_of
from chalicelib.connectors.paypal.refusals import decline_of, refusal_of, said_in
from chalicelib.connectors.paypal.session import Session
from chalicelib.connectors.paypal.settings import PayPalSettings
from chalicelib.connectors.paypal.signature import HEADERS
from chalicelib.connectors.paypal.tables import STATUSES, Subject
from chalicelib.contracts.amounts import Amounts, Unwritable
from chalicelib.contracts.calls import AttemptRef, CheckoutOrder, MoneyOrder, Opened, Refusal, RefusalKind
from chalicelib.contracts.connector import Capabilities, Connector
from chalicelib.contracts.conversation import Conversation
from chalicelib.contracts.webhooks import AskPsp, Delivery, LookUp, WebhookMade, WebhookSetup
from chalicelib.contracts.words import Words
from chalicelib.domain.facts import Fact, Kind, State
from chalicelib.domain.order import CaptureMode

ORDER_KEY_LIVES_S = 6 * 3_600
PAYMENT_KEY_LIVES_S = 45 * 86_400
_DECLINES = frozenset({Verdict.FRAUD, Verdict.HARD, Verdict.SOFT})


class PayPalConnector(Connector):
    name: ClassVar[str] = "paypal"
    title: ClassVar[str] = "PayPal"
    settings: ClassVar[type[BaseModel]] = PayPalSettings
    signature_headers: ClassVar[frozenset[str]] = HEADERS
    words: ClassVar[tuple[Words[Any], ...]] = (*STATUSES, ISSUE, ERROR_NAME)
    amounts: ClassVar[Amounts] = AMOUNTS
    needs_return_link: bool = True
    # A void has no key, and needs none: it happens once, and a repeat is told so.
    capabilities: ClassVar[Capabilities] = Capabilities(
        operations=frozenset({"capture", "cancel", "refund", "expire"}),
        payment_methods=frozenset(METHODS),
        currencies=CURRENCIES,
        capture_modes=frozenset({CaptureMode.AUTOMATIC, CaptureMode.MANUAL}),
        partial_capture=True,
        multiple_captures=True,
        partial_refund=True,
        inert_until_visited=True,
        key_lives_s={
            **dict.fromkeys(("open", "complete"), ORDER_KEY_LIVES_S),
            **dict.fromkeys(("capture", "cancel", "refund"), PAYMENT_KEY_LIVES_S),
        },
        completes_on_return=True,
    )

    def __init__(self, settings: PayPalSettings) -> None:
        self._settings = settings
        self._session = Session(settings.environment, settings.client_id, settings.client_secret.get_secret_value())
        self._certificates = Certificates(settings.intermediate_certificates, certificate.SHARED)

    @property
    def verifies_offline(self) -> bool:
        return self._settings.webhook_verification == "certificate"

    def test(self) -> Conversation[Refusal | None]:
        """A token of its own, since an older one may outlive its secret; and whether the webhook is this app's."""
        response = yield from self._session.renew()
        if response.status == 200 and self._settings.webhook_id:
            path = f"{webhooks.PATH}/{self._settings.webhook_id}"
            response = yield from self._session.ask(self._session.get(path, "test"))
        return None if response.status == 200 else refusal_of(response)

    def open_checkout(self, order: CheckoutOrder) -> Conversation[Opened | Refusal]:
        try:
            body = order_of(order, self._settings)
        except Unwritable as error:
            return Refusal(RefusalKind.MISCONFIGURED, str(error))
        asked = self._session.post("/v2/checkout/orders", body, "open", key=order.attempt_id)
        response = yield from self._session.ask(asked)
        if response.status not in (200, 201):
            return refusal_of(response)
        return opened_in(read(response), order, self._settings.order_life_minutes)

    def fetch(self, attempt: AttemptRef) -> Conversation[Sequence[Fact]]:
        asked = self._session.get(path_of(Subject.ORDER, attempt.psp_reference), "fetch")
        return order_in((yield from self._session.ask(asked)), attempt)

    def recover(self, attempt: AttemptRef) -> Conversation[Opened | Refusal | None]:
        """Orders can not be found by our reference, so the call is made again with its key."""
        return (yield from self.open_checkout(attempt.checkout))

    def expire(self, attempt: AttemptRef) -> Conversation[Sequence[Fact]]:
        """The order can no longer be paid because we shall not complete it, unless it was completed meanwhile."""
        facts = yield from self.fetch(attempt)
        moved = any(fact.kind in MONEY for fact in facts)
        if moved:
            return facts
        ended = [
            replace(fact, state=State.EXPIRED) if fact.kind is Kind.CHECKOUT and fact.state is State.OPEN else fact
            for fact in facts
        ]
        return tuple(ended)

    def complete(self, attempt: AttemptRef) -> Conversation[Sequence[Fact] | Refusal]:
        """Captures or authorizes what is approved, and nothing else. PayPal does so once for an order. The key names the
        approval, so that a shopper whose first way to pay was declined may approve another."""
        path = path_of(Subject.ORDER, attempt.psp_reference)
        response = yield from self._session.ask(self._session.get(path, "fetch"))
        facts = order_in(response, attempt)
        if not any(fact.kind is Kind.TRY for fact in facts):
            return facts  # not approved, or long since taken
        order = the_order(response, attempt)
        verb = "authorize" if attempt.checkout.order.capture is CaptureMode.MANUAL else "capture"
        key = f"{attempt.attempt_id}-complete-{seconds_in(order)}"
        response = yield from self._session.ask(self._session.post(f"{path}/{verb}", {}, "complete", key=key))
        if response.status in (200, 201):
            return order_facts(the_order(response, attempt), attempt.attempt_id)
        said = said_in(response)
        if said.verdict in WAS_DONE_BEFORE:
            return order_in((yield from self._session.ask(self._session.get(path, "fetch"))), attempt)
        if said.verdict in _DECLINES:
            ends = said.verdict is not Verdict.SOFT
            if ends:  # to a repeat of a call that took the money it proves nothing
                taken = order_in((yield from self._session.ask(self._session.get(path, "fetch"))), attempt)
                if any(fact.kind in MONEY and fact.state is not State.FAILED for fact in taken):
                    return taken
            return declined_facts(order, attempt.attempt_id, decline_of(said), ends=ends)
        return refusal_of(response)

    def capture(self, order: MoneyOrder) -> Conversation[Sequence[Fact] | Refusal]:
        return (yield from operations.capture(self._session, order))

    def cancel(self, order: MoneyOrder) -> Conversation[Sequence[Fact] | Refusal]:
        return (yield from operations.cancel(self._session, order))

    def refund(self, order: MoneyOrder) -> Conversation[Sequence[Fact] | Refusal]:
        return (yield from operations.refund(self._session, order))

    def verify(self, delivery: Delivery) -> Conversation[None]:
        return (yield from webhooks.verify(delivery, self._settings, self._session, self._certificates))

    def read(self, delivery: Delivery) -> Sequence[Fact | AskPsp | LookUp]:
        return event_in(delivery.body)

    def look_up(self, psp_object: str) -> Conversation[Sequence[Fact | AskPsp]]:
        return (yield from webhooks.look_up(psp_object, self._session))

    def webhook_setup(self, url: str) -> WebhookSetup:
        return webhooks.setup(url)

    def create_webhook(self, url: str) -> Conversation[WebhookMade | Refusal]:
        return (yield from webhooks.create(url, self._session))
