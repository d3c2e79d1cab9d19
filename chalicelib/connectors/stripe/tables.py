"""Stripe's words and what they mean, at the pinned API version. An unlisted one is pending, soft, or says nothing."""

from __future__ import annotations

from enum import StrEnum

from chalicelib.contracts.words import Words
from chalicelib.domain.facts import DeclineClass, State

API_VERSION = "2026-10-28.endive"
HARD, SOFT, FRAUD = DeclineClass.HARD, DeclineClass.SOFT, DeclineClass.FRAUD


class Stage(StrEnum):
    """How far a Payment Intent has come."""

    NOTHING = "nothing"  # no money is under way
    PROCESSING = "processing"
    HELD = "held"
    TAKEN = "taken"
    CANCELLED = "cancelled"


# docs.stripe.com/api/checkout/sessions/object: what was paid on a complete page the Payment Intent says.
SESSION_STATUS = Words(
    "session.status", {"open": State.OPEN, "complete": State.OPEN, "expired": State.EXPIRED}, State.OPEN
)

# Whether nothing was paid on it yet.
UNPAID = Words("session.payment_status", {"unpaid": True, "paid": False, "no_payment_required": False}, False)

# docs.stripe.com/payments/paymentintents/lifecycle
INTENT_STATUS = Words(
    "payment_intent.status",
    {
        "requires_payment_method": Stage.NOTHING,
        "requires_confirmation": Stage.NOTHING,
        "requires_action": Stage.NOTHING,
        "processing": Stage.PROCESSING,
        "requires_capture": Stage.HELD,
        "succeeded": Stage.TAKEN,
        "canceled": Stage.CANCELLED,
    },
    Stage.PROCESSING,
)

# Whether a cancelled Payment Intent ran out by itself.
CANCELLATION_REASON = Words(
    "payment_intent.cancellation_reason",
    {
        "automatic": True,
        "expired": True,
        "abandoned": False,
        "duplicate": False,
        "failed_invoice": False,
        "fraudulent": False,
        "requested_by_customer": False,
        "void_invoice": False,
    },
    False,
)

# docs.stripe.com/refunds: a refund can fail after it succeeded.
REFUND_STATUS = Words(
    "refund.status",
    {
        "pending": State.PENDING,
        "requires_action": State.PENDING,
        "succeeded": State.SUCCEEDED,
        "failed": State.FAILED,
        "canceled": State.FAILED,
    },
    State.PENDING,
)

# docs.stripe.com/disputes/how-disputes-work: a warning is an inquiry; `prevented` was settled before it became a dispute.
DISPUTE_STATUS = Words(
    "dispute.status",
    {
        "warning_needs_response": State.INQUIRY,
        "warning_under_review": State.INQUIRY,
        "warning_closed": State.WON,
        "needs_response": State.OPENED,
        "under_review": State.OPENED,
        "appeal_needs_response": State.OPENED,
        "appeal_under_review": State.OPENED,
        "won": State.WON,
        "prevented": State.WON,
        "lost": State.LOST,
    },
    State.INQUIRY,
)


class Subject(StrEnum):
    """What an event's object is, and what is read from it."""

    SESSION = "session"
    FAILED_SESSION = "failed_session"
    INTENT = "intent"
    CHARGE = "charge"
    REFUND = "refund"
    DISPUTE = "dispute"
    NOTHING = "nothing"


