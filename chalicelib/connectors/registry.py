"""Every connector by name: a folder here, whose `CONNECTOR` is its class. One of development alone is offered only where the
environment says so."""

from __future__ import annotations

from importlib import import_module

from chalicelib.contracts.connector import Connector

_NAMES = (
    "stripe",
)  # fmt: skip
_OF_DEVELOPMENT = ("sandbox",)


def connectors(*, development: bool) -> dict[str, type[Connector]]:
    names = (*_NAMES, *_OF_DEVELOPMENT) if development else _NAMES
    return {name: import_module(f"chalicelib.connectors.{name}").CONNECTOR for name in names}
