"""Refuses bodies that carry a card number, so that none is ever stored, logged or sent on.

A Luhn check alone would refuse one in ten timestamps; with the schemes' own ranges and lengths, order numbers, dates and
article numbers pass. Lengths of 12 and 13 digits (long withdrawn from Visa, rare at Maestro) are left out, because every
EAN-13 and millisecond timestamp has 13 digits.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from chalicelib.api.body import strings_of
from chalicelib.domain.errors import Invalid, Pointer

_LONG = range(16, 20)
# (first six digits from, to, lengths), as the schemes publish their issuer ranges.
_RANGES: tuple[tuple[int, int, range], ...] = (
    (220000, 220499, _LONG),  # Mir
    (222100, 272099, range(16, 17)),  # Mastercard
    (300000, 305999, range(14, 15)),  # Diners Club
    (340000, 349999, range(15, 16)),  # American Express
    (352800, 358999, _LONG),  # JCB
    (360000, 369999, range(14, 15)),  # Diners Club
    (370000, 379999, range(15, 16)),  # American Express
    (380000, 399999, range(14, 15)),  # Diners Club
    (400000, 499999, range(16, 20, 3)),  # Visa
    (501800, 501899, _LONG),  # Maestro
    (502000, 502099, _LONG),  # Maestro
    (503800, 503899, _LONG),  # Maestro
    (508500, 508999, range(16, 17)),  # RuPay
    (510000, 559999, range(16, 17)),  # Mastercard
    (589300, 589399, _LONG),  # Maestro
    (601100, 601199, _LONG),  # Discover
    (606985, 608500, range(16, 17)),  # RuPay
    (620000, 629999, _LONG),  # UnionPay, and Discover's 622126 to 622925
    (630400, 630499, _LONG),  # Maestro
    (639000, 639099, _LONG),  # Maestro
    (644000, 659999, _LONG),  # Discover, and RuPay's 652150 to 653149
    (675900, 675999, _LONG),  # Maestro
    (676100, 676399, _LONG),  # Maestro
    (676770, 676779, _LONG),  # Maestro
    (810000, 829999, _LONG),  # UnionPay 810 to 817, RuPay 81 and 82
)
_LENGTHS = range(14, 20)
_BY_PREFIX = {
    prefix: tuple(one for one in _RANGES if one[0] // 10_000 <= prefix <= one[1] // 10_000) for prefix in range(100)
}
_MAYBE = re.compile(r"[0-9](?:[ -]?[0-9]){13}")
_CHAIN = re.compile(r"[0-9]+(?:[ -][0-9]+)*")
_DOUBLED = bytes.maketrans(b"0123456789", b"0246813579")  # each digit's double, its digits added up


def refuse_card_numbers(document: Any) -> None:
    """Looks at every string, key and number of a parsed body. Raises Invalid with the pointer of each finding.

    The error never repeats what was found.
    """
    # Most bodies hold no long run of digits at all, and one search over the whole text says so.
    if not _MAYBE.search(json.dumps(document, ensure_ascii=False)):
        return
    found = {pointer for pointer, text in strings_of(document) if has_card_number(text)}
    if found:
        detail = "looks like a card number; card data must never be sent here, only to the PSP's own page"
        pointers = tuple(Pointer(_masked(pointer), detail) for pointer in sorted(found))
        raise Invalid(f"{pointers[0].pointer or '/'}: {detail}", pointers[:20], slug="card-number")


def has_card_number(text: str) -> bool:
    """Whether whole groups of digits, parted by single spaces or hyphens, make up a card number."""
    return any(is_card_number(digits) for chain in _CHAIN.findall(text) for digits in _runs_of(chain))


def is_card_number(digits: str) -> bool:
    if len(digits) not in _LENGTHS:
        return False
    issuer = int(digits[:6])
    for low, high, lengths in _BY_PREFIX[issuer // 10_000]:
        if low <= issuer <= high and len(digits) in lengths:
            return _luhn(digits)
    return False


def _runs_of(chain: str) -> Iterator[str]:
    """Every sequence of neighbouring groups with a card number's length: an expiry date behind it hides nothing."""
    groups = chain.replace("-", " ").split(" ")
    for start in range(len(groups)):
        run = ""
        for group in groups[start:]:
            run += group
            if len(run) > _LENGTHS[-1]:
                break
            if len(run) >= _LENGTHS[0]:
                yield run


def _luhn(digits: str) -> bool:
    """ISO/IEC 7812-1, annex B; on bytes, because a hostile body makes it run a hundred thousand times."""
    backwards = digits.encode()[::-1]
    total = sum(backwards[::2]) + sum(backwards[1::2].translate(_DOUBLED)) - len(digits) * ord("0")
    return total % 10 == 0


def _masked(pointer: str) -> str:
    """A key may be the card number itself; its part of the pointer is not repeated."""
    return "/".join("…" if has_card_number(part) else part for part in pointer.split("/"))
