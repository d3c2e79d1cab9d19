"""Adyen's words and what they mean, at Checkout API v72 and standard webhooks v1. An unlisted one is pending, soft, or says
nothing. The statuses of sessions, and the results of payments without a page, nothing here asks for."""

from __future__ import annotations

from enum import StrEnum

from chalicelib.contracts.calls import RefusalKind
from chalicelib.contracts.words import Words
from chalicelib.domain.facts import DeclineClass, Kind, State

HARD, SOFT, FRAUD = DeclineClass.HARD, DeclineClass.SOFT, DeclineClass.FRAUD

# What was paid a webhook says: a link that was paid shows neither an amount nor a reference of the payment.
LINK_STATUS = Words(
    "paymentLink.status",
    {
        "active": State.OPEN,
        "paymentPending": State.PROCESSING,
        "completed": State.PROCESSING,
        "paid": State.PROCESSING,
        "expired": State.EXPIRED,
    },
    State.PROCESSING,
)

# Captures, cancellations and refunds are taken in, and nothing else; how they come out a webhook says.
MODIFICATION_STATUS = Words("modification.status", {"received": State.PENDING}, State.PENDING)


class Subject(StrEnum):
    """What a webhook's item is about."""

    AUTHORIZATION = "authorization"
    ADJUSTMENT = "adjustment"
    CAPTURE = "capture"
    FAILED_CAPTURE = "failed_capture"
    VOID = "void"
    VOID_OR_REFUND = "void_or_refund"
    LAPSE = "lapse"
    REFUND = "refund"
    POSTPONED_REFUND = "postponed_refund"
    FAILED_REFUND = "failed_refund"
    CLOSED_OFFER = "closed_offer"
    INQUIRY = "inquiry"
    DISPUTE = "dispute"
    WON_DISPUTE = "won_dispute"
    LOST_DISPUTE = "lost_dispute"
    NOTHING = "nothing"


# docs.adyen.com/development-resources/webhooks/webhook-types. The first are those that we need switched on.
EVENT_CODE = Words(
    "eventCode",
    {
        "AUTHORISATION": Subject.AUTHORIZATION,
        "AUTHORISATION_ADJUSTMENT": Subject.ADJUSTMENT,
        "CAPTURE": Subject.CAPTURE,
        "CAPTURE_FAILED": Subject.FAILED_CAPTURE,
        "CANCELLATION": Subject.VOID,
        "TECHNICAL_CANCEL": Subject.VOID,
        "CANCEL_OR_REFUND": Subject.VOID_OR_REFUND,
        "EXPIRE": Subject.LAPSE,
        "REFUND": Subject.REFUND,
        "REFUND_WITH_DATA": Subject.REFUND,
        "POSTPONED_REFUND": Subject.POSTPONED_REFUND,
        "REFUND_FAILED": Subject.FAILED_REFUND,
        "REFUNDED_REVERSED": Subject.FAILED_REFUND,
        "OFFER_CLOSED": Subject.CLOSED_OFFER,
        "REQUEST_FOR_INFORMATION": Subject.INQUIRY,
        "NOTIFICATION_OF_CHARGEBACK": Subject.DISPUTE,
        "CHARGEBACK": Subject.DISPUTE,
        "CHARGEBACK_REVERSED": Subject.WON_DISPUTE,
        "SECOND_CHARGEBACK": Subject.LOST_DISPUTE,
        "PREARBITRATION_OPEN": Subject.DISPUTE,
        "PREARBITRATION_WON": Subject.WON_DISPUTE,
        "PREARBITRATION_LOST": Subject.LOST_DISPUTE,
        "DISPUTE_DEFENSE_PERIOD_ENDED": Subject.DISPUTE,
        "ISSUER_RESPONSE_TIMEFRAME_EXPIRED": Subject.WON_DISPUTE,
        # They tell a merchant's people something, and move nothing; or what they lead to has an event of its own.
        "AUTHENTICATION": Subject.NOTHING,
        "AUTORESCUE": Subject.NOTHING,
        "CANCEL_AUTORESCUE": Subject.NOTHING,
        "HANDLED_EXTERNALLY": Subject.NOTHING,
        "INFORMATION_SUPPLIED": Subject.NOTHING,
        "ISSUER_COMMENTS": Subject.NOTHING,
        "MANUAL_REVIEW_ACCEPT": Subject.NOTHING,
        "MANUAL_REVIEW_REJECT": Subject.NOTHING,
        "NOTIFICATION_OF_FRAUD": Subject.NOTHING,
        "ORDER_CLOSED": Subject.NOTHING,
        "ORDER_OPENED": Subject.NOTHING,
        "PAYOUT_DECLINE": Subject.NOTHING,
        "PAYOUT_EXPIRE": Subject.NOTHING,
        "PAYOUT_THIRDPARTY": Subject.NOTHING,
        "RECURRING_CONTRACT": Subject.NOTHING,
        "REPORT_AVAILABLE": Subject.NOTHING,
        "VOID_PENDING_REFUND": Subject.NOTHING,
    },
    Subject.NOTHING,
)

