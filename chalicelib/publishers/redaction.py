"""What a target answers may repeat what it was sent, and answers are stored and shown: our secrets are taken out of them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

MASK = "********"
CONCEALED_MIN = 6  # characters; what is shorter may stand in any text
LONGER_AT_MOST = 6  # times: `+` may be written as \u002b
_RUNS = re.compile(r"[A-Za-z0-9]+")
_PARTS = re.compile(r"\\+|.", re.DOTALL)


def margin_of(secrets: Iterable[str]) -> int:
    """How many bytes more than are kept must be read, so that no secret is cut where they end and so not found."""
    return LONGER_AT_MOST * max(map(len, secrets), default=0)


def redacted(answer: bytes, secrets: Iterable[str], kept: int) -> str:
    """The first `kept` bytes of `answer` as text, each secret (ASCII) masked however it is written."""
    answer = answer.replace(b"\0", b" ")
    found = answer.lower()
    for secret in sorted(secrets, key=len, reverse=True):
        # Letters and digits are written as themselves everywhere, and compiling takes its time: look for them first.
        if len(secret) >= CONCEALED_MIN and max(_RUNS.findall(secret.lower()), key=len, default="").encode() in found:
            answer = _written(secret).sub(lambda one: b"\0" * len(one[0]), answer)  # what is kept ends where it ended
    return re.sub("\0+", MASK, answer[:kept].decode("utf-8", "replace"))


def _written(secret: str) -> re.Pattern[bytes]:
    """The secret as JSON, HTML, forms, source code and each within another have it.

    Possessive, and never begun within a run of backslashes, so that no answer takes long to look through.
    """
    begin = "" if secret[0].isalnum() else r"(?<!\\)"
    return re.compile((begin + "".join(map(_part_written, _PARTS.findall(secret)))).encode(), re.IGNORECASE)


def _part_written(part: str) -> str:
    """One character, which may have backslashes before it, or a run of backslashes, which may be longer or shorter."""
    if part.isalnum():
        return part
    number = ord(part[0])
    entities = "|".join([f"#0*{number};", f"#x0*{number:x};", *_names_of(part[0])])
    # The character itself comes last: a percent sign begins its own code, as an ampersand does.
    ways = f"u00{number:02x}|%(?:25)*{number:02x}|&(?:amp;)*(?:{entities})|{re.escape(part[0])}"
    if part[0] == "\\":
        return f"(?:{ways})++"
    return rf"\\*+(?:{ways}{'|[+]' if part == ' ' else ''})"


@lru_cache(maxsize=128)
def _names_of(character: str) -> list[str]:
    """What HTML calls it; with a semicolon first, which may be left out after some."""
    from html.entities import html5

    return sorted((name for name, text in html5.items() if text == character), key=len, reverse=True)
