"""Captures, voids and refunds (developer.paypal.com/api/payments/v2). PayPal does each to an authorization or a capture, whose
ids the order tells: so it is read before, and what a repeat finds done is not done again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from chalicelib.connectors.paypal.answers import read, whole_order
from chalicelib.connectors.paypal.facts import (
    Json,
    become_of,
    capture_fact,
    current_of,
    hold_facts,
    in_turn,
    money_in,
    payments_in,
    refund_fact,
    void_fact,
)
from chalicelib.connectors.paypal.issues import WAS_DONE_BEFORE
from chalicelib.connectors.paypal.order import amount_of, invoice_of
from chalicelib.connectors.paypal.places import capture_id_in, operation_in, path_of
from chalicelib.connectors.paypal.refusals import refusal_of, said_in
from chalicelib.connectors.paypal.session import Session
from chalicelib.connectors.paypal.tables import (
    CAPTURE_STATUS,
    REFUND_STATUS,
    Hold,
    Subject,
)
from chalicelib.contracts.amounts import Unwritable
from chalicelib.contracts.calls import MoneyOrder, Refusal, RefusalKind
from chalicelib.contracts.conversation import Conversation, HttpResponse, Undecidable
from chalicelib.domain.facts import Fact, State

Done = Sequence[Fact] | Refusal
IS_NOT_THE_FIRST = "CANNOT_BE_VOIDED"
NOTHING_HELD = Refusal(RefusalKind.MISCONFIGURED, "the order holds no authorization that could be taken or given back")
NOTHING_CAPTURED = Refusal(RefusalKind.MISCONFIGURED, "the order has no capture that could be refunded")


def capture(session: Session, order: MoneyOrder) -> Conversation[Done]:
    try:
        body = _asked(order) | {"final_capture": order.final}
    except Unwritable as error:
        return Refusal(RefusalKind.MISCONFIGURED, str(error))
    found = yield from _order(session, order)
    captures = payments_in(found, "captures")
    done = _ours(captures, order)
    if done is not None:
        return (capture_fact(done, order.attempt.attempt_id),)
    holds = payments_in(found, "authorizations")
    hold = _held_before(holds) if order.repeats else current_of(holds)
    if hold is None or become_of(hold) is not Hold.HELD:
        return NOTHING_HELD
    path = f"{path_of(Subject.AUTHORIZATION, hold['id'])}/capture"
    response = yield from session.ask(session.post(path, body, "capture", key=order.operation_id))
    if response.status in (200, 201):
        return tuple(_captured(read(response), holds, captures, order))
    if _was_done_before(response):
        done = _ours(payments_in((yield from _order(session, order)), "captures"), order)
        if done is not None:
            return (capture_fact(done, order.attempt.attempt_id),)
    return refusal_of(response, was_read=True)


def cancel(session: Session, order: MoneyOrder) -> Conversation[Done]:
    """A void happens once, whoever asked for it. What was reauthorized is voided by its first authorization: PayPal says of
    one that followed that it can not be, and whether the first is voided, by an earlier call perhaps, is read."""
    attempt_id = order.attempt.attempt_id
    holds = payments_in((yield from _order(session, order)), "authorizations")
    hold = _first(holds, Hold.HELD, Hold.PENDING) or _first(holds, Hold.VOIDED)
    if hold is None and order.repeats:
        raise Undecidable("the order shows neither the void nor an authorization that it could be asked for again of")
    if hold is None:
        return NOTHING_HELD
    first = in_turn(holds)[0]
    if become_of(hold) is not Hold.VOIDED:
        path = f"{path_of(Subject.AUTHORIZATION, hold['id'])}/void"
        response = yield from session.ask(session.post(path, None, "cancel", key=order.operation_id))
        if response.status == 204:
            return (replace(void_fact(hold, first, attempt_id, order.operation_id), id=f"void:{first['id']}"),)
        if response.status == 200:
            hold = read(response)
        elif _was_done_before(response) or said_in(response).code == IS_NOT_THE_FIRST:
            hold = _first(payments_in((yield from _order(session, order)), "authorizations"), Hold.VOIDED)
        else:
            return refusal_of(response)
        if hold is None:
            return refusal_of(response, was_read=True)
    return (void_fact(hold, first, attempt_id, order.operation_id),)


def refund(session: Session, order: MoneyOrder) -> Conversation[Done]:
    """The reason is the merchant's own: PayPal would show it to the shopper."""
    try:
        body = _asked(order) | {"custom_id": order.attempt.attempt_id}
    except Unwritable as error:
        return Refusal(RefusalKind.MISCONFIGURED, str(error))
    found = yield from _order(session, order)
    done = _ours(payments_in(found, "refunds"), order)
    if done is not None:
        return (refund_fact(done, order.attempt.attempt_id),)
    taken = _refundable_again(found, order) if order.repeats else _refundable(found, _value(order))
    if taken is None:
        return NOTHING_CAPTURED
    path = f"{path_of(Subject.CAPTURE, taken['id'])}/refund"
    response = yield from session.ask(session.post(path, body, "refund", key=order.operation_id))
    if response.status in (200, 201):
        fact = refund_fact(read(response), order.attempt.attempt_id)
        return (replace(fact, operation_id=order.operation_id),)
    if _was_done_before(response):
        done = _ours(payments_in((yield from _order(session, order)), "refunds"), order)
        if done is not None:
            return (refund_fact(done, order.attempt.attempt_id),)
    return refusal_of(response, was_read=True)


