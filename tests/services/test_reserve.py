"""What an operation may take, as a pure decision."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from chalicelib.contracts.connector import Capabilities
from chalicelib.domain.amend import amend
from chalicelib.domain.change import Change, Closing
from chalicelib.domain.claim import Claim
from chalicelib.domain.errors import Conflict, Invalid, Pointer
from chalicelib.domain.facts import Kind, State
from chalicelib.domain.fold import fold
from chalicelib.domain.operation import Called, Operation, OperationKind, Origin
from chalicelib.domain.order import CaptureMode
from chalicelib.domain.payment import Closure, Payment
from chalicelib.services.reserve import (
    Wanted,
    chosen,
    left_of,
    operation_of,
    refuse_odd,
    refuse_over,
    refuse_unoffered,
)
from tests.builders import NOW, attempt_id, fact, money, opened, payment
from tests.psp import SimulatedConnector

CAPTURE, CANCEL, REFUND = OperationKind
OK = State.SUCCEEDED


def paid(*values: int) -> Payment:
    """An attempt for each of these amounts, captured from an authorization; of 1000 each."""
    facts = [opened()]
    for number, value in enumerate(values, start=1):
        facts += [opened(number), fact(Kind.AUTHORIZATION, f"a{number}", OK, 1000, number=number)]
        facts += [fact(Kind.CAPTURE, f"c{number}", OK, value, number=number)] if value else []
    start = payment(len(values), capture=CaptureMode.MANUAL)
    return amend(replace(start, route=replace(start.route, late="review")), Change(facts=tuple(facts)), NOW)


def choice(known: Payment, wanted: Wanted) -> str | None:
    found = chosen(known, fold(known), wanted)
    return None if found is None else found.id


@pytest.mark.parametrize(
    ("values", "kind", "number"),
    [
        ((300, 400), REFUND, 2),
        ((400, 300), REFUND, 1),
        ((300, 400), CAPTURE, 1),
        ((400, 300), CAPTURE, 2),
        ((400, 300), CANCEL, 2),
        ((0, 300), REFUND, 2),
    ],
)
def test_the_attempt_with_most_left_is_chosen(values: tuple[int, ...], kind: OperationKind, number: int) -> None:
    assert choice(paid(*values), Wanted(kind)) == attempt_id(number)


@pytest.mark.parametrize("number", [1, 2])
def test_an_attempt_that_is_named_is_chosen(number: int) -> None:
    assert choice(paid(300, 400), Wanted(REFUND, attempt_id=attempt_id(number))) == attempt_id(number)


def test_where_nothing_is_left_none_is_chosen() -> None:
    assert choice(paid(0, 300), Wanted(REFUND, attempt_id=attempt_id(1))) is None
    assert choice(paid(0), Wanted(REFUND)) is None


def test_an_attempt_that_is_not_the_payments_is_pointed_at() -> None:
    with pytest.raises(Invalid) as refused:
        choice(paid(300), Wanted(REFUND, attempt_id="att_other"))
    detail = "The payment has no attempt 'att_other'."
    assert (refused.value.detail, refused.value.errors) == (detail, (Pointer("/attempt_id", detail),))


def closed(known: Payment, number: int) -> Payment:
    return amend(known, Change(closings=(Closing(attempt_id(number), Closure.SUPERSEDED),)), NOW)


def test_what_is_held_at_an_attempt_that_was_given_up_is_only_cancelled() -> None:
    known = closed(paid(0), 1)
    assert choice(known, Wanted(CANCEL)) == attempt_id(1)
    why = r"^What is held belongs to an attempt that was given up; it is never captured, only cancelled\.$"
    with pytest.raises(Conflict, match=why):
        choice(known, Wanted(CAPTURE))


def test_a_capture_takes_from_the_attempt_that_was_not_given_up() -> None:
    assert choice(closed(paid(0, 300), 1), Wanted(CAPTURE)) == attempt_id(2)


@pytest.mark.parametrize(("kind", "left"), [(REFUND, 300), (CAPTURE, 700), (CANCEL, 700)])
def test_refunds_take_from_what_was_captured_and_the_others_from_what_is_held(kind: OperationKind, left: int) -> None:
    assert left_of(kind, fold(paid(300)), attempt_id()) == left


def test_another_currency_is_pointed_at() -> None:
    known = paid(300)
    refuse_odd(known, fold(known), Wanted(REFUND, money(1)))
    refuse_odd(known, fold(known), Wanted(REFUND))
    with pytest.raises(Invalid) as refused:
        refuse_odd(known, fold(known), Wanted(REFUND, money(1, "USD")))
    detail = "The payment is in EUR, not in USD."
    assert (refused.value.detail, refused.value.errors) == (detail, (Pointer("/amount/currency", detail),))


@pytest.mark.parametrize(("origin", "full"), [(Origin.API, True), (Origin.POLICY, True), (Origin.PSP, False)])
def test_a_payment_has_a_hundred_operations_of_ours_at_most(origin: Origin, full: bool) -> None:
    one = Operation("op", REFUND, attempt_id(), money(1), origin, NOW)
    known = replace(paid(300), operations=tuple(replace(one, id=f"op_{number}") for number in range(99)))
    refuse_odd(known, fold(paid(300)), Wanted(REFUND))
    known = replace(known, operations=(*known.operations, one))
    if not full:
        return refuse_odd(known, fold(paid(300)), Wanted(REFUND))
    with pytest.raises(Conflict, match=r"^The payment has 100 operations; it takes no more\.$"):
        refuse_odd(known, fold(paid(300)), Wanted(REFUND))


@pytest.mark.parametrize("kind", [CAPTURE, CANCEL])
def test_while_an_odd_amount_waits_only_refunds_are_taken(kind: OperationKind) -> None:
    odd = amend(paid(300), Change(facts=(fact(Kind.CAPTURE, "odd", OK, 5000),)), NOW)
    refuse_odd(odd, fold(odd), Wanted(REFUND))
    why = r"^The PSP reports an amount that was not asked for; an operator decides first \(POST …/resolutions\)\.$"
    with pytest.raises(Conflict, match=why):
        refuse_odd(odd, fold(odd), Wanted(kind))


def test_without_an_amount_all_that_is_left_is_taken() -> None:
    assert refuse_over(Wanted(REFUND), 300, "EUR") == 300
    assert refuse_over(Wanted(REFUND, money(300)), 300, "EUR") == 300
    assert refuse_over(Wanted(REFUND, money(1)), 1, "EUR") == 1


@pytest.mark.parametrize(("kind", "noun"), [(REFUND, "refund"), (CAPTURE, "capture")])
def test_over_what_is_left_nothing_is_taken(kind: OperationKind, noun: str) -> None:
    with pytest.raises(Conflict, match=rf"^There is nothing left to {noun}\.$"):
        refuse_over(Wanted(kind), 0, "EUR")
    with pytest.raises(Conflict, match=rf"^3\.01 EUR is more than the 3\.00 EUR left to {noun}\.$"):
        refuse_over(Wanted(kind, money(301)), 300, "EUR")


ALL = SimulatedConnector.capabilities


def offered(
    kind: OperationKind, value: int, known: Payment, final: bool = False, left: int = 700, **can: object
) -> str:
    """Why the connector can not do it; empty where it can."""
    able: Capabilities = replace(ALL, **can)  # type: ignore[arg-type]
    attempt = known.attempts[0]
    try:
        refuse_unoffered(able, known, fold(known), attempt, Wanted(kind, final=final), value, left)
    except Conflict as refused:
        return refused.detail
    return ""


@pytest.mark.parametrize(
    ("kind", "capability", "noun"),
    [(CAPTURE, "capture", "capture"), (CANCEL, "cancel", "cancellation"), (REFUND, "refund", "refund")],
)
def test_each_operation_is_a_capability(kind: OperationKind, capability: str, noun: str) -> None:
    assert offered(kind, 300, paid(300), operations=frozenset({capability})) == ""
    others = ALL.operations - {capability}
    assert (
        offered(kind, 300, paid(300), operations=others) == f"The connector sandbox offers no {noun} through its API."
    )


@pytest.mark.parametrize(("value", "taken"), [(299, False), (300, True)])
def test_a_connector_may_refund_the_whole_only(value: int, taken: bool) -> None:
    why = "" if taken else "The connector sandbox refunds the whole amount only."
    assert offered(REFUND, value, paid(300), partial_refund=False) == why
    assert offered(CAPTURE, value, paid(300), partial_refund=False) == ""
    assert offered(REFUND, value, paid(300), partial_capture=False) == ""


@pytest.mark.parametrize(("value", "taken"), [(699, False), (700, True)])
def test_a_connector_may_capture_the_whole_only(value: int, taken: bool) -> None:
    why = "" if taken else "The connector sandbox captures the whole amount only."
    assert offered(CAPTURE, value, paid(300), partial_capture=False) == why
    assert offered(CANCEL, value, paid(300), partial_capture=False) == ""


def with_operation(kind: OperationKind, called: Called, number: int = 1) -> Payment:
    made = Operation("op_1", kind, attempt_id(number), money(100), Origin.API, NOW, called=called)
    return amend(paid(0, 300), Change(operations=(made,)), NOW)


@pytest.mark.parametrize(
    ("made", "again"),
    [
        (with_operation(CAPTURE, Called.ANSWERED), True),
        (with_operation(CAPTURE, Called.UNANSWERED), True),
        (with_operation(CAPTURE, Called.REFUSED), False),
        (with_operation(REFUND, Called.ANSWERED), False),
        (with_operation(CAPTURE, Called.ANSWERED, 2), False),
    ],
)
def test_a_connector_may_capture_once_only(made: Payment, again: bool) -> None:
    why = "The connector sandbox captures a payment once only." if again else ""
    assert offered(CAPTURE, 700, made, multiple_captures=False) == why
    assert offered(CAPTURE, 700, made) == ""
    assert offered(REFUND, 700, made, multiple_captures=False) == ""


@pytest.mark.parametrize(
    ("called", "waits"),
    [(Called.STARTED, True), (Called.UNANSWERED, True), (Called.ANSWERED, False), (Called.REFUSED, False)],
)
def test_a_cancellation_waits_for_a_capture_that_may_not_have_reached_the_psp(called: Called, waits: bool) -> None:
    made = with_operation(CAPTURE, called)
    why = (
        "Whether the PSP has a capture yet is not known, and a cancellation would give its money back; ask again soon."
    )
    assert offered(CANCEL, 700, made) == (why if waits else "")
    assert offered(CANCEL, 700, with_operation(REFUND, called)) == ""
    assert offered(CANCEL, 700, with_operation(CAPTURE, called, 2)) == ""


def test_a_last_capture_waits_for_the_others() -> None:
    under_way = with_operation(CAPTURE, Called.STARTED)
    why = "Another capture is under way, and the last one would give its money back; ask again soon."
    assert offered(CAPTURE, 300, under_way, final=True) == why
    assert offered(CAPTURE, 300, under_way) == ""
    assert offered(CAPTURE, 300, paid(0), final=True) == ""


@pytest.mark.parametrize(
    ("value", "held", "asked", "final"),
    [(700, 700, False, True), (699, 700, False, False), (699, 700, True, True), (None, 0, False, False)],
)
def test_a_capture_of_all_that_is_held_is_the_last(value: int | None, held: int, asked: bool, final: bool) -> None:
    amount = None if value is None else money(value)
    wanted = Wanted(CAPTURE, amount, reason="sent", final=asked)
    made = operation_of("op_1", wanted, paid(300).attempts[0], amount, held, "f", NOW)
    assert made == Operation(
        "op_1",
        CAPTURE,
        attempt_id(),
        amount,
        Origin.API,
        NOW,
        reason="sent",
        final=final,
        claim=Claim("f", NOW + timedelta(seconds=60)),
    )
