from __future__ import annotations

import gc
import json
import weakref
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chalicelib.domain.json_text import NESTED_MAX, is_nested_deeper, parse

TEXTS = st.text() | st.sampled_from(["[", "{", '"', "\\", '\\"[', '"]}', '{"a":['])
DOCUMENTS = st.recursive(
    TEXTS | st.none() | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner), max_leaves=30
)


def depth_of(value: Any) -> int:
    if isinstance(value, (list, dict)):
        return 1 + max((depth_of(one) for one in (value.values() if isinstance(value, dict) else value)), default=0)
    return 0


@given(DOCUMENTS, st.booleans())
@example([{"a": ["]", '"', "\\"]}, "[[["], True)
@example(["\\", [[]]], False)
def test_the_depth_is_the_documents(document: Any, ascii_alone: bool) -> None:
    text, depth = json.dumps(document, ensure_ascii=ascii_alone), depth_of(document)
    assert not is_nested_deeper(text, depth)
    assert depth == 0 or is_nested_deeper(text, depth - 1)
    assert parse(text) == parse(text.encode()) == document


@given(st.text(alphabet='[]{}"\\,:1 ', max_size=60))
def test_what_is_no_json_goes_no_deeper_than_it_is_said_to(text: str) -> None:
    """At the level where Python's parser gives up at the latest, however the text goes on."""
    level = next(levels for levels in range(len(text) + 1) if not is_nested_deeper(text, levels))
    assert max(_entered(text[:end]) for end in range(len(text) + 1)) <= level


def _entered(prefix: str) -> int:
    """How many objects and lists a parser stands in at the end of the text, 0 where it gave up before."""
    depth, position, in_text = 0, 0, False
    while position < len(prefix):
        letter = prefix[position]
        if in_text:
            position += letter == "\\"
            in_text = letter != '"'
        elif letter == '"':
            in_text = True
        elif letter in "[{":
            depth += 1
        elif letter in "]}":
            depth -= 1
            if depth < 0:
                return 0
        position += 1
    return depth


@pytest.mark.parametrize("opening", ["[", '{"a":', '[{"a":', ' [ "]" , '])
@pytest.mark.parametrize("closed", [True, False])
def test_what_is_nested_too_deep_is_no_json(opening: str, closed: bool) -> None:
    for levels in (NESTED_MAX + 1, 50_000):
        text = opening * levels + ("]" * levels if closed else "")
        with pytest.raises(ValueError, match="nested deeper than 64 levels"):
            parse(text.encode())


def test_as_deep_as_is_allowed_is_read() -> None:
    assert depth_of(parse("[" * NESTED_MAX + "]" * NESTED_MAX)) == NESTED_MAX


def test_a_stranger_breaks_nothing_that_is_tidied_up_meanwhile() -> None:
    """Garbage is collected wherever the parser happens to be; at the end of the stack a finalizer can not run."""
    tidied = []

    class Loop:
        def __init__(self) -> None:
            self.itself = self

    for _ in range(300):
        weakref.finalize(Loop(), tidied.append, 1)
    with pytest.raises(ValueError, match="nested deeper"):
        parse(b'{"a":' * 50_000)
    gc.collect()
    assert len(tidied) == 300


@pytest.mark.parametrize("text", [b"\xff", '{"a": 1}'.encode("utf-16"), b"", b"{", b"[1", b'"', b'"\\', b"[[[[]" * 40])
def test_what_is_no_json_is_a_value_error(text: bytes) -> None:
    with pytest.raises(ValueError):
        parse(text)


def test_a_mark_of_the_byte_order_is_passed_over() -> None:
    assert parse(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}


def test_hooks_are_jsons() -> None:
    assert parse('{"a": 1.5}', parse_float=str) == {"a": "1.5"}


@pytest.mark.parametrize("piece", ['"', '\\"', '"\\', "[", "{", '"[', '"\\"['])
def test_a_megabyte_of_nonsense_is_looked_at_once(piece: str) -> None:
    """Time that grew with the square of the length would be hours."""
    text = '"' + piece * (1_000_000 // len(piece)) + "["
    assert is_nested_deeper(text, 2_000_000) is False
    is_nested_deeper(text, 10)
