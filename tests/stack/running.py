"""The whole stack as a subprocess: gateway, worker, identity server and sandbox PSPs, as `make run` starts them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from tests.ports import free_port

Json = dict[str, Any]
ROOT = Path(__file__).parents[2]
READY_WITHIN_S = 90
STOPS_WITHIN_S = 30
SECRET_OF = {"demo": "demo-secret", "shop": "shop-secret", "other-shop": "other-shop-secret"}


@dataclass
class Stack:
    """A running stack, and tokens for its clients: `demo` (all scopes) and `shop` (payments alone) act for the merchant
    account `default`, `other-shop` for `other`. Safe to use from several threads."""

    port: int
    var: Path
    process: subprocess.Popen[bytes]
    _tokens: dict[str, str] = field(default_factory=dict)

    @property
    def api(self) -> str:
        return f"http://localhost:{self.port}"

    @property
    def identity(self) -> str:
        return f"http://localhost:{self.port + 1}"

    @property
    def sandbox(self) -> str:
        return f"http://localhost:{self.port + 2}"

    def token(self, client: str = "demo") -> str:
        if client not in self._tokens:
            answer = send("POST", f"{self.identity}/token", data=GRANT, auth=(client, SECRET_OF[client]))
            assert answer.status_code == 200, f"a token for {client}, not {answer.status_code} {answer.text}"
            self._tokens[client] = answer.json()["access_token"]
        return self._tokens[client]

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        client: str | None = "demo",
        headers: dict[str, str] | None = None,
        **more: Any,
    ) -> requests.Response:
        """`body` is sent as JSON; `data=` sends bytes as they are; `client=None` sends no token."""
        named = {"Content-Type": "application/json", **(headers or {})}
        if client is not None:
            named["Authorization"] = f"Bearer {self.token(client)}"
        if body is not None:
            more["json"] = body
        return send(method, self.api + path, headers=named, **more)

    def checkout(self, key: str, *, client: str = "demo", **changes: Any) -> requests.Response:
        return self.call("POST", "/v1/checkouts", order(**changes), client=client, headers={"Idempotency-Key": key})

    def sessions(self, account: str, reference: str) -> list[Json]:
        """What the PSP has under an attempt's id."""
        log = send("GET", f"{self.sandbox}/{account}/log", params={"reference": reference}).json()
        found: list[Json] = log["sessions"]
        return found


GRANT = {"grant_type": "client_credentials"}


def send(method: str, url: str, **more: Any) -> requests.Response:
    """One request on a connection of its own, past any proxy of the environment, and without following redirects."""
    with requests.Session() as session:
        session.trust_env = False
        return session.request(method, url, timeout=40, allow_redirects=False, **more)


def order(**changes: Any) -> Json:
    """A good checkout; a change to None leaves the field out."""
    body = {
        "amount": {"value": 1050, "currency": "EUR"},
        "order_reference": "order-1001",
        "return_url": "https://shop.example/return",
        **changes,
    }
    return {name: value for name, value in body.items() if value is not None}


@contextmanager
def running(var: Path) -> Iterator[Stack]:
    """Starts the stack with its data in `var`; at the end it must stop by itself, in time and with exit code 0."""
    port = free_port(count=4)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PAYMENTSERVER_")}
    environment |= {"PORT": str(port), "PAYMENTSERVER_VAR": str(var)}
    with (var.parent / "stack.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "dev.launcher"], cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT
        )
        try:
            stack = Stack(port, var, process)
            wait_until_ready(stack, Path(log.name))
            yield stack
            process.send_signal(signal.SIGTERM)
            assert process.wait(STOPS_WITHIN_S) == 0, f"the launcher ends with 0, not {process.returncode}"
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()


def wait_until_ready(stack: Stack, log: Path) -> None:
    ends = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < ends and stack.process.poll() is None:
        try:
            if send("GET", f"{stack.api}/health/ready").status_code == 200:
                return
        except requests.ConnectionError:
            pass
        time.sleep(0.1)
    raise AssertionError("the stack becomes ready; instead:\n" + log.read_text(errors="replace")[-4000:])