def _order(session: Session, order: MoneyOrder) -> Conversation[Json]:
    path = path_of(Subject.ORDER, order.attempt.psp_reference)
    return whole_order((yield from session.ask(session.get(path, "fetch"))), order.attempt)


def _asked(order: MoneyOrder) -> dict[str, Any]:
    """Raises Unwritable."""
    amount = {} if order.amount is None else {"amount": amount_of(order.amount)}
    return amount | {"invoice_id": invoice_of(order.attempt.checkout.order.order_reference, order.operation_id)}


def _captured(capture: Json, holds: list[Json], captures: list[Json], order: MoneyOrder) -> Iterator[Fact]:
    attempt_id = order.attempt.attempt_id
    yield replace(capture_fact(capture, attempt_id), operation_id=order.operation_id)
    named = {**capture, "invoice_id": order.operation_id}
    yield from hold_facts(holds, [*captures, named], attempt_id)


def _first(holds: list[Json], *wanted: Hold) -> Json | None:
    """The first authorization of which one of these has become."""
    return next((one for one in in_turn(holds) if become_of(one) in wanted), None)


def _held_before(holds: list[Json]) -> Json:
    """The authorization that the call before was about: the only one that there ever was. Once somebody reauthorized, PayPal
    takes a call for the newer one as another call. Raises Undecidable where it may have been either, or holds nothing now."""
    turns = in_turn(holds)
    if len(turns) != 1 or become_of(turns[0]) is not Hold.HELD:
        raise Undecidable(
            "the order does not show the capture, nor one authorization that it can be asked for again of"
        )
    return turns[0]


def _ours(movements: list[Json], order: MoneyOrder) -> Json | None:
    return next((one for one in movements if operation_in(one) == order.operation_id), None)


def _refundable(found: Json, value: int) -> Json | None:
    """The capture with the least left that has `value` left, else the one with most: PayPal then says no. It refunds none that
    is pending."""
    all_of = [(CAPTURE_STATUS.of(one["status"]), one) for one in payments_in(found, "captures")]
    captures = [one for state, one in all_of if state is State.SUCCEEDED]
    captures = captures or [one for state, one in all_of if state is State.PENDING]
    left = {str(one["id"]): money_in(one).value for one in captures}
    for one in payments_in(found, "refunds"):
        of = next(iter(left)) if len(left) == 1 else capture_id_in(one)
        if of in left and REFUND_STATUS.of(one["status"]) is not State.FAILED:
            left[of] -= money_in(one).value

    def fitting(one: Mapping[str, Any]) -> tuple[bool, int, str]:
        rest = left[str(one["id"])]
        return (rest < value, rest if rest >= value else -rest, str(one["id"]))

    return min(captures, key=fitting, default=None)


def _refundable_again(found: Json, order: MoneyOrder) -> Json | None:
    """The capture that the call before was about: the only one that was ever enough, whatever has been refunded since. PayPal
    takes a call for another one as another call: it speaks of a call in progress by the capture, and not of its key. Raises
    Undecidable where it may have been either."""
    captures = payments_in(found, "captures")
    enough = [one for one in captures if money_in(one).value >= _value(order)]
    if len(captures) > 1 and len(enough) != 1:
        raise Undecidable("the refund may have been asked for of any of the order's captures, and none shows it")
    return next(iter(enough or captures), None)


def _value(order: MoneyOrder) -> int:
    return 0 if order.amount is None else order.amount.value


def _was_done_before(response: HttpResponse) -> bool:
    return response.status >= 400 and said_in(response).verdict in WAS_DONE_BEFORE
