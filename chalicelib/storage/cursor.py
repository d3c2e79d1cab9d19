"""Opaque page cursors: where a page ended, bound to the list it came from.

The digest is no secret and protects nothing: a cursor only ever names a place inside the partition that the caller may
read anyway. It turns mix-ups (another list's cursor, a truncated one) into an error rather than a page out of place.
"""

from __future__ import annotations

import base64
import binascii
from hashlib import blake2b

from chalicelib.domain.errors import Unreadable

_DIGEST_BYTES = 8


def cursor_of(listing: str, sort: str, id: str) -> str:
    """`listing` names what is listed: kind, index, partition and direction. Keys hold no NUL, so it can part them."""
    place = f"{sort}\0{id}".encode()
    return base64.urlsafe_b64encode(_digest_of(listing, place) + place).rstrip(b"=").decode()


def place_of(listing: str, cursor: str) -> tuple[str, str]:
    """(sort, id) of the last item seen. Raises Unreadable when the cursor is not one of this listing's."""
    try:
        raw = base64.b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        digest, place = raw[:_DIGEST_BYTES], raw[_DIGEST_BYTES:]
        sort, id = place.decode().split("\0")
    except (UnicodeError, ValueError, binascii.Error):
        raise Unreadable(_NOT_OURS) from None
    if digest != _digest_of(listing, place):
        raise Unreadable(_NOT_OURS)
    return sort, id


def _digest_of(listing: str, place: bytes) -> bytes:
    return blake2b(listing.encode() + b"\0" + place, digest_size=_DIGEST_BYTES).digest()


_NOT_OURS = (
    "The cursor does not belong to this list. Use next_cursor of the page before, unchanged, or start without one."
)
