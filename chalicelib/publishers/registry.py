"""Every channel by name."""

from __future__ import annotations

from collections.abc import Sequence

from chalicelib.contracts.publisher import Publisher
from chalicelib.publishers.webhook import WebhookPublisher


def publishers(*, allowed_networks: Sequence[str]) -> dict[str, Publisher]:
    return {WebhookPublisher.channel: WebhookPublisher(allowed_networks=tuple(allowed_networks))}
