"""What payments should count for in the statistics, counted anew from what each of them folds to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from chalicelib.domain.fold import Folded
from chalicelib.domain.payment import Payment, Status
from chalicelib.domain.tally import movements_of

UNPAID = (Status.FAILED, Status.EXPIRED, Status.CANCELLED)


def figures(payment: Payment, folded: Folded) -> Counter[str]:
    """By name; the names of amounts end in `_minor`."""
    standings = folded.standings.values()
    authorized = folded.amounts.authorized > 0
    return +Counter(
        {
            "payments": 1,
            "payments_authorized": int(authorized),
            "payments_unpaid": int(folded.status in UNPAID and not authorized),
            "attempts": len(payment.attempts),
            "opened": sum(one.opened for one in standings),
            "authorized": sum(one.authorized > 0 for one in standings),
            "unanswered": sum(one.unanswered for one in standings),
            "authorized_minor": folded.amounts.authorized,
            "captured_minor": folded.amounts.captured,
            "refunded_minor": folded.amounts.refunded,
            "charged_back_minor": folded.amounts.charged_back,
        }
    )


def miscounted(payment: Payment, folded: Folded) -> Iterator[str]:
    """Where the sum of what a payment's journal moved is not what it folds to; it is as of its newest event."""
    moved: Counter[str] = Counter()
    at: Counter[tuple[int, Status, bool]] = Counter()
    for movement in movements_of(payment):
        for _, name, value in movement.moved:
            moved[name] += value
        at.subtract([movement.stood] if movement.stood else [])
        at.update([movement.stands])
    for name, value in figures(payment, folded).items():
        if not name.startswith("payments") and moved[name] != value:
            yield f"{name} is {value}, the journal's movements add up to {moved[name]}"
    if any(value < 0 for value in moved.values()):
        yield f"the journal's movements add up to {moved}"
    left = {place: number for place, number in at.items() if number}
    stands = (folded.status, folded.amounts.authorized > 0)
    if [(place[1:], number) for place, number in left.items()] != [(stands, 1)]:
        yield f"it counts at {left} and stands at {stands}"
