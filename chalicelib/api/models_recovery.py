"""What a recovery takes and answers."""

from __future__ import annotations

from pydantic import Field

from chalicelib.api.body import Strict
from chalicelib.api.models import Shown
from chalicelib.api.patterns import CURSOR
from chalicelib.api.times import Moment


class RecoveryRequest(Strict):
    since: Moment
    """The time of the oldest event to send."""
    cursor: str | None = Field(None, min_length=1, max_length=1024, pattern=CURSOR)
    """Of the answer before, where that was not the end."""


class RecoveryModel(Shown):
    deliveries: int
    """How many were sent on their way."""
    cursor: str | None
    """Continues; null at the end."""


RECOVERY_EXAMPLE = {"deliveries": 42, "cursor": None}
