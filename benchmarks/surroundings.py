"""What a process is put among: a function's environment, a PSP's webhooks and a subscriber on loopback, patience."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue as Mailbox
from threading import Thread

from chalicelib.functions import schedules
from chalicelib.functions.wired import wired
from chalicelib.services import endpoints, notify


@dataclass
class Webhook:
    """As the PSP sent it."""

    path: str
    headers: dict[str, str]
    body: bytes


@contextmanager
def environment(settings: Mapping[str, str]) -> Iterator[None]:
    """A function's, with what its process keeps forgotten before and after."""
    before = dict(os.environ)
    for name in [name for name in os.environ if name.startswith("PAYMENTSERVER_")]:
        del os.environ[name]
    os.environ.update({f"PAYMENTSERVER_{name.upper()}": text for name, text in settings.items()})
    kept = (wired, schedules._sweep, schedules._guardrail)
    for one in kept:
        one.cache_clear()
    try:
        yield
    finally:
        for one in kept:
            one.cache_clear()
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def patience() -> Iterator[None]:
    """A busy machine must not make its own subscriber pass for one that is slow, whose deliveries are put twice."""
    kept = (notify.PATIENCE_S, endpoints.SLOW_S)
    notify.PATIENCE_S = endpoints.SLOW_S = 20.0
    try:
        yield
    finally:
        notify.PATIENCE_S, endpoints.SLOW_S = kept


@contextmanager
def listening(mailbox: Mailbox[Webhook], heard: Sequence[Callable[[int], None]]) -> Iterator[int]:
    """The port of a server that keeps webhooks of PSPs, and tells `heard` of notifications."""

    class Ears(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path.startswith("/webhooks/"):
                mailbox.put(Webhook(self.path, {name.lower(): text for name, text in self.headers.items()}, body))
            else:
                for tell in heard:
                    tell(len(body))
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Ears)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
