"""Mollie's webhooks. Both of its ways only ever say "look": what there is to know is read from Mollie itself.

The usual one (docs.mollie.com/reference/webhooks) is a form with nothing but a payment's id, `id=tr_…`, and is not signed. It
goes to the address that the payment gave when it was made, whose token nobody but Mollie and we know: that is its signature,
and the payment meant is the one whose address it is, whatever the form says: its id is what the payment is asked for by where
the call that made it was never answered, and Mollie must call it that one's. The other (docs.mollie.com/reference/webhooks-new)
goes to the one address that was entered in the Dashboard, and is signed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from chalicelib.connectors.mollie.facts import attempt_in
from chalicelib.connectors.mollie.places import id_in, payment_id_of
from chalicelib.connectors.mollie.signature import HEADER, check
from chalicelib.connectors.mollie.tables import EVENT_TYPE, Subject
from chalicelib.contracts.webhooks import AskPsp, Delivery, LookUp, WebhookSetup
from chalicelib.domain.errors import SignatureInvalid, Unreadable
from chalicelib.domain.json_text import parse

Json = Mapping[str, Any]
_FORM = re.compile(rb"id=(tr_[A-Za-z0-9]{1,60})")


def verify(delivery: Delivery, secrets: Iterable[str]) -> None:
    """Raises SignatureInvalid and nothing else: for a signature that is wrong, and where there is neither one nor a token."""
    signature = delivery.headers.get(HEADER)
    if signature is not None:
        check(signature, delivery.body, secrets)
    elif delivery.attempt_id is None:
        raise SignatureInvalid("The webhook has no signature, and did not come to an address that a payment gave.")


def said_in(delivery: Delivery) -> Sequence[AskPsp | LookUp]:
    """Raises Unreadable, but for nothing that came to a payment's own address: what was queued stands for the calls that come
    soon after it (services.looks), so it has to be a look itself. Nothing where an event is about nothing of ours."""
    if delivery.attempt_id is not None:
        form = _FORM.fullmatch(delivery.body)
        return (AskPsp(delivery.attempt_id, form[1].decode() if form else None),)
    try:
        event = parse(delivery.body)
        subject = EVENT_TYPE.of(event["type"])
        return () if subject is Subject.NOTHING else _asked(subject, event)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Unreadable(f"The webhook is no Mollie event ({type(error).__name__}).") from None


def _asked(subject: Subject, event: Json) -> Sequence[AskPsp | LookUp]:
    """An event may have the whole thing in it, or its id and address alone."""
    thing = (event.get("_embedded") or {}).get("entity") or {}
    named = attempt_in(thing)
    if named is not None:
        return (AskPsp(named),)
    if subject is Subject.PAYMENT:
        return (LookUp(id_in(event["entityId"], "tr")),)
    link = ((event.get("_links") or {}).get("entity") or {}).get("href")
    return (LookUp(id_in(thing.get("paymentId") or payment_id_of(link), "tr")),)


def setup(url: str) -> WebhookSetup:
    return WebhookSetup(
        url=url,
        events=EVENT_TYPE.telling(),
        where="nothing need be entered at Mollie, since each payment tells it where its webhooks go. As a second way, Mollie "
        "Dashboard, Developers, Webhooks can call this address with these events, once its signing secret is the setting "
        "webhook_secret",
    )
