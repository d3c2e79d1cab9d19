"""E-mail addresses that every PSP takes. Shops' own checks are laxer, and a PSP refuses the whole checkout over one that it
does not like: so any other is better left out."""

from __future__ import annotations

import re

from chalicelib.contracts.validation import worded

CHARACTERS_MAX = 254
PLAUSIBLE = worded(r"^[^@\s]+@[^@\s]+\.[^@\s]+$", "must be an e-mail address, such as payments@shop.example")
"""What an operator enters as the merchant's own."""
_ORDINARY = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@([A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?"
)


def ordinary(address: str | None) -> str | None:
    """The address where it is ASCII, at a host with a domain, and no longer than mail goes; else None."""
    if not address or len(address) > CHARACTERS_MAX or not _ORDINARY.fullmatch(address):
        return None
    return address
