"""Mollie's words and what they mean (docs.mollie.com, API v2). An unlisted one is pending, soft, proves or says nothing."""

from __future__ import annotations

from enum import StrEnum

from chalicelib.contracts.words import Words
from chalicelib.domain.facts import DeclineClass, State

HARD, SOFT, FRAUD = DeclineClass.HARD, DeclineClass.SOFT, DeclineClass.FRAUD


class Stage(StrEnum):
    """How far a payment has come. What was refunded or charged back does not change it."""

    OPEN = "open"
    PENDING = "pending"
    HELD = "held"
    PAID = "paid"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    FAILED = "failed"


PAYMENT_STATUS = Words(
    "payment.status",
    {
        "open": Stage.OPEN,
        "pending": Stage.PENDING,
        "authorized": Stage.HELD,
        "paid": Stage.PAID,
        "canceled": Stage.CANCELLED,
        "expired": Stage.EXPIRED,
        "failed": Stage.FAILED,
    },
    Stage.PENDING,
)

CAPTURE_STATUS = Words(
    "capture.status",
    {"pending": State.PENDING, "succeeded": State.SUCCEEDED, "failed": State.FAILED},
    State.PENDING,
)

# A refund that waits for the account's balance is queued; one that was sent can still come back.
REFUND_STATUS = Words(
    "refund.status",
    {
        "queued": State.PENDING,
        "pending": State.PENDING,
        "processing": State.PENDING,
        "refunded": State.SUCCEEDED,
        "failed": State.FAILED,
        "canceled": State.FAILED,
    },
    State.PENDING,
)

FAILURE_REASON = Words(
    "details.failureReason",
    {
        "authentication_abandoned": (SOFT, "authentication_abandoned"),
        "authentication_failed": (SOFT, "authentication_failed"),
        "authentication_required": (SOFT, "authentication_required"),
        "authentication_unavailable_acs": (SOFT, "issuer_unavailable"),
        "card_declined": (SOFT, "declined"),
        "card_expired": (HARD, "expired_card"),
        "inactive_card": (HARD, "invalid_account"),
        "insufficient_funds": (SOFT, "insufficient_funds"),
        "invalid_cvv": (SOFT, "incorrect_cvc"),
        "invalid_card_holder_name": (SOFT, "incorrect_name"),
        "invalid_card_number": (HARD, "incorrect_number"),
        "invalid_card_type": (HARD, "card_not_supported"),
        "possible_fraud": (FRAUD, "fraud"),
        "refused_by_issuer": (SOFT, "declined"),
        "unknown_reason": (SOFT, "declined"),
    },
    (SOFT, "declined"),
)


class Verdict(StrEnum):
    """What an error proves."""

    NO = "no"  # nothing was done: the request or the account is wrong
    RATE_LIMITED = "rate_limited"
    NOTHING = "nothing"


# docs.mollie.com/reference/error-handling and api-idempotency: an error has no code but its status. 409 is a call that still
# runs, or a refund that looks like the one before; 400 a key that was used for something else.
ERROR_STATUS = Words(
    "error.status",
    {
        "400": Verdict.NOTHING,
        "401": Verdict.NO,
        "403": Verdict.NO,
        "404": Verdict.NO,
        "405": Verdict.NO,
        "409": Verdict.NOTHING,
        "410": Verdict.NO,
        "415": Verdict.NO,
        "422": Verdict.NO,
        "429": Verdict.RATE_LIMITED,
    },
    Verdict.NOTHING,
)


class Subject(StrEnum):
    """What a signed event is about."""

    PAYMENT = "payment"
    PART = "part"  # something below a payment
    NOTHING = "nothing"


# docs.mollie.com/reference/webhooks-new: what a webhook of the Dashboard subscribes to, in this order, and what is about
# nothing of ours.
EVENT_TYPE = Words(
    "event.type",
    {
        "payment.paid": Subject.PAYMENT,
        "payment.authorized": Subject.PAYMENT,
        "payment.failed": Subject.PAYMENT,
        "payment.canceled": Subject.PAYMENT,
        "payment.expired": Subject.PAYMENT,
        "payment.pending": Subject.PAYMENT,
        "refund.queued": Subject.PART,
        "refund.pending": Subject.PART,
        "refund.processing": Subject.PART,
        "refund.refunded": Subject.PART,
        "refund.failed": Subject.PART,
        "refund.canceled": Subject.PART,
        "chargeback.received": Subject.PART,
        "chargeback.reversed": Subject.PART,
        "capture.succeeded": Subject.PART,
        "capture.failed": Subject.PART,
        "payment-link.paid": Subject.NOTHING,
        "balance-transaction.created": Subject.NOTHING,
        "payout.initiated": Subject.NOTHING,
        "payout.processing-at-bank": Subject.NOTHING,
        "payout.completed": Subject.NOTHING,
        "payout.canceled": Subject.NOTHING,
        "payout.failed": Subject.NOTHING,
        "sales-invoice.created": Subject.NOTHING,
        "sales-invoice.issued": Subject.NOTHING,
        "sales-invoice.canceled": Subject.NOTHING,
        "sales-invoice.paid": Subject.NOTHING,
        "sales-invoice.e-invoice-failed": Subject.NOTHING,
        "sales-invoice.e-invoice-issued": Subject.NOTHING,
        "business-account-transfer.requested": Subject.NOTHING,
        "business-account-transfer.initiated": Subject.NOTHING,
        "business-account-transfer.pending-review": Subject.NOTHING,
        "business-account-transfer.processed": Subject.NOTHING,
        "business-account-transfer.failed": Subject.NOTHING,
        "business-account-transfer.blocked": Subject.NOTHING,
        "business-account-transfer.returned": Subject.NOTHING,
    },
    Subject.NOTHING,
)
ALL = (PAYMENT_STATUS, CAPTURE_STATUS, REFUND_STATUS, FAILURE_REASON, ERROR_STATUS, EVENT_TYPE)
