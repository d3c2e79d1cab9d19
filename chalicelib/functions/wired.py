"""The wiring of a function's process: made while it starts, each part when it is first asked for."""

from __future__ import annotations

from functools import cache

from chalicelib.settings import Settings
from chalicelib.wiring import Wiring


@cache
def wired() -> Wiring:
    """A function's process serves one call at a time, and no schema is brought up to date by it: no `assemble`."""
    return Wiring(Settings())
