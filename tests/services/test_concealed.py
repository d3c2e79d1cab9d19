"""A PSP that repeats our key in its answer puts it nowhere: not in a test's answer, a payment or its timeline."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from chalicelib.connectors.registry import connectors
from chalicelib.contracts.calls import Refusal, RefusalKind
from chalicelib.domain.facts import Decline, DeclineClass
from chalicelib.domain.money import Money
from chalicelib.domain.order import Order
from chalicelib.services.checkout import Checkout
from chalicelib.services.configuration import Configuration
from chalicelib.services.configure_connections import ConnectionBody, check_connection, create_connection
from chalicelib.services.configure_routes import create_route
from chalicelib.services.health import Health
from chalicelib.services.kinds import PAYMENT
from chalicelib.services.ports import Ports
from chalicelib.services.secrets import MASK, concealed
from chalicelib.services.try_chain import TryChain
from tests.services.configured import ACTOR, SHOP, ports_at, route_body
from tests.world import render

KEY = "key-of-nl-0123456789"


class Echo(BaseHTTPRequestHandler):
    """Refuses every key by name, as a sandbox PSP would."""

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        error = {"code": "unauthorized", "message": f"there is no account for {self.headers['Authorization']}"}
        body = json.dumps({"error": error}).encode()
        self.send_response(401)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, format: str, *args: object) -> None:
        return


@contextmanager
def echoing() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/psp"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def ports(tmp_path: Path) -> Iterator[Ports]:
    with echoing() as url:
        ports = replace(ports_at(tmp_path), connectors=connectors(development=True))
        settings = {"base_url": url, "account": "nl", "api_key": KEY, "webhook_secret": "hook-of-nl"}
        create_connection(ports, ACTOR, SHOP, ConnectionBody(id="psp-nl", connector="sandbox", settings=settings))
        yield ports


def test_a_connection_test_conceals_the_key(ports: Ports) -> None:
    found = check_connection(ports, SHOP, "psp-nl")
    assert found.problem == "credentials"
    assert f"there is no account for Bearer {MASK}" in found.detail


def test_a_payment_and_its_timeline_conceal_the_key(ports: Ports) -> None:
    create_route(ports, ACTOR, SHOP, route_body("psp-nl"))
    order = Order(Money(1000, "EUR"), "order-1", "https://shop.example/r", "https://shop.example/c")
    configuration = Configuration(ports)
    Checkout(ports, configuration, TryChain(ports, configuration, Health(ports))).open(
        SHOP, "a-key", "f", order, render
    )
    stored = ports.store.find(PAYMENT, "by_time", SHOP).items[0].value
    told = PAYMENT.encode(stored).decode()
    assert f"there is no account for Bearer {MASK}" in told
    assert KEY not in told


def test_a_decline_conceals_it_too() -> None:
    decline = Decline(DeclineClass.HARD, "other", message=f"bad {KEY}")
    said = concealed(Refusal(RefusalKind.DECLINED, f"no, {KEY}", decline), (KEY, "short"))
    assert KEY not in repr(said)
    assert said.decline is not None
    assert said.decline.message == f"bad {MASK}"


def test_a_live_connection_does_not_show_its_secrets(ports: Ports) -> None:
    live = Configuration(ports).connection(SHOP, "psp-nl")
    assert KEY in live.secrets
    assert KEY not in repr(live)
