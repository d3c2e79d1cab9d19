"""The issuer's keys, remembered: few calls to the provider, no matter how many tokens come and what they claim.

age of the keys    what `current` does
up to FRESH_S      answers from memory
up to STALE_S      one thread asks the provider, the others answer from memory; while the provider is down nobody
                   asks more than once in RETRY_S
beyond, or none    waits for the provider, or raises IdentityFault
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from chalicelib.domain.errors import IdentityFault
from chalicelib.identity.keys import KeySet

log = logging.getLogger("paymentserver.identity")

FRESH_S = 300.0  # a key that the provider withdrew is accepted so long at most
STALE_S = 4 * 3600.0  # without a word from the provider
RETRY_S = 10.0  # after a failure, while old keys serve
FIRST_RETRY_S = 1.0  # after a failure, while there is nothing to serve with
REFETCH_S = 5.0  # between two fetches that unknown key ids may cause
WAIT_S = 4.0  # for another thread's fetch; longer would tie up every thread while the provider hangs


@dataclass(frozen=True, slots=True)
class _Held:
    keys: KeySet
    fetched_s: float


class KeySource:
    """Safe in many threads: what is held is replaced as a whole, and one thread at a time fetches."""

    def __init__(self, fetch: Callable[[], KeySet], clock: Callable[[], float]) -> None:
        """`fetch` raises IdentityFault; `clock` gives seconds since 1970."""
        # The clock is the wall's, not the monotonic one: that stands still while a function's container is frozen.
        self._fetch = fetch
        self._clock = clock
        self._held: _Held | None = None
        self._failed_s: float | None = None
        self._refetched_s: float | None = None
        self._fetching = threading.Lock()

    def fresh(self) -> KeySet | None:
        """The keys that `current` would answer from memory; None where it would ask or wait."""
        held = self._held
        return held.keys if held and 0 <= self._clock() - held.fetched_s < FRESH_S else None

    def current(self) -> KeySet:
        """The same object until the keys change. Raises IdentityFault."""
        held, now = self._held, self._clock()
        age_s = now - held.fetched_s if held else STALE_S
        if held and 0 <= age_s < FRESH_S:
            return held.keys
        if held and -FRESH_S < age_s < STALE_S:
            if not self._since(self._failed_s, now, RETRY_S) and self._fetching.acquire(blocking=False):
                self._renew_and_release(held)
            return (self._held or held).keys
        self._wait_to_renew(held)
        if self._held is None or self._held is held:
            raise IdentityFault("The identity provider's keys can not be had at present.")
        return self._held.keys

    def after(self, seen: KeySet) -> KeySet:
        """For a token whose key is not in `seen`: the keys now, fetched anew at most once in REFETCH_S.

        Until that time is over, or RETRY_S after a failure, every unknown key id is refused from memory, so that tokens
        with invented ones can neither make us flood the provider nor wait for it.
        """
        held = self._held
        if held is None or held.keys is not seen:
            return held.keys if held else seen
        if not self._fetching.acquire(timeout=WAIT_S):
            return seen
        now = self._clock()
        waiting = self._since(self._refetched_s, now, REFETCH_S) or self._since(self._failed_s, now, RETRY_S)
        if self._held is held and not waiting:
            self._refetched_s = now
            self._renew_and_release(held)
        else:
            self._fetching.release()
        return (self._held or held).keys

    def _wait_to_renew(self, held: _Held | None) -> None:
        if not self._fetching.acquire(timeout=WAIT_S):
            return
        if self._held is held and not self._since(self._failed_s, self._clock(), FIRST_RETRY_S):
            self._renew_and_release(held)
        else:
            self._fetching.release()

    def _renew_and_release(self, held: _Held | None) -> None:
        """Called with the lock. A failure is remembered and leaves what is held."""
        try:
            if self._held is not held:
                return  # another thread was quicker, and its answer is newer
            fetched = self._fetch()
            if held and fetched == held.keys:
                fetched = held.keys
            self._held, self._failed_s = _Held(fetched, self._clock()), None
        except IdentityFault as error:
            self._failed_s = self._clock()
            log.warning("the issuer's keys could not be fetched", extra={"fields": {"detail": error.detail}})
        finally:
            self._fetching.release()

    @staticmethod
    def _since(moment: float | None, now: float, wait_s: float) -> bool:
        """Whether less than `wait_s` have passed; a clock that was set back does not prolong the wait."""
        return moment is not None and 0 <= now - moment < wait_s
