"""What a verified webhook tells: `{"event": …, "data": …}`, as paystack.com/docs/payments/webhooks shows them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chalicelib.connectors.paystack.reading import attempt_id_of, dispute_fact, transaction_facts, transaction_of
from chalicelib.connectors.paystack.tables import EVENT, Subject
from chalicelib.contracts.webhooks import AskPsp
from chalicelib.domain.errors import Unreadable
from chalicelib.domain.facts import Fact
from chalicelib.domain.json_text import parse


def said_by(body: bytes) -> Sequence[Fact | AskPsp]:
    """Raises Unreadable for what makes no sense. Nothing for another's: an account may take payments by other ways too."""
    try:
        event = parse(body)
        subject, data = EVENT.of(event["event"]), event["data"]
        if subject is Subject.NOTHING or not isinstance(data, dict):
            return []
        attempt_id = attempt_id_of(_reference_in(data, subject))
        if attempt_id is None:
            return []
        if subject is Subject.TRANSACTION:
            return transaction_facts(attempt_id, data)
        return [dispute_fact(attempt_id, data)] if subject is Subject.DISPUTE else [AskPsp(attempt_id)]
    except (ValueError, KeyError, TypeError) as error:
        raise Unreadable("The webhook makes no sense.") from error


def _reference_in(data: dict[str, Any], subject: Subject) -> object:
    """A dispute has it in its transaction, a refund as `transaction_reference`; a dispute's `transaction_reference` is
    another thing, and empty."""
    if subject is Subject.DISPUTE:
        return transaction_of(data).get("reference")
    return data.get("transaction_reference") or data.get("reference")
