"""PayPal's webhooks: verified, looked up, set up (developer.paypal.com/api/webhooks/v1)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from chalicelib.connectors.paypal import postback, signature
from chalicelib.connectors.paypal.answers import read
from chalicelib.connectors.paypal.certificate import Certificates
from chalicelib.connectors.paypal.events import custom_id_in
from chalicelib.connectors.paypal.facts import Json, dispute_fact
from chalicelib.connectors.paypal.places import attempt_in, path_of, subject_of
from chalicelib.connectors.paypal.refusals import refusal_of
from chalicelib.connectors.paypal.session import Session
from chalicelib.connectors.paypal.settings import WEBHOOK_ID, PayPalSettings
from chalicelib.connectors.paypal.tables import EVENT_TYPE, Subject
from chalicelib.contracts.calls import Refusal
from chalicelib.contracts.conversation import Conversation, HttpResponse, ReadFailed
from chalicelib.contracts.webhooks import AskPsp, Delivery, WebhookMade, WebhookSetup
from chalicelib.domain.errors import SignatureInvalid
from chalicelib.domain.facts import Fact

PATH = "/v1/notifications/webhooks"
EXISTS = "WEBHOOK_URL_ALREADY_EXISTS"
DISPUTED_MAX = 3  # transactions of one dispute that are looked up


def verify(
    delivery: Delivery, settings: PayPalSettings, session: Session, certificates: Certificates
) -> Conversation[None]:
    """Raises SignatureInvalid; ReadFailed where it can not be found out now."""
    ids = [id for id in (settings.webhook_id, settings.webhook_id_previous) if id]
    if not ids:
        raise SignatureInvalid("The connection has no webhook id yet.")
    sent = signature.transmission_in(delivery.headers, settings.environment, delivery.received_at)
    if settings.webhook_verification == "certificate":
        key = yield from certificates.key(sent.certificate_url, delivery.received_at)
        signature.check(sent, delivery.body, ids, key)
        return
    for id in ids:
        asked = session.post(postback.PATH, postback.question_of(sent, delivery.body, id), "verify", moves_money=False)
        response = yield from session.ask(asked)
        if postback.is_confirmed(read(response)):
            return
    raise SignatureInvalid("PayPal did not send the webhook.")


def look_up(psp_object: str, session: Session) -> Conversation[Sequence[Fact | AskPsp]]:
    """`psp_object` is a path that `events` made. Raises ReadFailed."""
    subject = subject_of(psp_object)
    found = _found((yield from session.ask(session.get(psp_object, "look_up"))), subject, psp_object)
    if subject is Subject.DISPUTE:
        attempt_id = yield from _disputed(found, session)
        return (dispute_fact(found, attempt_id),) if attempt_id else ()
    attempt_id = attempt_in(custom_id_in(found))
    return (AskPsp(attempt_id),) if attempt_id else ()


def _found(response: HttpResponse, subject: Subject, path: str) -> Json:
    """Raises ReadFailed; ValueError or KeyError for what is not the thing that was asked for."""
    found = read(response)
    if path_of(subject, found["dispute_id" if subject is Subject.DISPUTE else "id"]) != path:
        raise ValueError("PayPal answered with another thing than was asked for")
    return found


def _disputed(dispute: Json, session: Session) -> Conversation[str | None]:
    """The attempt whose money is disputed. Not every dispute repeats what we called the payment, but its capture does."""
    for one in (dispute.get("disputed_transactions") or ())[:DISPUTED_MAX]:
        attempt_id = attempt_in(one.get("custom"))
        if attempt_id is None and one.get("seller_transaction_id"):
            path = path_of(Subject.CAPTURE, one["seller_transaction_id"])
            response = yield from session.ask(session.get(path, "look_up"))
            known = response.status != 404
            attempt_id = attempt_in(custom_id_in(_found(response, Subject.CAPTURE, path))) if known else None
        if attempt_id is not None:
            return attempt_id
    return None


def setup(url: str) -> WebhookSetup:
    return WebhookSetup(
        url=url,
        events=EVENT_TYPE.telling(),
        where="PayPal Developer Dashboard, Apps & Credentials, your REST app: Add Webhook",
        secret="Webhook ID, beside the URL in the list of the app's webhooks",  # noqa: S106 - words about it
        secret_field="webhook_id",  # noqa: S106 - a setting's name
        creates=True,
    )


def create(url: str, session: Session) -> Conversation[WebhookMade | Refusal]:
    """PayPal takes a URL once for an app: one that is there already is found in its list."""
    body = {"url": url, "event_types": [{"name": name} for name in EVENT_TYPE.telling()]}
    response = yield from session.ask(session.post(PATH, body, "create_webhook", moves_money=False))
    if response.status == 201:
        return _made(read(response))
    if response.status == 400 and response.json().get("name") == EXISTS:
        listed = read((yield from session.ask(session.get(PATH, "create_webhook"))))
        for one in listed["webhooks"]:
            if one["url"] == url:
                return _made(one)
    return refusal_of(response)


def _made(webhook: Json) -> WebhookMade:
    id = str(webhook["id"])
    if not re.fullmatch(WEBHOOK_ID, id):
        raise ReadFailed("PayPal's answer holds no webhook id")
    return WebhookMade(id, {"webhook_id": id})
