"""PayPal's words and what they mean (Orders v2, Payments v2, Disputes v1). An unlisted one is open or pending, or says
nothing."""

from __future__ import annotations

from enum import StrEnum

from chalicelib.contracts.words import Words
from chalicelib.domain.facts import State

ORDER_STATUS = Words(
    "order.status",
    {
        "CREATED": State.OPEN,
        "SAVED": State.OPEN,
        "PAYER_ACTION_REQUIRED": State.OPEN,
        "APPROVED": State.OPEN,  # nothing is paid before we say so
        "COMPLETED": State.OPEN,  # what was paid, its payments say
        "VOIDED": State.CANCELLED,
    },
    State.OPEN,
)
APPROVED = "APPROVED"


class Hold(StrEnum):
    """What has become of an authorization."""

    PENDING = "pending"
    DENIED = "denied"
    HELD = "held"
    ENDED = "ended"  # no more can be captured: what was not is given back
    VOIDED = "voided"


AUTHORIZATION_STATUS = Words(
    "authorization.status",
    {
        "PENDING": Hold.PENDING,
        "DENIED": Hold.DENIED,
        "CREATED": Hold.HELD,
        "PARTIALLY_CAPTURED": Hold.HELD,
        "CAPTURED": Hold.ENDED,
        "VOIDED": Hold.VOIDED,
    },
    Hold.PENDING,
)

# A refunded capture did move; its refunds are movements of their own.
CAPTURE_STATUS = Words(
    "capture.status",
    {
        "PENDING": State.PENDING,
        "COMPLETED": State.SUCCEEDED,
        "PARTIALLY_REFUNDED": State.SUCCEEDED,
        "REFUNDED": State.SUCCEEDED,
        "DECLINED": State.FAILED,
        "FAILED": State.FAILED,
    },
    State.PENDING,
)

REFUND_STATUS = Words(
    "refund.status",
    {
        "PENDING": State.PENDING,
        "COMPLETED": State.SUCCEEDED,
        "FAILED": State.FAILED,
        "CANCELLED": State.FAILED,
    },
    State.PENDING,
)

# developer.paypal.com/disputes/disputes-lifecycle: the shopper and the shop talk first, then PayPal or a bank decides.
DISPUTE_STAGE = Words(
    "dispute.dispute_life_cycle_stage",
    {
        "INQUIRY": State.INQUIRY,
        "CHARGEBACK": State.OPENED,
        "PRE_ARBITRATION": State.OPENED,
        "ARBITRATION": State.OPENED,
    },
    State.INQUIRY,
)

# Whether it is decided.
DISPUTE_STATUS = Words(
    "dispute.status",
    {
        "OPEN": False,
        "WAITING_FOR_BUYER_RESPONSE": False,
        "WAITING_FOR_SELLER_RESPONSE": False,
        "UNDER_REVIEW": False,
        "OTHER": False,
        "RESOLVED": True,
    },
    False,
)

# With RESOLVED_WITH_PAYOUT PayPal pays the shopper itself. NONE is said while nothing is decided.
DISPUTE_OUTCOME = Words[State | None](
    "dispute.dispute_outcome.outcome_code",
    {
        "RESOLVED_BUYER_FAVOUR": State.LOST,
        "ACCEPTED": State.LOST,
        "RESOLVED_SELLER_FAVOUR": State.WON,
        "RESOLVED_WITH_PAYOUT": State.WON,
        "CANCELED_BY_BUYER": State.WON,
        "DENIED": State.WON,
        "NONE": None,
    },
    None,
)


class Subject(StrEnum):
    """What an event is about."""

    ORDER = "orders"
    AUTHORIZATION = "authorizations"
    CAPTURE = "captures"
    REFUND = "refunds"
    DISPUTE = "disputes"
    NOTHING = "nothing"


# developer.paypal.com/api/rest/webhooks/event-names: what the webhook subscribes to, in this order. The subject is what
# PayPal documents; what the event's `resource_type` says goes before it. Events about anything else than checkouts, payments
# and disputes (payouts, subscriptions, invoices, tokens, merchants) are about nothing of ours.
EVENT_TYPE = Words(
    "event_type",
    {
        "CHECKOUT.ORDER.APPROVED": Subject.ORDER,
        "CHECKOUT.ORDER.COMPLETED": Subject.ORDER,
        "CHECKOUT.PAYMENT-APPROVAL.REVERSED": Subject.ORDER,
        "PAYMENT.AUTHORIZATION.CREATED": Subject.AUTHORIZATION,
        "PAYMENT.AUTHORIZATION.VOIDED": Subject.AUTHORIZATION,
        "PAYMENT.CAPTURE.COMPLETED": Subject.CAPTURE,
        "PAYMENT.CAPTURE.PENDING": Subject.CAPTURE,
        "PAYMENT.CAPTURE.DECLINED": Subject.CAPTURE,
        "PAYMENT.CAPTURE.DENIED": Subject.CAPTURE,
        "PAYMENT.CAPTURE.REFUNDED": Subject.REFUND,
        "PAYMENT.CAPTURE.REVERSED": Subject.REFUND,
        "CUSTOMER.DISPUTE.CREATED": Subject.DISPUTE,
        "CUSTOMER.DISPUTE.UPDATED": Subject.DISPUTE,
        "CUSTOMER.DISPUTE.RESOLVED": Subject.DISPUTE,
        # of the APIs before Orders v2, by which nothing is paid here
        "CHECKOUT.CHECKOUT.BUYER-APPROVED": Subject.NOTHING,
        "PAYMENTS.PAYMENT.CREATED": Subject.NOTHING,
        "PAYMENT.ORDER.CREATED": Subject.NOTHING,
        "PAYMENT.ORDER.CANCELLED": Subject.NOTHING,
        "PAYMENT.SALE.COMPLETED": Subject.NOTHING,
        "PAYMENT.SALE.DENIED": Subject.NOTHING,
        "PAYMENT.SALE.PENDING": Subject.NOTHING,
        "PAYMENT.SALE.REFUNDED": Subject.NOTHING,
        "PAYMENT.SALE.REVERSED": Subject.NOTHING,
        "RISK.DISPUTE.CREATED": Subject.NOTHING,  # CUSTOMER.DISPUTE.CREATED took its place
    },
    Subject.NOTHING,
)
RESOURCE_TYPE = Words[Subject | None](
    "resource_type",
    {
        "checkout-order": Subject.ORDER,
        "authorization": Subject.AUTHORIZATION,
        "capture": Subject.CAPTURE,
        "refund": Subject.REFUND,
        "dispute": Subject.DISPUTE,
    },
    None,
)
STATUSES = (
    ORDER_STATUS,
    AUTHORIZATION_STATUS,
    CAPTURE_STATUS,
    REFUND_STATUS,
    DISPUTE_STATUS,
    DISPUTE_STAGE,
    DISPUTE_OUTCOME,
    EVENT_TYPE,
    RESOURCE_TYPE,
)
