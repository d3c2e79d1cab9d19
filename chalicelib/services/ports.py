"""What every service is handed: the ports, and nothing of how they are implemented."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chalicelib.contracts.clock import Clock
    from chalicelib.contracts.connector import Connector
    from chalicelib.contracts.publisher import Publisher
    from chalicelib.contracts.queue import Queue
    from chalicelib.contracts.store import Store
    from chalicelib.contracts.vault import Vault
    from chalicelib.outbound.driver import Driver


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundPorts:
    """Enough to serve what the Internet may reach, where no PSP and no subscriber is called. `connectors` are the registry's
    classes by name. `subscriptions_ttl_s`: how long a list of subscriptions may be used; what a new one is not told meanwhile
    is found when the events in the outbox are seen to."""

    store: Store
    queue: Queue
    vault: Vault
    clock: Clock
    connectors: Mapping[str, type[Connector]]
    internet_url: str  # where PSPs and shoppers reach us
    return_key: Callable[[], bytes]  # signs return links; raises VaultFault where it can not be had
    webhook_key: Callable[[], bytes]  # signs attempts' own addresses for webhooks; the same
    configuration_ttl_s: float = 3.0
    subscriptions_ttl_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports(InboundPorts):
    """`publishers` are the registry's objects by name.

    `outbox_patience_s`: how long after the usual time events that were queued are seen to have arrived, where the database
    charges for each look (domain.put_off). What could not be queued is not put off. `is_wanted`: whether a merchant account's
    event of a type is worth a message; whom it missed is found when the outbox is seen to.
    """

    driver: Driver
    publishers: Mapping[str, Publisher]
    public_url: str
    checkout_budget_s: float = 20.0
    outbox_patience_s: float = 0.0
    is_wanted: Callable[[str, str], bool] = lambda merchant_id, event_type: True
