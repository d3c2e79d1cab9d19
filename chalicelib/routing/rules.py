"""A route as operators write it: rules that are tried in order, and what holds otherwise."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    field_validator,
    model_validator,
)
from pydantic_core import CoreSchema

from chalicelib.contracts.validation import worded
from chalicelib.domain.payment import ATTEMPTS_MAX
from chalicelib.routing.fields import OPERATORS, VALUES_MAX, field_of
from chalicelib.routing.onward import Onward
from chalicelib.routing.schema import tests_schema

SLUG = worded(r"^[a-z0-9][a-z0-9-]{0,39}$", "must be 1 to 40 of a-z, 0-9 and -, and not begin with -")
CHAIN_MAX = 10
RULES_MAX = 200
CONDITIONS_MAX = 20  # side by side under all or any
DEPTH_MAX = 6
WEIGHT_MAX = 10_000
BUDGET_S = (5, 20)  # of the whole checkout; an API gateway ends a call at 29 s
SALT_MAX = 64

Slug = Annotated[str, Field(pattern=SLUG)]
Scalar = str | int | bool


def _unique(value: list[str]) -> list[str]:
    if len(set(value)) != len(value):
        raise ValueError("names a connection twice")
    return value


Uses = Annotated[list[Slug], Field(min_length=1, max_length=CHAIN_MAX), AfterValidator(_unique)]


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, defer_build=True)


class Condition(_Part):
    """Either a test of one field (`field`, `op`, `value`), or `all`, `any` or `not` of further conditions."""

    field: str | None = None
    op: str | None = None
    value: Scalar | Annotated[list[Scalar], Field(min_length=1, max_length=VALUES_MAX)] | None = None
    all: list[Condition] | None = Field(None, min_length=1, max_length=CONDITIONS_MAX)
    any: list[Condition] | None = Field(None, min_length=1, max_length=CONDITIONS_MAX)
    not_: Condition | None = Field(None, alias="not")

    @model_validator(mode="after")
    def _one_form(self) -> Condition:
        forms = [self.all, self.any, self.not_, self.field]
        if sum(form is not None for form in forms) != 1:
            raise ValueError("must be one of: a test of a field, all, any, not")
        if (self.field is None) != (self.op is None) or (self.field is None and self.value is not None):
            raise ValueError("a test has a field and an op, and nothing else has")
        if self.field is not None and self.op is not None:
            _check_test(self.field, self.op, self.value)
        if _depth(self) > DEPTH_MAX:
            raise ValueError(f"conditions are nested at most {DEPTH_MAX} deep")
        return self

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """One form for each kind of test, from the tables of fields and operators, and one each for all, any and not."""
        reference = handler(core)
        schema = handler.resolve_ref_schema(reference)
        parts = schema.pop("properties")
        forms = [{"properties": {name: _form(parts[name])}, "required": [name]} for name in ("all", "any", "not")]
        schema["oneOf"] = [
            {"type": "object", "additionalProperties": False, **form} for form in (*tests_schema(), *forms)
        ]
        del schema["additionalProperties"]
        return reference


def _form(part: dict[str, Any]) -> dict[str, Any]:
    """What may be said, without the null behind it that stands for its absence."""
    form: dict[str, Any] = part["anyOf"][0]
    return form


def _check_test(name: str, op: str, value: Any) -> None:
    """Raises ValueError where the tables of fields and operators do not know the test."""
    field = field_of(name)
    if field is None:
        raise ValueError(
            f"{name!r} is no field that a rule can ask for, such as amount, country, customer.id or metadata.channel"
        )
    operator = OPERATORS.get(op)
    if operator is None:
        raise ValueError(f"{op!r} is no operator; there are {', '.join(OPERATORS)}")
    problem = operator.problem(field, value)
    if problem is not None:
        raise ValueError(problem)


def _depth(condition: Condition) -> int:
    inner = (*(condition.all or ()), *(condition.any or ()), *((condition.not_,) if condition.not_ else ()))
    return 1 + max((_depth(one) for one in inner), default=0)


class Arm(_Part):
    arm: str = Field(min_length=1, max_length=40)
    """Its name, which payments and statistics carry."""
    weight: int = Field(ge=0, le=WEIGHT_MAX)
    """Its share is its weight among all weights."""
    use: Uses
    """Connections, tried in this order."""


class Guardrail(_Part):
    """Gives all weight to the control arm once another arm is surely worse than it by more than `max_drop`."""

    control: str = Field(min_length=1, max_length=40)
    """The arm that the others are compared with."""
    max_drop: int = Field(5, ge=0, le=50)
    """Points of the authorized share."""


class Split(_Part):
    by: Literal["payment", "customer"]
    """What stays on its arm; a payment without a customer id is split by payment."""
    arms: list[Arm] = Field(min_length=2, max_length=10)
    salt: str | None = Field(None, min_length=1, max_length=SALT_MAX)
    """Another one deals all customers out anew."""
    guardrail: Guardrail | None = None

    @field_validator("arms")
    @classmethod
    def _weighed(cls, value: list[Arm]) -> list[Arm]:
        if len({arm.arm for arm in value}) != len(value):
            raise ValueError("names an arm twice")
        if not sum(arm.weight for arm in value):
            raise ValueError("at least one arm needs a weight above 0")
        return value

    @model_validator(mode="after")
    def _controlled(self) -> Split:
        if self.guardrail is not None and self.guardrail.control not in {arm.arm for arm in self.arms}:
            raise ValueError(f"the guardrail's control {self.guardrail.control!r} is none of the arms")
        return self


class Outcome(_Part):
    """Either a chain of connections, tried in this order, or a split between several."""

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


class Fallback(_Part):
    """Whether the next PSP is tried. Suspected fraud is never tried elsewhere, and an opening that got no answer follows
    `unanswered`."""

    hard_decline: Onward = "next"
    soft_decline: Onward = "next"
    misconfiguration: Onward = "next"
    rate_limit: Onward = "next"
    outage: Onward = "next"
    not_sent: Onward = "next"


class _Document(_Part):
    rules: list[Rule] = Field(default_factory=list, max_length=RULES_MAX)
    """The first rule that matches decides."""
    otherwise: Outcome
    """What holds where no rule matches."""
    unanswered: Literal["next", "hold"] = "next"
    """When opening a page at a PSP gets no answer: go on to the next PSP, or hold the payment until it is known."""
    late: Literal["accept", "refund", "review"] = "accept"
    """What becomes of money that arrives after the payment was given up."""
    fallback: Fallback | None = None
    """What leads to the next PSP of a chain; everything by default."""
    attempts_max: int | None = Field(None, ge=1, le=ATTEMPTS_MAX)
    """PSPs tried in one checkout or retry; 10 by default."""
    budget_s: int | None = Field(None, ge=BUDGET_S[0], le=BUDGET_S[1])
    """Seconds for all PSPs of one checkout together; 20 by default."""

    @field_validator("rules")
    @classmethod
    def _named(cls, value: list[Rule]) -> list[Rule]:
        names = [rule.name for rule in value]
        twice = next((name for name in names if names.count(name) > 1 or name == "otherwise"), None)
        if twice is not None:
            raise ValueError(f"rules are told apart by their names, and {twice!r} is taken")
        return value


class RouteBody(_Document):
    """A route to create."""

    name: Slug
    """A name of your own, such as `default`."""


class RouteDraft(_Document):
    """A route that is not stored; what a read shows may be sent whole: read-only fields are ignored."""

    name: str | None = None
    """Never changes."""
    version: int | None = None
    """Read-only; the header If-Match counts."""
    created_at: str | None = None
    """Read-only."""
    updated_at: str | None = None
    """Read-only."""
    created_by: str | None = None
    """Read-only."""
    warnings: list[Any] | None = None
    """Read-only."""


class RouteChange(RouteDraft):
    """A route to replace. What a read shows may be sent back whole: read-only fields are ignored."""


READ_ONLY = frozenset({"name", "version", "created_at", "updated_at", "created_by", "warnings"})


def document_of(name: str, body: _Document) -> dict[str, Any]:
    """The route as it is stored and shown, defaults filled in."""
    shown = body.model_dump(by_alias=True, exclude_none=True, exclude=set(READ_ONLY))
    return {"name": name, **shown}
