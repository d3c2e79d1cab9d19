"""A route as operators write it: rules that are tried in order, and what holds otherwise."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

SLUG = r"^[a-z0-9][a-z0-9-]{0,39}$"
CHAIN_MAX = 10
RULES_MAX = 50
VALUES_MAX = 100
FIELD = (
    r"^(amount|currency|country|payment_method|locale|customer\.id|customer\.email_domain|order_reference|hour_of_day"
    r"|day_of_week|metadata\.[^\x00-\x1f]{1,40})$"
)

Slug = Annotated[str, Field(pattern=SLUG)]
Scalar = str | int | bool
Op = Literal["eq", "ne", "in", "not_in", "lt", "lte", "gt", "gte", "between", "starts_with", "exists"]


def _unique(value: list[str]) -> list[str]:
    if len(set(value)) != len(value):
        raise ValueError("names a connection twice")
    return value


Uses = Annotated[list[Slug], Field(min_length=1, max_length=CHAIN_MAX), AfterValidator(_unique)]


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, use_attribute_docstrings=True)


class Chain(_Part):
    use: Uses
    """Connections, tried in this order."""


class Condition(_Part):
    """Either a test of one field (`field`, `op`, `value`), or `all`, `any` or `not` of further conditions."""

    field: str | None = Field(None, pattern=FIELD)
    op: Op | None = None
    value: Scalar | Annotated[list[Scalar], Field(min_length=1, max_length=VALUES_MAX)] | None = None
    all: list[Condition] | None = Field(None, min_length=1, max_length=20)
    any: list[Condition] | None = Field(None, min_length=1, max_length=20)
    not_: Condition | None = Field(None, alias="not")

    @model_validator(mode="after")
    def _one_form(self) -> Condition:
        forms = [self.all, self.any, self.not_, self.field]
        if sum(form is not None for form in forms) != 1:
            raise ValueError("must be one of: a test of a field, all, any, not")
        if (self.field is None) != (self.op is None) or (self.field is None and self.value is not None):
            raise ValueError("a test has a field and an op, and nothing else has")
        if self.op is not None:
            _check_value(self.op, self.value)
        return self


def _check_value(op: Op, value: Any) -> None:
    """Which values an operator takes."""
    numeric = isinstance(value, int) and not isinstance(value, bool)
    holds, wanted = {
        "eq": (value is not None and not isinstance(value, list), "one value"),
        "ne": (value is not None and not isinstance(value, list), "one value"),
        "in": (isinstance(value, list), "a list"),
        "not_in": (isinstance(value, list), "a list"),
        "lt": (numeric, "an integer"),
        "lte": (numeric, "an integer"),
        "gt": (numeric, "an integer"),
        "gte": (numeric, "an integer"),
        "between": (isinstance(value, list) and [type(one) for one in value] == [int, int], "two integers"),
        "starts_with": (isinstance(value, str), "text"),
        "exists": (isinstance(value, bool), "true or false"),
    }[op]
    if not holds:
        raise ValueError(f"{op} takes {wanted}")


class Arm(_Part):
    arm: str = Field(min_length=1, max_length=40)
    weight: int = Field(ge=0, le=10_000)
    use: Uses


class Split(_Part):
    by: Literal["payment", "customer"]
    arms: list[Arm] = Field(min_length=2, max_length=10)

    @field_validator("arms")
    @classmethod
    def _weighed(cls, value: list[Arm]) -> list[Arm]:
        if len({arm.arm for arm in value}) != len(value):
            raise ValueError("names an arm twice")
        if not sum(arm.weight for arm in value):
            raise ValueError("at least one arm needs a weight above 0")
        return value


class Outcome(_Part):
    """Either a chain, or a split between several."""

    use: Uses | None = None
    split: Split | None = None

    @model_validator(mode="after")
    def _one_form(self) -> Outcome:
        if (self.use is None) == (self.split is None):
            raise ValueError("must be either use or split")
        return self


class Rule(_Part):
    name: str = Field(min_length=1, max_length=100)
    when: Condition
    then: Outcome


class _Document(_Part):
    rules: list[Rule] = Field(default_factory=list, max_length=RULES_MAX)
    """The first rule that matches decides."""
    otherwise: Chain
    """What holds where no rule matches."""
    unanswered: Literal["next", "hold"] = "next"
    """When opening a page at a PSP gets no answer: go on to the next PSP, or hold the payment until it is known."""
    late: Literal["accept", "refund", "review"] = "accept"
    """What becomes of money that arrives after the payment was given up."""


class RouteBody(_Document):
    """A route to create."""

    name: Slug
    """A name of your own, such as `default`."""


class RouteChange(_Document):
    """A route to replace. What a read shows may be sent back whole: read-only fields are ignored."""

    name: str | None = None
    """Never changes."""
    version: int | None = None
    """Read-only; the header If-Match counts."""
    created_at: str | None = None
    """Read-only."""
    updated_at: str | None = None
    """Read-only."""


def document_of(name: str, body: RouteBody | RouteChange) -> dict[str, Any]:
    """The route as it is stored and shown, defaults filled in."""
    shown = body.model_dump(
        mode="json", by_alias=True, exclude_none=True, exclude={"name", "version", "created_at", "updated_at"}
    )
    return {"name": name, **shown}