# docs.stripe.com/api/events/types: what the webhook subscribes to, in this order, and what else there is about checkouts,
# payments, charges, refunds, reviews and warnings of fraud. Events of Stripe's other resources are about nothing of ours.
EVENT_TYPE = Words(
    "event.type",
    {
        "checkout.session.completed": Subject.SESSION,
        "checkout.session.async_payment_succeeded": Subject.SESSION,
        "checkout.session.async_payment_failed": Subject.FAILED_SESSION,
        "checkout.session.expired": Subject.SESSION,
        "payment_intent.processing": Subject.INTENT,
        "payment_intent.requires_action": Subject.INTENT,
        "payment_intent.amount_capturable_updated": Subject.INTENT,
        "payment_intent.succeeded": Subject.INTENT,
        "payment_intent.payment_failed": Subject.INTENT,
        "payment_intent.canceled": Subject.INTENT,
        "charge.captured": Subject.CHARGE,
        "charge.expired": Subject.CHARGE,
        "charge.refunded": Subject.CHARGE,
        "refund.created": Subject.REFUND,
        "refund.updated": Subject.REFUND,
        "refund.failed": Subject.REFUND,
        "charge.dispute.created": Subject.DISPUTE,
        "charge.dispute.updated": Subject.DISPUTE,
        "charge.dispute.closed": Subject.DISPUTE,
        "charge.dispute.funds_withdrawn": Subject.DISPUTE,
        "charge.dispute.funds_reinstated": Subject.DISPUTE,
        # What they tell has an event above, or moves nothing.
        "payment_intent.created": Subject.NOTHING,
        "payment_intent.partially_funded": Subject.NOTHING,  # a bank transfer that does not come to the amount yet
        "charge.pending": Subject.NOTHING,
        "charge.succeeded": Subject.NOTHING,
        "charge.failed": Subject.NOTHING,
        "charge.updated": Subject.NOTHING,  # its description or metadata
        "charge.refund.updated": Subject.NOTHING,
        "radar.early_fraud_warning.created": Subject.NOTHING,
        "radar.early_fraud_warning.updated": Subject.NOTHING,
        "review.opened": Subject.NOTHING,
        "review.closed": Subject.NOTHING,
    },
    Subject.NOTHING,
)

