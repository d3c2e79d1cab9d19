"""Which amounts count: what was asked for exactly, and what the PSP did by itself while it fits."""

from __future__ import annotations

import pytest

from chalicelib.domain.amend import amend
from chalicelib.domain.change import Change
from chalicelib.domain.facts import Fact, Kind, State
from chalicelib.domain.fold import expected_of, fold, held_first, is_sale, is_sound, most_of
from chalicelib.domain.operation import Operation, OperationKind, Origin
from chalicelib.domain.order import CaptureMode
from chalicelib.domain.payment import AttemptStatus, Payment, Resolution
from tests.builders import NOW, attempt_id, fact, money, opened, payment

OK = State.SUCCEEDED
AUTH, CAP, REF, REL, DIS = Kind.AUTHORIZATION, Kind.CAPTURE, Kind.REFUND, Kind.RELEASE, Kind.DISPUTE
OURS = Operation("op_1", OperationKind.REFUND, attempt_id(), money(400), Origin.API, NOW)
ALL_THERE_IS = Operation("op_2", OperationKind.CANCELLATION, attempt_id(), None, Origin.API, NOW)


def of(kind: Kind, value: int | None, currency: str = "EUR", state: State = OK, **more: object) -> Fact:
    amount = None if value is None else money(value, currency)
    return Fact(attempt_id(), kind, "x", state, amount, **more)  # type: ignore[arg-type]


def sound(said: Fact, *, held: bool = False, manual: bool = False, known: Payment | None = None) -> bool:
    asked = known or payment(capture=CaptureMode.MANUAL if manual else CaptureMode.AUTOMATIC)
    operations = {one.id: one for one in (OURS, ALL_THERE_IS)}
    return is_sound(said, asked, operations, {attempt_id()} if held else set())


@pytest.mark.parametrize(
    ("said", "counts"),
    [
        (of(CAP, None), False),
        (of(AUTH, None), False),
        (of(CAP, None, state=State.PENDING), True),
        (of(AUTH, None, state=State.FAILED), True),
        (of(REF, None), True),
        (of(REL, None), True),
        (of(DIS, None, state=State.OPENED), True),
    ],
)
def test_money_that_came_in_has_an_amount(said: Fact, counts: bool) -> None:
    assert sound(said) is counts


@pytest.mark.parametrize(
    ("said", "counts"),
    [
        (of(CAP, 1000), True),
        (of(CAP, 999), False),
        (of(CAP, 1001), False),
        (of(CAP, 1000, "USD"), False),
        (of(CAP, 999, state=State.PENDING), False),
        (of(AUTH, 1000), True),
        (of(AUTH, 999), False),
        (of(AUTH, 1001), False),
        (of(AUTH, 1000, "USD"), False),
    ],
)
def test_a_sale_and_an_authorization_are_what_the_checkout_asked(said: Fact, counts: bool) -> None:
    assert sound(said) is counts


@pytest.mark.parametrize(
    ("said", "counts"),
    [
        (of(AUTH, 400, revision=1), True),
        (of(AUTH, 1000, revision=1), True),
        (of(AUTH, 1001, revision=1), False),
        (of(REF, 400), True),
        (of(REF, 1000), True),
        (of(REF, 1001), False),
        (of(REF, 0), True),
        (of(REF, -1), False),
        (of(REF, 400, "USD"), False),
        (of(REL, 400), True),
        (of(REL, 1001), False),
        (of(DIS, 1000, state=State.OPENED), True),
        (of(DIS, 1001, state=State.OPENED), False),
    ],
)
def test_what_the_psp_did_by_itself_need_only_fit(said: Fact, counts: bool) -> None:
    assert sound(said) is counts


@pytest.mark.parametrize(("held", "manual"), [(True, False), (False, True), (True, True)])
@pytest.mark.parametrize(("value", "counts"), [(400, True), (1000, True), (1001, False)])
def test_a_capture_of_what_was_authorized_need_only_fit(value: int, counts: bool, held: bool, manual: bool) -> None:
    assert sound(of(CAP, value), held=held, manual=manual) is counts


@pytest.mark.parametrize(
    ("said", "counts"),
    [
        (of(REF, 400, operation_id="op_1"), True),
        (of(REF, 399, operation_id="op_1"), False),
        (of(REF, 400, "USD", operation_id="op_1"), False),
        (of(CAP, 400, operation_id="op_1"), True),
        (of(CAP, 1000, operation_id="op_1"), False),
        (of(REF, 399, operation_id="op_of_somebody"), True),
        (of(REL, 1000, operation_id="op_1"), True),
        (of(REL, 1000, operation_id="op_2"), True),
        (of(REL, 1001, operation_id="op_2"), False),
        (of(REF, 399, operation_id="op_2"), True),
    ],
)
def test_a_movement_of_ours_has_our_amount_and_a_void_what_there_is(said: Fact, counts: bool) -> None:
    assert sound(said, held=True) is counts


def test_a_void_of_an_odd_amount_gives_it_back_as_it_came() -> None:
    odd = Operation("op_1", OperationKind.CANCELLATION, attempt_id(), money(1500), Origin.POLICY, NOW)
    dollars = Operation("op_2", OperationKind.CANCELLATION, attempt_id(), money(5, "USD"), Origin.POLICY, NOW)
    operations = {one.id: one for one in (odd, dollars)}
    asked = payment()
    assert is_sound(of(REL, 1500, operation_id="op_1"), asked, operations, set())
    assert not is_sound(of(REL, 1501, operation_id="op_1"), asked, operations, set())
    assert is_sound(of(REL, 5, "USD", operation_id="op_2"), asked, operations, set())
    assert not is_sound(of(REL, 5, operation_id="op_2"), asked, operations, set())


