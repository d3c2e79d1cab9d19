"""JSON that somebody else wrote.

Python's parser goes a call deeper at each level. What strangers nest without bound would take it to the end of its stack, and
whatever is tidied up just there (a closed connection, a deleted file) fails with it, whoever catches the RecursionError.
"""

from __future__ import annotations

import json
import re
from typing import Any

NESTED_MAX = 64  # levels; no PSP's document has twenty
_TEXT = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
_BRACKETS = str.maketrans("{}", "[]")
_NO_BRACKET = re.compile(r"[^\[\]]+")


def parse(text: str | bytes, **hooks: Any) -> Any:
    """`hooks` are json.loads's. Raises ValueError for what is no JSON, is not UTF-8, or is nested more than NESTED_MAX deep."""
    if isinstance(text, bytes):
        text = text.decode("utf-8-sig")
    if is_nested_deeper(text, NESTED_MAX):
        raise ValueError(f"nested deeper than {NESTED_MAX} levels")
    return json.loads(text, **hooks)


def is_nested_deeper(text: str, levels: int) -> bool:
    """Than so many objects and lists in each other, before any parser looks at it; exact for all that a parser would get to."""
    if text.count("{") + text.count("[") <= levels:
        return False
    depth = 0
    for bracket in _NO_BRACKET.sub("", _TEXT.sub("", text).translate(_BRACKETS)):
        depth += 1 if bracket == "[" else -1
        if depth > levels:
            return True
    return False
