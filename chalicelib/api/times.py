"""Times in requests: `Instant` in a query, `Moment` in a body."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_FIRST = datetime(1970, 1, 1, tzinfo=UTC)  # no payment is older


def _no_number(value: Any) -> Any:
    """Pydantic would take seconds since 1970 too."""
    if isinstance(value, str) and not _DATE.match(value):
        raise ValueError("must be a time of RFC 3339, such as 2026-01-31T09:00:00Z")
    return value


def in_utc(at: datetime) -> datetime:
    """A time without a zone is UTC."""
    try:
        return max(at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC), _FIRST)
    except OverflowError:
        raise ValueError("is outside the years that can be told in UTC") from None


Instant = Annotated[datetime, BeforeValidator(_no_number), AfterValidator(in_utc)]


def _time(value: Any) -> datetime:
    """Read here, because a strict model would take no text, and a lenient one numbers too."""
    try:
        return datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise ValueError("must be a time of RFC 3339, such as 2026-01-31T09:00:00Z") from None


Moment = Annotated[datetime, BeforeValidator(_time), AfterValidator(in_utc)]
