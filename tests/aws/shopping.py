"""A deployed stack with what is around it: an identity server, sandbox PSPs, and somebody who calls its schedules sooner."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import requests

from dev.sandbox.accounts import ACCOUNTS
from dev.seed import ROUTES
from dev.shop import Json, Shop
from tests.aws.packages import Package
from tests.aws.standin import Deployed, deployed
from tests.ports import free_port
from tests.servers.process import serving

SWEEP_EVERY_S = 2.0
ON_RETURN = "sandbox-c"  # a PSP that pays only once the shopper has come back, and a route to it


@dataclass
class Surroundings:
    """Everything a shop needs; `shop` has a token with every scope, and the sandbox's connections and routes are there."""

    stack: Deployed
    identity: str
    sandbox: str
    shop: Shop


def come_back(around: Surroundings) -> tuple[Json, requests.Response]:
    """A payment at a PSP that waits for the shopper's return, and what our return link answers her."""
    answer = around.shop.checkout("returning", route=ON_RETURN)
    assert answer.status_code == 201, answer.text
    payment: Json = answer.json()
    page = requests.post(payment["next_action"]["url"], data={"outcome": "paid"}, allow_redirects=False, timeout=30)
    assert page.status_code == 303, page.text
    link = urlsplit(page.headers["Location"])
    assert link.netloc.endswith(".on.aws"), page.headers["Location"]
    return payment, requests.get(f"{around.stack.webhooks}{link.path}", allow_redirects=False, timeout=30)


@contextmanager
def surroundings(package: Package, folder: Path) -> Iterator[Surroundings]:
    identity_port, sandbox_port = free_port(), free_port()
    identity, sandbox = f"http://localhost:{identity_port}", f"http://localhost:{sandbox_port}"
    with ExitStack() as around:
        around.enter_context(_child("dev.identity", identity_port, folder, "--issuer", identity))
        stack = around.enter_context(deployed(package, folder, {"Issuer": identity}))
        around.enter_context(_child("dev.sandbox", sandbox_port, folder, "--webhook-base", stack.webhooks))
        shop = Shop(stack.api, identity)
        _configure(shop, sandbox)
        around.enter_context(_sweeping(stack))
        yield Surroundings(stack, identity, sandbox, shop)


def _child(module: str, port: int, folder: Path, *options: str) -> AbstractContextManager[None]:
    name = module.rpartition(".")[2]
    command = [sys.executable, "-m", module, "--port", str(port), "--state", str(folder / name), *options]
    return serving(command, port, folder / f"{name}.log", {**os.environ, "PAYMENTSERVER_ENV": "development"})


def _configure(shop: Shop, sandbox: str) -> None:
    """By the API, as an operator would."""
    for account in ACCOUNTS.values():
        settings: Json = {
            "base_url": f"{sandbox}/{account.name}",
            "account": account.name,
            "api_key": account.api_key,
            "webhook_secret": account.webhook_secret,
        }
        if account.name == ON_RETURN:
            settings["capture_on_return"] = True
            options = {"capture_on_return": True}
            assert requests.put(f"{sandbox}/{account.name}/options", json=options, timeout=10).status_code == 200
        body = {"id": account.name, "connector": "sandbox", "settings": settings}
        answer = shop.call("POST", "/v1/connections", body)
        assert answer.status_code == 201, answer.text
    for route in (*ROUTES, {"name": ON_RETURN, "otherwise": {"use": [ON_RETURN]}}):
        answer = shop.call("POST", "/v1/routes", dict(route))
        assert answer.status_code == 201, answer.text


@contextmanager
def _sweeping(stack: Deployed) -> Iterator[None]:
    stopped = threading.Event()

    def sweep() -> None:
        while not stopped.wait(SWEEP_EVERY_S):
            stack.call("sweep", {})

    thread = threading.Thread(target=sweep)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()
