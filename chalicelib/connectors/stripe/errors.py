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
    WAITS = "waits"  # somebody may still approve what was asked, and Stripe then does it


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
    "account_invalid action_blocked amount_too_large amount_too_small api_key_expired application_fees_not_allowed "
    "authentication_failure bank_account_bad_routing_numbers bank_account_exists capability_not_active "
    "capture_unauthorized_payment charge_invalid_parameter country_code_invalid country_unsupported "
    "customer_session_expired email_invalid incorrect_postal_code intent_invalid_state "
    "intent_verification_method_missing invalid_card_type invalid_characters invalid_charge_amount "
    "invalid_source_usage invalid_tax_location livemode_mismatch missing parameter_invalid_empty "
    "parameter_invalid_integer parameter_invalid_string_blank parameter_invalid_string_empty parameter_missing "
    "parameter_unknown parameters_exclusive payment_intent_incompatible_payment_method "
    "payment_intent_invalid_parameter payment_intent_konbini_rejected_confirmation_number "
    "payment_intent_rate_limit_exceeded payment_intent_unexpected_state payment_method_bank_account_already_verified "
    "payment_method_billing_details_address_missing payment_method_configuration_failures "
    "payment_method_currency_mismatch payment_method_invalid_parameter payment_method_invalid_parameter_testmode "
    "payment_method_unactivated payment_method_unexpected_state payment_method_unsupported_type "
    "platform_account_required platform_api_key_expired postal_code_invalid rate_limit request_blocked "
    "resource_already_exists resource_missing secret_key_required shipping_address_invalid state_unsupported "
    "status_transition_invalid testmode_charges_only tls_version_unsupported url_invalid"
)
# Of products that nothing here uses: they are Stripe's to give.
_OF_OTHER_PRODUCTS = (
    "account_country_invalid_address account_error_country_change_requires_additional_steps "
    "account_information_mismatch account_number_invalid account_token_required_for_v2_account "
    "acss_debit_session_incomplete alipay_upgrade_required balance_invalid_parameter billing_invalid_mandate "
    "bitcoin_upgrade_required cardholder_phone_number_required clearing_code_unsupported coupon_expired "
    "customer_max_payment_methods customer_max_subscriptions customer_tax_location_invalid "
    "dispute_evidence_page_limit_exceeded failed_tax_calculation financial_account_balance_does_not_support_currency "
    "financial_account_capability_not_enabled financial_account_capability_restricted "
    "financial_connections_account_inactive financial_connections_account_pending_account_numbers "
    "financial_connections_account_unavailable_account_numbers financial_connections_consent_locale_invalid "
    "financial_connections_consent_locale_unsupported financial_connections_no_successful_transaction_refresh "
    "forwarding_api_inactive forwarding_api_invalid_parameter india_recurring_payment_mandate_canceled "
    "instant_payouts_config_disabled instant_payouts_currency_disabled instant_payouts_limit_exceeded "
    "instant_payouts_unsupported invalid_canceled_subscription_fields invalid_mandate_reference_prefix_format "
    "invoice_no_customer_line_items invoice_no_payment_method_types invoice_no_subscription_line_items "
    "invoice_not_editable invoice_on_behalf_of_not_editable invoice_payment_intent_requires_action "
    "invoice_upcoming_none not_allowed_on_standard_account out_of_inventory ownership_declaration_not_allowed "
    "payment_evaluation_on_api_version_not_supported payout_reconciliation_not_ready payouts_limit_exceeded "
    "payouts_not_allowed product_inactive progressive_onboarding_limit_exceeded return_intent_already_processed "
    "routing_number_invalid sepa_unsupported_account service_period_coupon_with_metered_tiered_item_unsupported "
    "setup_attempt_failed setup_intent_authentication_failure setup_intent_invalid_parameter "
    "setup_intent_mandate_invalid setup_intent_mobile_wallet_unsupported setup_intent_setup_attempt_expired "
    "setup_intent_unexpected_state shipping_calculation_failed siret_invalid sku_inactive "
    "smart_disputes_not_available storer_capability_missing storer_capability_not_active stripe_tax_inactive "
    "subscription_update_trial_after_billing_cycle_anchor tax_id_invalid tax_id_prohibited taxes_calculation_failed "
    "terminal_location_country_unsupported terminal_reader_busy terminal_reader_hardware_fault "
    "terminal_reader_invalid_location_for_activation terminal_reader_invalid_location_for_payment "
    "terminal_reader_offline three_d_secure_authentication_not_supported token_already_used "
    "token_card_network_invalid token_in_use transfer_source_balance_parameters_mismatch transfers_not_allowed"
)
# Stripe does what was asked by itself once somebody approves it, a week later perhaps (docs.stripe.com/account/approvals,
# docs.stripe.com/api/v2/core/approval-requests). Of the second nothing but its name is documented.
_WAITS = "approval_required anomalous_money_movement_request"
_PROVES_NOTHING = (  # what was asked may be under way
    "forwarding_api_retryable_upstream_error forwarding_api_upstream_connection_error "
    "forwarding_api_upstream_connection_timeout forwarding_api_upstream_error idempotency_key_in_use lock_timeout "
    "terminal_reader_timeout three_d_secure_authentication_upstream_error"
)

# docs.stripe.com/error-codes: what is said of the money itself when a request is refused; or that it is about the request, or
# the account's settings; or that it proves nothing, whatever its type. A repeat with its key is answered as the first call was,
# so "already" is no repeat's.
ERROR_CODE: Words[tuple[DeclineClass, str] | Verdict] = Words(
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
        **dict.fromkeys(f"{_ABOUT_THE_REQUEST} {_OF_OTHER_PRODUCTS}".split(), Verdict.REFUSED),
        **dict.fromkeys(_PROVES_NOTHING.split(), Verdict.NOTHING),
        **dict.fromkeys(_WAITS.split(), Verdict.WAITS),
    },
    Verdict.REFUSED,
)
ERRORS: tuple[Words[Any], ...] = (ERROR_TYPE, ERROR_CODE)
