"""Chargebacks: the shopper's bank asks the money back, and decides."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from dev.sandbox.errors import Refused, invalid
from dev.sandbox.payments import paid, within
from dev.sandbox.sessions import new_id

Json = dict[str, Any]

BEFORE: dict[str, tuple[str | None, ...]] = {
    "inquiry": (None,),
    "opened": (None, "inquiry"),
    "won": ("inquiry", "opened"),
    "lost": ("inquiry", "opened"),
}
RESPOND_WITHIN = timedelta(days=7)


def dispute(session: Json, state: str, amount: Json | None) -> str:
    """A bank asks, opens a chargeback, or decides it; the event's type. A session has one dispute at most."""
    payment = paid(session)
    if state not in BEFORE:
        raise invalid(f"state is one of {', '.join(BEFORE)}.")
    now = payment["dispute"]
    if (now and now["state"]) not in BEFORE[state]:
        was = now["state"] if now else "not there"
        raise Refused(409, "dispute_state", f"A dispute that is {was} can not be {state}.")
    if now is None:
        respond_by = (datetime.now(UTC) + RESPOND_WITHIN).isoformat(timespec="seconds").replace("+00:00", "Z")
        payment["dispute"] = {
            "id": new_id("dsp"),
            "state": state,
            "amount": within(amount, payment["amount_captured"]["value"], payment, "captured"),
            "reason": "fraudulent",
            "respond_by": respond_by,
        }
    else:
        payment["dispute"] = now | {"state": state}
    return f"dispute.{state}"
