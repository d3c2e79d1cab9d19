"""Tokens that were verified a moment ago: a shop sends the same one with every call."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from dataclasses import dataclass

from chalicelib.identity.caller import Caller
from chalicelib.identity.keys import KeySet

LIVES_S = 60.0
ENTRIES_MAX = 2_000


@dataclass(frozen=True, slots=True)
class _Entry:
    caller: Caller
    keys: KeySet
    since_s: float
    until_s: float


class Verified:
    """Holds no token, only SHA-256 hashes. An entry ends with its token, after LIVES_S, or when the issuer's keys
    change, whichever is first; the least recently used one makes room."""

    def __init__(self) -> None:
        self._entries: OrderedDict[bytes, _Entry] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, token: str, keys: KeySet, now_s: float) -> Caller | None:
        name = _name_of(token)
        with self._lock:
            entry = self._entries.get(name)
            if entry is None:
                return None
            if entry.keys is keys and entry.since_s <= now_s < entry.until_s:
                self._entries.move_to_end(name)
                return entry.caller
            del self._entries[name]
            return None

    def put(self, token: str, caller: Caller, keys: KeySet, now_s: float, ends_s: float) -> None:
        with self._lock:
            self._entries[_name_of(token)] = _Entry(caller, keys, now_s, min(ends_s, now_s + LIVES_S))
            if len(self._entries) > ENTRIES_MAX:
                self._entries.popitem(last=False)


def _name_of(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
