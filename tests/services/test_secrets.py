"""Secrets never leave in clear, stay where they belong, and survive an update that sends the mask back."""

from __future__ import annotations

from pathlib import Path
from traceback import format_exception
from typing import Annotated, Any

import pytest
from pydantic import AfterValidator, BaseModel, Field, SecretStr

from chalicelib.connectors.registry import connectors
from chalicelib.contracts.vault import Vault
from chalicelib.domain.errors import Invalid, StorageFault, VaultFault
from chalicelib.publishers.registry import publishers
from chalicelib.services.configure_connections import create_connection
from chalicelib.services.seal_settings import Place, Sealed, seal_settings
from chalicelib.services.secrets import MASK, context_of, masked, opened_settings, secret_fields
from chalicelib.vault.keyring import KeyRing
from tests.services.configured import ACTOR, SHOP, ToySettings, connection_body, ports_at

GIVEN: dict[str, Any] = {
    "base_url": "http://127.0.0.1/",
    "account": "nl",
    "api_key": "key-of-nl",
    "headers": {"Authorization": "Basic x"},
}


@pytest.fixture
def vault(tmp_path: Path) -> KeyRing:
    return KeyRing(tmp_path / "keyring.json")


def _shown(secret: SecretStr) -> SecretStr:
    if "other" in secret.get_secret_value():
        raise ValueError("must be as it is shown")
    return secret


def sealed(vault: Vault, given: dict[str, Any], kept: dict[str, str] | None = None) -> Sealed:
    return seal_settings(vault, ToySettings, given, Place("default", "toy-nl", "/settings", kept or {}))


def test_a_settings_model_tells_its_secrets_by_type() -> None:
    assert secret_fields(ToySettings) == {"api_key", "webhook_secret", "headers"}


@pytest.mark.parametrize(
    "model",
    [one.settings for one in (*connectors(development=True).values(), *publishers(allowed_networks=()).values())],
)
def test_every_secret_of_a_connector_or_channel_stands_where_it_can_be_kept(model: type[BaseModel]) -> None:
    properties = model.model_json_schema()["properties"]
    assert secret_fields(model) == {name for name, one in properties.items() if "'format': 'password'" in str(one)}


class Inner(BaseModel):
    key: SecretStr


class InModel(BaseModel):
    inner: Inner


class InList(BaseModel):
    keys: list[SecretStr]


class InModelInMapping(BaseModel):
    accounts: dict[str, Inner] | None = None


class InMappingInMapping(BaseModel):
    headers: dict[str, dict[str, SecretStr]]


@pytest.mark.parametrize("model", [InModel, InList, InModelInMapping, InMappingInMapping])
def test_a_secret_that_could_not_be_masked_is_refused_with_its_name(model: type[BaseModel]) -> None:
    with pytest.raises(TypeError, match=f"{model.__name__}.{next(iter(model.model_fields))} hides a SecretStr"):
        secret_fields(model)


def test_a_secret_may_be_optional_and_have_limits() -> None:
    class Limited(BaseModel):
        key: Annotated[SecretStr | None, Field(max_length=9)] = None
        headers: dict[str, Annotated[SecretStr, Field(min_length=1)]] | None = None

    assert secret_fields(Limited) == {"key", "headers"}


def test_settings_that_no_longer_fit_are_told_without_a_secret(tmp_path: Path) -> None:
    class Newer(ToySettings):
        region: str

    ports = ports_at(tmp_path)
    made = create_connection(ports, ACTOR, SHOP, connection_body(api_key="key-of-nl"))
    with pytest.raises(StorageFault, match="'toy-nl' do not fit this PaymentServer \\(region\\)") as refused:
        opened_settings(ports.vault, made, Newer)
    assert "key-of-nl" not in "".join(format_exception(refused.value))


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


class Limited(BaseModel):
    key: Annotated[SecretStr, AfterValidator(_shown)] = Field(min_length=8, max_length=12)


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("k" * 7, "/settings/key: must have at least 8 characters"),
        ("k" * 13, "/settings/key: must have at most 12 characters"),
        ("of others", "/settings/key: must be as it is shown"),
    ],
)
def test_what_is_wrong_with_a_secret_is_told_in_words(vault: KeyRing, key: str, told: str) -> None:
    with pytest.raises(Invalid) as refused:
        seal_settings(vault, Limited, {"key": key}, Place("default", "toy-nl", "/settings", {}))
    assert refused.value.detail == told


def test_a_refusal_never_repeats_a_secret(vault: KeyRing) -> None:
    with pytest.raises(Invalid) as refused:
        sealed(vault, {**GIVEN, "api_key": ["key-of-nl"], "account": 1})
    assert "key-of-nl" not in repr((refused.value.detail, refused.value.errors))
