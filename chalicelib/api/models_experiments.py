"""What the results of A/B tests look like, for the OpenAPI document. `services.experiment_view` makes them."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from chalicelib.api.models import MoneyModel, Shown, Time
from chalicelib.api.models_routing import VERSION_MAX
from chalicelib.api.models_statistics import DeclinesModel, LatencyModel
from chalicelib.api.times import Instant
from chalicelib.routing.sequential import Verdict


class ExperimentQuery(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    from_: Instant | None = Field(None, alias="from")
    """Only what happened from this time on, in whole hours; all since the split was last changed by default."""
    version: int | None = Field(None, ge=1, le=VERSION_MAX)
    """The splits of an earlier version; the newest by default."""


class ShareModel(Shown):
    """From 0 to 1, with Wilson's 95 % interval."""

    value: float | None
    """Null where no payment has come to its end."""
    low: float
    high: float


class ComparisonModel(Shown):
    """By a test that holds however often it is looked at; the interval and the p-value are always valid."""

    difference: float | None
    """Of the authorized shares: the arm's less the control's."""
    low: float
    high: float
    p_value: float
    verdict: Verdict
    in_words: str


class ArmResultModel(Shown):
    arm: str
    weight: int
    payments: int
    authorized: int
    """Payments that were ever authorized."""
    unpaid: int
    """Payments that ended without it."""
    undecided: int
    """Payments that may still be paid: they count in no share."""
    authorized_share: ShareModel
    captured: list[MoneyModel]
    """One amount for each currency."""
    attempts: int
    declines: DeclinesModel
    latency_ms: LatencyModel
    comparison: ComparisonModel | None
    """With the control arm; null for that one itself."""


class ExperimentModel(Shown):
    rule: str
    """The rule's name, or `otherwise`."""
    since: Time
    """When its split was last changed."""
    since_version: int
    control: str
    max_drop: int | None
    """The guardrail's, in points; null without one."""
    arms: list[ArmResultModel]


class ExperimentsModel(Shown):
    route: str
    version: int
    experiments: list[ExperimentModel]
