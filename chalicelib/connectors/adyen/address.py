"""An address as Adyen takes it: the house number apart from the street, and only whole addresses.

Five fields are required. Where one is missing, or a postal code or state is longer than Adyen takes, the address is left out.
"""

from __future__ import annotations

import re

from chalicelib.domain.order import Address

UNKNOWN_COUNTRY = "ZZ"
NO_NUMBER = "N/A"
POSTAL_CODE_MAX = 10
_STATE_REQUIRED = frozenset({"US", "CA"})
_NUMBER_LAST = re.compile(r"(?P<street>.*?\S)[ ,]+(?P<number>[0-9]+ ?[A-Za-z]?(?:[-/][0-9A-Za-z]+)?)")
_NUMBER_FIRST = re.compile(r"(?P<number>[0-9]+[A-Za-z]?(?:[-/][0-9A-Za-z]+)?)[ ,]+(?P<street>\S.*)")


def address_of(address: Address | None, country: str | None) -> dict[str, str] | None:
    """`country`: the shopper's, where the address has none."""
    if address is None:
        return None
    line, city = (address.line1 or "").strip(), (address.city or "").strip()
    if not line or not city:
        return None
    where = address.country or country or UNKNOWN_COUNTRY
    postal_code = _postal_code_of(address.postal_code or "", where)
    state = _state_of(address.region)
    if postal_code is None or (where in _STATE_REQUIRED and state is None):
        return None
    street, number = _parted(line)
    house = " ".join(filter(None, (number, (address.line2 or "").strip()))) or NO_NUMBER
    fields = {
        "street": street,
        "houseNumberOrName": house,
        "city": city,
        "postalCode": postal_code,
        "country": where,
    }
    return {**fields, "stateOrProvince": state} if state else fields


def _postal_code_of(text: str, country: str) -> str | None:
    """Of an American code the first five digits, as Adyen asks."""
    code = text.strip()
    if country == "US":
        found = re.match(r"[0-9]{5}(?![0-9])", code)
        return found.group() if found else None
    return code if 0 < len(code) <= POSTAL_CODE_MAX else None


def _state_of(region: str | None) -> str | None:
    state = (region or "").strip().upper()
    return state if re.fullmatch(r"[A-Z0-9]{2}", state) else None


def _parted(line: str) -> tuple[str, str]:
    """Street and house number; the number is empty where the line does not show one."""
    found = _NUMBER_LAST.fullmatch(line) or _NUMBER_FIRST.fullmatch(line)
    return (found["street"], found["number"]) if found else (line, "")
