"""`make run`: PaymentServer, its worker, the identity server and the sandbox PSPs, all on loopback."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from dev.children import Child, stop
from dev.folder_lock import FolderLock

READY_WITHIN_S = 60
SEED_VERSION = "1"


@dataclass(frozen=True, slots=True)
class Places:
    """Where everything listens and keeps its data."""

    port: int
    var: Path

    @property
    def api(self) -> str:
        return f"http://localhost:{self.port}"

    @property
    def identity(self) -> str:
        return f"http://localhost:{self.port + 1}"

    @property
    def sandbox(self) -> str:
        return f"http://localhost:{self.port + 2}"

    @property
    def metrics_port(self) -> int:
        return self.port + 3

    def environment(self) -> dict[str, str]:
        """The settings of PaymentServer's own processes; what is set outside wins."""
        made = {
            "PAYMENTSERVER_ENV": "development",
            "PAYMENTSERVER_VAR": str(self.var),
            "PAYMENTSERVER_PUBLIC_URL": self.api,
            "PAYMENTSERVER_ISSUER": self.identity,
            "PAYMENTSERVER_DEPENDENCIES": (
                f'["{self.identity}/.well-known/openid-configuration","{self.sandbox}/healthz"]'
            ),
        }
        return {name: os.environ.get(name, value) for name, value in made.items()}


def places() -> Places:
    port = os.environ.get("PORT", "8000")
    if not port.isdigit() or not 1024 <= int(port) <= 65_000:
        sys.exit(f"PORT must be a number from 1024 to 65000, not {port!r}.")
    return Places(int(port), Path(os.environ.get("PAYMENTSERVER_VAR", "var")).absolute())


def children_of(at: Places, lock: FolderLock) -> list[Child]:
    here, inherits = at.environment(), (lock.descriptor,)
    return [
        Child(
            "identity",
            "dev.identity",
            ["--port", str(at.port + 1), "--issuer", at.identity, "--state", str(at.var / "identity")],
            here,
            inherits,
        ),
        Child(
            "sandbox",
            "dev.sandbox",
            ["--port", str(at.port + 2), "--state", str(at.var / "sandbox"), "--webhook-base", at.api],
            here,
            inherits,
        ),
        Child("gateway", "server.serve", ["--port", str(at.port)], here, inherits),
        Child("worker", "server.worker", ["--metrics-port", str(at.metrics_port)], here, inherits),
    ]


def check_ports(at: Places) -> None:
    """Whatever has one now is none of our parts: those are gone when the folder's lock is ours."""
    for port in range(at.port, at.port + 4):
        if not _is_free(port):
            other = 9000 if at.port != 9000 else 9100
            sys.exit(f"Port {port} is taken. Stop what uses it, or choose others: PORT={other} make run")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def prepare(at: Places) -> None:
    """Schema and the first start's seed; a later start finds the mark and does nothing."""
    mark = at.var / "seeded"
    if mark.exists() and mark.read_text() == SEED_VERSION:
        return
    os.environ.update(at.environment())
    from dev.seed import seed

    seed(at.sandbox)
    mark.write_text(SEED_VERSION)


class Stopping:
    """Whether somebody asked to stop; twice is the same as once."""

    def __init__(self) -> None:
        self.asked = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._ask)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self.asked = True


def wait_until_ready(at: Places, children: list[Child], stopping: Stopping) -> bool:
    """False when it was asked to stop meanwhile."""
    ends = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < ends:
        if stopping.asked:
            return False
        try:
            with urllib.request.urlopen(f"{at.api}/health/ready", timeout=2) as answer:  # noqa: S310
                if answer.status == 200:
                    return True
        except (OSError, urllib.error.URLError):
            pass
        if not all(child.revive() for child in children):
            break
        time.sleep(0.05)
    stop(children)
    sys.exit("PaymentServer did not become ready; what its parts printed above says why.")


def greet(at: Places) -> None:
    print(
        f"""
PaymentServer is ready.

  API             {at.api}            what there is: {at.api}/docs
  identity        {at.identity}/.well-known/openid-configuration
  sandbox PSPs    {at.sandbox}/sandbox-a/dashboard (also sandbox-b, sandbox-c)
  metrics         http://127.0.0.1:{at.metrics_port}/metrics
  data            {at.var}

A token with every scope:

  TOKEN=$(curl -s -u demo:demo-secret -d grant_type=client_credentials {at.identity}/token | \\
          python3 -c 'import json,sys; print(json.load(sys.stdin)["access_token"])')

A first checkout:

  curl -s {at.api}/v1/checkouts -H "Authorization: Bearer $TOKEN" -H "Idempotency-Key: first" \\
       -d '{{"amount": {{"value": 1050, "currency": "EUR"}}, "order_reference": "order-1001", "return_url": "https://shop.example/return"}}'

Or six payments with their timelines, from another terminal:  make demo
Ctrl-C stops everything; nothing is lost.
""",
        flush=True,
    )


def main() -> None:
    at = places()
    lock = FolderLock(at.var)
    check_ports(at)
    stopping = Stopping()
    prepare(at)
    children = children_of(at, lock)
    *serving, worker = children
    for child in serving:
        child.start()
    if wait_until_ready(at, serving, stopping):
        worker.start()  # its imports would take the others' time
        greet(at)
    while not stopping.asked and all(child.revive() for child in children):
        time.sleep(0.2)
    lock.stopping()
    stop(children)


if __name__ == "__main__":
    main()
