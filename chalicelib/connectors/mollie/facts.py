"""What a payment of Mollie's says, as facts. Its own id names the authorization, its release and a sale; captures, refunds and
chargebacks have ids of their own. Totals such as `amountRefunded` are no facts.

A payment that was asked for with automatic capture is one sale, whatever Mollie does inside: where a method authorizes first,
it is under way until Mollie has taken the money.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from chalicelib.connectors.mollie.amounts import money_in
from chalicelib.connectors.mollie.places import id_in
from chalicelib.connectors.mollie.tables import CAPTURE_STATUS, FAILURE_REASON, PAYMENT_STATUS, REFUND_STATUS, Stage
from chalicelib.contracts.calls import AttemptRef
from chalicelib.domain.facts import Decline, Fact, Kind, State
from chalicelib.domain.money import Money
from chalicelib.domain.order import CaptureMode

Json = Mapping[str, Any]
OURS = "paymentserver_"
ATTEMPT = "paymentserver_attempt"  # our names in Mollie's metadata
OPERATION = "paymentserver_operation"
CANCELLATION = "paymentserver_cancellation"
LAST = "paymentserver_last"

_CHECKOUT = {
    Stage.OPEN: State.OPEN,
    Stage.PENDING: State.PROCESSING,
    Stage.HELD: State.OPEN,
    Stage.PAID: State.OPEN,  # what was paid, its movements say
    Stage.CANCELLED: State.CANCELLED,
    Stage.EXPIRED: State.EXPIRED,
    Stage.FAILED: State.FAILED,
}
_LAPSED = (Stage.EXPIRED, Stage.FAILED)
_OVER = (*_LAPSED, Stage.CANCELLED)


def named_in(thing: Json, name: str) -> str | None:
    """What a thing's metadata has under one of our names."""
    metadata = thing.get("metadata")
    named = metadata.get(name) if isinstance(metadata, Mapping) else None
    return named if isinstance(named, str) and named else None


def attempt_in(thing: Json) -> str | None:
    return named_in(thing, ATTEMPT)


def payment_facts(
    payment: Json, parts: Mapping[str, Sequence[Json]], attempt: AttemptRef, now: datetime
) -> tuple[Fact, ...]:
    """`parts`: its captures, refunds and chargebacks. Raises KeyError, TypeError or ValueError on what is no payment of this
    attempt."""
    id, attempt_id = id_in(payment["id"], "tr"), attempt.attempt_id
    if attempt_in(payment) != attempt_id or attempt.psp_reference not in (None, id):
        raise ValueError("the payment is another one than was asked for")
    stage, note = PAYMENT_STATUS.of(payment["status"]), PAYMENT_STATUS.note(payment["status"])
    manual = attempt.checkout.order.capture is CaptureMode.MANUAL
    page = State.PROCESSING if stage is Stage.HELD and not manual else _CHECKOUT[stage]
    facts = [Fact(attempt_id, Kind.CHECKOUT, id, page, reason=note)]
    if stage is Stage.FAILED:
        facts += _declined(payment, attempt_id)
    held = _was_held(payment, stage, parts["captures"]) or (stage in _OVER and _is_known_held(attempt))
    if manual and (held or stage in _OVER):
        facts += _held(payment, stage, parts["captures"], attempt_id, now, held=held)
    elif stage is Stage.PAID:
        if manual:  # by a method that can hold nothing
            facts.append(Fact(attempt_id, Kind.AUTHORIZATION, id, State.SUCCEEDED, money_in(payment)))
        facts.append(Fact(attempt_id, Kind.CAPTURE, id, State.SUCCEEDED, _sold(payment)))
    facts += [refund_fact(one, attempt_id) for one in parts["refunds"]]
    facts += [chargeback_fact(one, attempt_id) for one in parts["chargebacks"]]
    return tuple(facts)


def _declined(payment: Json, attempt_id: str) -> Iterator[Fact]:
    """One payment is one try."""
    details = payment.get("details")
    if isinstance(details, Mapping) and details.get("failureReason"):
        reason, message = str(details["failureReason"]), str(details.get("failureMessage") or "")
        cls, code = FAILURE_REASON.of(reason)
        decline = Decline(cls, code, reason[:60], message[:200])
        yield Fact(attempt_id, Kind.TRY, str(payment["id"]), State.DECLINED, decline=decline)


def _was_held(payment: Json, stage: Stage, captures: Sequence[Json]) -> bool:
    """Not every method can hold money: one that can not is paid at once."""
    captured = stage is Stage.PAID and _captured(payment) > 0
    return stage is Stage.HELD or bool(payment.get("authorizedAt") or captures) or captured


def _is_known_held(attempt: AttemptRef) -> bool:
    return any(one.kind is Kind.AUTHORIZATION for one in attempt.facts)


