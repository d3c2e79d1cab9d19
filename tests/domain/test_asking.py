"""What each answer, and each question that could not be put, does to the time of the next one."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from chalicelib.domain.amend import amend, due_of, with_events_due, without_events
from chalicelib.domain.change import Asked, CallOutcome, Change, Closing, Found
from chalicelib.domain.draft import Draft
from chalicelib.domain.facts import Fact, Kind, State
from chalicelib.domain.operation import Called, Operation, OperationKind, Origin
from chalicelib.domain.payment import Attempt, Closure, Entry, Payment
from chalicelib.domain.watch import Phase
from tests.builders import NOW, attempt_id, fact, money, opened, page, payment

PAID = fact(Kind.CAPTURE, "p", State.SUCCEEDED, 1000)
UNANSWERED = Fact(attempt_id(), Kind.OPEN, attempt_id(), State.UNANSWERED)
REFUND = Operation("op_1", OperationKind.REFUND, attempt_id(), money(400), Origin.API, NOW)


def s(seconds: float) -> timedelta:
    return timedelta(seconds=seconds)


def unanswered_attempt() -> Payment:
    return amend(payment(), Change(facts=(UNANSWERED,)), NOW)


def unanswered_operation() -> Payment:
    outcome = CallOutcome("op_1", Called.UNANSWERED)
    found = Found(attempt_id(), "s", page())
    return amend(
        payment(), Change(facts=(opened(), PAID), found=(found,), operations=(REFUND,), outcomes=(outcome,)), NOW
    )


SUBJECTS = {"attempt": (unanswered_attempt, attempt_id()), "operation": (unanswered_operation, "op_1")}


@pytest.fixture(params=SUBJECTS)
def asking(request: pytest.FixtureRequest) -> Asking:
    make, id_ = SUBJECTS[request.param]
    return Asking(make(), id_)


class Asking:
    """A payment with something that is asked about: after 10 s, 1 min, 5 min, …"""

    def __init__(self, known: Payment, id: str) -> None:
        self.payment, self.id = known, id

    @property
    def subject(self) -> Attempt | Operation:
        found = self.payment.attempt(self.id) or self.payment.operation(self.id)
        assert found is not None
        return found

    @property
    def schedule(self) -> tuple[int, int, datetime | None]:
        return self.subject.asked, self.subject.unreached, self.subject.ask_at

    def told(self, at: datetime, **asked: Any) -> Asking:
        self.payment = amend(self.payment, Change(asked=(Asked(self.id, **asked),)), at)
        return self


def test_the_first_question_is_put_after_ten_seconds(asking: Asking) -> None:
    assert asking.subject.phase == Phase.UNANSWERED
    assert asking.schedule == (0, 0, NOW + s(10))


def test_an_answer_puts_the_next_question_off(asking: Asking) -> None:
    at = NOW + s(10)
    assert asking.told(at).schedule == (1, 0, at + s(60))
    assert asking.told(at + s(60)).schedule == (2, 0, at + s(360))


def test_an_answer_that_is_late_counts_from_when_it_came(asking: Asking) -> None:
    assert asking.told(NOW + s(100)).schedule == (1, 0, NOW + s(160))


def test_an_answer_before_its_time_changes_nothing(asking: Asking) -> None:
    assert asking.told(NOW + s(9)).schedule == (0, 0, NOW + s(10))


def test_a_question_that_could_not_be_put_is_put_again_soon(asking: Asking) -> None:
    at = NOW + s(10)
    assert asking.told(at, reached=False).schedule == (0, 1, at + s(60))
    assert asking.told(at + s(60), reached=False).schedule == (0, 2, at + s(180))
    assert asking.told(at + s(180), reached=False).schedule == (0, 3, at + s(420))


def test_one_that_could_not_be_put_before_its_time_is_put_no_later_than_it_was_to_be(asking: Asking) -> None:
    assert asking.told(NOW, reached=False).schedule == (0, 1, NOW + s(10))


def test_one_that_could_not_be_put_long_before_its_time_is_put_sooner(asking: Asking) -> None:
    asking.told(NOW + s(10)).told(NOW + s(70)).told(NOW + s(370))
    assert asking.schedule == (3, 0, NOW + s(2170))
    assert asking.told(NOW + s(400), reached=False).schedule == (3, 1, NOW + s(460))


def test_once_the_psp_answers_again_the_schedule_goes_on(asking: Asking) -> None:
    at = NOW + s(10)
    asking.told(at, reached=False)
    assert asking.told(at + s(60)).schedule == (1, 0, at + s(120))


def test_of_several_workers_that_put_one_question_the_first_moves_the_schedule_on(asking: Asking) -> None:
    at = NOW + s(10)
    asking.told(at, step=0)
    assert asking.told(at + s(60), step=0).schedule == (1, 0, at + s(60))
    assert asking.told(at + s(60), step=1).schedule == (2, 0, at + s(360))


def test_questions_that_could_not_be_put_count_as_steps_too(asking: Asking) -> None:
    at = NOW + s(10)
    asking.told(at, step=0).told(at + s(60), reached=False, step=1)
    assert asking.told(at + s(120), step=1).schedule == (1, 1, at + s(120))
    assert asking.told(at + s(120), step=2).schedule == (2, 0, at + s(420))


def test_what_an_answer_proves_before_the_next_turn_is_asked_for_then(asking: Asking) -> None:
    proves_at = NOW + s(900)
    asking.told(NOW + s(10), again_at=proves_at).told(NOW + s(70), again_at=proves_at)
    assert asking.schedule == (2, 0, NOW + s(370)), "the next turn comes before"
    assert asking.told(NOW + s(370), again_at=proves_at).schedule == (2, 0, proves_at)
    assert asking.told(proves_at, again_at=proves_at).schedule == (3, 0, proves_at + s(1800)), "and costs no turn"


def test_who_could_not_be_asked_meanwhile_is_asked_when_it_proves_something(asking: Asking) -> None:
    asking.told(NOW + s(10)).told(NOW + s(70)).told(NOW + s(370), reached=False)
    assert asking.told(NOW + s(430), again_at=NOW + s(900)).schedule == (2, 0, NOW + s(900))


@pytest.mark.parametrize("again_at", [NOW, NOW + s(370), NOW + s(2170), NOW + s(2171), None])
def test_what_is_proven_by_now_or_not_before_the_next_turn_changes_no_schedule(
    asking: Asking, again_at: datetime | None
) -> None:
    asking.told(NOW + s(10)).told(NOW + s(70))
    assert asking.told(NOW + s(370), again_at=again_at).schedule == (3, 0, NOW + s(2170))


def test_what_would_be_proven_after_the_last_turn_is_an_operators(asking: Asking) -> None:
    at = NOW
    while asking.subject.ask_at is not None:
        at = asking.subject.ask_at
        asking.told(at, again_at=at + timedelta(days=2))
    assert asking.schedule == (12, 0, None)


def test_a_question_about_something_else_changes_nothing(asking: Asking) -> None:
    asking.payment = amend(asking.payment, Change(asked=(Asked("somebody else"),)), NOW + s(10))
    assert asking.schedule == (0, 0, NOW + s(10))


def test_what_nobody_asks_about_any_more_stays_so() -> None:
    """A week out of reach: an operator's sync brings the schedule back to life no more than an answer does."""
    asking = Asking(unanswered_attempt(), attempt_id())
    for step in range(12):
        asking.told(NOW + timedelta(days=step + 1))
    assert asking.schedule == (12, 0, None)
    later = NOW + timedelta(days=30)
    assert asking.told(later).schedule == (12, 0, None)
    assert asking.told(later, reached=False).schedule == (12, 1, None)


