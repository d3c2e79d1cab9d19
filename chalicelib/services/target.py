"""A subscription's target with its secrets opened, as its publisher takes it."""

from __future__ import annotations

from chalicelib.contracts.publisher import Target
from chalicelib.domain.configuration import Subscription
from chalicelib.services.ports import Ports
from chalicelib.services.secrets import context_of, opened_settings


def signing_field(secret_id: str) -> str:
    """What a signing secret is called where it is sealed."""
    return f"signing/{secret_id}"


def target_of(ports: Ports, subscription: Subscription) -> Target:
    """Raises VaultFault, and KeyError for a channel that is not offered."""
    publisher = ports.publishers[subscription.channel]
    secrets = tuple(
        ports.vault.open(
            one.sealed, context=context_of(subscription.merchant_id, subscription.id, signing_field(one.id))
        )
        for one in reversed(subscription.signing)
    )
    return Target(opened_settings(ports.vault, subscription, publisher.settings), secrets)
