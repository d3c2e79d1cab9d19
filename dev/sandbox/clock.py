"""The sandbox's clock: milliseconds since the epoch, as its webhooks tell the time."""

from __future__ import annotations

import time


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def after_ms(wait_s: float) -> int:
    return now_ms() + round(wait_s * 1000)
