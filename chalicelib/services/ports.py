"""What every service is handed: the ports, and nothing of how they are implemented."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from chalicelib.contracts.clock import Clock
from chalicelib.contracts.connector import Connector
from chalicelib.contracts.publisher import Publisher
from chalicelib.contracts.queue import Queue
from chalicelib.contracts.store import Store
from chalicelib.contracts.vault import Vault
from chalicelib.outbound.driver import Driver


@dataclass(frozen=True, slots=True)
class Ports:
    """`connectors` and `publishers` are the registries' classes and objects by name."""

    store: Store
    queue: Queue
    vault: Vault
    clock: Clock
    driver: Driver
    connectors: Mapping[str, type[Connector]]
    publishers: Mapping[str, Publisher]
    public_url: str
    internet_url: str  # where PSPs and shoppers reach us
    return_key: Callable[[], bytes]  # signs return links; made when the first one is needed
    checkout_budget_s: float = 20.0
    configuration_ttl_s: float = 3.0