# Which event of a dispute comes after which. Its time is not signed; its code is, and comes once in a dispute.
DISPUTE_STAGE = {
    "REQUEST_FOR_INFORMATION": 1,
    "NOTIFICATION_OF_CHARGEBACK": 2,
    "CHARGEBACK": 3,
    "DISPUTE_DEFENSE_PERIOD_ENDED": 3,
    "CHARGEBACK_REVERSED": 4,
    "PREARBITRATION_OPEN": 5,
    "ISSUER_RESPONSE_TIMEFRAME_EXPIRED": 6,
    "SECOND_CHARGEBACK": 7,
    "PREARBITRATION_WON": 8,
    "PREARBITRATION_LOST": 8,
}

SUCCESS = Words[bool | None]("success", {"true": True, "false": False}, None)

# What became of the request to cancel or refund, whichever was possible.
ACTION = Words[Kind | None]("modification.action", {"cancel": Kind.RELEASE, "refund": Kind.REFUND}, None)

# Whether a dispute that took its money is over. It is not signed, so it can make nothing better for anybody.
DISPUTE_STATUS = Words(
    "disputeStatus",
    {
        "Unresponded": False,
        "Responded": False,
        "Undefended": False,
        "Pending": False,
        "Won": False,
        "Expired": True,
        "Accepted": True,
        "Lost": True,
    },
    False,
)

