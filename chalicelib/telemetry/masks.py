"""The second line of defence of the logs: what looks like a secret or personal data is masked wherever it stands.

The first line is the allow-list of field names in `logs`; these patterns catch what slips into an allowed field's text.
"""

from __future__ import annotations

import re
from functools import lru_cache

VALUE_LIMIT = 200  # characters; prose such as an error's detail gets PROSE_LIMIT
PROSE_LIMIT = 500
_SCANNED = 4_000  # characters looked at: patterns must not run over a megabyte

_SECRET = re.compile(
    r"eyJ[\w-]+\.[\w-]+(?:\.[\w-]*)?"  # a JSON web token
    r"|(?i:\b(?:bearer|basic)\s+\S+)"
    r"|\b(?:whsec|whsk|sk|rk|pk|live|test|shpat)_[\w-]+[\w+/=-]*"  # keys of PSPs and Standard Webhooks
    r"|\bAKIA[0-9A-Z]{16}\b"
)
_EMAIL = re.compile(r"[^\s@<>\"',;:/]{1,64}@[^\s@<>\"',;:/]{1,255}")
_LONG_NUMBER = re.compile(
    r"(?<![\w-])\d(?:[ -]?\d){11,}(?![\w-])"  # a card, an account
    r"|\+\d[\d ()-]{6,}\d"  # a telephone
    r"|\b[A-Z]{2}\d\d(?: ?[A-Z0-9]{4}){3,}"  # an IBAN
)
_OPAQUE = re.compile(r"[A-Za-z0-9+/=]{48,}")


def masked(text: str, limit: int = VALUE_LIMIT) -> str:
    """`text` with e-mail addresses, keys, tokens and long numbers replaced, cut to `limit` characters."""
    text = _masked(text[:_SCANNED])
    return text if len(text) <= limit else text[: limit - 1] + "…"


@lru_cache(512)  # most of a line's text is the same on the next one
def _masked(text: str) -> str:
    text = _SECRET.sub("[secret]", text)
    text = _EMAIL.sub("[address]", text)
    text = _LONG_NUMBER.sub("[number]", text)
    return _OPAQUE.sub("[opaque]", text)
