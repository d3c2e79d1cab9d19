"""Every history of facts folds to one state, whatever order they come in and however often."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.domain.amend import amend
from chalicelib.domain.change import Change
from chalicelib.domain.facts import RENAMED, RISING, Decline, DeclineClass, Fact, Kind, State, join, renamed
from chalicelib.domain.fold import fold
from chalicelib.domain.operation import Called, Operation, OperationKind, Origin
from chalicelib.domain.order import CaptureMode
from chalicelib.domain.payment import AttemptStatus, Payment, Status
from tests.builders import NOW, attempt_id, fact, money, opened, payment

AUTH, CAP, REF = Kind.AUTHORIZATION, Kind.CAPTURE, Kind.REFUND
MANUAL = CaptureMode.MANUAL
OK, NO, WAIT = State.SUCCEEDED, State.FAILED, State.PENDING

# name: (facts, attempts, asked, capture mode, status)
HISTORIES: dict[str, tuple[list[Fact], int, int, CaptureMode, Status]] = {
    "a sale": (
        [opened(), fact(CAP, "p", WAIT, 1000), fact(CAP, "p", OK, 1000)],
        1,
        1000,
        CaptureMode.AUTOMATIC,
        Status.CAPTURED,
    ),
    "a sale that is told of by another name": (
        [opened(), fact(CAP, "p", OK, 1000), renamed(attempt_id(), "p"), fact(CAP, "c", OK, 1000)],
        1,
        1000,
        CaptureMode.AUTOMATIC,
        Status.CAPTURED,
    ),
    "a sale that is told of by another name, and whose amount is odd": (
        [opened(), fact(CAP, "p", OK, 999), renamed(attempt_id(), "p"), fact(CAP, "c", OK, 999)],
        1,
        1000,
        CaptureMode.AUTOMATIC,
        Status.UNKNOWN,
    ),
    "a refund that failed for a reason that reads like one of ours": (
        [opened(), fact(CAP, "p", OK, 1000), fact(REF, "r", OK, 1000), fact(REF, "r", NO, 1000, reason=RENAMED)],
        1,
        1000,
        CaptureMode.AUTOMATIC,
        Status.CAPTURED,
    ),
    "a refund that succeeds and then fails never came back": (
        [
            opened(),
            fact(CAP, "p", OK, 1000),
            fact(REF, "r", WAIT, 400),
            fact(REF, "r", OK, 400),
            fact(REF, "r", NO, 400),
        ],
        1,
        1000,
        CaptureMode.AUTOMATIC,
        Status.CAPTURED,
    ),
    "a partial refund": (
        [opened(), fact(CAP, "p", OK, 1000), fact(REF, "r", OK, 400)],
        1,
        1000,
        CaptureMode.AUTOMATIC,
        Status.PARTIALLY_REFUNDED,
    ),
    "a full refund in two parts": (
        [opened(), fact(CAP, "p", OK, 1000), fact(REF, "r1", OK, 400), fact(REF, "r2", OK, 600)],
        1,
        1000,
        CaptureMode.AUTOMATIC,
        Status.REFUNDED,
    ),
    "a partial capture": (
        [opened(), fact(AUTH, "p", OK, 5000), fact(CAP, "c", WAIT, 2000), fact(CAP, "c", OK, 2000)],
        1,
        5000,
        MANUAL,
        Status.PARTIALLY_CAPTURED,
    ),
    "a partial capture with the rest released": (
        [
            opened(),
            fact(AUTH, "p", OK, 5000),
            fact(CAP, "c", OK, 2000),
            fact(Kind.RELEASE, "v", WAIT),
            fact(Kind.RELEASE, "v", OK),
        ],
        1,
        5000,
        MANUAL,
        Status.CAPTURED,
    ),
    "a declined card and then a good one": (
        [
            opened(),
            fact(Kind.CHECKOUT, "s", State.OPEN),
            fact(Kind.TRY, "t1", State.DECLINED),
            fact(Kind.TRY, "t2", State.APPROVED),
            fact(CAP, "p", OK, 1000),
        ],
        1,
        1000,
        CaptureMode.AUTOMATIC,
        Status.CAPTURED,
    ),
    "paid although it expired": (
        [opened(), fact(Kind.CHECKOUT, "s", State.EXPIRED), fact(CAP, "p", OK, 1000)],
        1,
        1000,
        CaptureMode.AUTOMATIC,
        Status.CAPTURED,
    ),
    "a dispute won, and a second chargeback lost": (
        [
            opened(),
            fact(CAP, "p", OK, 1000),
            fact(Kind.DISPUTE, "d", State.OPENED, 1000),
            fact(Kind.DISPUTE, "d", State.WON, 1000),
            fact(Kind.DISPUTE, "d", State.LOST, 1000, revision=1),
        ],
        1,
        1000,
        CaptureMode.AUTOMATIC,
        Status.CAPTURED,
    ),
    "an authorization adjusted by the PSP": (
        [
            opened(),
            fact(AUTH, "p", OK, 1500),
            fact(AUTH, "p", OK, 1200, revision=10),
            fact(AUTH, "p", OK, 900, revision=20),
        ],
        1,
        1500,
        MANUAL,
        Status.AUTHORIZED,
    ),
    "two attempts paid": (
        [
            opened(),
            opened(2),
            fact(Kind.CHECKOUT, "s", State.EXPIRED),
            fact(CAP, "x", OK, 1000),
            fact(CAP, "y", OK, 1000, number=2),
        ],
        2,
        1000,
        CaptureMode.AUTOMATIC,
        Status.CAPTURED,
    ),
    "a direct debit that fails late": (
        [
            opened(),
            fact(Kind.CHECKOUT, "s", State.PROCESSING),
            fact(CAP, "p", WAIT, 1000),
            fact(CAP, "p", OK, 1000),
            fact(CAP, "p", NO, 1000),
        ],
        1,
        1000,
        CaptureMode.AUTOMATIC,
        Status.FAILED,
    ),
    "a capture that fails leaves the authorization": (
        [opened(), fact(AUTH, "p", OK, 1000), fact(CAP, "c", OK, 1000), fact(CAP, "c", NO, 1000)],
        1,
        1000,
        MANUAL,
        Status.AUTHORIZED,
    ),
    "a retried debit revives": (
        [
            opened(),
            fact(CAP, "p", NO, 1000, revision=1),
            fact(CAP, "p", WAIT, 1000, revision=2),
            fact(CAP, "p", OK, 1000, revision=2),
        ],
        1,
        1000,
        CaptureMode.AUTOMATIC,
        Status.CAPTURED,
    ),
    "an unanswered call that was opened after all": (
        [
            Fact(attempt_id(), Kind.OPEN, attempt_id(), State.UNANSWERED),
            Fact(attempt_id(), Kind.OPEN, attempt_id(), State.ABSENT),
            opened(),
        ],
        1,
        1000,
        CaptureMode.AUTOMATIC,
        Status.PENDING,
    ),
    "an authorization that lapsed": (
        [opened(), fact(AUTH, "p", OK, 1000), fact(Kind.RELEASE, "expiry", OK)],
        1,
        1000,
        MANUAL,
        Status.EXPIRED,
    ),
    "a cancelled checkout": (
        [opened(), fact(Kind.CHECKOUT, "s", State.OPEN), fact(Kind.CHECKOUT, "s", State.CANCELLED)],
        1,
        1000,
        CaptureMode.AUTOMATIC,
        Status.CANCELLED,
    ),
    "one minor unit too much": (
        [opened(), fact(Kind.CHECKOUT, "s", State.OPEN), fact(CAP, "p", OK, 1001)],
        1,
        1000,
        CaptureMode.AUTOMATIC,
        Status.UNKNOWN,
    ),
}


def outcome(start: Payment, facts: list[Fact]) -> tuple[object, ...]:
    """What a payment has come to after the facts came one by one."""
    now = start
    for one in facts:
        now = amend(now, Change(facts=(one,)), NOW)
    folded = fold(now)
    statuses = tuple((id, standing.status) for id, standing in folded.standings.items())
    return (folded.status, folded.amounts, statuses, now.facts, now.status)


@pytest.mark.parametrize("name", HISTORIES)
def test_a_history_ends_in_one_state_in_every_order(name: str) -> None:
    facts, attempts, asked, capture, wanted = HISTORIES[name]
    start = payment(attempts, asked, capture)
    ends = {outcome(start, list(order)) for order in itertools.permutations(facts)}
    assert len(ends) == 1
    assert next(iter(ends))[0] is wanted


@settings(deadline=None)
@given(st.data())
def test_repeats_change_nothing(data: st.DataObject) -> None:
    facts, attempts, asked, capture, _ = HISTORIES[data.draw(st.sampled_from(sorted(HISTORIES)))]
    start = payment(attempts, asked, capture)
    repeated = data.draw(st.permutations(facts + data.draw(st.lists(st.sampled_from(facts), max_size=6))))
    assert outcome(start, list(repeated)) == outcome(start, facts)


KINDS_AND_STATES = [(kind, state) for kind, states in RISING.items() for state in states]
some_fact = st.builds(
    lambda pair, id, value, revision, operation: fact(
        pair[0], id, pair[1], value, revision=revision, operation_id=operation
    ),
    st.sampled_from(KINDS_AND_STATES),
    st.sampled_from(["a", "b"]),
    st.sampled_from([None, 400, 1000]),
    st.integers(0, 2),
    st.sampled_from([None, "op_1", "op_2"]),
)
some_facts = st.lists(some_fact, max_size=6)


TOLD_ALIKE = (
    fact(REF, "r", OK, 400),
    fact(REF, "r", OK, 300),
    fact(REF, "r", OK),
    Fact(attempt_id(), REF, "r", OK, money(400, "USD")),
    fact(REF, "r", OK, 400, reason="requested"),
    fact(REF, "r", OK, 400, respond_by="2026-04-01T00:00:00Z"),
    fact(REF, "r", OK, 400, decline=Decline(DeclineClass.SOFT, "declined")),
    fact(REF, "r", OK, 400, decline=Decline(DeclineClass.HARD, "declined")),
    fact(REF, "r", OK, 400, operation_id="op_1"),
    fact(REF, "r", OK, 300, operation_id="op_2"),
)


@pytest.mark.parametrize(("one", "other"), list(itertools.combinations(TOLD_ALIKE, 2)))
def test_a_tie_is_decided_by_what_is_said_and_not_by_who_came_first(one: Fact, other: Fact) -> None:
    assert join((one,), (other,)) == join((other,), (one,))


@given(some_facts, some_facts)
def test_join_is_commutative(one: list[Fact], other: list[Fact]) -> None:
    assert join(one, other) == join(other, one)


@given(some_facts, some_facts, some_facts)
def test_join_is_associative(one: list[Fact], other: list[Fact], third: list[Fact]) -> None:
    assert join(join(one, other), third) == join(one, join(other, third))


@given(some_facts)
def test_join_is_idempotent(facts: list[Fact]) -> None:
    joined = join((), facts)
    assert join(joined, joined) == joined
    assert join(joined, facts) == joined


@given(st.lists(st.integers(1, 60), min_size=25, max_size=60, unique=True), st.randoms())
def test_of_many_tries_the_newest_are_kept_in_any_order(revisions: list[int], chance: object) -> None:
    tries = [fact(Kind.TRY, f"t{revision}", State.DECLINED, revision=revision) for revision in revisions]
    shuffled = list(tries)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    known: tuple[Fact, ...] = ()
    for one in shuffled:
        known = join(known, (one,))
    assert sorted(one.revision for one in known) == sorted(revisions)[-20:]


@settings(deadline=None)
@given(some_facts)
def test_any_facts_fold_without_losing_money(facts: list[Fact]) -> None:
    known = amend(payment(capture=MANUAL), Change(facts=tuple(facts)), NOW)
    amounts = fold(known).amounts
    assert min(amounts) >= 0
    assert amounts.refundable <= max(amounts.captured - amounts.refunded, 0)


def test_a_refund_that_waits_is_reserved() -> None:
    known = amend(payment(), Change(facts=(opened(), fact(CAP, "p", OK, 1000), fact(REF, "r", WAIT, 300))), NOW)
    assert fold(known).amounts.refundable == 700


def test_a_dispute_takes_from_what_can_be_refunded() -> None:
    facts = (opened(), fact(CAP, "p", OK, 1000), fact(Kind.DISPUTE, "d", State.OPENED, 600))
    amounts = fold(amend(payment(), Change(facts=facts), NOW)).amounts
    assert (amounts.refundable, amounts.charged_back) == (400, 600)


def test_two_paid_attempts_leave_a_surplus() -> None:
    facts = (opened(), opened(2), fact(CAP, "x", OK, 1000), fact(CAP, "y", OK, 1000, number=2))
    assert fold(amend(payment(2), Change(facts=facts), NOW)).amounts.surplus == 1000


def test_an_unproven_attempt_is_unknown() -> None:
    unanswered = Fact(attempt_id(), Kind.OPEN, attempt_id(), State.UNANSWERED)
    folded = fold(amend(payment(), Change(facts=(unanswered,)), NOW))
    assert folded.status is Status.UNKNOWN
    assert folded.standings[attempt_id()].status is AttemptStatus.UNKNOWN


def test_a_fact_with_a_state_of_another_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="can not be opened"):
        fact(CAP, "p", State.OPENED, 1000)


def operation(kind: OperationKind, value: int, **more: object) -> Operation:
    return Operation("op_1", kind, attempt_id(), money(value), Origin.API, NOW, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("called", [Called.STARTED, Called.UNANSWERED, Called.ANSWERED])
def test_a_last_capture_leaves_nothing_to_capture_or_void(called: Called) -> None:
    last = operation(OperationKind.CAPTURE, 300, final=True, called=called)
    held = Change(facts=(opened(), fact(AUTH, "p", OK, 1000)), operations=(last,))
    assert fold(amend(payment(capture=MANUAL), held, NOW)).amounts.capturable == 0


def test_a_last_capture_that_failed_gives_everything_back() -> None:
    last = operation(OperationKind.CAPTURE, 300, final=True, called=Called.REFUSED)
    held = Change(facts=(opened(), fact(AUTH, "p", OK, 1000)), operations=(last,))
    assert fold(amend(payment(capture=MANUAL), held, NOW)).amounts.capturable == 1000
