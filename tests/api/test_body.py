from __future__ import annotations

import json
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from chalicelib.api.body import BODY_BYTES_MAX, DEPTH_MAX, Strict, json_of, parsed, strings_of
from chalicelib.domain.errors import Invalid, TooLarge, Unreadable


class Order(Strict):
    value: int
    note: str = ""
    paid: bool = False


@given(st.recursive(st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.text(), st.lists, max_leaves=5))
def test_what_json_can_say_is_read_as_it_was_said(value: object) -> None:
    assert json_of(json.dumps({"value": value}).encode()) == {"value": value}


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b" \n\t",
        b"{",
        b"{}{}",
        b"{'a': 1}",
        b'{"a": 1,}',
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": -Infinity}',
        b'{"a": 1, "a": 2}',
        b'{"a": {"b": 1, "c": 2, "b": 1}}',
        b'{"a": 1, "\\u0061": 2}',
        b'{"a": 01}',
        b'{"a": "\n"}',
        b'\xef\xbb\xbf{"a": 1}',
        b'{"a": "\xff"}',
        '{"a": "é"}'.encode("latin-1"),
        '{"a": 1}'.encode("utf-16"),
        b'{"a": ' + b"9" * 41 + b"}",
        b'{"a": "\\ud800"}',
        b'{"a": ["x\\uDFFFy"]}',
        b'{"\\udc00": 1}',
        b"[" * 60_000,
        b'{"a":' * 10_000,
    ],
)
def test_what_is_not_plain_json_is_unreadable(raw: bytes) -> None:
    with pytest.raises(Unreadable):
        json_of(raw)


def nested(levels: int) -> bytes:
    return b'{"a":' * (levels - 1) + b"{}" + b"}" * (levels - 1)


@pytest.mark.parametrize("raw", [nested(DEPTH_MAX), b"[" * DEPTH_MAX + b"]" * DEPTH_MAX])
def test_16_levels_are_read(raw: bytes) -> None:
    json_of(raw)


@pytest.mark.parametrize("raw", [nested(DEPTH_MAX + 1), b"[" * (DEPTH_MAX + 1) + b"]" * (DEPTH_MAX + 1)])
def test_17_levels_are_not(raw: bytes) -> None:
    with pytest.raises(Unreadable, match="too deep"):
        json_of(raw)


def test_64_kib_are_read() -> None:
    raw = b'{"a": "' + b"x" * (BODY_BYTES_MAX - 9) + b'"}'
    assert len(raw) == 65_536
    json_of(raw)


def test_one_byte_more_is_too_large() -> None:
    with pytest.raises(TooLarge):
        json_of(b" " * (BODY_BYTES_MAX + 1))


@pytest.mark.parametrize(
    ("raw", "pointer"),
    [
        (b'{"value": 10.0}', "/value"),
        (b'{"value": 1e3}', "/value"),
        (b'{"value": "10"}', "/value"),
        (b'{"value": true}', "/value"),
        (b'{"value": null}', "/value"),
        (b'{"value": 1, "paid": 1}', "/paid"),
        (b'{"value": 1, "paid": "true"}', "/paid"),
        (b'{"value": 1, "note": 7}', "/note"),
        (b'{"value": 1, "other": 1}', "/other"),
        (b'{"value": 1, "a/b~c": 1}', "/a~1b~0c"),
        (b"{}", "/value"),
        (b"[]", ""),
        (b'"text"', ""),
        (b"7", ""),
        (b"null", ""),
    ],
)
def test_another_type_is_refused_where_it_stands(raw: bytes, pointer: str) -> None:
    json_of(raw)
    with pytest.raises(Invalid) as refused:
        parsed(Order, raw)
    assert [one.pointer for one in refused.value.errors] == [pointer]


@pytest.mark.parametrize("note", ["\\ud83d\\ude00", "\\\\ud800"])
def test_what_only_looks_like_a_lone_surrogate_is_read(note: str) -> None:
    raw = b'{"value": 1, "note": "' + note.encode() + b'"}'
    assert json_of(raw)["note"] == parsed(Order, raw).note


class Labels(Strict):
    labels: dict[Annotated[str, Field(max_length=3)], int]


@pytest.mark.parametrize(
    ("raw", "pointer"),
    [
        (b'{"labels": {"long": 1}}', "/labels/long"),
        (b'{"labels": {"[key]": 1}}', "/labels/[key]"),
        (b'{"labels": {"a": "x"}}', "/labels/a"),
        (b'{"labels": {}, "[key]": 1}', "/[key]"),
    ],
)
def test_a_bad_key_is_pointed_at_by_its_name(raw: bytes, pointer: str) -> None:
    with pytest.raises(Invalid) as refused:
        parsed(Labels, raw)
    assert [one.pointer for one in refused.value.errors] == [pointer]


def test_of_many_errors_20_are_shown() -> None:
    with pytest.raises(Invalid) as refused:
        parsed(Order, json.dumps({"value": 1, **{f"x{number}": 1 for number in range(30)}}).encode())
    assert len(refused.value.errors) == 20
    assert "29 more" in refused.value.detail


def test_an_error_does_not_repeat_the_value() -> None:
    with pytest.raises(Invalid) as refused:
        parsed(Order, b'{"value": "a-secret"}')
    assert "a-secret" not in refused.value.detail + str(refused.value.errors)


def test_every_text_key_and_number_is_found_with_its_pointer() -> None:
    found = list(strings_of({"a/b": ["x", 1, {"~": 2.5}], "c": None, "d": True}))
    assert found == [
        ("/a~1b", "a/b"),
        ("/a~1b/0", "x"),
        ("/a~1b/1", "1"),
        ("/a~1b/2/~0", "~"),
        ("/a~1b/2/~0", "2.5"),
        ("/c", "c"),
        ("/d", "d"),
    ]
