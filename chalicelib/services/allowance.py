"""How often something may be done for each of many: a bucket of turns for each, which fills again by itself."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable

REMEMBERED_MAX = 10_000


class Allowance:
    """Thread-safe. `most` turns at once, then one each `every_s`."""

    def __init__(self, most: int, every_s: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._every_s, self._monotonic = every_s, monotonic
        self._debt_max_s = most * every_s
        self._lock = threading.Lock()
        self._full_at: dict[str, float] = {}  # when who took turns has all of them again

    def wait_s(self, whose: str) -> int:
        """Takes a turn, and gives 0; else how many seconds there is none."""
        now = self._monotonic()
        with self._lock:
            full_at = max(self._full_at.get(whose, now), now) + self._every_s
            over_s = full_at - now - self._debt_max_s
            if over_s > 0:
                return math.ceil(over_s)
            self._forget(now)
            self._full_at[whose] = full_at
            return 0

    def _forget(self, now: float) -> None:
        """Who has all turns need not be remembered."""
        if len(self._full_at) >= REMEMBERED_MAX:
            self._full_at = {whose: full_at for whose, full_at in self._full_at.items() if full_at > now}
        if len(self._full_at) >= REMEMBERED_MAX:
            self._full_at.clear()
