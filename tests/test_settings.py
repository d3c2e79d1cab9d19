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


KEYS = {"vault_key": "alias/a", "webhook_vault_key": "alias/b", "link_key": "alias/c"}


@pytest.mark.parametrize("missing", KEYS)
def test_keys_of_kms_are_given_together(missing: str) -> None:
    with pytest.raises(ValidationError, match="belong together"):
        Settings(**{**KEYS, missing: ""})
    assert Settings(**KEYS).vault_key == "alias/a"


@pytest.mark.parametrize("missing", ["database_url", "queue_url", "vault_key", None])
def test_nothing_is_kept_on_this_machine_where_everything_is_elsewhere(missing: str | None) -> None:
    elsewhere = {"database_url": "dynamodb:p", "queue_url": "https://sqs.eu-west-1.amazonaws.com/1/p", **KEYS}
    kept = dict.fromkeys(KEYS if missing == "vault_key" else [missing] if missing else [], "")
    assert Settings(**{**elsewhere, **kept}).keeps_files is (missing is not None)
