"""How often what only says "look" is queued, a webhook or a return: whoever knows an unsigned one's address, or has a signed
one such as a redirect with the same parameters, can call without end.

A delivery is queued at once, and those that come soon after it are one look a little later, which sees whatever they were
about. So nothing is missed, and one attempt, or one thing of the PSP's that does not say whose it is, makes one message each
LOOK_EVERY_S at most (for each process that takes webhooks in).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

LOOK_EVERY_S = 10.0
MARGIN_S = 1.0  # a delayed message may come a little early
ATTEMPTS_MAX = 10_000


class Looks:
    """Thread-safe. Remembers, by attempt, when the last look that was queued is due."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._due: dict[str, float] = {}

    def delay_s(self, attempt_id: str) -> float | None:
        """How long from now a look for this delivery is to wait, None where one that is queued will see to it. It counts
        once `queued` says so: a delivery is never left to a message that was not sent."""
        now = self._monotonic()
        due = self._due.get(attempt_id)
        if due is None or due + LOOK_EVERY_S <= now:
            return 0.0
        return None if due > now + MARGIN_S else due + LOOK_EVERY_S - now

    def queued(self, attempt_id: str, delay_s: float) -> None:
        now = self._monotonic()
        with self._lock:
            if len(self._due) >= ATTEMPTS_MAX:
                self._due = {id: due for id, due in self._due.items() if due + LOOK_EVERY_S > now}
            if len(self._due) >= ATTEMPTS_MAX:
                self._due.clear()
            self._due[attempt_id] = max(now + delay_s, self._due.get(attempt_id, 0.0))
