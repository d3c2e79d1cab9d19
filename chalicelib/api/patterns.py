"""The patterns of text in requests, and what each asks for in words: a caller should not have to read the pattern."""

from __future__ import annotations

from chalicelib.routing.rules import SLUG

LINE = r"^[^\x00-\x1f\x7f]*$"
TEXT = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$"  # tabs and line ends are text, other control characters are not
# ASCII alone, so that it can stand in a Location header; no `@` before the path, so no credentials.
URL = r"^https?://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?([/?#][!#-;=?-\[\]-~]*)?$"
EMAIL = r"^[^@\x00-\x20\x7f]+@[^@\x00-\x20\x7f]+$"
CURRENCY = r"^[A-Z]{3}$"
COUNTRY = r"^[A-Z]{2}$"
METHOD = r"^[a-z0-9_]{1,32}$"
LOCALE = r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,4}$"

WORDS = {
    LINE: "must be one line, without control characters",
    TEXT: "must hold no control characters but tabs and line ends",
    URL: "must be an http:// or https:// address in ASCII, without credentials; escape anything else",
    EMAIL: "must be an e-mail address",
    CURRENCY: "must be a currency code of ISO 4217 in upper case, such as EUR",
    COUNTRY: "must be a country code of ISO 3166-1 in upper case, such as NL",
    METHOD: "must be a payment method such as card or ideal: up to 32 of a-z, 0-9 and _",
    LOCALE: "must be a BCP 47 language tag, such as nl-NL",
    SLUG: "must be 1 to 40 of a-z, 0-9 and -, and not begin with -",
}
