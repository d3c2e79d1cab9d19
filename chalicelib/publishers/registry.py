"""Every channel by name."""

from __future__ import annotations

from collections.abc import Sequence

from chalicelib.contracts.publisher import Publisher
from chalicelib.publishers.kafka import KafkaPublisher
from chalicelib.publishers.pubsub import PubSubPublisher
from chalicelib.publishers.rabbitmq import RabbitmqPublisher
from chalicelib.publishers.servicebus import ServiceBusPublisher
from chalicelib.publishers.sqs import SqsPublisher
from chalicelib.publishers.webhook import WebhookPublisher

CHANNELS = (
    KafkaPublisher,
    PubSubPublisher,
    RabbitmqPublisher,
    ServiceBusPublisher,
    SqsPublisher,
    WebhookPublisher,
)


def publishers(*, allowed_networks: Sequence[str]) -> dict[str, Publisher]:
    return {one.channel: one(allowed_networks=tuple(allowed_networks)) for one in CHANNELS}
