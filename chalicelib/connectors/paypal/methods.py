"""Payment methods, by the page of PayPal's that the shopper lands on, and languages."""

from __future__ import annotations

import re

METHODS = {"paypal": "LOGIN", "card": "GUEST_CHECKOUT"}
ANY_PAGE = "NO_PREFERENCE"

_TAG = re.compile(r"([A-Za-z]{2})(?:-[A-Za-z]{4})?-([A-Za-z]{2})(?:-.*)?")


def locale_of(tag: str | None) -> str | None:
    """PayPal's five characters for a BCP 47 tag, None where it names no country: then PayPal takes the shopper's own."""
    found = _TAG.fullmatch(tag or "")
    return f"{found[1].lower()}-{found[2].upper()}" if found else None
