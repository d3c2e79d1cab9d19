"""Serves the whole app from a folder of the test's own, through Chalice's local gateway; no PSP and no issuer listens."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chalice.test import Client, HTTPResponse

from chalicelib.api.application import create_app
from chalicelib.settings import Settings
from chalicelib.wiring import Wiring

PUBLIC_URL = "https://payments.example"
ISSUER = "https://issuer.example/realm"


@dataclass
class Served:
    client: Client
    wiring: Wiring

    def call(self, method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes = b"") -> HTTPResponse:
        return self.client.http.request(method, path, headers=dict(headers or {}), body=body)


def header(response: HTTPResponse, name: str) -> str | None:
    found = [value for key, value in response.headers.items() if key.lower() == name.lower()]
    return found[0] if found else None


def json_body(response: HTTPResponse) -> Any:
    return json.loads(response.body)


@contextmanager
def serving(folder: Path, **settings: Any) -> Iterator[Served]:
    wiring = Wiring(Settings(var=folder, public_url=PUBLIC_URL, issuer=ISSUER, **settings))
    wiring.assemble()
    wiring.store.migrate()
    with Client(create_app(lambda: wiring)) as client:
        yield Served(client, wiring)
    wiring.queue.close()
