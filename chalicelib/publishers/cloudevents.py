"""An event as the brokers carry it: the CloudEvents object byte for byte as body, its attributes beside it.

CloudEvents 1.0 calls this structured mode. The bindings let the attributes be repeated as headers, as binary mode has them,
so that consumers filter without reading the body; each binding has its own prefix. `datacontenttype` has none there: it is
the message's content type in binary mode, which in structured mode is the event's own.
"""

from __future__ import annotations

import json

from chalicelib.contracts.publisher import Publication

CONTENT_TYPE = "application/cloudevents+json; charset=utf-8"
ATTRIBUTES = ("id", "source", "specversion", "type", "subject", "time", "sequence")


def attributes_of(publication: Publication) -> dict[str, str]:
    """The attributes that the event has, as text. Raises ValueError for a body that is no JSON object."""
    event = json.loads(publication.body)
    if not isinstance(event, dict):
        raise ValueError("a CloudEvent is a JSON object")
    return {name: str(event[name]) for name in ATTRIBUTES if event.get(name) is not None}


def headers_of(publication: Publication, prefix: str) -> dict[str, str]:
    """`prefix` is the binding's: `ce_` for Kafka, `cloudEvents:` for AMQP, `ce-` for HTTP and Pub/Sub."""
    return {prefix + name: value for name, value in attributes_of(publication).items()}


def ordering_key_of(publication: Publication) -> str:
    """What the broker keeps the order by: the payment, otherwise what the event is about, otherwise its type."""
    if publication.payment_id is not None:
        return publication.payment_id
    return attributes_of(publication).get("subject", publication.event_type)
