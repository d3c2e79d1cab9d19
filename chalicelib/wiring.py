"""Puts implementations behind the ports: with the registries the only place that knows them all. Lazy and cached.

Each part is imported where it is made, because a function on Lambda pays at its start for all that it imports, and each
needs a few of them.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from chalicelib import telemetry
from chalicelib.contracts.clock import SystemClock
from chalicelib.domain.errors import StorageFault, StorageFull, StorageReadOnly
from chalicelib.services.ports import InboundPorts, Ports
from chalicelib.settings import Settings

if TYPE_CHECKING:
    from chalicelib.contracts.connector import Connector
    from chalicelib.contracts.conversation import HttpRequest
    from chalicelib.contracts.queue import Queue
    from chalicelib.contracts.store import Store
    from chalicelib.contracts.vault import Vault
    from chalicelib.identity.verify import TokenVerifier
    from chalicelib.services.apply import Apply
    from chalicelib.services.attend import Attend
    from chalicelib.services.checkout import Checkout
    from chalicelib.services.configuration import Configuration
    from chalicelib.services.health import Health
    from chalicelib.services.intake import Intake
    from chalicelib.services.notify import Notify
    from chalicelib.services.operate import Operate
    from chalicelib.services.prove_vault import VaultProof
    from chalicelib.services.resolve import Resolve
    from chalicelib.services.retry import Retrying
    from chalicelib.services.returns import Returns
    from chalicelib.services.try_chain import TryChain
    from chalicelib.services.work import Work
    from chalicelib.storage.dynamodb import DynamoStore
    from chalicelib.storage.sql import SqlStore

log = logging.getLogger("paymentserver.wiring")
DYNAMODB = "dynamodb:"
OUTBOX_PATIENCE_S = 900.0  # where each look at a payment is paid for; what could not be queued is not put off
SUBSCRIPTIONS_TTL_S = 1.0  # where a list is paid for too, and lags in any case


@dataclass
class Wiring:
    """Everything that handles a request, made when it is first needed."""

    settings: Settings

    @cached_property
    def store(self) -> Store:
        from chalicelib.storage.counted import CountedStore

        return CountedStore(self._dynamo or self._sql())

    @cached_property
    def _dynamo(self) -> DynamoStore | None:
        settings = self.settings
        if not settings.store_url.startswith(DYNAMODB):
            return None
        from chalicelib.services.kinds import KINDS
        from chalicelib.storage.dynamodb import DynamoStore

        prefix = settings.store_url.removeprefix(DYNAMODB)
        return DynamoStore(prefix, KINDS, shards=settings.shards, create_tables=settings.create_tables)

    def _sql(self) -> SqlStore:
        from chalicelib.services.kinds import KINDS
        from chalicelib.storage.sql import SqlStore

        return SqlStore(self.settings.store_url, KINDS)

    @cached_property
    def queue(self) -> Queue:
        if self.settings.queue_url:
            from chalicelib.queues.sqs import SqsQueue

            return SqsQueue(self.settings.queue_url)
        from chalicelib.queues.embedded import EmbeddedQueue

        return EmbeddedQueue(str(self.settings.var / "queue.db"))

    @cached_property
    def vault(self) -> Vault:
        settings = self.settings
        if settings.vault_key:
            from chalicelib.vault.kms import KmsVault

            return KmsVault(settings.vault_key, settings.webhook_vault_key, settings.link_key)
        from chalicelib.services.reseal import has_sealed
        from chalicelib.vault.keyring import KeyRing

        return KeyRing(settings.var / "keyring.json", has_sealed=lambda: has_sealed(self.store))

    @cached_property
    def connectors(self) -> Mapping[str, type[Connector]]:
        from chalicelib.connectors.registry import connectors

        return connectors(development=self.settings.is_development)

    @cached_property
    def _inbound(self) -> dict[str, Any]:
        settings = self.settings
        return {
            "store": self.store,
            "queue": self.queue,
            "vault": self.vault,
            "clock": SystemClock(),
            "connectors": self.connectors,
            "internet_url": (settings.internet_url or settings.public_url).rstrip("/"),
            "return_key": lambda: self.vault.derive("return links"),
            "webhook_key": lambda: self.vault.derive("webhook addresses"),
            "configuration_ttl_s": settings.configuration_ttl_s,
            "subscriptions_ttl_s": SUBSCRIPTIONS_TTL_S if settings.store_url.startswith(DYNAMODB) else 0.0,
        }

    @cached_property
    def inbound_ports(self) -> InboundPorts:
        return InboundPorts(**self._inbound)

    @cached_property
    def ports(self) -> Ports:
        from chalicelib.outbound.driver import Driver
        from chalicelib.publishers.registry import publishers

        settings = self.settings
        return Ports(
            **self._inbound,
            driver=Driver(call_timeout_s=settings.psp_call_timeout_s, observe=_observe),
            publishers=publishers(allowed_networks=settings.reachable_networks),
            public_url=settings.public_url.rstrip("/"),
            checkout_budget_s=settings.checkout_budget_s,
            **self._thrift,
        )

    @cached_property
    def _thrift(self) -> dict[str, Any]:
        """Where each call of the database and the queue is paid for."""
        if not self.settings.store_url.startswith(DYNAMODB):
            return {}
        return {
            "outbox_patience_s": OUTBOX_PATIENCE_S,
            "is_wanted": lambda merchant_id, event_type: self.configuration.is_wanted(merchant_id, event_type),
        }

    @cached_property
    def configuration(self) -> Configuration:
        from chalicelib.services.configuration import Configuration

        return Configuration(self.inbound_ports)

    @cached_property
    def vault_proof(self) -> VaultProof:
        from chalicelib.services.prove_vault import VaultProof

        return VaultProof(self.inbound_ports)

    @cached_property
    def health(self) -> Health:
        from chalicelib.services.health import Health

        return Health(self.ports)

    @cached_property
    def try_chain(self) -> TryChain:
        from chalicelib.services.try_chain import TryChain

        return TryChain(self.ports, self.configuration, self.health)

    @cached_property
    def checkout(self) -> Checkout:
        from chalicelib.services.checkout import Checkout

        return Checkout(self.ports, self.configuration, self.try_chain)

    @cached_property
    def operate(self) -> Operate:
        from chalicelib.services.operate import Operate

        return Operate(self.ports, self.configuration)

    @cached_property
    def retrying(self) -> Retrying:
        from chalicelib.services.retry import Retrying

        return Retrying(self.ports, self.configuration, self.try_chain)

    @cached_property
    def resolve(self) -> Resolve:
        from chalicelib.services.resolve import Resolve

        return Resolve(self.ports, self.configuration)

    @cached_property
    def intake(self) -> Intake:
        from chalicelib.services.intake import Intake

        return Intake(self.inbound_ports, self.configuration)

    @cached_property
    def returns(self) -> Returns:
        from chalicelib.services.returns import Returns

        return Returns(self.inbound_ports)

    @cached_property
    def apply(self) -> Apply:
        from chalicelib.services.apply import Apply

        return Apply(self.ports, self.configuration)

    @cached_property
    def attend(self) -> Attend:
        from chalicelib.services.attend import Attend

        return Attend(self.ports, self.configuration)

    @cached_property
    def notify(self) -> Notify:
        from chalicelib.services.notify import Notify

        return Notify(self.ports, self.configuration)

    @cached_property
    def work(self) -> Work:
        from chalicelib.services.work import Work

        return Work(self)

    @cached_property
    def verifier(self) -> TokenVerifier:
        from chalicelib.identity.verify import TokenVerifier

        settings = self.settings
        return TokenVerifier(
            settings.issuer,
            settings.audience,
            token_types=settings.token_types,
            merchant_claim=settings.merchant_claim,
            default_merchant=settings.default_merchant,
        )

    def connect(self) -> None:
        """Makes the clients of AWS that the settings ask for, which first calls do else: a function on Lambda does that while
        it starts. It calls nobody."""
        from chalicelib.outbound import aws

        if self._dynamo is not None:
            self._dynamo.connect()
        if self.settings.queue_url:
            aws.client("sqs", aws.region_of(urlsplit(self.settings.queue_url).hostname or ""))
        if self.settings.vault_key:
            aws.client("kms")

    def assemble(self) -> None:
        """Makes every part now, since a cached property is not safe in two threads at once, and brings the schema up to
        date. A database that is down or full now is no reason not to start: webhooks are queued without it, and the
        worker tries again. Raises StorageTooNew: what a newer version has written must not be written over."""
        if self.settings.keeps_files:
            self.settings.var.mkdir(mode=0o700, parents=True, exist_ok=True)  # its files name shoppers
        try:
            self.store.migrate()
        except (StorageFault, StorageFull, StorageReadOnly) as error:
            log.error("the schema could not be checked", extra={"fields": {"detail": error.detail}})
        for name, part in vars(Wiring).items():
            if isinstance(part, cached_property):
                getattr(self, name)


def _observe(request: HttpRequest, result: str, seconds: float) -> None:
    """The connector's name is bound by whoever has the conversation."""
    telemetry.count("psp_calls_total", operation=request.operation, certainty=result)
    telemetry.observe("psp_call_seconds", seconds, operation=request.operation)


_lock = threading.Lock()
_wiring: Wiring | None = None
_then: list[Callable[[Wiring], None]] = []


def when_assembled(do: Callable[[Wiring], None]) -> None:
    """What a server wants done once this process, or one forked from it, is wired."""
    _then.append(do)


def wiring() -> Wiring:
    """The process's wiring. Raises pydantic's ValidationError for a bad setting."""
    global _wiring
    if _wiring is None:
        with _lock:
            if _wiring is None:
                made = Wiring(Settings())
                made.assemble()
                for do in _then:
                    do(made)
                _wiring = made
    return _wiring
