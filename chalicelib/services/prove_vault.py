"""Whether the vault opens what is stored: where it does not, no PSP can be called, and no payment taken."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from itertools import chain

from pydantic import BaseModel

from chalicelib.contracts.vault import Use
from chalicelib.domain.errors import VaultFault
from chalicelib.services.audit import merchants_of
from chalicelib.services.kinds import CONNECTION
from chalicelib.services.ports import InboundPorts
from chalicelib.services.secrets import context_of, use_of

PATIENCE_S = 2.0  # no further secret is tried after that
LISTED_MAX = 50  # connections of a merchant account
Sealed = tuple[str, str]  # a token and its context


class VaultProof:
    """One stored secret that opens is proof enough, and the same is opened the next time: a vault that has its key in memory
    then asks nobody. Only where it does not open any more are others looked for, since one connection's may be lost alone."""

    def __init__(self, ports: InboundPorts) -> None:
        self._ports = ports
        self._proven: tuple[Sealed, ...] = ()

    def check(self) -> None:
        """Returns where a secret opens, or none is stored that payments need. Raises VaultFault; store errors pass through."""
        ends, failure = time.monotonic() + PATIENCE_S, None
        for token, context in chain(self._proven, self._stored()):
            try:
                self._ports.vault.open(token, context=context)
            except VaultFault as fault:
                failure = fault
            else:
                self._proven = ((token, context),)
                return
            if time.monotonic() > ends:
                break
        if failure is not None:
            raise failure

    def _stored(self) -> Iterator[Sealed]:
        """One secret of each connection that takes payments."""
        store = self._ports.store
        for merchant_id in merchants_of(store):
            for stored in store.find(CONNECTION, "by_merchant", merchant_id, limit=LISTED_MAX).items:
                of = stored.value
                connector = self._ports.connectors.get(of.connector)
                if of.enabled and of.secrets and connector is not None:
                    place = _credential_in(of.secrets, connector.settings)
                    yield of.secrets[place], context_of(merchant_id, of.id, place)


def _credential_in(secrets: Iterable[str], settings: type[BaseModel]) -> str:
    """What calls the PSP, where that is not what verifies its webhooks."""
    return min(secrets, key=lambda place: use_of(settings, place) is Use.WEBHOOKS)
