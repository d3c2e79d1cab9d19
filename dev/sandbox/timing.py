"""Every duration of the sandbox, so that tests can make them short."""

from __future__ import annotations

from dataclasses import dataclass

RETRY_AFTER_S = (1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 60.0, 60.0, 60.0, 60.0, 60.0)  # twelve attempts in all


@dataclass(frozen=True, slots=True)
class Timing:
    """`retry_after_s` holds the wait after each failed delivery; after the last one the delivery is given up."""

    hold_s: float = 30.0
    slow_s: float = 3.0
    late_webhook_s: float = 10.0
    settles_s: float = 2.0
    soon_s: float = 2.0
    dispute_s: float = 2.0
    webhook_timeout_s: float = 5.0
    webhook_first_wait_s: float = 5.0
    retry_after_s: tuple[float, ...] = RETRY_AFTER_S
    authorization_life_s: float = 7 * 86_400.0
    key_life_s: float = 86_400.0
    tick_s: float = 0.2
