"""The query of a webhook's address: kept exactly as it was sent, because a PSP may sign it or we ourselves have."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl

from chalicelib.domain.errors import SignatureInvalid, TooLarge, Unreadable

QUERY_BYTES_MAX = 8_000  # with the path it fits the 8,190 of a request's first line
PARAMETERS_MAX = 100
_SENDABLE = re.compile(r"(?:%[0-9A-Fa-f]{2}|[!\"$&-~])*")  # printable ASCII; no fragment, no broken percent-encoding
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def check_query(query: str) -> None:
    """Refuses what no PSP sends, and what could be read in two ways. Raises TooLarge, Unreadable."""
    if not query:
        return
    if len(query) > QUERY_BYTES_MAX:
        raise TooLarge(f"The query has {len(query)} characters; {QUERY_BYTES_MAX} are allowed.")
    if not _SENDABLE.fullmatch(query):
        raise Unreadable("The query holds what no address may hold.")
    try:
        pairs = parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=PARAMETERS_MAX)
    except ValueError:
        raise Unreadable("The query is not UTF-8 text or has too many parameters.") from None
    if any(_CONTROL.search(name) or _CONTROL.search(value) for name, value in pairs):
        raise Unreadable("The query holds control characters.")


def parameters_of(query: str) -> dict[str, str]:
    """Each parameter, decoded, in the order it was sent, for a connector's `verify`.

    Raises SignatureInvalid where one stands twice, or for a query that `check_query` refuses: two readers could take it
    to say two things.
    """
    try:
        check_query(query)
    except (TooLarge, Unreadable) as error:
        raise SignatureInvalid(error.detail) from None
    pairs = parse_qsl(query, keep_blank_values=True)
    found = dict(pairs)
    if len(found) != len(pairs):
        raise SignatureInvalid("A parameter stands twice in the query.")
    return found
