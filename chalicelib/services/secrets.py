"""Which settings are secrets, how they are sealed, masked and opened again.

A settings model says it by type: a field of `SecretStr` (or that or None) is a secret, and so are the values of a
mapping from names to `SecretStr`. A secret is known by its place: ``api_key``, or ``headers/Authorization`` inside a
mapping. It never leaves the process as text, and an update that sends the mask back keeps what is stored.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, get_args

from pydantic import BaseModel, SecretStr

from chalicelib.contracts.vault import Vault
from chalicelib.domain.configuration import Connection, Subscription
from chalicelib.domain.payment import Json

MASK = "********"


def secret_fields(settings: type[BaseModel]) -> frozenset[str]:
    return frozenset(name for name, field in settings.model_fields.items() if _holds_secrets(field.annotation))


def _holds_secrets(annotation: Any) -> bool:
    return annotation is SecretStr or any(_holds_secrets(part) for part in get_args(annotation))


def context_of(merchant_id: str, object_id: str, field: str) -> str:
    """What a sealed secret is bound to: it does not open in another place."""
    return f"{merchant_id}/{object_id}/{field}"


def split(
    vault: Vault, merchant_id: str, object_id: str, settings: BaseModel, kept: Mapping[str, str]
) -> tuple[dict[str, Json], dict[str, str]]:
    """Validated settings as (public values, sealed secrets). A secret that equals the mask keeps `kept`'s."""
    public: dict[str, Json] = settings.model_dump(mode="json", exclude=set(secret_fields(type(settings))))
    sealed: dict[str, str] = {}
    for place, secret in _secrets_in(settings):
        if secret != MASK:
            sealed[place] = vault.seal(secret, context=context_of(merchant_id, object_id, place))
        elif place in kept:
            sealed[place] = kept[place]
    return public, sealed


def _secrets_in(settings: BaseModel) -> Iterator[tuple[str, str]]:
    """(place, secret) for each secret that is there."""
    for name in sorted(secret_fields(type(settings))):
        value: SecretStr | dict[str, SecretStr] | None = getattr(settings, name)
        if isinstance(value, SecretStr):
            yield name, value.get_secret_value()
        elif value is not None:
            yield from ((f"{name}/{key}", value[key].get_secret_value()) for key in sorted(value))


def masked(public: Mapping[str, Json], secrets: Mapping[str, str]) -> dict[str, Json]:
    return _placed(public, dict.fromkeys(sorted(secrets), MASK))


def _placed(public: Mapping[str, Json], secrets: Mapping[str, str]) -> dict[str, Json]:
    """The settings as one object, each secret in its place."""
    placed: dict[str, Json] = dict(public)
    for place, text in secrets.items():
        name, _, key = place.partition("/")
        placed[name] = {**placed.get(name, {}), key: text} if key else text
    return placed


def opened_settings(vault: Vault, of: Connection | Subscription, model: type[BaseModel]) -> BaseModel:
    """The stored settings as their model, secrets opened. Raises VaultFault."""
    public = of.settings if isinstance(of, Connection) else of.target
    opened = {
        place: vault.open(token, context=context_of(of.merchant_id, of.id, place))
        for place, token in of.secrets.items()
    }
    return model.model_validate(_placed(public, opened), strict=False)
