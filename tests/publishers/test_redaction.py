"""Secrets that an answer repeats are masked, and nothing else is."""

from __future__ import annotations

import html
import json
import time
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from chalicelib.publishers.redaction import margin_of, redacted

SECRET = "s3cr/t+<&'\"\\` ="
WAYS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "in another case": str.swapcase,
    "as JSON": lambda text: json.dumps(text)[1:-1],
    "as JSON of PHP": lambda text: json.dumps(text)[1:-1].replace("/", r"\/"),
    "as JSON of .NET": lambda text: "".join(
        rf"\u{ord(one):04X}" if one in "+<>&'`\"" else one.replace("\\", r"\\") for one in text
    ),
    "as JSON in JSON": lambda text: json.dumps(json.dumps(text)[1:-1])[1:-1],
    "as source code": lambda text: repr(text)[1:-1],
    "as HTML": html.escape,
    "as text of HTML": lambda text: html.escape(text, quote=False),
    "as JSON in HTML": lambda text: html.escape(json.dumps(text)[1:-1]),
    "as HTML in HTML": lambda text: html.escape(html.escape(text)),
    "in a path": quote,
    "in a form": quote_plus,
    "in a form in an address": lambda text: quote(quote(text)),
}
secrets = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=6, max_size=60).filter(str.strip)


@pytest.mark.parametrize("way", sorted(WAYS))
def test_a_secret_is_masked_however_it_is_written(way: str) -> None:
    written = WAYS[way](SECRET)
    assert redacted(f"<{written}> and {written}.".encode(), [SECRET], 1024) == "<********> and ********."


@given(secrets, st.sampled_from(sorted(WAYS)), st.integers(0, 100), st.integers(0, 120))
@example("00000%", "in a form", 0, 7)
@example("00000&", "as HTML", 0, 9)
@settings(deadline=None)
def test_no_part_of_a_secret_is_left_where_the_kept_part_ends(secret: str, way: str, before: int, kept: int) -> None:
    answer = b"\n" * before + WAYS[way](secret).encode()
    shown = redacted(answer, [secret], kept)
    assert shown == "\n" * min(before, kept) + ("********" if kept > before else "")


@pytest.mark.parametrize("kept", range(20))
def test_what_is_read_beyond_the_kept_part_is_enough(kept: int) -> None:
    written = b"\n" * 10 + b"".join(rf"\u{ord(one):04x}".encode() if one == "+" else one.encode() for one in "a+b+c+d")
    shown = redacted(written[: kept + margin_of(["a+b+c+d"])], ["a+b+c+d"], kept)
    assert shown == "\n" * min(10, kept) + ("********" if kept > 10 else "")


@pytest.mark.parametrize("text", ["", "ok", "nothing of it", "a\nb", "gut ü", "s3cr", "s3cr/t"])
def test_what_repeats_nothing_whole_stays(text: str) -> None:
    assert redacted(text.encode(), [SECRET], 1024) == text


def test_what_is_short_may_stand_in_any_text() -> None:
    assert redacted(b"yes12 yes123", ["yes12", "yes123"], 1024) == "yes12 ********"


def test_the_longer_of_two_is_masked_whole() -> None:
    assert redacted(b"Bearer token-7", ["token-7", "Bearer token-7"], 1024) == "********"


def test_a_byte_of_zero_is_no_mask() -> None:
    assert redacted(b"a\0b", [SECRET], 1024) == "a b"


def test_nothing_more_is_read_where_nothing_is_secret() -> None:
    assert margin_of([]) == 0


@pytest.mark.parametrize("repeated", [b"\\", b"&amp;", b"%25", b"&#0000", b"\\u00"])
def test_no_answer_takes_long_to_look_through(repeated: bytes) -> None:
    answer = repeated * 1000
    hostile = [("\\" * 250 + "a") * 2, "&%\\'" * 100, "%" * 500, "&" * 500]
    began = time.process_time()
    redacted(answer + b"a", hostile, 1024)
    assert time.process_time() - began < 1