def _held(
    payment: Json, stage: Stage, captures: Sequence[Json], attempt_id: str, now: datetime, *, held: bool
) -> Iterator[Fact]:
    """The release is told of whenever a payment is over, so that what was held before is not for ever. Of one that is paid it
    is only where the captures show what was paid: else money that was taken would count as given back."""
    id, asked = str(payment["id"]), money_in(payment)
    if held:
        yield Fact(attempt_id, Kind.AUTHORIZATION, id, State.SUCCEEDED, asked)
    taken = [capture_fact(one, attempt_id) for one in captures]
    yield from taken
    last = next((one for one in captures if named_in(one, LAST)), {})
    cancellation = named_in(payment, CANCELLATION)
    whose = cancellation or named_in(last, OPERATION)
    moved = sum(one.amount.value for one in taken if one.amount and one.state is not State.FAILED)
    if stage in _OVER:
        by_itself = not cancellation and (stage in _LAPSED or not (held or whose))
        yield _lapse(id, attempt_id) if by_itself else release_fact(id, attempt_id, State.SUCCEEDED, whose)
    elif stage is Stage.PAID and max(_captured(payment), 1) <= moved < asked.value:
        yield from _rest(payment, attempt_id, whose, now)


def _rest(payment: Json, attempt_id: str, whose: str | None, now: datetime) -> Iterator[Fact]:
    """What captures leave of a payment that is paid. Captures are for payments that are authorized, and one that was captured
    in part becomes paid once its rest is released (docs.mollie.com/reference/release-authorization); a payment that is not
    authorized has no `captureBefore`. One that has it all the same, and whose rest nobody asked to release, may still be
    captured until then."""
    id, ends = str(payment["id"]), payment.get("captureBefore")
    if whose or ends is None:
        yield release_fact(id, attempt_id, State.SUCCEEDED, whose)
    elif datetime.fromisoformat(ends) <= now:
        yield _lapse(id, attempt_id)


def _lapse(id: str, attempt_id: str) -> Fact:
    return Fact(attempt_id, Kind.RELEASE, f"expiry:{id}", State.SUCCEEDED)


def release_fact(id: str, attempt_id: str, state: State, operation_id: str | None) -> Fact:
    """Of all that was held and not captured."""
    return Fact(attempt_id, Kind.RELEASE, f"release:{id}", state, operation_id=operation_id)


def _sold(payment: Json) -> Money:
    """What was captured where Mollie says so: somebody may have captured a part in its Dashboard."""
    return money_in(payment, "amountCaptured" if _captured(payment) else "amount")


def _captured(payment: Json) -> int:
    """Mollie's total, 0 where it names none: for comparing, it is no fact."""
    return money_in(payment, "amountCaptured").value if payment.get("amountCaptured") is not None else 0


def capture_fact(capture: Json, attempt_id: str) -> Fact:
    """Raises KeyError, TypeError or ValueError on what is no capture."""
    return Fact(
        attempt_id,
        Kind.CAPTURE,
        id_in(capture["id"], "cpt"),
        CAPTURE_STATUS.of(capture["status"]),
        money_in(capture),
        operation_id=named_in(capture, OPERATION),
        reason=CAPTURE_STATUS.note(capture["status"]),
    )


def refund_fact(refund: Json, attempt_id: str) -> Fact:
    """Raises KeyError, TypeError or ValueError on what is no refund."""
    return Fact(
        attempt_id,
        Kind.REFUND,
        id_in(refund["id"], "re"),
        REFUND_STATUS.of(refund["status"]),
        money_in(refund),
        operation_id=named_in(refund, OPERATION),
        reason=REFUND_STATUS.note(refund["status"]),
    )


def missed_refunds(told: Iterable[Fact], attempt: AttemptRef, before: datetime) -> list[Fact]:
    """Refunds that are under way as far as is known, that began before then, and that Mollie has not told of."""
    listed = {one.id for one in told if one.kind is Kind.REFUND}
    under_way = [one for one in attempt.facts if one.kind is Kind.REFUND and one.state is State.PENDING]
    missed = [one for one in under_way if one.id not in listed and one.id.startswith("re_")]
    return [one for one in missed if (since := attempt.known_since(one)) is not None and since <= before]


def gone(refund: Fact) -> Fact:
    """It was cancelled, so it never moved."""
    return replace(refund, state=State.FAILED, reason="canceled")


def found(refund: Fact, said: Json) -> Fact:
    """What Mollie says of the very refund. Raises KeyError, TypeError or ValueError where it is another."""
    fact = refund_fact(said, refund.attempt_id)
    if fact.id != refund.id:
        raise ValueError("Mollie answered with another refund than was asked for")
    return fact


def chargeback_fact(chargeback: Json, attempt_id: str) -> Fact:
    """The money is gone from the day it is told of, unless the chargeback is reversed."""
    reason = chargeback.get("reason")
    told = str(reason.get("description") or reason.get("code") or "") if isinstance(reason, Mapping) else ""
    return Fact(
        attempt_id,
        Kind.DISPUTE,
        id_in(chargeback["id"], "chb"),
        State.WON if chargeback.get("reversedAt") else State.OPENED,
        money_in(chargeback),
        reason=told[:100],
    )
