"""Settings come from the environment, and a bad one is told by its name."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from chalicelib.settings import PREFIX, Settings


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(PREFIX + name.upper(), raising=False)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("env", "development", "development"),
        ("var", "/srv/var", Path("/srv/var")),
        ("shards", "16", 16),
        ("create_tables", "true", True),
        ("psp_call_timeout_s", "2.5", 2.5),
        ("default_merchant", "acme", "acme"),
        ("token_types", '["at+jwt", "JWT"]', ("at+jwt", "JWT")),
        ("allowed_targets", "[]", ()),
    ],
)
def test_the_environment_gives_settings(monkeypatch: pytest.MonkeyPatch, name: str, text: str, value: object) -> None:
    monkeypatch.setenv(PREFIX + name.upper(), text)
    assert getattr(Settings(), name) == value


def test_what_is_given_goes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAYMENTSERVER_SHARDS", "16")
    assert Settings(shards=2).shards == 2


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("PAYMENTSERVER_SHARDS", "many"),
        ("PAYMENTSERVER_ENV", "staging"),
        ("PAYMENTSERVER_TOKEN_TYPES", "JWT"),
        ("PAYMENTSERVER_TOKEN_TYPES", '"JWT"'),
        ("PAYMENTSERVER_ALLOWED_TARGETS", '["not a network"]'),
    ],
)
def test_a_bad_setting_is_named(monkeypatch: pytest.MonkeyPatch, variable: str, text: str) -> None:
    monkeypatch.setenv(variable, text)
    with pytest.raises(ValidationError) as raised:
        Settings()
    assert variable.removeprefix(PREFIX).lower() in str(raised.value).lower()