def test_a_new_phase_begins_its_own_schedule() -> None:
    asking = Asking(unanswered_attempt(), attempt_id())
    at = NOW + s(10)
    asking.told(at).told(at, reached=False)
    found = Found(attempt_id(), "s", page())
    asking.payment = amend(asking.payment, Change(facts=(opened(),), found=(found,)), at)
    assert (asking.subject.phase, asking.schedule) == (Phase.OPEN, (0, 0, at + s(900)))


def test_a_new_phase_of_an_operation_begins_its_own_schedule() -> None:
    asking = Asking(unanswered_operation(), "op_1")
    at = NOW + s(10)
    asking.told(at).told(at + s(60), reached=False)
    refunded = fact(Kind.REFUND, "r", State.SUCCEEDED, 400, operation_id="op_1")
    asking.payment = amend(asking.payment, Change(facts=(refunded,)), at)
    assert (asking.subject.phase, asking.schedule) == (Phase.REFUNDED, (0, 0, None))


def test_the_second_question_about_an_open_page_waits_for_its_end() -> None:
    known = amend(payment(), Change(facts=(opened(),), found=(Found(attempt_id(), "s", page()),)), NOW)
    asking = Asking(known, attempt_id()).told(NOW + s(900))
    assert asking.schedule == (1, 0, NOW + s(1860))


