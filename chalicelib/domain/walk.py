"""How far a walk along an index has come."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Walk:
    """What stands before `until` was seen to."""

    name: str
    until: datetime
