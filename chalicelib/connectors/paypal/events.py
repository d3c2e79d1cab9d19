"""What a PayPal event is about (developer.paypal.com/api/rest/webhooks/event-names).

An event says where to look and nothing else: `signature` tells why. So one that nobody has heard of is followed too, where what
it holds is of a known kind: a refund that failed, for which PayPal documents no event. An event names our attempt by
`custom_id`; what does not, such as a refund that was made in PayPal's own pages, is looked up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chalicelib.connectors.paypal.facts import unit_in
from chalicelib.connectors.paypal.places import attempt_in, capture_id_in, path_of
from chalicelib.connectors.paypal.tables import EVENT_TYPE, RESOURCE_TYPE, Subject
from chalicelib.contracts.webhooks import AskPsp, LookUp
from chalicelib.domain.errors import Unreadable
from chalicelib.domain.facts import Fact
from chalicelib.domain.json_text import parse

Json = Mapping[str, Any]


def said_in(body: bytes) -> Sequence[Fact | AskPsp | LookUp]:
    """Raises Unreadable. Nothing where the event is about nothing of ours."""
    try:
        event = parse(body)
        name, thing = event["event_type"], event["resource"]
        documented, held = EVENT_TYPE.of(name), RESOURCE_TYPE.of(event.get("resource_type"))
        if documented is Subject.NOTHING and (held is None or not EVENT_TYPE.note(name)):
            return ()
        return _asked(held or documented, thing)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise Unreadable(f"The webhook is no PayPal event ({type(error).__name__}).") from None


def _asked(subject: Subject, thing: Json) -> Sequence[AskPsp | LookUp]:
    if subject is Subject.DISPUTE:
        return (LookUp(path_of(subject, thing["dispute_id"])),)
    named = custom_id_in(thing)
    if named is not None:
        attempt_id = attempt_in(named)
        return (AskPsp(attempt_id),) if attempt_id else ()
    capture_id = capture_id_in(thing) if subject is Subject.REFUND else None
    if capture_id is not None:
        return (LookUp(path_of(Subject.CAPTURE, capture_id)),)
    return (LookUp(path_of(subject, thing.get("id") or thing.get("order_id"))),)


def custom_id_in(thing: Json) -> str | None:
    """Of a movement, or of an order's one purchase unit; None where neither says."""
    named = thing.get("custom_id") or unit_in(thing).get("custom_id")
    return str(named) if named else None
