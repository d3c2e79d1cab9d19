"""An event told again from the journal, where its own words are gone: thin, with the same id, sequence and time."""

from __future__ import annotations

import json
from typing import Any

from chalicelib.domain.fold import Amounts
from chalicelib.domain.payment import JournalEntry, Payment, Status
from chalicelib.domain.view import money_view, text_of


def retold(payment: Payment, entry: JournalEntry) -> str:
    """The CloudEvents object. What else the event had told besides the payment (an operation) is not in the journal."""
    earlier = [one for one in payment.journal if one.sequence < entry.sequence]
    known: dict[str, Any] = {
        "id": payment.id,
        "merchant_id": payment.merchant_id,
        "order_reference": payment.order.order_reference,
        "status": entry.status,
        "amount": money_view(payment.order.amount),
        "amounts": Amounts(*entry.amounts)._asdict(),
        "sequence": entry.sequence,
        "created_at": text_of(payment.created_at),
        "updated_at": text_of(entry.time),
    }
    previous = earlier[-1].status if earlier else Status.CREATED
    body = {
        "specversion": "1.0",
        "id": entry.id,
        "source": f"/paymentserver/{payment.merchant_id}",
        "type": entry.type,
        "subject": payment.id,
        "time": text_of(entry.time),
        "datacontenttype": "application/json",
        "sequence": entry.sequence,
        "data": {"payment": known, "previous_status": previous, "thin": True},
    }
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"))
