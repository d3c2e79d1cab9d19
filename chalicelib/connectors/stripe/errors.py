"""Stripe's errors and what they prove, at the pinned API version. An unlisted type proves nothing; an unlisted code is about
the request."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from chalicelib.connectors.stripe.tables import HARD, SOFT
from chalicelib.contracts.words import Words
from chalicelib.domain.facts import DeclineClass


class Verdict(StrEnum):
    """What an error proves."""

    DECLINED = "declined"
    REFUSED = "refused"  # nothing was done
    NOTHING = "nothing"


# docs.stripe.com/api/errors. A key that was used for something else proves nothing about the first call.
ERROR_TYPE = Words(
    "error.type",
    {
        "card_error": Verdict.DECLINED,
        "invalid_request_error": Verdict.REFUSED,
        "idempotency_error": Verdict.NOTHING,
        "api_error": Verdict.NOTHING,
    },
    Verdict.NOTHING,
)

_ABOUT_THE_REQUEST = (
    "amount_too_large amount_too_small api_key_expired bank_account_bad_routing_numbers bank_account_exists "
    "capability_not_active capture_unauthorized_payment charge_invalid_parameter country_unsupported email_invalid "
    "intent_invalid_state invalid_characters invalid_charge_amount livemode_mismatch parameter_invalid_empty "
    "parameter_invalid_integer parameter_invalid_string_blank parameter_invalid_string_empty parameter_missing "
    "parameter_unknown parameters_exclusive payment_intent_incompatible_payment_method "
    "payment_intent_invalid_parameter payment_intent_konbini_rejected_confirmation_number "
    "payment_intent_rate_limit_exceeded payment_intent_unexpected_state payment_method_bank_account_already_verified "
    "payment_method_billing_details_address_missing payment_method_configuration_failures "
    "payment_method_currency_mismatch payment_method_invalid_parameter payment_method_invalid_parameter_testmode "
    "payment_method_unactivated payment_method_unexpected_state payment_method_unsupported_type "
    "platform_api_key_expired resource_already_exists resource_missing secret_key_required shipping_address_invalid "
    "state_unsupported status_transition_invalid testmode_charges_only tls_version_unsupported url_invalid"
)

# docs.stripe.com/error-codes: what is said of the money itself when a request is refused. None is about the request, or about
# the account's settings. A repeat with its key is answered as the first call was, so "already" is no repeat's.
ERROR_CODE: Words[tuple[DeclineClass, str] | None] = Words(
    "error.code",
    {
        "balance_insufficient": (SOFT, "insufficient_funds"),
        "capture_charge_authorization_expired": (HARD, "authorization_expired"),
        "charge_already_captured": (HARD, "already_done"),
        "charge_already_refunded": (HARD, "already_done"),
        "charge_disputed": (HARD, "disputed"),
        "charge_expired_for_capture": (HARD, "authorization_expired"),
        "charge_not_refundable": (HARD, "not_permitted"),
        "refund_disputed_payment": (HARD, "disputed"),
        **dict.fromkeys(_ABOUT_THE_REQUEST.split()),
    },
    None,
)
ERRORS: tuple[Words[Any], ...] = (ERROR_TYPE, ERROR_CODE)
