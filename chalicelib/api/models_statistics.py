"""What `GET /v1/statistics` answers, for the OpenAPI document. docs/statistics.md says what each figure means."""

from __future__ import annotations

from pydantic import Field

from chalicelib.api.models import Shown, Time
from chalicelib.domain.payment import Status


class OutcomesModel(Shown):
    """Attempts, by what became of them; one may have been opened and authorized."""

    opened: int
    """The PSP opened a page."""
    authorized: int
    """The shopper paid there: something was ever authorized."""
    unanswered: int
    """The PSP never said whether it opened one."""
    not_sent: int
    """The PSP could not be reached."""
    misconfigured: int
    """The PSP refused the credentials or the request."""
    rate_limited: int


class DeclinesModel(Shown):
    """Declines of attempts and of each card or account tried on a page, by class."""

    hard: int
    soft: int
    fraud: int


class MovedModel(Shown):
    """Minor units of `currency`."""

    authorized: int
    """Ever authorized, automatic capture included."""
    captured: int
    refunded: int
    charged_back: int


class LatencyModel(Shown):
    """How long PSPs took to open a page. Percentiles are the upper bound of a step: 10, 20, 50, 100, 200, 500, 1000, …"""

    count: int
    mean: int | None
    p50: int | None
    p95: int | None


class StatisticsModel(Shown):
    """Figures of one interval and one combination of the values grouped by, which stand here under their names."""

    from_: Time = Field(alias="from")
    to: Time
    """Not included."""
    connection_id: str | None = None
    route: str | None = None
    route_version: str | None = None
    rule: str | None = None
    arm: str | None = None
    """Null where no split decided."""
    currency: str
    payment_method: str | None = None
    """Null where the checkout named none."""
    status: Status | None = None
    payments: int
    """Payments that came to stand here, less those that stand elsewhere since: by status, connection and interval."""
    authorized: int
    """Those of them of which anything was ever authorized."""
    unpaid: int
    """Those of them that failed, expired or were cancelled without that."""
    authorized_share: float | None
    """`authorized` / (`authorized` + `unpaid`); null where none has come to an end."""
    attempts: int
    outcomes: OutcomesModel
    declines: DeclinesModel
    amounts: MovedModel
    latency_ms: LatencyModel


class StatisticsList(Shown):
    items: list[StatisticsModel]
    next_cursor: str | None
    """For the next page; null on the last one."""
    complete_until: Time
    """What happened after it is not counted yet."""
