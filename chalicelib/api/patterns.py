"""The patterns of text in requests, each with what it asks for in words."""

from __future__ import annotations

from chalicelib.contracts.validation import worded

TEXT = worded(  # tabs and line ends are text, other control characters are not
    r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$", "must hold no control characters but tabs and line ends"
)
# ASCII alone, so that it can stand in a Location header; no `@` before the path, so no credentials.
URL = worded(
    r"^https?://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?([/?#][!#-;=?-\[\]-~]*)?$",
    "must be an http:// or https:// address in ASCII, without credentials; escape anything else",
)
EMAIL = worded(r"^[^@\x00-\x20\x7f]+@[^@\x00-\x20\x7f]+$", "must be an e-mail address")
CURRENCY = worded(r"^[A-Z]{3}$", "must be a currency code of ISO 4217 in upper case, such as EUR")
COUNTRY = worded(r"^[A-Z]{2}$", "must be a country code of ISO 3166-1 in upper case, such as NL")
METHOD = worded(r"^[a-z0-9_]{1,32}$", "must be a payment method such as card or ideal: up to 32 of a-z, 0-9 and _")
LOCALE = worded(r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,4}$", "must be a BCP 47 language tag, such as nl-NL")
CURSOR = worded(r"^[A-Za-z0-9_-]*$", "must be the cursor of an earlier answer, whole")
