"""A PSP that calls back by GET: it says and signs everything in the query, and calls nobody by POST."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import ClassVar
from urllib.parse import quote, urlencode

from chalicelib.contracts.connector import Capabilities
from chalicelib.contracts.conversation import Conversation
from chalicelib.contracts.query import parameters_of
from chalicelib.contracts.webhooks import AskPsp, Delivery
from chalicelib.domain.errors import SignatureInvalid
from chalicelib.domain.facts import Fact
from tests.psp import SimulatedConnector

SECRET = "callback-secret-of-nobody"


def signature_of(parameters: Mapping[str, str]) -> str:
    text = "\n".join(f"{name}:{value}" for name, value in sorted(parameters.items()))
    return hmac.new(SECRET.encode(), text.encode(), hashlib.sha256).hexdigest()


def signed(**parameters: str) -> str:
    """The query that the PSP would send, each character that may be encoded differently encoded its own way."""
    return urlencode({**parameters, "signature": signature_of(parameters)}, quote_via=quote)


class CallbackConnector(SimulatedConnector):
    capabilities: ClassVar[Capabilities] = replace(SimulatedConnector.capabilities, webhook_methods=frozenset({"GET"}))
    signature_headers: ClassVar[frozenset[str]] = frozenset()

    def verify(self, delivery: Delivery) -> Conversation[None]:
        parameters = parameters_of(delivery.query)
        shown = parameters.pop("signature", "")
        if not shown.isascii() or not hmac.compare_digest(shown, signature_of(parameters)):
            raise SignatureInvalid("The query is not signed by its PSP.")
        return None
        yield

    def read(self, delivery: Delivery) -> Sequence[Fact | AskPsp]:
        attempt_id = parameters_of(delivery.query)["attempt"]
        return self._facts_of(self.psp.sessions[attempt_id], attempt_id)