def test_a_page_is_given_up_once_another_attempt_has_the_money() -> None:
    pages = tuple(Found(attempt_id(number), f"s{number}", page()) for number in (1, 2))
    known = amend(payment(2), Change(facts=(opened(), opened(2)), found=pages), NOW)
    assert [one.phase for one in known.attempts] == [Phase.OPEN, Phase.OPEN]
    known = amend(known, Change(facts=(PAID,)), NOW)
    assert [one.phase for one in known.attempts] == [Phase.SETTLED, Phase.CLOSED]
    assert known.attempts[1].ask_at == NOW


@pytest.mark.parametrize(
    ("facts", "closed"),
    [
        ((), Closure.LAPSED),
        ((fact(Kind.CAPTURE, "p", State.FAILED, 1000),), Closure.LAPSED),
        ((fact(Kind.REFUND, "r", State.PENDING, 1),), Closure.LAPSED),
        ((fact(Kind.CAPTURE, "p", State.PENDING, 1000),), None),
        ((fact(Kind.AUTHORIZATION, "p", State.PENDING, 1000),), None),
        ((PAID,), None),
    ],
)
def test_time_alone_gives_up_only_where_no_money_moves(facts: tuple[Fact, ...], closed: Closure | None) -> None:
    known = amend(payment(), Change(facts=(UNANSWERED, *facts)), NOW)
    lapsed = amend(known, Change(closings=(Closing(attempt_id(), Closure.LAPSED),)), NOW)
    assert lapsed.attempts[0].closed is closed


ENTRY = Entry(NOW, "webhook", "again", {})


@pytest.mark.parametrize(
    ("change", "is_written"),
    [
        (Change(entries=(ENTRY,)), True),
        (Change(entries=(ENTRY,), facts=(UNANSWERED,)), False),
        (Change(entries=(ENTRY,), found=(Found(attempt_id()),)), False),
        (Change(entries=(ENTRY,), outcomes=(CallOutcome("op_1", Called.UNANSWERED),)), False),
        (Change(facts=(UNANSWERED,)), False),
        (Change(), False),
        (Change(asked=(Asked(attempt_id()),)), True),
    ],
)
def test_only_what_is_news_or_stands_for_itself_is_written(change: Change, is_written: bool) -> None:
    known = amend(unanswered_attempt(), Change(operations=(replace(REFUND, called=Called.UNANSWERED),)), NOW)
    after = amend(known, change, NOW)
    assert (after is not known) is is_written
    assert after.timeline[len(known.timeline) :] == (change.entries if is_written else ())


def test_a_payment_is_due_when_the_first_of_its_events_questions_and_audit_entries_is() -> None:
    draft = Draft("c", NOW + s(3), "me", "studio", "update", "payment", "p", None, None)
    known = unanswered_operation()
    attempt, operation = known.attempts[0], known.operations[0]
    known = replace(known, attempts=(replace(attempt, ask_at=NOW + s(5)),), unaudited=(draft,))
    known = replace(known, operations=(replace(operation, ask_at=NOW + s(4)),))
    assert known.outbox[0].due_at == NOW + s(10)
    assert due_of(replace(known, attempts=(), operations=(), unaudited=())) == NOW + s(10)
    assert due_of(replace(known, operations=(), unaudited=())) == NOW + s(5)
    assert due_of(replace(known, unaudited=())) == NOW + s(4)
    assert due_of(known) == NOW + s(3)
    assert due_of(replace(known, outbox=(), attempts=(), operations=(), unaudited=())) is None


def test_an_unaudited_change_makes_a_payment_due_at_once() -> None:
    draft = Draft("c", NOW - s(1), "me", "studio", "update", "payment", "p", None, None)
    assert amend(replace(payment(), unaudited=(draft,)), Change(facts=(UNANSWERED,)), NOW).due_at == NOW - s(1)


def test_delivered_events_leave_and_those_queued_again_are_put_off() -> None:
    known = amend(payment(), Change(facts=(opened(), PAID, fact(Kind.DISPUTE, "d", State.OPENED, 1))), NOW)
    first, second = known.outbox
    left = without_events(known, {first.id})
    assert (left.outbox, left.due_at) == ((second,), NOW + s(10))
    off = with_events_due(left, NOW + s(20))
    assert ([one.due_at for one in off.outbox], off.due_at) == ([NOW + s(20)], NOW + s(10))
    assert off.attempts[0].ask_at == NOW + s(10), "its money came without the PSP's reference"
    assert with_events_due(replace(left, attempts=()), NOW + s(20)).due_at == NOW + s(20)
