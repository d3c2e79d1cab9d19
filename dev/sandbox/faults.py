"""One operation of an account that goes wrong on its own: told by a session's metadata, or by `PUT /{account}/behaviour`.

A fault *before* means that nothing was done; one *after* that it was done, and the caller does not hear so.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from flask import Response, request

from dev.sandbox import connection
from dev.sandbox.errors import Refused

OPERATION_OF = {  # by the name of the view
    "create_session": "open",
    "list_sessions": "fetch",
    "get_session": "fetch",
    "list_movements": "fetch",
    "get_movement": "fetch",
    "expire": "expire",
    "complete": "complete",
    "capture": "capture",
    "cancel": "cancel",
    "refund": "refund",
}
OPERATIONS = tuple(dict.fromkeys(OPERATION_OF.values()))
MOVING = ("capture", "cancel", "refund")

DECLINES: Mapping[str, Callable[[], Refused]] = {
    "decline_hard": partial(Refused, 402, "declined", "The card was declined.", decline_code="stolen_card"),
    "decline_soft": partial(Refused, 402, "declined", "The card was declined.", decline_code="insufficient_funds"),
}
REFUSED: Mapping[str, Callable[[], Refused]] = {
    "error_500": partial(Refused, 500, "internal_error", "Something went wrong on our side."),
    "rate_limited": partial(Refused, 429, "rate_limited", "Too many calls; wait a little.", retry_after_s=1),
}
BEFORE = (*REFUSED, "refuse", "slow", "timeout_before")  # a decline is an answer: it is given where the work is
AFTER = ("error_500_after", "timeout_after")
FAULTS = (*BEFORE, *AFTER)
DECLINING = ("open", "complete", *MOVING)


def faults_for(operation: str) -> tuple[str, ...]:
    return (*DECLINES, *FAULTS) if operation in DECLINING else FAULTS


@dataclass(frozen=True, slots=True)
class Fault:
    """`times` is how many calls are left that go wrong; None is all of them."""

    mode: str
    times: int | None = None


def fault_of(tx: sqlite3.Connection, account: str, operation: str) -> Fault | None:
    row = tx.execute("SELECT mode, times FROM faults WHERE account = ? AND operation = ?", (account, operation))
    found = row.fetchone()
    return Fault(*found) if found else None


def set_fault(tx: sqlite3.Connection, account: str, operation: str, fault: Fault | None) -> None:
    tx.execute("DELETE FROM faults WHERE account = ? AND operation = ?", (account, operation))
    if fault is not None:
        tx.execute(
            "INSERT INTO faults (account, operation, mode, times) VALUES (?, ?, ?, ?)",
            (account, operation, fault.mode, fault.times),
        )


def take_fault(tx: sqlite3.Connection, account: str, operation: str) -> str | None:
    """The mode of this call, counted off."""
    fault = fault_of(tx, account, operation)
    if fault is None:
        return None
    if fault.times is not None:
        set_fault(tx, account, operation, Fault(fault.mode, fault.times - 1) if fault.times > 1 else None)
    return fault.mode


def play_before(mode: str | None, hang: Callable[[], Response], slow: Callable[[], None]) -> Response | None:
    """What is answered instead of doing it, or None to go on. Raises Refused."""
    if mode is not None and mode in REFUSED:
        raise REFUSED[mode]()
    if mode == "slow":
        slow()
    if mode == "timeout_before":
        return hang()
    if mode == "refuse":
        connection.drop(request.environ)
        return Response(status=503)
    return None


def play_after(mode: str | None, response: Response, hang: Callable[[], Response]) -> Response:
    """What the caller hears of something that was done; a no is told as it is."""
    if mode not in AFTER or response.status_code >= 300:
        return response
    if mode == "timeout_after":
        return hang()
    return Response(status=500, response='{"error":{"code":"internal_error","message":"Something went wrong."}}')
