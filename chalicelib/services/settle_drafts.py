"""Takes the audit entries that ride along with a payment to the account's chain."""

from __future__ import annotations

from dataclasses import replace

from chalicelib.contracts.store import Stored
from chalicelib.domain.amend import due_of
from chalicelib.domain.draft import Draft
from chalicelib.domain.payment import Payment
from chalicelib.services.audit import append
from chalicelib.services.commit import commit
from chalicelib.services.ports import Ports


def with_draft(payment: Payment, draft: Draft) -> Payment:
    """The payment with an entry that is committed together with the change it tells of."""
    drafted = replace(payment, unaudited=(*payment.unaudited, draft))
    return replace(drafted, due_at=due_of(drafted))


def settle_drafts(ports: Ports, stored: Stored[Payment]) -> Stored[Payment]:
    """Safe to do twice and side by side: an entry is appended once, whoever does it."""
    drafts = stored.value.unaudited
    if not drafts:
        return stored
    for draft in drafts:
        append(ports, stored.value.merchant_id, draft)

    def decide(newest: Payment) -> Payment:
        kept = tuple(draft for draft in newest.unaudited if draft not in drafts)
        if kept == newest.unaudited:
            return newest
        cleared = replace(newest, unaudited=kept)
        return replace(cleared, due_at=due_of(cleared))

    return commit(ports, stored, decide)
