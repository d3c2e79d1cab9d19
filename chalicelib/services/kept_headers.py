"""Which headers of a webhook are kept: those that a verification reads before all others, so that one which is put off finds
them however many the PSP or a proxy added."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from chalicelib.contracts.presented import digest_of

HEADERS_MAX = 50
HEADER_CHARACTERS_MAX = 2_048

# Headers that are nobody's business in a queue or an inbox. A verification that reads one gets its digest.
PRIVATE = frozenset({"authorization", "cookie", "proxy-authorization", "x-api-key"})


def kept(headers: Mapping[str, str], read: Collection[str] = ()) -> dict[str, str]:
    """`read`: the names, in lower case, that a verification reads."""
    first = {name: headers[name] for name in sorted(read) if name in headers}
    needed = {name: digest_of(text) if name in PRIVATE else text for name, text in first.items()}
    others = {name: text for name, text in headers.items() if name not in PRIVATE and name not in needed}
    chosen = list((needed | others).items())[:HEADERS_MAX]
    return {name: text[:HEADER_CHARACTERS_MAX] for name, text in chosen}
