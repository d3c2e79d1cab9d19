"""Every channel by name, and its publisher's class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

from chalicelib.contracts.publisher import Publisher
from chalicelib.contracts.registry import Registry

# The module that a channel's name is also.
CHANNELS = {
    "kafka": "KafkaPublisher",
    "pubsub": "PubSubPublisher",
    "rabbitmq": "RabbitmqPublisher",
    "servicebus": "ServiceBusPublisher",
    "sqs": "SqsPublisher",
    "webhook": "WebhookPublisher",
}


def publishers(*, allowed_networks: Sequence[str]) -> Mapping[str, Publisher]:
    def made(name: str) -> Any:
        publisher = getattr(import_module(f"chalicelib.publishers.{name}"), CHANNELS[name])
        return publisher(allowed_networks=tuple(allowed_networks))

    return Registry(CHANNELS, made)
