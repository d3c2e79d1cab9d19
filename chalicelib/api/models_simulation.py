"""What a simulation of a route takes and answers."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from chalicelib.api.body import Strict
from chalicelib.api.models import Shown, Time
from chalicelib.api.models_checkout import (
    METADATA_MAX,
    Country,
    MetadataKey,
    MetadataValue,
    MoneyRequest,
    Short,
)
from chalicelib.api.models_routing import FindingsModel
from chalicelib.api.patterns import CURSOR, EMAIL, LOCALE, METHOD
from chalicelib.api.times import Moment
from chalicelib.contracts.validation import LINE
from chalicelib.domain.order import CaptureMode, Customer, Order
from chalicelib.routing.rules import RouteDraft

DAYS_MAX = 90
LISTED_MAX = 200
_OF_PAYMENT, _OF_DAYS = frozenset({"at"}), frozenset({"cursor", "limit"})


class SimulatedCustomerRequest(Strict):
    id: Short | None = None
    email: Annotated[str, Field(max_length=254, pattern=EMAIL)] | None = None


class SimulatedPaymentRequest(Strict):
    """A checkout, as far as rules and PSPs ask for it."""

    amount: MoneyRequest
    order_reference: Annotated[str, Field(min_length=1, max_length=64, pattern=LINE)] = "simulated"
    """A split by payment deals by it, for want of a payment's id: another one may get another arm."""
    payment_method: Annotated[str, Field(pattern=METHOD)] | None = None
    capture: Literal["automatic", "manual"] = "automatic"
    locale: Annotated[str, Field(max_length=35, pattern=LOCALE)] | None = None
    country: Country | None = None
    customer: SimulatedCustomerRequest | None = None
    metadata: Annotated[dict[MetadataKey, MetadataValue], Field(max_length=METADATA_MAX)] | None = None


class SimulationRequest(Strict):
    """Either one `payment` that never was, or the payments of the last `days`."""

    payment: SimulatedPaymentRequest | None = None
    at: Moment | None = None
    """When the payment's checkout is opened; now by default."""
    days: int | None = Field(None, ge=1, le=DAYS_MAX)
    """The payments of this route that were created in so many days are replayed, the newest first."""
    draft: RouteDraft | None = None
    """Decides instead of the route as it stands; it is not saved, and the route need not exist for it."""
    cursor: str | None = Field(None, max_length=1024, pattern=CURSOR)
    """The `next_cursor` of the answer before: older payments."""
    limit: int = Field(100, ge=1, le=LISTED_MAX)
    """How many of the changed payments are listed; all are counted."""

    @model_validator(mode="after")
    def _one_form(self) -> SimulationRequest:
        if (self.payment is None) == (self.days is None):
            raise ValueError("must have either payment or days")
        foreign = (_OF_DAYS if self.days is None else _OF_PAYMENT) & self.model_fields_set
        if foreign:
            other = "days" if self.days is None else "a payment"
            raise ValueError(f"{min(foreign)} goes with {other}")
        return self


def simulated_order_of(request: SimulatedPaymentRequest, route: str) -> Order:
    customer = request.customer
    return Order(
        amount=request.amount.money(),
        order_reference=request.order_reference,
        return_url="",
        cancel_url="",
        route=route,
        payment_method=request.payment_method,
        capture=CaptureMode(request.capture),
        locale=request.locale,
        country=request.country,
        customer=Customer(customer.id, customer.email) if customer else None,
        metadata=dict(request.metadata) if request.metadata else None,
    )


class SimulatedPaymentModel(Shown):
    """What would be decided."""

    chain: list[str]
    """The PSPs in the order they would be tried; empty where none could take the payment."""
    rule: str
    arm: str | None
    trace: list[dict[str, Any]]
    """As a payment's."""
    explanation: dict[str, Any]
    """As a payment's."""


