"""Statistics: payments, attempts and amounts by hour or day."""

from __future__ import annotations

import base64
import json
from datetime import datetime, timedelta
from typing import Annotated, Literal, NamedTuple

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from chalicelib.api.models_statistics import StatisticsList
from chalicelib.api.operation import Answer, Call, operation
from chalicelib.api.times import Instant
from chalicelib.domain.errors import Invalid, Pointer, Unreadable
from chalicelib.domain.json_text import parse
from chalicelib.domain.payment import Json
from chalicelib.domain.statistics import order_of
from chalicelib.domain.view import text_of
from chalicelib.services.statistics import GROUPS, Interval, Total, bounds_of, latency_of, statistics

DEFAULT_SPAN = timedelta(days=1)
SPAN_MAX = {Interval.HOUR: timedelta(days=93), Interval.DAY: timedelta(days=366)}
ROWS_MAX = 10_000
CURSOR_MAX = 1536  # the longest names of rules and arms there may be, and far from the longest address
_GROUP = f"(?:{'|'.join(GROUPS)})"


def _groups(value: str) -> str:
    unknown = [name for name in value.split(",") if name not in GROUPS]
    if unknown:
        raise ValueError(f"has no {unknown[0]!r}; there are {', '.join(GROUPS)}, separated by commas")
    return value


class StatisticsQuery(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    from_: Instant | None = Field(None, alias="from")
    """A day before `to` by default; rounded down to the interval, in UTC. At most 93 days before, 366 by day."""
    to: Instant | None = None
    """Now by default; rounded up to the interval, in UTC."""
    interval: Literal["hour", "day"] = "hour"
    group_by: Annotated[str, AfterValidator(_groups)] | None = Field(
        None, max_length=200, json_schema_extra={"pattern": f"^{_GROUP}(?:,{_GROUP})*$"}
    )
    """Names separated by commas. `currency` is always among them: amounts of different currencies are never summed."""
    limit: int = Field(ROWS_MAX, ge=1, le=ROWS_MAX)
    """How many items a page may hold."""
    cursor: str | None = Field(None, max_length=CURSOR_MAX, json_schema_extra={"pattern": "^[A-Za-z0-9_-]*$"})
    """The `next_cursor` of the page before."""

    @property
    def groups(self) -> tuple[str, ...]:
        asked = self.group_by.split(",") if self.group_by else []
        return tuple(name for name in GROUPS if name in asked or name == "currency")


class _Place(NamedTuple):
    """Where an item stands in the list, the newest first."""

    since: str
    values: tuple[str | None, ...]

    def is_after(self, other: _Place) -> bool:
        if self.since != other.since:
            return self.since < other.since
        return order_of(self.values) > order_of(other.values)


@operation(
    "GET",
    "/v1/statistics",
    summary="Read statistics by hour or day, the newest first",
    description="Sums per currency, never across. Hours that are over are closed and stay as they are; what happens now "
    "counts at once.",
    tag="Statistics",
    scope="statistics:read",
    query=StatisticsQuery,
    answers={200: StatisticsList},
)
def read_statistics(call: Call) -> Answer:
    query: StatisticsQuery = call.query
    interval = Interval(query.interval)
    now = call.wiring.ports.clock.now()
    since, until = _period(query, interval, now)
    found = statistics(call.wiring.ports, call.merchant_id, since, until, query.groups, interval)
    items = sorted(found.totals, key=lambda one: one.since, reverse=True)
    if query.cursor is not None:
        shown = _place_in(query.cursor, len(query.groups))
        items = [one for one in items if _place_of(one).is_after(shown)]
    page = items[: query.limit]
    cursor = _cursor_at(_place_of(page[-1])) if len(items) > len(page) else None
    complete_until = text_of(max(found.complete_until, since))
    return Answer(200, {"items": [_view(one) for one in page], "next_cursor": cursor, "complete_until": complete_until})


def _period(query: StatisticsQuery, interval: Interval, now: datetime) -> tuple[datetime, datetime]:
    """Raises Invalid."""
    until = query.to or now + timedelta.resolution  # what happens at this very moment is in it
    since = query.from_ or until - DEFAULT_SPAN
    if since > until:
        detail = "must not be after `to`"
        raise Invalid(f"/query/from: {detail}", (Pointer("/query/from", detail),))
    until = min(until, now + timedelta(days=1))  # there is nothing later
    since, until = bounds_of(min(since, until), until, interval)
    if until - since > SPAN_MAX[interval] + timedelta(days=1):
        detail = f"must be at most {SPAN_MAX[interval].days} days before `to` where the interval is {interval}"
        raise Invalid(f"/query/from: {detail}", (Pointer("/query/from", detail),))
    return since, until


def _view(total: Total) -> dict[str, Json]:
    def of(name: str) -> int:
        return total.figures.get(name, 0)

    authorized, unpaid, latency = of("payments_authorized"), of("payments_unpaid"), latency_of(total.figures)
    ended = authorized + unpaid
    return {
        "from": text_of(total.since),
        "to": text_of(total.until),
        **total.group,
        "payments": of("payments"),
        "authorized": authorized,
        "unpaid": unpaid,
        "authorized_share": round(authorized / ended, 4) if authorized >= 0 and unpaid >= 0 and ended else None,
        "attempts": of("attempts"),
        "outcomes": {
            name: of(name)
            for name in ("opened", "authorized", "unanswered", "not_sent", "misconfigured", "rate_limited")
        },
        "declines": {cls: of(f"declined_{cls}") for cls in ("hard", "soft", "fraud")},
        "amounts": {name: of(f"{name}_minor") for name in ("authorized", "captured", "refunded", "charged_back")},
        "latency_ms": {"count": latency.count, "mean": latency.mean, "p50": latency.p50, "p95": latency.p95},
    }


def _place_of(total: Total) -> _Place:
    return _Place(text_of(total.since), tuple(total.group.values()))


def _cursor_at(place: _Place) -> str:
    text = json.dumps([place.since, *place.values], ensure_ascii=False, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _place_in(cursor: str, groups: int) -> _Place:
    """Raises Unreadable."""
    foreign = Unreadable("The cursor is none of this list's.")
    try:
        place = parse(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except ValueError:
        raise foreign from None
    if not isinstance(place, list) or len(place) != groups + 1 or not isinstance(place[0], str):
        raise foreign
    if not all(value is None or isinstance(value, str) for value in place):
        raise foreign
    return _Place(place[0], tuple(place[1:]))
