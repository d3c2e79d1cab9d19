"""Which arm of a split a payment or a customer gets: weighted rendezvous hashing.

Each arm with a weight draws a waiting time for the unit, exponential at the rate of its weight, from a keyed hash of the
two alone; the arm that waits least takes the unit. So an arm gets its weight's part of all units, in whatever order the
arms are written; raising a weight moves units to that arm alone, lowering it from that arm alone, and no more of them than
the change of shares takes; a new arm takes units from the others and nothing else moves.

Sources: Thaler, Ravishankar, "Using name-based mappings to increase hit rates" (1998); weights as in Schindler,
Schomaker, "Weighted distributed hash tables" (2005), the logarithmic method.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b
from math import log

HASHES = 2**64  # a hash is one of so many numbers


@lru_cache(maxsize=1024)
def key_of(merchant_id: str, route: str, rule: str, salt: str | None) -> str:
    """The key that a rule's split hashes with: rules deal their units independently, and another salt deals them anew."""
    parts = json.dumps([merchant_id, route, rule, salt or ""])  # as JSON, no two lists of parts read the same
    return blake2b(parts.encode(), digest_size=16, person=b"split").hexdigest()


def choose(key: str, unit: str, arms: Sequence[tuple[str, int]]) -> str:
    """The arm, of (name, weight), that takes the unit. Raises ValueError where no arm has a weight above 0."""
    begun = blake2b(_bytes(f"{len(unit)}:{unit}"), digest_size=8, key=key.encode())
    return min((_wait(begun.copy(), arm, weight), arm) for arm, weight in arms if weight > 0)[1]


def _wait(begun: blake2b, arm: str, weight: int) -> float:
    begun.update(_bytes(arm))
    return -log((int.from_bytes(begun.digest(), "big") + 1) / HASHES) / weight


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogatepass")  # half a surrogate pair is a character to JSON
