"""Serves the configuration from memory, to callers whose tokens read as what they say."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from chalice.test import Client

from chalicelib.api.application import create_app
from chalicelib.identity.caller import Caller
from chalicelib.services.configuration import Configuration
from chalicelib.services.health import Health
from chalicelib.services.ports import Ports
from chalicelib.wiring import Wiring
from tests.services.configured import connection_body, ports_at

EVERYTHING = "config:read config:write audit:read"
CONNECTION = connection_body().model_dump()


class PlainTokens:
    """Tokens that read as what they say; the verification of real ones has tests of its own."""

    def verify(self, header: str | None) -> Caller:
        merchant_id, *scopes = (header or "").split()
        return Caller("operator", "studio", merchant_id, frozenset(scopes))


class Api:
    def __init__(self, client: Client, ports: Ports, health: Health) -> None:
        self._client, self.ports, self.health = client, ports, health

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        match: int | None = None,
        token: str = f"default {EVERYTHING}",
    ) -> Any:
        headers = {"Content-Type": "application/json", "Authorization": token}
        if match is not None:
            headers["If-Match"] = f'"{match}"'
        return self._client.http.request(method, path, headers, b"" if body is None else json.dumps(body).encode())


@contextmanager
def serving_configuration(folder: Path) -> Iterator[Api]:
    ports = ports_at(folder)
    health = Health(ports)
    wired = SimpleNamespace(
        ports=ports, store=ports.store, configuration=Configuration(ports), health=health, verifier=PlainTokens()
    )
    with Client(create_app(lambda: cast(Wiring, wired))) as client:
        yield Api(client, ports, health)
