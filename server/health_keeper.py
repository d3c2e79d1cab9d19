"""Keeps a gateway process's health of connections up to date, beside its requests: they tell and read nothing themselves.

The thread starts with the process's first request, long after gunicorn has forked; when the process ends, what it has not
told yet is told.
"""

from __future__ import annotations

import logging
import threading

from chalicelib import wiring
from chalicelib.services.health import Health

log = logging.getLogger("paymentserver.health")
TICK_S = 0.5
REST_S = 0.05  # between two rounds, however often it is woken
STOP_WITHIN_S = 5.0
_KEEPERS: list[HealthKeeper] = []


class HealthKeeper:
    def __init__(self, health: Health) -> None:
        self._health = health
        self._woken, self._stop = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="health-keeper", daemon=True)

    def start(self) -> None:
        self._health.wake = self._woken.set
        self._thread.start()

    def stop(self) -> None:
        """Returns once everything is told, or 5 s have passed."""
        self._stop.set()
        self._woken.set()
        self._thread.join(STOP_WITHIN_S)

    def _run(self) -> None:
        while not self._stop.is_set():
            self._woken.wait(TICK_S)
            self._woken.clear()
            self._round()
            self._stop.wait(REST_S)
        self._round(last=True)

    def _round(self, *, last: bool = False) -> None:
        try:
            if last:
                self._health.tell(everything=True)
            else:
                self._health.tick()
        except Exception:
            log.exception("unexpected error in the keeper of health")


def keep_health() -> None:
    """From now on every process that is wired, or forked and then wired, has a keeper."""
    wiring.when_assembled(_keep)


def stop_keeping() -> None:
    while _KEEPERS:
        _KEEPERS.pop().stop()


def _keep(wired: wiring.Wiring) -> None:
    keeper = HealthKeeper(wired.health)
    keeper.start()
    _KEEPERS.append(keeper)
