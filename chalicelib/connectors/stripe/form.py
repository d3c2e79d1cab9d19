"""Form bodies as Stripe takes them: nested names in brackets, lists by position (docs.stripe.com/api)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import quote_plus

Value = str | int | bool | Mapping[str, "Value"] | Sequence["Value"]


def encoded(fields: Mapping[str, Value]) -> bytes:
    pairs = (f"{quote_plus(name, safe='[]')}={quote_plus(text)}" for name, text in _flat(fields))
    return "&".join(pairs).encode()


def _flat(fields: Mapping[str, Value]) -> Iterator[tuple[str, str]]:
    for name, value in fields.items():
        yield from _pairs(name, value)


def _pairs(name: str, value: Value) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _pairs(f"{name}[{key}]", inner)
    elif isinstance(value, str):
        yield name, value
    elif isinstance(value, bool):
        yield name, "true" if value else "false"
    elif isinstance(value, int):
        yield name, str(value)
    else:
        for position, inner in enumerate(value):
            yield from _pairs(f"{name}[{position}]", inner)
