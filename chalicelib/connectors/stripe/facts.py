"""What Stripe's objects say, as facts. One payment has one Payment Intent: its id names the authorization, the capture and
the release, whether an answer, a webhook or a read tells of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from chalicelib.connectors.stripe.amounts import AMOUNTS
from chalicelib.connectors.stripe.tables import (
    ADVICE,
    CANCELLATION_REASON,
    DECLINE,
    DISPUTE_STATUS,
    INTENT_STATUS,
    REFUND_STATUS,
    SESSION_STATUS,
    UNPAID,
    Stage,
)
from chalicelib.domain.facts import Decline, Fact, Kind, State
from chalicelib.domain.money import Money

Json = Mapping[str, Any]
OURS = "paymentserver_"
ATTEMPT = "paymentserver_attempt"  # our names in Stripe's metadata
OPERATION = "paymentserver_operation"
CANCELLATION = "paymentserver_cancellation"
_ID = re.compile(r"[A-Za-z0-9_]{1,255}")


def checked_id(text: object) -> str:
    """An id of Stripe's, which may go into a path. Raises ValueError for what is none."""
    if not isinstance(text, str) or not _ID.fullmatch(text):
        raise ValueError("Stripe's ids are letters, digits and underscores")
    return text


def attempt_in(thing: Json) -> str | None:
    """The attempt that a thing's metadata names, None where it is not ours. Raises KeyError where it has none at all."""
    named = (thing["metadata"] or {}).get(ATTEMPT)
    return named if isinstance(named, str) and named else None


def money_in(thing: Json, field: str = "amount") -> Money:
    return AMOUNTS.read(thing[field], thing["currency"])


def intent_id_in(thing: Json) -> str | None:
    """Stripe gives the id alone, or the whole Payment Intent where it was asked to. Raises KeyError where it says neither,
    ValueError for what is no id."""
    intent = thing["payment_intent"]
    return checked_id(intent["id"] if isinstance(intent, Mapping) else intent) if intent else None


def session_fact(session: Json, attempt_id: str) -> Fact:
    status = session["status"]
    return Fact(
        attempt_id, Kind.CHECKOUT, str(session["id"]), SESSION_STATUS.of(status), reason=SESSION_STATUS.note(status)
    )


def failed_session_fact(session: Json, attempt_id: str) -> Fact:
    """A debit that failed after the page was done: nobody can pay there any more."""
    return Fact(attempt_id, Kind.CAPTURE, str(intent_id_in(session)), State.FAILED, money_in(session, "amount_total"))


def session_facts(session: Json, attempt_id: str) -> Iterator[Fact]:
    """Of a session that was read with its Payment Intent. A page that is done while the shopper still has something to do
    gave her a voucher, or a bank's details: she pays days later."""
    page, intent = session_fact(session, attempt_id), session.get("payment_intent")
    if not isinstance(intent, Mapping):
        yield page
        return
    unpaid = session["status"] == "complete" and UNPAID.of(session["payment_status"])
    yield replace(page, state=State.PROCESSING) if unpaid and intent["status"] == "requires_action" else page
    yield from intent_facts(intent, attempt_id)
    if unpaid and intent["status"] == "requires_payment_method":
        yield failed_session_fact(session, attempt_id)


def never_came(session: Json, intent: Json, known: Iterable[Fact]) -> Iterator[Fact]:
    """What was under way when it was heard of last, and is not any more: nobody can pay on the page, or once more."""
    page_is_over = session["status"] in ("complete", "expired") and UNPAID.of(session["payment_status"])
    if not (page_is_over and intent and intent["status"] in ("requires_payment_method", "canceled")):
        return
    for fact in known:
        if fact.kind in (Kind.AUTHORIZATION, Kind.CAPTURE) and fact.id == intent["id"] and fact.state is State.PENDING:
            yield replace(fact, state=State.FAILED, reason="")


