"""The client: kept-alive connections that each send one request after another, and rounds that take turns."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import secrets
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from benchmarks.constants import ACCOUNT, ORDER
from benchmarks.parts import Gateway

Request = tuple[str, bytes, dict[str, str], int]  # path, body, headers, the status that is right


@dataclass(frozen=True, slots=True)
class Round:
    """`rate` in requests/s over all connections, `cpu_us` the server's own CPU for each."""

    rate: float
    cpu_us: float


@dataclass(frozen=True, slots=True)
class Spread:
    """A median with the least and the greatest of its rounds."""

    median: float
    least: float
    most: float

    def shown(self, digits: int = 0) -> str:
        return f"{self.median:,.{digits}f} ({self.least:,.{digits}f}-{self.most:,.{digits}f})"


def spread_of(values: Sequence[float]) -> Spread:
    return Spread(statistics.median(values), min(values), max(values))


@dataclass(frozen=True, slots=True)
class Comparison:
    """Rounds of floor and product in turn; each ratio is of two rounds that stood side by side."""

    floor: list[Round]
    product: list[Round]

    @property
    def cpu_ratio(self) -> Spread:
        return spread_of([mine.cpu_us / least.cpu_us for least, mine in zip(self.floor, self.product, strict=True)])

    @property
    def rate_ratio(self) -> Spread:
        return spread_of([least.rate / mine.rate for least, mine in zip(self.floor, self.product, strict=True)])


def checkouts(token: str) -> Iterator[Request]:
    body = json.dumps(ORDER).encode()
    while True:
        headers = {
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/json",
            "Idempotency-Key": f"bench-{secrets.token_hex(8)}",
        }
        yield "/v1/checkouts", body, headers, 201


def webhooks() -> Iterator[Request]:
    """A sandbox event about a payment that is not there: taking it in looks at nothing but the signature."""
    session = {"id": "ses_1", "reference": "att_none", "status": "open", "amount": ORDER["amount"], "payment": None}
    body = json.dumps({"id": "evt_1", "type": "session.created", "data": session}).encode()
    while True:
        at = str(int(time.time()))
        signed = hmac.new(ACCOUNT.webhook_secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
        headers = {"Content-Type": "application/json", "Sandbox-Signature": f"t={at},v1={signed}"}
        yield f"/webhooks/default/{ACCOUNT.name}", body, headers, 200


def compare(
    floor: Gateway,
    product: Gateway,
    make: Callable[[], Iterator[Request]],
    connections: int,
    requests: int,
    rounds: int,
) -> Comparison:
    """`requests` in each round, over all connections. A short round of each goes before and does not count."""
    sides: tuple[tuple[Gateway, list[Round]], ...] = ((floor, []), (product, []))
    for gateway, _ in sides:
        _round(gateway, make, connections, requests // 4)
    for number in range(rounds):
        for gateway, done in sides if number % 2 else reversed(sides):
            done.append(_round(gateway, make, connections, requests))
    return Comparison(sides[0][1], sides[1][1])


def _round(gateway: Gateway, make: Callable[[], Iterator[Request]], connections: int, requests: int) -> Round:
    each = max(requests // connections, 1)
    ready, failures = threading.Barrier(connections + 1), list[str]()
    threads = [
        threading.Thread(target=_caller, args=(gateway.port, make(), each, ready, failures)) for _ in range(connections)
    ]
    for thread in threads:
        thread.start()
    ready.wait()
    cpu_s, began = gateway.cpu_s(), time.perf_counter()
    for thread in threads:
        thread.join()
    seconds, cpu_s = time.perf_counter() - began, gateway.cpu_s() - cpu_s
    if failures:
        raise SystemExit(f"{len(failures)} requests went wrong; the first answer: {failures[0]}")
    return Round(each * connections / seconds, cpu_s / (each * connections) * 1e6)


def _caller(port: int, requests: Iterator[Request], count: int, ready: threading.Barrier, failures: list[str]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.connect()
    ready.wait()
    for _ in range(count):
        path, body, headers, right = next(requests)
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        told = answer.read()
        if answer.status != right:
            failures.append(f"{answer.status} {told[:300]!r}")
    connection.close()
