"""The words of Paytrail and what they mean. An unlisted one is processing or pending; never success."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from chalicelib.contracts.amounts import MinorUnits, Unwritable
from chalicelib.contracts.words import Words
from chalicelib.domain.facts import State
from chalicelib.domain.money import Money


class Verdict(StrEnum):
    MISCONFIGURED = "misconfigured"
    UNSIGNED = (
        "unsigned"  # the same, from what could not sign: it has no key of ours that fits, or is in front of the API
    )
    RATE_LIMITED = "rate_limited"  # from what is in front of the API, which signs nothing
    NOTHING = "nothing"  # proves nothing


# schemas/Payment/status. SUCCEEDED is money, all others are how the page stands. `authorization-hold` is of stored cards,
# which this connector does not use.
PAYMENT_STATUS: Words[State] = Words(
    "payment.status",
    {
        "new": State.OPEN,
        "ok": State.SUCCEEDED,
        "fail": State.FAILED,
        "pending": State.PROCESSING,
        "delayed": State.PROCESSING,
        "authorization-hold": State.PROCESSING,
    },
    State.PROCESSING,
)
# schemas/RefundResponse/status, and the status of a refund's callback.
REFUND_STATUS: Words[State] = Words(
    "refund.status",
    {"ok": State.SUCCEEDED, "pending": State.PENDING, "fail": State.FAILED},
    State.PENDING,
)
# The answers of each operation that are no success; the specification gives errors a message, and no code.
ANSWER_STATUS: Words[Verdict] = Words(
    "answer.status",
    {
        "400": Verdict.MISCONFIGURED,
        "401": Verdict.UNSIGNED,
        "404": Verdict.MISCONFIGURED,
        "422": Verdict.MISCONFIGURED,
        "429": Verdict.RATE_LIMITED,
    },
    Verdict.NOTHING,
)
ALL: tuple[Words[Any], ...] = (PAYMENT_STATUS, REFUND_STATUS, ANSWER_STATUS)

CURRENCY = "EUR"  # schemas/PaymentRequest/currency has no other
CURRENCIES = frozenset({CURRENCY})
AMOUNT_MAX = 99_999_999  # schemas/PaymentRequest/amount


class Cents(MinorUnits):
    """Euro cents; callbacks name no currency, since there is one."""

    def written(self, money: Money) -> int:
        if money.currency != CURRENCY:
            raise Unwritable(f"Paytrail takes {CURRENCY} alone, not {money.currency[:10]}")
        return super().written(money)


AMOUNTS = Cents()
