"""Adyen as its specification has it, over HTTP: links, modifications, idempotency keys, and the webhooks that tell of them.

It keeps what it was asked for, so that a test can hold every request against the specification, and can take a call in without
answering it.
"""

from __future__ import annotations

import copy
import itertools
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Json = dict[str, Any]
KINDS = {"captures": "CAPTURE", "cancels": "CANCELLATION", "refunds": "REFUND"}


@dataclass
class Asked:
    method: str
    path: str
    headers: dict[str, str]
    body: Json | None


@dataclass
class Peer:
    """One merchant account. `time` is what its events are dated with. `silent`: how many calls are carried out and never
    answered. `told` are the items that no delivery has brought yet."""

    account: str
    api_key: str
    time: Callable[[], str]
    url: str = ""
    silent: int = 0
    links: dict[str, Json] = field(default_factory=dict)
    payments: dict[str, Json] = field(default_factory=dict)
    modifications: list[Json] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    told: list[Json] = field(default_factory=list)
    keys: dict[str, tuple[int, Json]] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, asked: Asked) -> tuple[int, Json]:
        with self.lock:
            self.asked.append(asked)
            if asked.headers.get("x-api-key") != self.api_key:
                return _error(401, "000", "HTTP Status Response - Unauthorized", "security")
            if asked.body is not None and asked.body.get("merchantAccount", self.account) != self.account:
                return _error(403, "901", "Invalid Merchant Account", "security")
            key = asked.headers.get("idempotency-key")
            if key in self.keys:
                return self.keys[key]
            said = self._carried_out(asked)
            if key is not None and said[0] < 300:
                self.keys[key] = said
            return said

    def _carried_out(self, asked: Asked) -> tuple[int, Json]:
        _, noun, *rest = asked.path.split("/")
        body = asked.body or {}
        if noun == "paymentMethods":
            return 200, {"paymentMethods": [{"name": "Cards", "type": "scheme"}]}
        if noun == "paymentLinks" and asked.method == "POST":
            id = self._name("PL")
            self.links[id] = {**body, "id": id, "status": "active", "url": f"https://test.adyen.link/{id}"}
            return 201, copy.deepcopy(self.links[id])
        if noun == "paymentLinks":
            return self._link(asked.method, self.links.get(rest[0]))
        payment = self.payments.get(rest[0])
        if payment is None:
            return _error(422, "167", "Original pspReference required for this operation", "validation")
        return 201, self._modified(payment, rest[1], body)

    def _link(self, method: str, link: Json | None) -> tuple[int, Json]:
        if link is None:
            return _error(404, "000", "Not Found", "validation")
        if method == "PATCH" and link["status"] != "active":
            return _error(422, "111", "The link is no longer active", "validation")
        if method == "PATCH":
            link["status"] = "expired"
        return 200, copy.deepcopy(link)

    def _modified(self, payment: Json, what: str, body: Json) -> Json:
        made = {**body, "pspReference": self._name("MOD"), "paymentPspReference": payment["pspReference"]}
        self.modifications.append({**made, "event": KINDS[what]})
        self._tell(
            KINDS[what], made["pspReference"], body["reference"], body.get("amount") or payment["amount"], payment
        )
        return {**made, "status": "received"}

    def pay(self, link_id: str) -> None:
        """The shopper pays on the page."""
        link, reference = self.links[link_id], self._name("PAY")
        assert link["status"] == "active"
        link["status"] = "completed"
        self.payments[reference] = {"pspReference": reference, "amount": link["amount"]}
        self._tell("AUTHORISATION", reference, link["reference"], link["amount"])

    def decline(self, link_id: str, reason: str) -> None:
        """The shopper's card is refused; the page stays."""
        link = self.links[link_id]
        assert link["status"] == "active"
        self._tell(
            "AUTHORISATION", self._name("PAY"), link["reference"], link["amount"], success="false", reason=reason
        )

    def _tell(
        self, event: str, name: str, reference: str, amount: Json, payment: Json | None = None, **more: str
    ) -> None:
        item = {
            "eventCode": event,
            "pspReference": name,
            "merchantAccountCode": self.account,
            "merchantReference": reference,
            "amount": amount,
            "eventDate": self.time(),
            "success": "true",
            "reason": "",
            **({"originalReference": payment["pspReference"]} if payment else {}),
            **more,
        }
        self.told.append(item)

    def delivery(self) -> bytes:
        """All that nobody was told of yet, in one delivery."""
        items = [{"NotificationRequestItem": item} for item in self.told]
        self.told = []
        return json.dumps({"live": "false", "notificationItems": items}).encode()

    def _name(self, prefix: str) -> str:
        return f"{prefix}{next(self.numbers):013d}"


def _error(status: int, code: str, message: str, kind: str) -> tuple[int, Json]:
    return status, {"status": status, "errorCode": code, "message": message, "errorType": kind}


@contextmanager
def serving(peer: Peer) -> Iterator[Peer]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _any(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, document = peer.answer(Asked(self.command, self.path, headers, json.loads(raw) if raw else None))
            if peer.silent:
                peer.silent -= 1
                self.close_connection = True
                return
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PATCH = _any

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    peer.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield peer
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
