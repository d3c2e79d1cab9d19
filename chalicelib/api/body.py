"""Reads a request's JSON strictly: no duplicate keys, no NaN, bounded size and depth, exact types, no unknown fields."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from chalicelib.contracts.validation import pointer_of, words_of
from chalicelib.domain.errors import Invalid, Pointer, TooLarge, Unreadable
from chalicelib.domain.json_text import is_nested_deeper

M = TypeVar("M", bound=BaseModel)
BODY_BYTES_MAX = 65_536
DEPTH_MAX = 16
ERRORS_SHOWN = 20
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


class Strict(BaseModel):
    """The base of every request model."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, defer_build=True)


def json_of(raw: bytes) -> Any:
    """Raises TooLarge, Unreadable."""
    if len(raw) > BODY_BYTES_MAX:
        raise TooLarge(f"The body has {len(raw)} bytes; {BODY_BYTES_MAX} are allowed.")
    if not raw.strip():
        raise Unreadable("The body is empty; a JSON object is needed.")
    try:
        text = raw.decode("utf-8")
        if is_nested_deeper(text, DEPTH_MAX):
            raise Unreadable(f"The body is nested too deep; {DEPTH_MAX} levels are allowed.")
        document = _DECODER.decode(text)
    except UnicodeDecodeError as error:
        raise Unreadable(f"The body is not UTF-8 (byte {error.start}).") from None
    except ValueError as error:
        raise Unreadable(f"The body is not JSON: {error}.") from None
    if _SURROGATE.search(raw) and not all(_is_text(text) for _, text in strings_of(document)):
        raise Unreadable(
            "The body is not JSON that can be read: it has an escape for half a character (a lone surrogate)."
        )
    return document


def _is_text(text: str) -> bool:
    """Python's JSON takes half a surrogate pair for a character; no encoding can say it again."""
    return not any("\ud800" <= one <= "\udfff" for one in text)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise ValueError(f"the key {twice[:40]!r} stands twice in one object")
    return document


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON number")


def _no_huge_integer(digits: str) -> int:
    if len(digits) > 40:
        raise ValueError(f"a number of {len(digits)} digits is too long")
    return int(digits)


def _no_infinity(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError(f"the number {digits[:40]} is too large")
    return number


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_constant=_no_constant, parse_int=_no_huge_integer, parse_float=_no_infinity
)


def strings_of(document: Any, pointer: str = "") -> Iterator[tuple[str, str]]:
    """Every text and every key in the document with its JSON pointer; numbers as their digits."""
    if isinstance(document, dict):
        for name, value in document.items():
            here = f"{pointer}/{name.replace('~', '~0').replace('/', '~1')}"
            yield here, name
            yield from strings_of(value, here)
    elif isinstance(document, list):
        for position, value in enumerate(document):
            yield from strings_of(value, f"{pointer}/{position}")
    elif isinstance(document, str):
        yield pointer, document
    elif isinstance(document, (int, float)) and not isinstance(document, bool):
        yield pointer, repr(document)


def parsed(model: type[M], raw: bytes) -> M:
    """`raw` as `model`; `json_of` has read it before. Raises Invalid with a pointer for each thing wrong."""
    try:
        return model.model_validate_json(raw)
    except ValidationError as error:
        raise invalid_of(error) from None


def invalid_of(error: ValidationError, at: str = "") -> Invalid:
    pointers = tuple(Pointer(at + pointer_of(_place_of(one)), words_of(one)) for one in error.errors(include_url=False))
    shown = pointers[:ERRORS_SHOWN]
    first = shown[0]
    more = f" (and {len(pointers) - 1} more)" if len(pointers) > 1 else ""
    return Invalid(f"{first.pointer or '/'}: {first.detail}{more}", shown)


def _place_of(one: ErrorDetails) -> tuple[int | str, ...]:
    """Pydantic names a bad key by a further part of its own, which is no place in the body."""
    location = one["loc"]
    return location[:-1] if len(location) > 1 and location[-1] == "[key]" and one["input"] == location[-2] else location