# docs.stripe.com/declines/codes, and the codes of card errors without a decline code (docs.stripe.com/error-codes).
DECLINE = Words(
    "decline_code",
    {
        "approve_with_id": (SOFT, "issuer_unavailable"),
        "authentication_not_handled": (SOFT, "authentication_required"),
        "authentication_required": (SOFT, "authentication_required"),
        "call_issuer": (SOFT, "declined"),
        "card_declined": (SOFT, "declined"),
        "card_decline_rate_limit_exceeded": (SOFT, "too_many_tries"),
        "card_not_supported": (HARD, "card_not_supported"),
        "card_velocity_exceeded": (SOFT, "limit_exceeded"),
        "currency_not_supported": (HARD, "currency_not_supported"),
        "do_not_honor": (SOFT, "declined"),
        "do_not_try_again": (HARD, "declined"),
        "duplicate_transaction": (SOFT, "duplicate"),
        "expired_card": (HARD, "expired_card"),
        "fraudulent": (FRAUD, "fraud"),
        "generic_decline": (SOFT, "declined"),
        "highest_risk_level": (FRAUD, "fraud"),
        "incorrect_address": (SOFT, "incorrect_address"),
        "incorrect_cvc": (SOFT, "incorrect_cvc"),
        "incorrect_number": (HARD, "incorrect_number"),
        "incorrect_pin": (SOFT, "incorrect_pin"),
        "incorrect_zip": (SOFT, "incorrect_address"),
        "insufficient_funds": (SOFT, "insufficient_funds"),
        "invalid_account": (HARD, "invalid_account"),
        "invalid_amount": (SOFT, "invalid_amount"),
        "invalid_cvc": (SOFT, "incorrect_cvc"),
        "invalid_expiry_month": (SOFT, "incorrect_expiry"),
        "invalid_expiry_year": (SOFT, "incorrect_expiry"),
        "invalid_number": (HARD, "incorrect_number"),
        "invalid_pin": (SOFT, "incorrect_pin"),
        "issuer_not_available": (SOFT, "issuer_unavailable"),
        "lost_card": (HARD, "lost_card"),
        "merchant_blacklist": (FRAUD, "fraud"),
        "mobile_device_authentication_required": (SOFT, "authentication_required"),
        "new_account_information_available": (HARD, "invalid_account"),
        "no_action_taken": (SOFT, "declined"),
        "not_permitted": (HARD, "not_permitted"),
        "offline_pin_required": (SOFT, "authentication_required"),
        "online_or_offline_pin_required": (SOFT, "authentication_required"),
        "payment_intent_authentication_failure": (SOFT, "authentication_failed"),
        "pickup_card": (HARD, "pickup_card"),
        "pin_try_exceeded": (SOFT, "too_many_tries"),
        "processing_error": (SOFT, "processing_error"),
        "reenter_transaction": (SOFT, "processing_error"),
        "restricted_card": (HARD, "restricted_card"),
        "revocation_of_all_authorizations": (HARD, "authorization_revoked"),
        "revocation_of_authorization": (HARD, "authorization_revoked"),
        "security_violation": (SOFT, "declined"),
        "service_not_allowed": (SOFT, "not_permitted"),
        "stolen_card": (HARD, "stolen_card"),
        "stop_payment_order": (HARD, "authorization_revoked"),
        "testmode_decline": (HARD, "test_card"),
        "transaction_not_allowed": (SOFT, "not_permitted"),
        "try_again_later": (SOFT, "issuer_unavailable"),
        "withdrawal_count_limit_exceeded": (SOFT, "limit_exceeded"),
        # of methods that are no cards
        "compliance_violation": (HARD, "compliance"),
        "expired_payment_information": (SOFT, "expired_card"),
        "invalid_authorization": (HARD, "authorization_revoked"),
        "invalid_billing_agreement": (HARD, "authorization_revoked"),
        "invalid_business_account": (SOFT, "not_permitted"),  # the merchant's
        "invalid_customer_account": (SOFT, "invalid_account"),
        "invalid_payment_information": (HARD, "declined"),
        "partner_generic_decline": (SOFT, "declined"),
        "partner_high_risk_customer": (FRAUD, "fraud"),
        "partner_payment_not_found": (SOFT, "processing_error"),
        "payment_disputed": (SOFT, "disputed"),
        "payment_limit_exceeded": (SOFT, "limit_exceeded"),
        # of those, what has no decline code
        "account_closed": (HARD, "invalid_account"),
        "bank_account_declined": (SOFT, "declined"),
        "bank_account_restricted": (HARD, "not_permitted"),
        "bank_account_unusable": (HARD, "invalid_account"),
        "bank_account_unverified": (SOFT, "authentication_required"),
        "bank_account_verification_failed": (SOFT, "authentication_failed"),
        "charge_exceeds_source_limit": (SOFT, "limit_exceeded"),
        "charge_exceeds_transaction_limit": (SOFT, "limit_exceeded"),
        "debit_not_authorized": (HARD, "authorization_revoked"),
        "expired_payment_method": (HARD, "expired_card"),
        "no_account": (HARD, "invalid_account"),
        "payment_intent_action_required": (SOFT, "authentication_required"),
        "payment_intent_mandate_invalid": (HARD, "authorization_revoked"),
        "payment_intent_payment_attempt_expired": (SOFT, "expired"),
        "payment_intent_payment_attempt_failed": (SOFT, "declined"),
        "payment_method_bank_account_blocked": (HARD, "not_permitted"),
        "payment_method_customer_decline": (SOFT, "cancelled"),
        "payment_method_microdeposit_failed": (SOFT, "authentication_failed"),
        "payment_method_microdeposit_processing_error": (SOFT, "processing_error"),
        "payment_method_microdeposit_verification_amounts_invalid": (SOFT, "authentication_failed"),
        "payment_method_microdeposit_verification_amounts_mismatch": (SOFT, "authentication_failed"),
        "payment_method_microdeposit_verification_attempts_exceeded": (SOFT, "too_many_tries"),
        "payment_method_microdeposit_verification_descriptor_code_mismatch": (SOFT, "authentication_failed"),
        "payment_method_microdeposit_verification_timeout": (SOFT, "expired"),
        "payment_method_not_available": (SOFT, "processing_error"),
        "payment_method_provider_decline": (SOFT, "declined"),
        "payment_method_provider_timeout": (SOFT, "issuer_unavailable"),
        "payment_method_restricted": (HARD, "restricted_card"),
        "refer_to_customer": (SOFT, "declined"),
    },
    (SOFT, "declined"),
)

# docs.stripe.com/declines/card: the issuer's advice outweighs what the code alone would mean.
ADVICE: Words[DeclineClass | None] = Words(
    "advice_code", {"do_not_try_again": HARD, "try_again_later": None, "confirm_card_data": None}, None
)
ALL = (
    SESSION_STATUS,
    UNPAID,
    INTENT_STATUS,
    CANCELLATION_REASON,
    REFUND_STATUS,
    DISPUTE_STATUS,
    EVENT_TYPE,
    DECLINE,
    ADVICE,
)
