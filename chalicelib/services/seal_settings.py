"""Settings as an operator sends them: checked by their model, told apart into public values and sealed secrets."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic_core import ErrorDetails

from chalicelib.contracts.validation import pointer_of, words_of
from chalicelib.contracts.vault import Vault
from chalicelib.domain.errors import Invalid, Pointer
from chalicelib.domain.payment import Json
from chalicelib.services.secrets import MASK, context_of, secret_fields, split

ERRORS_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Place:
    """Where settings belong: the object, the secrets already stored for it, and the pointer to them in the body."""

    merchant_id: str
    object_id: str
    pointer: str
    kept: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sealed:
    """`model` holds the secrets opened; it is for checks alone."""

    model: BaseModel
    public: dict[str, Json]
    secrets: dict[str, str]


def seal_settings(vault: Vault, model: type[BaseModel], given: Mapping[str, Json], place: Place) -> Sealed:
    """Strict: unknown settings and other types are refused. The mask stands for the stored secret.

    Raises Invalid with a pointer for each thing wrong, VaultFault.
    """
    masks = _masks_in(model, given)
    unknown = tuple(
        Pointer(f"{place.pointer}/{at}", "is the mask, but no secret is stored here: send the secret itself")
        for at in masks
        if at not in place.kept
    )
    if unknown:
        raise Invalid(f"{unknown[0].pointer}: {unknown[0].detail}", unknown)
    opened = {
        at: vault.open(place.kept[at], context=context_of(place.merchant_id, place.object_id, at)) for at in masks
    }
    validated = _validated(model, _replaced(given, opened), place.pointer)
    public, secrets = split(vault, place.merchant_id, place.object_id, _remasked(validated, masks), place.kept)
    return Sealed(validated, public, secrets)


def _masks_in(model: type[BaseModel], given: Mapping[str, Json]) -> list[str]:
    """The places of secrets that were sent as the mask."""
    masks: list[str] = []
    for name in sorted(secret_fields(model) & given.keys()):
        value = given[name]
        if value == MASK:
            masks.append(name)
        elif isinstance(value, dict):
            masks += [f"{name}/{key}" for key, secret in sorted(value.items()) if secret == MASK]
    return masks


def _replaced(given: Mapping[str, Json], secrets: Mapping[str, Json]) -> dict[str, Json]:
    replaced = dict(given)
    for at, secret in secrets.items():
        name, _, key = at.partition("/")
        replaced[name] = {**replaced[name], key: secret} if key else secret
    return replaced


def _remasked(validated: BaseModel, masks: list[str]) -> BaseModel:
    """The mask again where it was sent, so that `split` keeps the stored token and does not seal anew."""
    fields = {name: getattr(validated, name) for name in {at.partition("/")[0] for at in masks}}
    return validated.model_copy(update=_replaced(fields, dict.fromkeys(masks, SecretStr(MASK))))


def _validated(model: type[BaseModel], given: Mapping[str, Json], pointer: str) -> BaseModel:
    """As JSON, where a list or a time in text is what the type says; still no text for a number."""
    try:
        return model.model_validate_json(json.dumps(given), strict=True, extra="forbid")
    except ValidationError as error:
        pointers = tuple(
            Pointer(pointer + pointer_of(one["loc"]), _words_of(model, one))
            for one in error.errors(include_input=False, include_url=False)
        )
    more = f" (and {len(pointers) - 1} more)" if len(pointers) > 1 else ""
    raise Invalid(f"{pointers[0].pointer}: {pointers[0].detail}{more}", pointers[:ERRORS_SHOWN])


def _words_of(model: type[BaseModel], one: ErrorDetails) -> str:
    if one["type"] == "extra_forbidden" and len(one["loc"]) == 1:
        return f"there is no such setting; there are: {', '.join(model.model_fields)}"
    return words_of(one)
