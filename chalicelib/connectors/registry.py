"""Every connector by name. A connector of development alone is offered only where the environment says so."""

from __future__ import annotations

from chalicelib.contracts.connector import Connector


def connectors(*, development: bool) -> dict[str, type[Connector]]:
    found: dict[str, type[Connector]] = {}
    if development:
        from chalicelib.connectors.sandbox import SandboxConnector

        found[SandboxConnector.name] = SandboxConnector
    return found
