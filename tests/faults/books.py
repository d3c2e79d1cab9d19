"""What the banks' sessions come to: summed from them alone, with nothing of the product's fold."""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.domain.payment import Status
from tests.psp import Json


@dataclass(frozen=True)
class Books:
    """What a bank's session comes to, in minor units: only what has succeeded."""

    authorized: int = 0
    captured: int = 0
    released: int = 0
    refunded: int = 0
    disputed: int = 0

    @property
    def held(self) -> int:
        return max(self.authorized - self.captured - self.released, 0)

    @property
    def kept(self) -> int:
        """What the shopper is still without."""
        return self.held + max(self.captured - self.refunded - self.disputed, 0)


def books_of(session: Json) -> Books:
    payment = session["payment"]
    if payment is None or payment["status"] == "declined":
        return Books()
    total = int(payment["amount"]["value"])
    sums = {
        kind: sum(int(one["amount"]["value"]) for one in payment[kind] if one["status"] == "succeeded")
        for kind in ("captures", "voids", "refunds")
    }
    dispute = payment.get("dispute")
    disputed = int(dispute["amount"]["value"]) if dispute and dispute["state"] in ("opened", "lost") else 0
    sale = not payment["authorization_expires_at"]
    captured = total if sale else sums["captures"]
    return Books(0 if sale else total, captured, sums["voids"], sums["refunds"], disputed)


def status_by(books: list[Books]) -> Status | None:
    """What money says of the whole payment; None where no money stayed or moved."""
    captured, refunded = sum(one.captured for one in books), sum(one.refunded for one in books)
    held = any(one.held for one in books)
    rules = (
        (captured and refunded >= captured and not held, Status.REFUNDED),
        (captured and refunded, Status.PARTIALLY_REFUNDED),
        (captured and held, Status.PARTIALLY_CAPTURED),
        (captured, Status.CAPTURED),
        (held, Status.AUTHORIZED),
    )
    return next((status for holds, status in rules if holds), None)
