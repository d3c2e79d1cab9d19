"""Names an attempt to its connector."""

from __future__ import annotations

from chalicelib.contracts.connector import AttemptRef, reference_of
from chalicelib.domain.payment import Attempt, Payment


def ref_of(payment: Payment, attempt: Attempt) -> AttemptRef:
    """The attempt with exactly the parameters its first call had."""
    return reference_of(attempt, payment.order, payment.order.return_url, payment.order.cancel_url)
