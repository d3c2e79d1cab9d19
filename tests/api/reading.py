"""A World behind the API, of which one address is read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar, cast

from chalice.test import Client

from chalicelib.api.application import create_app
from chalicelib.wiring import Wiring
from tests.api.configuring import PlainTokens
from tests.world import World


class Reader:
    """Reads `path` with a token for `scope`, at noon on the first of March."""

    path: str
    scope: str

    def __init__(self, world: World, client: Client) -> None:
        self.world, self._client = world, client

    def call(self, query: str = "", token: str | None = None) -> Any:
        headers = {"Authorization": token or f"default {self.scope}"}
        return self._client.http.request("GET", f"{self.path}{query}", headers, b"")

    def answered(self, query: str = "", token: str | None = None) -> Any:
        answer = self.call(query, token)
        assert answer.status_code == 200, answer.body
        return answer


R = TypeVar("R", bound=Reader)


@contextmanager
def reading(reader: type[R], folder: Path) -> Iterator[R]:
    world = World(folder)
    wired = SimpleNamespace(ports=world.ports, store=world.store, verifier=PlainTokens())
    with Client(create_app(lambda: cast(Wiring, wired))) as client:
        yield reader(world, client)