@pytest.mark.parametrize(
    ("said", "held", "manual", "sale"),
    [
        (of(CAP, 1000), False, False, True),
        (of(AUTH, 1000), False, False, False),
        (of(CAP, 1000, operation_id="op_1"), False, False, False),
        (of(CAP, 1000), True, False, False),
        (of(CAP, 1000), False, True, False),
    ],
)
def test_a_sale_is_a_capture_that_nothing_went_before(said: Fact, held: bool, manual: bool, sale: bool) -> None:
    asked = payment(capture=CaptureMode.MANUAL if manual else CaptureMode.AUTOMATIC)
    assert is_sale(said, asked, {attempt_id()} if held else set()) is sale


def test_the_attempts_that_were_held_first_are_those_with_an_authorization() -> None:
    facts = (opened(), of(CAP, 1000), fact(AUTH, "a", State.PENDING, 1000, number=2))
    assert held_first(facts) == {attempt_id(2)}


ACCEPTED = ("capture", "x", 1500, "EUR")


def resolved(*accepted: tuple[str, str, int, str], said: Fact, outcome: str = "accept") -> Payment:
    word = Resolution(attempt_id(), outcome, "", "an-operator", NOW, accepted=accepted)
    return amend(payment(), Change(facts=(opened(), said), resolutions=(word,)), NOW)


def owed(known: Payment) -> int:
    return expected_of(known, fold(known).standings)


@pytest.mark.parametrize(
    ("accepted", "captured"),
    [
        (ACCEPTED, 1500),
        (("authorization", *ACCEPTED[1:]), 0),
        (("capture", "y", 1500, "EUR"), 0),
        (("capture", "x", 1499, "EUR"), 0),
        (("capture", "x", 1500, "USD"), 0),
    ],
)
def test_an_operators_word_is_about_one_amount_of_one_movement(
    accepted: tuple[str, str, int, str], captured: int
) -> None:
    assert fold(resolved(accepted, said=of(CAP, 1500))).amounts.captured == captured


@pytest.mark.parametrize(
    ("accepted", "expected"),
    [
        ((ACCEPTED,), 1500),
        ((("capture", "x", 400, "EUR"),), 1000),
        ((("capture", "x", 1500, "USD"),), 1000),
        ((ACCEPTED, ("authorization", "y", 1100, "EUR")), 1500),
        ((("refund", "x", 1500, "EUR"),), 1000),
    ],
)
def test_what_an_operator_accepted_beyond_what_was_asked_was_owed(
    accepted: tuple[tuple[str, str, int, str], ...], expected: int
) -> None:
    assert owed(resolved(*accepted, said=of(CAP, 1500))) == expected


def test_what_an_operator_has_given_back_counts_and_was_never_owed() -> None:
    known = resolved(ACCEPTED, said=of(CAP, 1500), outcome="refund")
    assert fold(known).amounts.captured == 1500
    assert owed(known) == 1000


@pytest.mark.parametrize("outcome", ["accept", "refund"])
def test_a_movement_can_be_about_what_an_operator_decided_on_at_its_attempt(outcome: str) -> None:
    known = resolved(ACCEPTED, said=of(CAP, 1500), outcome=outcome)
    assert (most_of(known, attempt_id()), most_of(known, attempt_id(2))) == (1500, 1000)
    assert sound(of(REF, 1500), known=known)
    assert not sound(of(REF, 1501), known=known)


def test_odd_amounts_are_told_apart_from_those_that_count() -> None:
    folded = fold(resolved(said=of(CAP, 1500)))
    assert (folded.anomalies, [one.kind for one in folded.sound]) == ((of(CAP, 1500),), [Kind.OPEN])


def test_an_odd_amount_is_its_own_attempts_doubt_alone() -> None:
    known = amend(payment(2), Change(facts=(opened(), opened(2), of(CAP, 1500))), NOW)
    statuses = {id: one.status for id, one in fold(known).standings.items()}
    assert statuses == {attempt_id(): AttemptStatus.UNKNOWN, attempt_id(2): AttemptStatus.PENDING}


@pytest.mark.parametrize(
    ("facts", "surplus"),
    [
        ((), 0),
        ((fact(REF, "r", OK, 300),), 700),
        ((fact(DIS, "d", State.OPENED, 300),), 700),
        ((fact(REF, "r", OK, 1000, number=2), fact(REF, "r", OK, 1000)), 0),
    ],
)
def test_the_surplus_is_what_stayed_beyond_what_was_asked(facts: tuple[Fact, ...], surplus: int) -> None:
    paid = (opened(), opened(2), of(CAP, 1000), *((fact(CAP, "y", OK, 1000, number=2),) if facts else ()))
    assert fold(amend(payment(2), Change(facts=(*paid, *facts)), NOW)).amounts.surplus == surplus


def test_what_is_held_twice_is_a_surplus_and_authorized_twice() -> None:
    held = (of(AUTH, 1000), fact(AUTH, "y", OK, 1000, number=2))
    amounts = fold(
        amend(payment(2, capture=CaptureMode.MANUAL), Change(facts=(opened(), opened(2), *held)), NOW)
    ).amounts
    assert (amounts.authorized, amounts.captured, amounts.surplus) == (2000, 0, 1000)


def test_an_accepted_amount_does_not_make_up_for_one_that_is_missing() -> None:
    known = resolved(("capture", "p", 1500, "EUR"), said=fact(CAP, "p", State.SUCCEEDED))
    assert [one.id for one in fold(known).anomalies] == ["p"]
