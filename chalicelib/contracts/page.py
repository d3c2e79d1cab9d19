"""The page that a PSP sends a shopper to, checked before anybody is led there."""

from __future__ import annotations

import re

CHARACTERS_MAX = 8_000
# A host, perhaps a port, and then what an address is written with: no backslash, which browsers take for a slash, and nobody's
# name before the host, behind which another one could hide.
_PAGE = re.compile(r"https://([A-Za-z0-9.-]{1,253})(:[0-9]{1,5})?(?:[/?#][!#-;=?-\[\]-~]*)?")


def page_in(url: object, *, below: str = "") -> str:
    """The address. `below`: the domain that the page must be in, where all of the PSP's are. Raises ValueError for what is no
    plain https address."""
    found = _PAGE.fullmatch(url) if isinstance(url, str) and len(url) <= CHARACTERS_MAX else None
    if found is None or not found[1].strip(".-"):
        raise ValueError("the page is at no https address")
    if below and (found[2] is not None or not found[1].lower().endswith(f".{below}")):
        raise ValueError("the page is not the PSP's")
    return found.string
