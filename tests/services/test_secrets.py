"""Secrets never leave in clear, stay where they belong, and survive an update that sends the mask back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, SecretStr

from chalicelib.contracts.vault import Vault
from chalicelib.domain.errors import Invalid, VaultFault
from chalicelib.services.seal_settings import Place, Sealed, seal_settings
from chalicelib.services.secrets import MASK, context_of, masked, secret_fields
from chalicelib.vault.keyring import KeyRing
from tests.services.configured import ToySettings

GIVEN: dict[str, Any] = {
    "base_url": "http://127.0.0.1/",
    "account": "nl",
    "api_key": "key-of-nl",
    "headers": {"Authorization": "Basic x"},
}


@pytest.fixture
def vault(tmp_path: Path) -> KeyRing:
    return KeyRing(tmp_path / "keyring.json")


def sealed(vault: Vault, given: dict[str, Any], kept: dict[str, str] | None = None) -> Sealed:
    return seal_settings(vault, ToySettings, given, Place("default", "toy-nl", "/settings", kept or {}))


def test_a_settings_model_tells_its_secrets_by_type() -> None:
    assert secret_fields(ToySettings) == {"api_key", "webhook_secret", "headers"}


def test_nothing_public_or_sealed_holds_a_secret_in_clear(vault: KeyRing) -> None:
    made = sealed(vault, GIVEN)
    assert "key-of-nl" not in repr((made.public, made.secrets))
    assert "Basic x" not in repr((made.public, made.secrets))


def test_settings_are_shown_with_every_secret_masked(vault: KeyRing) -> None:
    made = sealed(vault, GIVEN)
    assert masked(made.public, made.secrets) == {**GIVEN, "api_key": MASK, "headers": {"Authorization": MASK}}


def test_the_mask_keeps_the_stored_token(vault: KeyRing) -> None:
    first = sealed(vault, GIVEN)
    again = sealed(vault, masked(first.public, first.secrets), first.secrets)
    assert (again.public, again.secrets) == (first.public, first.secrets)


def test_the_model_checks_the_stored_secret_and_not_the_mask(vault: KeyRing) -> None:
    class Prefixed(BaseModel):
        api_key: SecretStr

        def model_post_init(self, context: object) -> None:
            assert self.api_key.get_secret_value().startswith("sk_")

    place = Place("default", "toy-nl", "/settings")
    first = seal_settings(vault, Prefixed, {"api_key": "sk_1"}, place)
    kept = Place("default", "toy-nl", "/settings", first.secrets)
    assert seal_settings(vault, Prefixed, {"api_key": MASK}, kept).secrets == first.secrets


def test_a_new_secret_replaces_the_stored_one(vault: KeyRing) -> None:
    first = sealed(vault, GIVEN)
    again = sealed(vault, {**GIVEN, "api_key": "newer"}, first.secrets)
    assert vault.open(again.secrets["api_key"], context=context_of("default", "toy-nl", "api_key")) == "newer"


def test_a_secret_that_is_left_out_is_forgotten(vault: KeyRing) -> None:
    first = sealed(vault, {**GIVEN, "webhook_secret": "hook"})
    assert "webhook_secret" not in sealed(vault, GIVEN, first.secrets).secrets


def test_a_sealed_secret_does_not_open_in_another_place(vault: KeyRing) -> None:
    token = sealed(vault, GIVEN).secrets["api_key"]
    with pytest.raises(VaultFault):
        vault.open(token, context=context_of("other", "toy-nl", "api_key"))


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"api_key": MASK}, "/settings/api_key"),
        ({"headers": {"X-Key": MASK}}, "/settings/headers/X-Key"),
        ({"api_key": 7}, "/settings/api_key"),
        ({"account": None}, "/settings/account"),
        ({"surprise": 1}, "/settings/surprise"),
    ],
)
def test_what_is_wrong_with_settings_is_pointed_at(vault: KeyRing, change: dict[str, Any], pointer: str) -> None:
    with pytest.raises(Invalid) as refused:
        sealed(vault, {**GIVEN, **change})
    assert [one.pointer for one in refused.value.errors] == [pointer]


def test_a_refusal_never_repeats_a_secret(vault: KeyRing) -> None:
    with pytest.raises(Invalid) as refused:
        sealed(vault, {**GIVEN, "api_key": ["key-of-nl"], "account": 1})
    assert "key-of-nl" not in repr((refused.value.detail, refused.value.errors))
