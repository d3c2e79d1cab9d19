"""Every connector by name: a folder here, whose `CONNECTOR` is its class. One of development alone is offered only where the
environment says so."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

from chalicelib.contracts.connector import Connector
from chalicelib.contracts.registry import Registry

_NAMES = (
    "adyen",
    "mollie",
    "paypal",
    "paystack",
    "paytrail",
    "stripe",
)  # fmt: skip
_OF_DEVELOPMENT = ("sandbox",)


def connectors(*, development: bool) -> Mapping[str, type[Connector]]:
    return Registry((*_NAMES, *_OF_DEVELOPMENT) if development else _NAMES, _imported)


def _imported(name: str) -> type[Connector]:
    connector: type[Connector] = import_module(f"chalicelib.connectors.{name}").CONNECTOR
    return connector
