"""What the API answers about payments, events, deliveries and the inbox; the OpenAPI document is made of it.

`domain.view.view_of` makes the payment itself; a test holds it to `PaymentModel`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from chalicelib.api.models_checkout import CHECKOUT_EXAMPLE as CHECKOUT_EXAMPLE
from chalicelib.api.models_checkout import CheckoutRequest as CheckoutRequest
from chalicelib.api.models_checkout import order_of as order_of
from chalicelib.domain.facts import DeclineClass
from chalicelib.domain.order import CaptureMode
from chalicelib.domain.payment import AttemptStatus, Status

Time = Annotated[str, Field(json_schema_extra={"format": "date-time"})]


class Shown(BaseModel):
    """The base of every answer: exactly these fields."""

    model_config = ConfigDict(extra="forbid", defer_build=True)


class MoneyModel(Shown):
    value: int
    """Minor units: 1050 EUR is 10.50 euro."""
    currency: str
    """ISO 4217, upper case."""


class AmountsModel(Shown):
    """All in minor units of the payment's currency."""

    authorized: int
    """Ever authorized, automatic capture included."""
    captured: int
    refunded: int
    refundable: int
    """What is left to refund, reservations taken off."""
    capturable: int
    """What is left to capture, reservations taken off."""
    charged_back: int
    surplus: int
    """Paid beyond what was asked, by several attempts."""


class DisputeModel(Shown):
    id: str
    status: Literal["inquiry", "opened", "won", "lost"]
    amount: MoneyModel | None
    reason: str | None
    respond_by: Time | None


class NextActionModel(Shown):
    """Where the shopper goes next."""

    type: str
    """`redirect`; other types may come."""
    url: str
    method: str
    fields: dict[str, str] | None
    """A form's fields, for `method` POST."""
    expires_at: Time | None


class RoutingModel(Shown):
    """What routing decided when the payment was made."""

    name: str
    version: int
    arm: str | None
    """The arm of a split, where one decided."""
    trace: list[dict[str, Any]]
    """What was decided from: the rule that won, what rules saw of the payment, and each candidate with its eligibility and
    its circuit's state."""
    explanation: dict[str, Any] | None
    """Where one payment is read: each rule that was asked, with the wanted values beside the actual ones, and each candidate
    with why it was chosen or not."""


class DeclineModel(Shown):
    cls: DeclineClass = Field(alias="class")
    """`hard`: this card or account will never do. `soft`: later, or another way, may do. `fraud`: not tried elsewhere."""
    code: str
    """PaymentServer's own word, the same for every PSP; docs/connectors.md lists them."""
    psp_code: str
    message: str
    """For the merchant's eyes."""


class AttemptModel(Shown):
    """One PSP tried."""

    id: str
    connection_id: str
    connector: str
    psp_reference: str | None
    status: AttemptStatus
    decline: DeclineModel | None
    started_at: Time


class OperationModel(Shown):
    """A capture, a cancellation or a refund."""

    id: str
    kind: Literal["capture", "cancellation", "refund"]
    status: Literal["pending", "succeeded", "failed", "unknown"]
    amount: MoneyModel | None
    """Null for all there is."""
    attempt_id: str
    origin: Literal["api", "psp", "policy"]
    """Who asked: a caller, somebody at the PSP, or a rule such as the refund of surplus money."""
    reason: str | None
    decline: DeclineModel | None
    """Why it failed."""
    psp_reference: str | None
    created_at: Time


class CustomerModel(Shown):
    id: str | None
    email: str | None
    name: str | None
    phone: str | None


class PaymentModel(Shown):
    """A payment as it stands; `sequence` rises by one with each of its events."""

    id: str
    merchant_id: str
    order_reference: str
    status: Status
    amount: MoneyModel
    """What was asked."""
    amounts: AmountsModel
    disputes: list[DisputeModel]
    next_action: NextActionModel | None
    """Null when there is nothing for the shopper to do."""
    route: RoutingModel
    attempts: list[AttemptModel]
    """The oldest first."""
    operations: list[OperationModel]
    """The oldest first."""
    payment_method: str | None
    capture: CaptureMode
    description: str | None
    customer: CustomerModel | None
    metadata: dict[str, str]
    sequence: int
    created_at: Time
    updated_at: Time


class _List(Shown):
    next_cursor: str | None
    """For the next page; null on the last one."""


class PaymentList(_List):
    items: list[PaymentModel]


class TimelineModel(Shown):
    at: Time
    kind: str
    summary: str
    """One line for people."""
    data: dict[str, Any]


class TimelineList(_List):
    items: list[TimelineModel]


class EventModel(Shown):
    """A CloudEvents 1.0 object, the same on every channel."""

    specversion: Literal["1.0"]
    id: str
    """The same for every delivery of one event."""
    source: str
    type: str
    """For example `payment.captured`."""
    subject: str | None = None
    """The payment's id, where the event is about a payment."""
    time: Time
    datacontenttype: Literal["application/json"]
    sequence: int | None = None
    """Rises by one with each event of a payment."""
    data: dict[str, Any]
    """For a payment's events `{"payment": …, "previous_status": …}`."""


class DeliveryRequestModel(Shown):
    method: str
    address: str
    """Without its query."""
    headers: list[str]
    """Their names."""


class DeliveryTryModel(Shown):
    at: Time
    http_status: int | None
    """Null where the target gave none."""
    latency_ms: int
    detail: str
    answer: str
    """The first kilobyte of what the target said, without secrets that it repeated."""
    request: DeliveryRequestModel | None
    """Null where the channel tells of none, or nothing was asked."""


class DeliveryModel(Shown):
    """One event on its way to one subscription."""

    id: str
    subscription_id: str
    payment_id: str | None
    event_id: str
    event_type: str
    status: Literal["pending", "succeeded", "retrying", "dead"]
    created_at: Time
    next_try_at: Time | None
    tried: int
    """How often it was tried; `tries` keeps the newest."""
    tries: list[DeliveryTryModel]
    event: EventModel


class DeliveryList(_List):
    items: list[DeliveryModel]


class InboxModel(Shown):
    """A PSP's webhook that was not applied."""

    id: str
    connection_id: str
    status: Literal["unmatched", "unverified", "rejected", "anomalous", "failed", "applied"]
    detail: str
    received_at: Time
    tried: int
    next_try_at: Time | None
    body: str
    """The beginning of the raw body, as text."""


class InboxList(_List):
    items: list[InboxModel]


class ErrorModel(Shown):
    pointer: str
    """An RFC 6901 JSON pointer into the body, such as `/amount/value`; below `/query` for the query."""
    detail: str


class ProblemModel(Shown):
    """What went wrong and how to mend it (RFC 9457)."""

    type: str
    """The address of a page that explains it; programs compare its last part."""
    title: str
    status: int
    detail: str
    instance: str
    """The path that was called."""
    request_id: str
    errors: list[ErrorModel] = []
    """Each thing wrong with a body or query, 20 at most; left out where there is none."""


class PaymentProblemModel(ProblemModel):
    """A checkout that no PSP opened, with the payment that was stored."""

    payment: PaymentModel
