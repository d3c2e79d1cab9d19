"""PaymentServer's own words for a PSP's no, the same for every PSP, so that a merchant handles each once.

A connector's tables use these and no others; one that is missing is added here. The conformance kit holds them to it, and
docs/connectors.md shows them.
"""

from __future__ import annotations

from collections.abc import Mapping

DECLINE_CODES: Mapping[str, str] = {
    # the shopper's card or account
    "declined": "no, and nothing more is said",
    "insufficient_funds": "not enough money: on the account that pays, or for a refund on the merchant's own",
    "limit_exceeded": "more than the card, the account or the PSP allows, in one payment or in a time",
    "expired_card": "the card is past its date",
    "restricted_card": "the card is blocked, or may not be used so",
    "lost_card": "the card was reported lost",
    "stolen_card": "the card was reported stolen",
    "pickup_card": "the issuer wants the card withdrawn",
    "test_card": "a test card at a live account, or the reverse",
    "card_not_supported": "this brand or kind of card is not taken",
    "invalid_account": "the account or card does not exist, is closed, or is not active",
    "not_permitted": "this card or account may not pay so, or this movement can not be done",
    "compliance": "a law or a rule of the PSP forbids it",
    "fraud": "the PSP or the issuer suspects fraud",
    # what the shopper entered or did
    "incorrect_number": "a wrong card or account number",
    "incorrect_expiry": "a wrong expiry date",
    "incorrect_cvc": "a wrong security code",
    "incorrect_pin": "a wrong PIN",
    "incorrect_name": "a wrong name of the card's holder",
    "incorrect_address": "a wrong address or postal code",
    "authentication_required": "the shopper must be authenticated, or approve, first",
    "authentication_failed": "the shopper's authentication failed",
    "authentication_abandoned": "the shopper did not finish the authentication",
    "cancelled": "the shopper cancelled",
    "too_many_tries": "too many tries with this card, account or PIN",
    # the way between
    "issuer_unavailable": "the issuer could not be reached",
    "processing_error": "a fault on the way to the issuer",
    "invalid_amount": "an amount that the issuer or the PSP does not take",
    "currency_not_supported": "the card or account does not take the currency",
    "duplicate": "the same was asked a moment ago",
    # a movement of money that is held or was taken
    "already_done": "it was done before",
    "amount_exceeded": "more than is held, or than can be given back",
    "authorization_denied": "the hold was refused",
    "authorization_expired": "the hold's or the page's time is over",
    "authorization_revoked": "the shopper or the issuer took the permission back",
    "authorization_voided": "the hold was given back before",
    "expired": "its time ran out before it was done",
    "disputed": "the shopper disputes the payment",
    "not_settled": "the payment must settle first",
    "too_late": "the PSP does this only for some time",
    "too_many_captures": "the PSP takes no more captures of this payment",
    "too_many_refunds": "the PSP makes no more refunds of this payment",
    # PaymentServer itself
    "not_sent": "the PSP could not be reached, and nothing was sent",
    "misconfigured": "the PSP refused the connection's credentials, or the request as such",
    "rate_limited": "the PSP took no more calls",
    "outage": "the PSP said that it was down and did nothing",
    "already_paid": "the shopper paid meanwhile, so there was nothing to cancel",
    "amount_in_doubt": "the PSP reports another amount than was asked",
    "resolved": "an operator found that it never happened",
}
