"""PSPs that can run here, and how to run their connectors against them."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import requests

from chalicelib.connectors.sandbox import SandboxConnector
from chalicelib.connectors.sandbox.settings import SandboxSettings
from chalicelib.contracts.calls import AttemptRef
from chalicelib.contracts.connector import Connector
from chalicelib.contracts.webhooks import Delivery
from dev.sandbox.accounts import ACCOUNTS
from dev.sandbox.loopback import serving


@dataclass(frozen=True, slots=True)
class Psp:
    """One PSP account that can be talked to.

    `shopper` does what a shopper does on the page: paid, authorized, declined or cancelled. `delivery` is the webhook the
    PSP would send of the attempt now, signed with `secret` or its own. `misbehaving` is the metadata that makes it do so.
    """

    connector: Connector
    wrong_credentials: Connector
    shopper: Callable[[str, str], None]
    delivery: Callable[[AttemptRef], Delivery]
    misbehaving: Callable[[str], dict[str, str]]


def signed(body: bytes, secret: str, at: float | None = None) -> Delivery:
    sent = int(time.time() if at is None else at)
    mac = hmac.new(secret.encode(), f"{sent}.".encode() + body, hashlib.sha256).hexdigest()
    return Delivery({"sandbox-signature": f"t={sent},v1={mac}"}, body, datetime.now(UTC))


@contextmanager
def sandbox(folder: Path) -> Iterator[Psp]:
    account = ACCOUNTS["sandbox-a"]

    def connector_with(base: str, key: str) -> SandboxConnector:
        return SandboxConnector(
            SandboxSettings.model_validate(
                {"base_url": base, "account": account.name, "api_key": key, "webhook_secret": account.webhook_secret},
                strict=False,
            )
        )

    with serving(folder, webhook_base="http://127.0.0.1:9") as address:
        base = f"{address}/{account.name}"

        def shopper(url: str, outcome: str) -> None:
            answer = requests.post(url, data={"outcome": outcome}, allow_redirects=False, timeout=5)
            assert answer.status_code == 303

        def delivery(attempt: AttemptRef) -> Delivery:
            headers = {"Authorization": f"Bearer {account.api_key}"}
            found: Any = requests.get(
                f"{base}/v1/sessions", params={"reference": attempt.attempt_id}, headers=headers, timeout=5
            )
            return signed(
                json.dumps({"id": "evt_1", "data": found.json()["items"][0]}).encode(), account.webhook_secret
            )

        yield Psp(
            connector_with(base, account.api_key),
            connector_with(base, "sk_wrong_key"),
            shopper,
            delivery,
            lambda how: {account.name: how},
        )


HARNESSES: dict[str, Callable[[Path], AbstractContextManager[Psp]]] = {"sandbox": sandbox}
