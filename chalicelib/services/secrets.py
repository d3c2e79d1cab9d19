"""Which settings are secrets, how they are sealed, masked and opened again.

A settings model says it by type: a field of `SecretStr` (or that or None) is a secret, and so are the values of a
mapping from names to `SecretStr`. A secret is known by its place: ``api_key``, or ``headers/Authorization`` inside a
mapping. It never leaves the process as text, and an update that sends the mask back keeps what is stored.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr, ValidationError, create_model

from chalicelib.contracts.calls import Refusal
from chalicelib.contracts.vault import Use, Vault
from chalicelib.domain.configuration import Connection, Subscription
from chalicelib.domain.errors import StorageFault
from chalicelib.domain.payment import Json

MASK = "********"
CONCEALED_MIN = 6  # characters; what is shorter may stand in any text


def secret_fields(settings: type[BaseModel]) -> frozenset[str]:
    """Raises TypeError for a secret anywhere else, inside a list or another model: it could be neither kept nor masked."""
    holding = {name: field.annotation for name, field in settings.model_fields.items() if _holds(field.annotation)}
    misplaced = sorted(name for name, annotation in holding.items() if not _is_secret(annotation))
    if misplaced:
        raise TypeError(
            f"{settings.__name__}.{misplaced[0]} hides a SecretStr; make it a field or a dict[str, SecretStr]"
        )
    return frozenset(holding)


def _is_secret(annotation: Any) -> bool:
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType):
        return all(_is_secret(part) for part in parts if part is not NoneType)
    if origin is dict:
        return _bare(parts[1]) is SecretStr
    return _bare(annotation) is SecretStr


def _bare(annotation: Any) -> Any:
    return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation


def _holds(annotation: Any) -> bool:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return any(_holds(field.annotation) for field in annotation.model_fields.values())
    return annotation is SecretStr or any(_holds(part) for part in get_args(annotation))


def webhook_fields(settings: type[BaseModel]) -> frozenset[str] | None:
    """The secrets that verify webhooks, which a connector's settings name; None where a model does not say."""
    return getattr(settings, "webhook_fields", None)


def use_of(settings: type[BaseModel], place: str) -> Use:
    """What the secret at that place is for."""
    return Use.WEBHOOKS if place.partition("/")[0] in (webhook_fields(settings) or ()) else Use.CREDENTIALS


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
            context = context_of(merchant_id, object_id, place)
            sealed[place] = vault.seal(secret, context=context, use=use_of(type(settings), place))
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


def secret_texts(settings: BaseModel) -> tuple[str, ...]:
    return tuple(text for _, text in _secrets_in(settings))


def concealed(refusal: Refusal, secrets: Iterable[str]) -> Refusal:
    """A PSP may repeat a credential in its answer ("bad key sk_…"), which is stored, shown and logged."""

    def hidden(text: str) -> str:
        for secret in secrets:
            if len(secret) >= CONCEALED_MIN:
                text = text.replace(secret, MASK)
        return text

    decline = refusal.decline and replace(refusal.decline, message=hidden(refusal.decline.message))
    return replace(refusal, detail=hidden(refusal.detail), decline=decline)


def opened_settings(
    vault: Vault, of: Connection | Subscription, model: type[BaseModel], *, only: frozenset[str] | None = None
) -> BaseModel:
    """The stored settings as their model, secrets opened. `only` names those that are needed: the others stay sealed and
    read as the mask. Raises VaultFault, and StorageFault where they no longer fit."""
    public = of.settings if isinstance(of, Connection) else of.target
    hidden = frozenset[str]() if only is None else secret_fields(model) - only
    opened = {
        place: MASK
        if place.partition("/")[0] in hidden
        else vault.open(token, context=context_of(of.merchant_id, of.id, place))
        for place, token in of.secrets.items()
    }
    model = _masking(model, hidden) if hidden else model
    try:
        return model.model_validate(_placed(public, opened), strict=False)
    except ValidationError as error:  # which holds the secrets: nothing but the places leaves here
        wrong = ", ".join(".".join(map(str, one["loc"])) or "the whole" for one in error.errors(include_input=False))
    raise StorageFault(
        f"The stored settings of {of.id!r} do not fit this PaymentServer ({wrong[:200]}): send them anew, whole."
    )


@cache
def _masking(model: type[BaseModel], hidden: frozenset[str]) -> type[BaseModel]:
    """The model, but for the rules that its hidden secrets keep and a mask does not."""
    fields: dict[str, Any] = {}
    for name in hidden:
        field = model.model_fields[name]
        default = None if field.is_required() else field.get_default(call_default_factory=True)
        fields[name] = (SecretStr | dict[str, SecretStr] | None, default)
    return create_model(model.__name__, __base__=model, **fields)
