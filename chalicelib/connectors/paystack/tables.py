"""The words of Paystack and what they mean. An unlisted one is pending, soft, or says nothing; never success.

From its documentation and its samples (github.com/PaystackOSS/doc-code-snippets, February 2026) and its OpenAPI file (October
2025), which leaves most statuses open. What only its help pages have says so.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from chalicelib.contracts.amounts import MinorUnits
from chalicelib.contracts.words import Words
from chalicelib.domain.facts import DeclineClass, State


class Progress(StrEnum):
    """How far a transaction is. None of them is its end: a page takes another try after each but `PAID`."""

    UNTRIED = "untried"
    TRYING = "trying"
    DECLINED = "declined"
    PAID = "paid"
    REVERSED = "reversed"  # paid, and some or all of it went back: the refunds and disputes say how much
    UNHEARD_OF = "unheard of"


TRANSACTION_STATUS: Words[Progress] = Words(
    "transaction.status",
    {
        "abandoned": Progress.UNTRIED,  # not finished yet, from the first moment on: the shopper may still come
        "ongoing": Progress.TRYING,
        "pending": Progress.TRYING,
        "processing": Progress.TRYING,  # `pending` of direct debits
        "queued": Progress.TRYING,  # of bulk charges alone
        "failed": Progress.DECLINED,
        "success": Progress.PAID,
        "reversed": Progress.REVERSED,
        # While a refund is under way, by its help pages, which show it as "Reversal pending"; back to `success` if that fails.
        "reversal_pending": Progress.REVERSED,
        "reversal-pending": Progress.REVERSED,
    },
    Progress.UNHEARD_OF,
)
REFUND_STATUS: Words[State] = Words(
    "refund.status",
    {
        "pending": State.PENDING,
        "processing": State.PENDING,
        "needs-attention": State.PENDING,  # Paystack waits for the shopper's bank account
        "processed": State.SUCCEEDED,
        "failed": State.FAILED,
    },
    State.PENDING,
)
# None: its resolution says it.
DISPUTE_STATUS: Words[State | None] = Words(
    "dispute.status",
    {
        "awaiting-merchant-feedback": State.OPENED,
        "awaiting-bank-feedback": State.OPENED,
        "pending": State.OPENED,
        "archived": State.OPENED,  # only in samples, without a resolution
        "resolved": None,
    },
    State.OPENED,
)
RESOLUTION: Words[State] = Words(
    "dispute.resolution",
    {
        "merchant-accepted": State.LOST,
        "auto-accepted": State.LOST,  # nobody answered in time
        "declined": State.WON,  # the merchant declined it, and it is over
    },
    State.OPENED,
)
HARD, SOFT, FRAUD = DeclineClass.HARD, DeclineClass.SOFT, DeclineClass.FRAUD
# A text for people, in the PSP's field `gateway_response`; in lower case. The help pages "Customer errors", "Bank errors" and
# "System errors" name these; whoever processes the payment writes others.
DECLINE: Words[tuple[DeclineClass, str]] = Words(
    "gateway_response",
    {
        "insufficient funds": (SOFT, "insufficient_funds"),
        "expired card": (HARD, "expired_card"),
        "account closed": (HARD, "invalid_account"),
        "denied by fraud system": (FRAUD, "fraud"),
        "blocked by fraud system": (FRAUD, "fraud"),
        "customer is blacklisted": (FRAUD, "fraud"),
    },
    (SOFT, "declined"),
)


class Subject(StrEnum):
    """What a webhook is about."""

    TRANSACTION = "transaction"
    DISPUTE = "dispute"
    ASK = "ask"  # it names a transaction and not what moved
    NOTHING = "nothing"


_NOT_OURS = (
    "bank.transfer.rejected",  # money that did not fit and went back; it names no transaction of ours
    "customeridentification.failed",
    "customeridentification.success",
    "dedicatedaccount.assign.failed",
    "dedicatedaccount.assign.success",
    "direct_debit.authorization.active",
    "direct_debit.authorization.created",
    "invoice.create",
    "invoice.payment_failed",
    "invoice.update",
    "paymentrequest.pending",
    "paymentrequest.success",
    "preauthorization.capture.failed",
    "preauthorization.capture.success",
    "preauthorization.release.failed",
    "preauthorization.release.success",
    "preauthorization.reserve.success",
    "subscription.create",
    "subscription.disable",
    "subscription.expiring_cards",
    "subscription.not_renew",
    "transfer.failed",
    "transfer.reversed",
    "transfer.success",
)
# A refund's webhook does not say which refund it is, so it is read. An unlisted event about one of ours is worth a look.
EVENT: Words[Subject] = Words(
    "event",
    {
        "charge.success": Subject.TRANSACTION,
        "charge.dispute.create": Subject.DISPUTE,
        "charge.dispute.remind": Subject.DISPUTE,
        "charge.dispute.resolve": Subject.DISPUTE,
        "refund.pending": Subject.ASK,
        "refund.processing": Subject.ASK,
        "refund.needs-attention": Subject.ASK,
        "refund.processed": Subject.ASK,
        "refund.failed": Subject.ASK,
        **dict.fromkeys(_NOT_OURS, Subject.NOTHING),
    },
    Subject.ASK,
)


class Fault(StrEnum):
    """What an error says about the call."""

    REFUSED = "refused"  # it did nothing
    ABSENT = "absent"  # it did nothing, and there is no such thing
    CONFLICT = "conflict"  # an earlier call with this reference came through: nothing is proven
    UNKNOWN = "unknown"  # whether it did anything


# By code, where there is one: older errors have a message alone.
ERROR_CODE: Words[Fault | None] = Words(
    "code",
    {
        "duplicate_reference": Fault.CONFLICT,
        "transaction_not_found": Fault.ABSENT,
        "not_found": Fault.ABSENT,
        "invalid_params": Fault.REFUSED,
        "missing_params": Fault.REFUSED,
    },
    None,
)
# In lower case and without a full stop.
ERROR_MESSAGE: Words[Fault | None] = Words(
    "message",
    {
        "duplicate transaction reference": Fault.CONFLICT,
        "transaction reference not found": Fault.ABSENT,
        "entity not found": Fault.ABSENT,
    },
    None,
)
# For an error that neither of them knows: all come with a 400, which "was not fulfilled", but a processor may have been asked.
ERROR_TYPE: Words[Fault] = Words(
    "type",
    {"validation_error": Fault.REFUSED, "api_error": Fault.REFUSED, "processor_error": Fault.UNKNOWN},
    Fault.UNKNOWN,
)
ALL: tuple[Words[Any], ...] = (
    TRANSACTION_STATUS, REFUND_STATUS, DISPUTE_STATUS, RESOLUTION, DECLINE, EVENT, ERROR_CODE, ERROR_MESSAGE, ERROR_TYPE,
)  # fmt: skip

# Two decimals for all, those that have none included: Paystack's own plugins multiply every currency by 100.
AMOUNTS = MinorUnits(departures={"XOF": 2})
# Those of its OpenAPI file, and XOF of its plugins.
CURRENCIES = frozenset({"GHS", "KES", "NGN", "USD", "XOF", "ZAR"})
# Our methods by its channels.
METHODS = {
    "bank_transfer": "bank_transfer",
    "card": "card",
    "eft": "eft",
    "mobile_money": "mobile_money",
    "pay_by_bank": "bank",
    "qr": "qr",
    "ussd": "ussd",
}