def intent_facts(intent: Json, attempt_id: str) -> Iterator[Fact]:
    """Raises KeyError, TypeError or ValueError on what is no Payment Intent."""
    id, stage = str(intent["id"]), INTENT_STATUS.of(intent["status"])
    asked, manual, note = money_in(intent), intent["capture_method"] == "manual", INTENT_STATUS.note(intent["status"])
    if intent.get("last_payment_error"):
        yield _try(intent["last_payment_error"], id, attempt_id)
    if stage is Stage.PROCESSING:
        kind = Kind.AUTHORIZATION if manual else Kind.CAPTURE
        yield Fact(attempt_id, kind, id, State.PENDING, asked, reason=note)
    elif stage is Stage.HELD:
        yield Fact(attempt_id, Kind.AUTHORIZATION, id, State.SUCCEEDED, asked)
    elif stage is Stage.TAKEN:
        yield from _taken(intent, attempt_id, asked, manual)
    elif stage is Stage.CANCELLED:
        yield from _cancelled(intent, attempt_id)


def _taken(intent: Json, attempt_id: str, asked: Money, manual: bool) -> Iterator[Fact]:
    """Without multicapture one capture is all there is: Stripe gives the rest of a smaller one back."""
    id, taken = str(intent["id"]), money_in(intent, "amount_received")
    yield Fact(attempt_id, Kind.CAPTURE, id, State.SUCCEEDED, taken, operation_id=_operation(intent, OPERATION))
    if manual:
        yield Fact(attempt_id, Kind.AUTHORIZATION, id, State.SUCCEEDED, asked)
        if taken.value < asked.value:
            rest = Money(asked.value - taken.value, asked.currency)
            yield Fact(attempt_id, Kind.RELEASE, f"rest:{id}", State.SUCCEEDED, rest)


def _cancelled(intent: Json, attempt_id: str) -> Iterator[Fact]:
    """Whatever it held is given back, and nobody can pay it any more."""
    id, lapsed = str(intent["id"]), CANCELLATION_REASON.of(intent.get("cancellation_reason"))
    ended, release = (State.EXPIRED, f"expiry:{id}") if lapsed else (State.CANCELLED, id)
    yield Fact(attempt_id, Kind.CHECKOUT, id, ended)
    yield Fact(
        attempt_id,
        Kind.RELEASE,
        release,
        State.SUCCEEDED,
        operation_id=None if lapsed else _operation(intent, CANCELLATION),
    )


def _try(error: Json, intent_id: str, attempt_id: str) -> Fact:
    method = error.get("payment_method") or {}
    id = str(error.get("charge") or method.get("id") or f"try:{intent_id}")
    return Fact(attempt_id, Kind.TRY, id, State.DECLINED, decline=decline_of(error))


def decline_of(error: Json) -> Decline:
    """Of an error or a `last_payment_error`. The issuer's advice never to try again outweighs a soft code."""
    psp_code = str(error.get("decline_code") or error.get("code") or "")
    cls, code = DECLINE.of(psp_code)
    advised = ADVICE.of(error.get("advice_code")) if error.get("advice_code") else None
    harder = advised if advised is not None and cls.value == "soft" else cls
    return Decline(harder, code, psp_code[:80], str(error.get("message") or "")[:200])


def refund_fact(refund: Json, attempt_id: str) -> Fact:
    status = refund["status"]
    return Fact(
        attempt_id,
        Kind.REFUND,
        str(refund["id"]),
        REFUND_STATUS.of(status),
        money_in(refund),
        operation_id=_operation(refund, OPERATION),
        reason=REFUND_STATUS.note(status),
    )


def dispute_fact(dispute: Json, attempt_id: str) -> Fact:
    """A dispute can go back: what was lost may be won by an appeal. The money that it moved so far tells which is newer."""
    due = (dispute.get("evidence_details") or {}).get("due_by")
    return Fact(
        attempt_id,
        Kind.DISPUTE,
        str(dispute["id"]),
        DISPUTE_STATUS.of(dispute["status"]),
        money_in(dispute),
        revision=len(dispute.get("balance_transactions") or ()),
        reason=DISPUTE_STATUS.note(dispute["status"]) or str(dispute.get("reason") or "")[:100],
        respond_by=datetime.fromtimestamp(due, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if type(due) is int else "",
    )


def _operation(thing: Json, name: str) -> str | None:
    named = (thing.get("metadata") or {}).get(name)
    return named if isinstance(named, str) and named.startswith("op_") else None
