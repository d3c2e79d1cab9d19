"""Ports with a toy PSP, for tests of what operators configure."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, SecretStr

from chalicelib.contracts.calls import Refusal, RefusalKind
from chalicelib.contracts.connector import Capabilities
from chalicelib.contracts.conversation import Conversation, HttpRequest
from chalicelib.contracts.store import Kind, Store, Version
from chalicelib.contracts.webhooks import Acknowledgement, WebhookMade, WebhookSetup
from chalicelib.domain.errors import StorageFault
from chalicelib.domain.order import CaptureMode
from chalicelib.outbound.driver import Driver
from chalicelib.publishers.registry import publishers
from chalicelib.queues.embedded import EmbeddedQueue
from chalicelib.routing.rules import RouteBody
from chalicelib.services.audit import Actor
from chalicelib.services.configure_connections import ConnectionBody
from chalicelib.services.configure_subscriptions import SubscriptionBody
from chalicelib.services.ports import Ports
from chalicelib.storage.memory import MemoryStore
from chalicelib.vault.keyring import KeyRing

T = TypeVar("T")
ACTOR = Actor("operator", "studio", "req_1")
SHOP = "default"


class MovingClock:
    """Stands still until a test moves it."""

    def __init__(self) -> None:
        self.present = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.present

    def pass_s(self, seconds: float) -> None:
        self.present += timedelta(seconds=seconds)


class ToySettings(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)
    account_fields: ClassVar[frozenset[str]] = frozenset({"account"})
    webhook_fields: ClassVar[frozenset[str]] = frozenset({"webhook_secret"})

    base_url: str
    account: str
    api_key: SecretStr
    webhook_secret: SecretStr | None = None
    headers: dict[str, SecretStr] = {}


class ToyConnector:
    """Says what the HTTP status of its only call says."""

    name: ClassVar[str] = "toy"
    title: ClassVar[str] = "Toy"
    settings: ClassVar[type[BaseModel]] = ToySettings
    capabilities: ClassVar[Capabilities] = Capabilities(
        operations=frozenset({"refund"}),
        payment_methods=frozenset({"card"}),
        currencies=frozenset({"EUR"}),
        capture_modes=frozenset({CaptureMode.AUTOMATIC}),
        partial_capture=False,
        multiple_captures=False,
        partial_refund=True,
        inert_until_visited=True,
        looks_up_references=True,
        key_lives_s={},
    )
    acknowledgement: ClassVar[Acknowledgement] = Acknowledgement()
    signature_headers: ClassVar[frozenset[str]] = frozenset()
    verifies_offline: ClassVar[bool] = True

    def __init__(self, settings: ToySettings) -> None:
        self._settings = settings

    def test(self) -> Conversation[Refusal | None]:
        headers = {"Authorization": self._settings.api_key.get_secret_value()}
        response = yield HttpRequest("GET", self._settings.base_url, headers)
        if response.status == 200:
            return None
        kind = RefusalKind.RATE_LIMITED if response.status == 429 else RefusalKind.MISCONFIGURED
        return Refusal(kind, f"the PSP answered {response.status}")

    def webhook_setup(self, url: str) -> WebhookSetup:
        creates = self._settings.account != "by-hand"
        return WebhookSetup(url, ("paid",), "the toy's box", "its lid", "webhook_secret", creates)

    def create_webhook(self, url: str) -> Conversation[WebhookMade | Refusal]:
        response = yield HttpRequest("POST", self._settings.base_url, body=url.encode())
        if response.status != 200:
            return Refusal(RefusalKind.MISCONFIGURED, f"not with {self._settings.api_key.get_secret_value()}")
        return WebhookMade("we_1", {"webhook_secret": "made-by-the-toy"})


class Killed(BaseException):
    """Stands for the end of the process."""


class MortalStore(MemoryStore):
    """Ends the process at its n-th put, before or after it is committed; `sick` refuses audit entries."""

    def __init__(self) -> None:
        super().__init__()
        self.dies_before: int | None = None
        self.dies_after: int | None = None
        self.puts = 0
        self.sick = False

    def put(self, kind: Kind[T], value: T, *, expect: Version) -> Version:
        self.puts += 1
        if self.puts == self.dies_before:
            raise Killed
        if self.sick and kind.name == "audit":
            raise StorageFault("The database did not answer.")
        version = super().put(kind, value, expect=expect)
        if self.puts == self.dies_after:
            raise Killed
        return version


def ports_at(folder: Path, store: Store | None = None) -> Ports:
    return Ports(
        store=store or MemoryStore(),
        queue=EmbeddedQueue(str(folder / "queue.db")),
        vault=KeyRing(folder / "keyring.json"),
        clock=MovingClock(),
        driver=Driver(),
        connectors={"toy": ToyConnector},  # type: ignore[dict-item]  # a toy that can not take payments
        publishers=publishers(allowed_networks=("127.0.0.0/8",)),
        public_url="http://localhost",
        internet_url="https://hooks.pay.example",
        return_key=lambda: b"k" * 32,
        webhook_key=lambda: b"w" * 32,
    )


def with_store(ports: Ports, store: Store) -> Ports:
    return replace(ports, store=store)


def connection_body(id: str = "toy-nl", **settings: Any) -> ConnectionBody:
    given = {"base_url": "http://127.0.0.1:9/", "account": "nl", "api_key": "key-of-nl", **settings}
    return ConnectionBody(id=id, connector="toy", settings=given)


def route_body(*use: str, name: str = "default", **more: Any) -> RouteBody:
    return RouteBody.model_validate({"name": name, "otherwise": {"use": list(use)}, **more})


def subscription_body(url: str = "http://127.0.0.1:9/", **more: Any) -> SubscriptionBody:
    document = {"name": "Orders", "channel": "webhook", "target": {"url": url}, "events": ["payment.*"], **more}
    return SubscriptionBody.model_validate(document)


@contextmanager
def answering(status: int) -> Iterator[tuple[str, list[tuple[dict[str, str], bytes]]]]:
    """A server that gives every request one status: its address, and the headers and bodies it was sent."""
    taken: list[tuple[dict[str, str], bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            taken.append(({name.lower(): text for name, text in self.headers.items()}, self.rfile.read(length)))
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_POST = do_GET

        def log_message(self, format: str, *args: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/", taken
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
