"""What the operations on routes take and answer, for the OpenAPI document."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from chalicelib.api.body import Strict
from chalicelib.api.models import Shown, Time
from chalicelib.api.models_configuration import Listed, Versioned
from chalicelib.routing.lint import Severity
from chalicelib.routing.rules import Fallback, Outcome, Rule

VERSION_MAX = 999_999_999


class _RouteShown(Shown):
    name: str
    rules: list[Rule]
    otherwise: Outcome
    unanswered: Literal["next", "hold"]
    late: Literal["accept", "refund", "review"]
    fallback: Fallback | None = None
    attempts_max: int | None = None
    budget_s: int | None = None


class RouteModel(_RouteShown, Versioned):
    pass


class RouteList(Listed):
    items: list[RouteModel]


class FindingModel(Shown):
    severity: Severity
    code: str
    """A fixed word, such as `unreachable`."""
    pointer: str
    """Where in the route (JSON Pointer)."""
    detail: str


class SavedRouteModel(RouteModel):
    warnings: list[FindingModel]
    """What is likely meant otherwise; it was saved all the same."""


class FindingsModel(Shown):
    errors: list[FindingModel]
    """What would be refused."""
    warnings: list[FindingModel]


class RouteVersionModel(_RouteShown):
    version: int
    created_at: Time
    created_by: str


class RouteVersionList(Listed):
    items: list[RouteVersionModel]


class ActivationRequest(Strict):
    version: int = Field(ge=1, le=VERSION_MAX)
    """The version to take up again."""


class ComparisonQuery(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    from_: int = Field(alias="from", ge=1, le=VERSION_MAX)
    """A version's number."""
    to: int = Field(ge=1, le=VERSION_MAX)
    """Another's."""


class DifferenceModel(Shown):
    rule: str | None
    """The rule's name; null for what belongs to no rule."""
    pointer: str
    """Where in the rule, or in the route (JSON Pointer)."""
    before: Any
    """Null for what was added."""
    after: Any
    """Null for what was taken away."""


class RouteComparisonModel(Shown):
    from_: int = Field(alias="from")
    to: int
    differences: list[DifferenceModel]
