"""The clock port: time is handed in, so that tests can move it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    def now(self) -> datetime:
        """The present in UTC, to the millisecond."""


class SystemClock:
    def now(self) -> datetime:
        present = datetime.now(UTC)
        return present.replace(microsecond=present.microsecond // 1000 * 1000)
