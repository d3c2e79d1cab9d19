"""What pydantic refuses, in words: what is expected and where. No value is repeated, since it may be a secret, and no pattern
is shown, since nobody should have to read one.
"""

from __future__ import annotations

from pydantic_core import ErrorDetails

WORDS: dict[str, str] = {}
"""What each pattern asks for."""
NO_WORDS = "does not have the form that is asked for"
LONGEST = 300
_PLAIN = {
    "missing": "is missing",
    "extra_forbidden": "is not known here",
}


def worded(pattern: str, words: str) -> str:
    """The pattern, for a field to be held to; `words` say what it asks for, wherever a value does not fit."""
    assert WORDS.setdefault(pattern, words) == words, f"{pattern} has other words elsewhere"
    return pattern


LINE = worded(r"^[^\x00-\x1f\x7f]*$", "must be one line, without control characters")


def words_of(one: ErrorDetails) -> str:
    """What is wrong, for whoever sent it."""
    context = one.get("ctx", {})
    if one["type"] == "string_pattern_mismatch":
        return WORDS.get(context["pattern"], NO_WORDS)
    if context.get("field_type") == "Value":  # pydantic counts the "items" of a secret
        least, most = context.get("min_length"), context.get("max_length")
        return f"must have at least {least} characters" if most is None else f"must have at most {most} characters"
    if one["type"] == "literal_error":
        return f"must be {context['expected']}"
    return _PLAIN.get(one["type"], one["msg"].removeprefix("Value error, "))[:LONGEST]


def pointer_of(location: tuple[int | str, ...]) -> str:
    """The JSON Pointer (RFC 6901) of a place."""
    return "".join("/" + str(part)[:60].replace("~", "~0").replace("/", "~1") for part in location)
