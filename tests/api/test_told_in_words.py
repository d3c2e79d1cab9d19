"""What is wrong with a field is told in words: nobody should have to read a pattern, and no answer repeats a value."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, Field, SecretStr, ValidationError

from chalicelib.api.application import BLUEPRINTS, create_app
from chalicelib.api.body import invalid_of
from chalicelib.api.operation import OPERATIONS
from chalicelib.connectors.registry import connectors
from chalicelib.contracts.validation import NO_WORDS, WORDS
from chalicelib.domain.errors import Invalid
from chalicelib.publishers.registry import publishers
from chalicelib.services.seal_settings import Place, seal_settings
from chalicelib.services.secrets import secret_fields
from chalicelib.vault.keyring import KeyRing

create_app(blueprints=BLUEPRINTS)  # which fills the table of operations
SETTINGS: dict[str, type[BaseModel]] = {
    **{name: connector.settings for name, connector in connectors(development=True).items()},
    **{name: publisher.settings for name, publisher in publishers(allowed_networks=()).items()},
}
REQUESTS = {f"{one.name} {of.__name__}": of for one in OPERATIONS for of in (one.body, one.query) if of is not None}
MODELS = {**SETTINGS, **REQUESTS}
HOSTILE = ("", " ", "hunter2 \x00", "-\n-", "é@è", "x" * 30_000)
OF_A_PATTERN = ("pattern", "^", "[", "]", "\\", "{", "$")


def patterns_in(schema: Any) -> Iterator[str]:
    """Those that pydantic holds text to."""
    if isinstance(schema, dict):
        if schema.get("type") == "str" and "pattern" in schema:
            yield getattr(schema["pattern"], "pattern", schema["pattern"])
        for part in schema.values():
            yield from patterns_in(part)
    elif isinstance(schema, list | tuple):
        for part in schema:
            yield from patterns_in(part)


@pytest.mark.parametrize("name", MODELS)
def test_every_pattern_that_a_field_is_held_to_has_its_words(name: str) -> None:
    MODELS[name].model_rebuild()
    wordless = set(patterns_in(MODELS[name].__pydantic_core_schema__)) - WORDS.keys()
    assert not wordless, "declare it by `worded`, with what it asks for"


def test_there_are_patterns_to_look_at() -> None:
    assert len({one for model in SETTINGS.values() for one in patterns_in(model.__pydantic_core_schema__)}) > 10


@pytest.mark.parametrize("pattern", WORDS)
def test_words_show_no_pattern(pattern: str) -> None:
    assert WORDS[pattern].startswith("must ")
    assert not any(sign in WORDS[pattern] for sign in OF_A_PATTERN)


@pytest.mark.parametrize("hostile", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize("name", SETTINGS)
def test_no_setting_that_is_refused_shows_a_pattern_or_its_value(name: str, hostile: str, tmp_path: Path) -> None:
    model = SETTINGS[name]
    mappings = {field for field in secret_fields(model) if "dict" in str(model.model_fields[field].annotation)}
    given: dict[str, Any] = {
        field: {"Authorization": hostile} if field in mappings else hostile for field in model.model_fields
    }
    with pytest.raises(Invalid) as refused:
        seal_settings(KeyRing(tmp_path / "ring"), model, given, Place("shop", "one", "/settings"))
    for one in refused.value.errors:
        assert one.pointer.split("/")[1:2] == ["settings"]
        assert not any(sign in one.detail for sign in ("pattern", "^", "hunter2", "é@è", "xxx", "Value", "Extra")), one


class Wordless(BaseModel):
    code: str = Field(pattern="^[a-c]{3}$")
    token: SecretStr = Field(SecretStr(""), min_length=8)


def test_a_pattern_without_words_is_not_shown_either() -> None:
    with pytest.raises(ValidationError) as refused:
        Wordless.model_validate({"code": "hunter2"})
    (told,) = invalid_of(refused.value).errors
    assert (told.pointer, told.detail) == ("/code", NO_WORDS)


@pytest.mark.parametrize(
    ("model", "given", "pointer", "detail"),
    [
        ("adyen", {"live_url_prefix": "https://1797-Shop.example/"}, "live_url_prefix", "must be the prefix alone"),
        ("paytrail", {"merchant_id": "No. 375917"}, "merchant_id", "must be the merchant ID: a number"),
        ("paypal", {"webhook_id": "https://shop.example/webhooks/x"}, "webhook_id", "must be the id that"),
        ("paystack", {"email": "nobody"}, "email", "must be an e-mail address"),
        ("sandbox", {"account": "Sandbox A"}, "account", "must be lower-case letters"),
        ("sqs", {"role_arn": "publisher"}, "role_arn", "must be a role's ARN"),
        ("stripe", {"colour": "blue"}, "colour", "there is no such setting; there are: api_key, webhook_secret, "),
        ("stripe", {"webhook_secret": "short"}, "webhook_secret", "must have at least 8 characters"),
        ("stripe", {}, "api_key", "is missing"),
        ("paypal", {"environment": "production"}, "environment", "must be 'sandbox' or 'live'"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(
    model: str, given: dict[str, Any], pointer: str, detail: str, tmp_path: Path
) -> None:
    with pytest.raises(Invalid) as refused:
        seal_settings(KeyRing(tmp_path / "ring"), SETTINGS[model], given, Place("shop", "one", "/settings"))
    told = {one.pointer: one.detail for one in refused.value.errors}
    assert told[f"/settings/{pointer}"].startswith(detail)
