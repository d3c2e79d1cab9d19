from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from chalicelib.connectors.sandbox.settings import SandboxSettings
from chalicelib.contracts.store import NEW
from chalicelib.domain.configuration import Connection
from chalicelib.functions import invocation, schedules
from chalicelib.functions.wired import wired
from chalicelib.services.kinds import CONNECTION
from chalicelib.services.secrets import split
from chalicelib.settings import PREFIX, Settings
from chalicelib.wiring import Wiring

SECRET = "webhook-secret-a"
PUBLIC_URL = "https://pay.example"


@dataclass
class Process:
    """A function's process on embedded parts, wired from its environment as in Lambda."""

    wiring: Wiring


@pytest.fixture
def process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Process]:
    """With one connection, `sandbox-a` of the merchant account `default`."""
    for name in Settings.model_fields:
        monkeypatch.delenv(PREFIX + name.upper(), raising=False)
    for name, value in (("ENV", "development"), ("VAR", str(tmp_path / "var")), ("PUBLIC_URL", PUBLIC_URL)):
        monkeypatch.setenv(PREFIX + name, value)
    monkeypatch.setenv(PREFIX + "INTERNET_URL", "https://hooks.pay.example/")
    monkeypatch.setenv(PREFIX + "ISSUER", "https://issuer.example/realm")
    monkeypatch.setattr(invocation, "logs", lambda: None)  # pytest's own handlers stay
    _forget()
    made = wired()
    made.assemble()
    made.store.put(CONNECTION, _connection(made), expect=NEW)
    yield Process(made)
    made.notify.close()
    made.queue.close()
    made.store.close()
    _forget()


def _forget() -> None:
    for cached in (wired, schedules._sweep, schedules._guardrail):
        cached.cache_clear()


def _connection(made: Wiring) -> Connection:
    settings = SandboxSettings.model_validate(
        {
            "base_url": "http://127.0.0.1:9/sandbox-a",
            "account": "sandbox-a",
            "api_key": "key-of-account-a",
            "webhook_secret": SECRET,
        }
    )
    public, sealed = split(made.vault, "default", "sandbox-a", settings, {})
    now = datetime.now(UTC)
    return Connection("default", "sandbox-a", "sandbox", True, public, sealed, 1, now, now)