# docs.adyen.com/development-resources/refusal-reasons, as a webhook's `reason` spells them; the number is refusalReasonCode.
REFUSAL = Words(
    "reason",
    {
        "Refused": (SOFT, "declined"),  # 2
        "Referral": (SOFT, "declined"),  # 3
        "Acquirer Error": (SOFT, "processing_error"),  # 4
        "Blocked Card": (HARD, "restricted_card"),  # 5
        "Expired Card": (HARD, "expired_card"),  # 6
        "Invalid Amount": (SOFT, "invalid_amount"),  # 7
        "Invalid Card Number": (HARD, "incorrect_number"),  # 8
        "Issuer Unavailable": (SOFT, "issuer_unavailable"),  # 9
        "Not supported": (SOFT, "not_permitted"),  # 10
        "3D Not Authenticated": (SOFT, "authentication_failed"),  # 11
        "Not enough balance": (SOFT, "insufficient_funds"),  # 12
        "Acquirer Fraud": (FRAUD, "fraud"),  # 14
        "Cancelled": (SOFT, "cancelled"),  # 15
        "Shopper Cancelled": (SOFT, "cancelled"),  # 16
        "Invalid Pin": (SOFT, "incorrect_pin"),  # 17
        "Pin tries exceeded": (SOFT, "too_many_tries"),  # 18
        "Pin validation not possible": (SOFT, "processing_error"),  # 19
        "FRAUD": (FRAUD, "fraud"),  # 20
        "Not Submitted": (SOFT, "processing_error"),  # 21
        "FRAUD-CANCELLED": (FRAUD, "fraud"),  # 22
        "Transaction Not Permitted": (HARD, "not_permitted"),  # 23
        "CVC Declined": (SOFT, "incorrect_cvc"),  # 24
        "Restricted Card": (HARD, "restricted_card"),  # 25
        "Revocation Of Auth": (HARD, "authorization_revoked"),  # 26
        "Declined Non Generic": (SOFT, "declined"),  # 27
        "Withdrawal amount exceeded": (SOFT, "limit_exceeded"),  # 28
        "Withdrawal count exceeded": (SOFT, "limit_exceeded"),  # 29
        "Issuer Suspected Fraud": (FRAUD, "fraud"),  # 31
        "AVS Declined": (SOFT, "incorrect_address"),  # 32
        "Card requires online pin": (SOFT, "authentication_required"),  # 33
        "No checking account available on Card": (HARD, "invalid_account"),  # 34
        "No savings account available on Card": (HARD, "invalid_account"),  # 35
        "Mobile pin required": (SOFT, "authentication_required"),  # 36
        "Contactless fallback": (SOFT, "card_not_supported"),  # 37
        "Authentication required": (SOFT, "authentication_required"),  # 38
        "RReq not received from DS": (SOFT, "authentication_failed"),  # 39
        "Current AID is in Penalty Box": (SOFT, "issuer_unavailable"),  # 40, the network can not be reached
        "CVM Required Restart Payment": (SOFT, "authentication_required"),  # 41
        "3DS Authentication Error": (SOFT, "authentication_failed"),  # 42
        "Online PIN required": (SOFT, "authentication_required"),  # 43
        "Try another interface": (SOFT, "card_not_supported"),  # 44
        "Chip downgrade mode": (SOFT, "card_not_supported"),  # 45
        "Transaction blocked by Adyen to prevent excessive retry fees": (SOFT, "too_many_tries"),  # 46
    },
    (SOFT, "declined"),
)
_SPELLED = {spelling.lower().replace(" ", ""): spelling for spelling in REFUSAL.meanings}


def refusal_in(reason: str) -> str:
    """The reason as the table spells it, where it is one of the table's; spaces and capitals vary."""
    return _SPELLED.get(reason.lower().replace(" ", ""), reason)


# docs.adyen.com/development-resources/error-codes: whether the error proves that nothing was done.
ERROR_TYPE = Words("errorType", {"validation": True, "security": True, "configuration": True, "internal": False}, False)

# Of those, what is wrong; None proves nothing all the same: the first call with the key is still under way, or came to an end
# that nobody knows. What is not here of Adyen's long list proves what its type says.
ERROR_CODE = Words[RefusalKind | None](
    "errorCode",
    {
        "000": None,  # unknown
        "010": RefusalKind.MISCONFIGURED,  # not allowed
        "101": RefusalKind.MISCONFIGURED,  # invalid card number
        "167": RefusalKind.MISCONFIGURED,  # the original pspReference is required
        "177": RefusalKind.MISCONFIGURED,  # too much metadata
        "178": RefusalKind.MISCONFIGURED,  # a key of the metadata is too long
        "701": None,  # the server could not process it
        "702": RefusalKind.MISCONFIGURED,  # the body can not be read
        "703": None,  # something that it needs is away for now
        "704": None,  # the request was processed before, or is in progress
        "901": RefusalKind.MISCONFIGURED,  # invalid merchant account
        "903": None,  # an internal error
        "904": None,  # it could not be processed
        "905": RefusalKind.MISCONFIGURED,  # the account does not take such payments
        "14_030": RefusalKind.MISCONFIGURED,  # the return URL is missing
    },
    RefusalKind.MISCONFIGURED,
)
ALL = (
    LINK_STATUS,
    MODIFICATION_STATUS,
    EVENT_CODE,
    SUCCESS,
    ACTION,
    DISPUTE_STATUS,
    REFUSAL,
    ERROR_TYPE,
    ERROR_CODE,
)
