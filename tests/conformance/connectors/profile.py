"""What the kit must know of a connector that no recording can say: `tests/connectors/<psp>/profile.py` has it as `PROFILE`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cache
from importlib import import_module
from typing import Any

from chalicelib.connectors.registry import connectors
from chalicelib.contracts.connector import Connector
from chalicelib.contracts.conversation import HttpRequest, HttpResponse
from chalicelib.contracts.webhooks import Delivery
from chalicelib.domain.facts import Kind
from chalicelib.outbound.offline import finished
from chalicelib.services.secrets import secret_texts


class Signs(StrEnum):
    """What a webhook's signature is about."""

    BODY = "body"  # every byte
    QUERY = "query"  # all that it says is a query, each parameter once
    FIELDS = "fields"  # some fields alone: `Profile.signed_fields`
    NOTHING = "nothing"  # it is not signed, so that it may only say "look"


@dataclass(frozen=True, slots=True)
class Profile:
    """`settings` are a connection's, with secrets that look like real ones and are none. `sign` makes the delivery that the
    PSP would send: (what a scenario's `webhook` is, as JSON or text; secret; when it is sent). For a PSP that calls back by
    GET it makes a query of it. `secret` is one of `settings`, `previous_secret` the other live one.

    `prepare` gives a connector what calls before would have: an access token, the key that webhooks are verified with.

    `tolerance_s`: how old a signed time may be, None where none is signed. `opening_tells_amount`: the answer to
    `open_checkout` repeats the amount. `own_words`: words of this PSP that may stand in no other place of the product; its
    name is always one. `signed_fields`: for `Signs.FIELDS`, the JSON pointers of what a signature covers.

    `documents`: by their addresses, the public ones that its webhooks are verified by.

    `sign_answer`, for a PSP that signs its answers: all headers of one, of those that are recorded and the body. `not_read`:
    the kinds of movement that reading an attempt does not show, so that two other sources must tell of them.
    """

    settings: Mapping[str, Any]
    sign: Callable[[bytes, str, datetime], Delivery]
    psp_reference: str
    secret: str = ""
    previous_secret: str | None = None
    signs: Signs = Signs.BODY
    signed_fields: tuple[str, ...] = ()
    tolerance_s: int | None = 300
    opening_tells_amount: bool = True
    own_words: tuple[str, ...] = ()
    prepare: Callable[[Any], None] = lambda connector: None
    documents: Mapping[str, bytes] = field(default_factory=dict)
    sign_answer: Callable[[Mapping[str, str], bytes], Mapping[str, str]] | None = None
    not_read: frozenset[Kind] = frozenset()


NAMES = tuple(sorted(connectors(development=True)))


def connector_class(name: str) -> type[Connector]:
    return connectors(development=True)[name]


@cache
def profile_of(name: str) -> Profile:
    """Raises ModuleNotFoundError for a connector without one: every connector of the registry runs in the kit."""
    found = import_module(f"tests.connectors.{name}.profile").PROFILE
    assert isinstance(found, Profile)
    return found


def connector_of(name: str, **changes: Any) -> Connector:
    """Made of its profile's settings, with `changes`."""
    made = connector_class(name)
    settings = made.settings.model_validate({**profile_of(name).settings, **changes}, strict=False)
    connector = made(settings)  # type: ignore[call-arg]  # every connector is made of its settings
    profile_of(name).prepare(connector)
    return connector


def verified(psp: str, connector: Connector, delivery: Delivery) -> None:
    """As the door does: nobody is asked, but for public documents that are known. Raises SignatureInvalid, and WantsCall where
    somebody must be asked."""

    def known(request: HttpRequest) -> HttpResponse | None:
        assert (request.method, request.body, request.headers.get("Authorization")) == ("GET", None, None)
        return HttpResponse(200, {}, profile_of(psp).documents[request.url])

    finished(connector.verify(delivery), known)


def secrets_of(name: str) -> tuple[str, ...]:
    return secret_texts(connector_class(name).settings.model_validate(dict(profile_of(name).settings), strict=False))