class TotalsModel(Shown):
    read: int
    """Payments looked at, those of other routes too."""
    untraced: int
    """Of this route, but with too little kept to be replayed; they count nowhere else."""
    replayed: int
    changed: int
    """Other PSPs would have been tried, or in another order."""
    moved: int
    """Another PSP would have been the first."""
    untaken: int
    """No connection could have taken it."""
    not_concluded: int
    """It is not decided whether they are authorized; they are left out of the estimates."""


class CountModel(Shown):
    payments: int
    share: float
    """Of the replayed payments, from 0 to 1."""


class ShareModel(Shown):
    """How many payments begin at a connection."""

    connection_id: str
    before: CountModel
    after: CountModel


class EstimateModel(Shown):
    """Shares from 0 to 1, before and after of the same payments; null where there are none."""

    matched: int
    """Their first PSP stays: their outcome counts as it was."""
    estimated: int
    """They move: each counts as the share of the payments of its currency and payment method (where there are none, of all)
    that began at its new first PSP and were authorized."""
    untaken: int
    """No connection could have taken them: they count as not authorized."""
    unknown: int
    """They move to where no replayed payment began: left out."""
    before: float | None
    """What happened."""
    after: float | None
    """What would likely have happened."""
    low: float | None
    """`after` lies between `low` and `high` with a certainty of about 95 %, if the moved payments are like those that they
    are judged by."""
    high: float | None


class ChosenModel(Shown):
    rule: str
    arm: str | None
    chain: list[str]


class ChangedPaymentModel(Shown):
    id: str
    created_at: Time
    before: ChosenModel
    after: ChosenModel
    why: str


class ReplayModel(Shown):
    from_: Time = Field(alias="from")
    to: Time
    totals: TotalsModel
    connections: list[ShareModel]
    authorized: EstimateModel
    """At any attempt."""
    authorized_first: EstimateModel
    """At the first attempt."""
    note: str
    """What the estimates are worth."""
    payments: list[ChangedPaymentModel]
    """Changed ones, the newest first."""


class SimulationModel(Shown):
    version: int | None
    """The route's that was simulated; null for a draft."""
    findings: FindingsModel
    """What the linter says of it."""
    payment: SimulatedPaymentModel | None
    """Null where days were replayed."""
    replay: ReplayModel | None
    """Null where one payment was simulated."""
    next_cursor: str | None
    """There are older payments, which another call replays; counts of several calls may be added up."""


_ESTIMATE = {
    "matched": 700,
    "estimated": 280,
    "untaken": 0,
    "unknown": 0,
    "before": 0.81,
    "after": 0.8244,
    "low": 0.8102,
    "high": 0.8371,
}
_BEFORE, _AFTER = ["sandbox-a", "sandbox-b"], ["sandbox-b", "sandbox-a"]
EXAMPLE: dict[str, Any] = {
    "version": None,
    "findings": {"errors": [], "warnings": []},
    "payment": None,
    "replay": {
        "from": "2026-01-31T09:00:00.000000Z",
        "to": "2026-03-02T09:00:00.000000Z",
        "totals": {
            "read": 1400,
            "untraced": 0,
            "replayed": 1000,
            "changed": 290,
            "moved": 290,
            "untaken": 0,
            "not_concluded": 20,
        },
        "connections": [
            {
                "connection_id": "sandbox-a",
                "before": {"payments": 800, "share": 0.8},
                "after": {"payments": 510, "share": 0.51},
            },
            {
                "connection_id": "sandbox-b",
                "before": {"payments": 200, "share": 0.2},
                "after": {"payments": 490, "share": 0.49},
            },
        ],
        "authorized": _ESTIMATE,
        "authorized_first": _ESTIMATE,
        "note": "An estimate is no experiment.",
        "payments": [
            {
                "id": "pay_m2dwhjiudwhbpdbsmmtonp2g",
                "created_at": "2026-03-02T08:00:00.000000Z",
                "before": {"rule": "otherwise", "arm": None, "chain": _BEFORE},
                "after": {"rule": "Dutch iDEAL", "arm": None, "chain": _AFTER},
                "why": "It goes by rule 'Dutch iDEAL' instead of 'otherwise'.",
            }
        ],
    },
    "next_cursor": None,
}
