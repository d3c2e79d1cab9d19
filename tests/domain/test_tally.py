"""What a payment counts for in the statistics, and how each event changes that."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from chalicelib.domain.amend import amend
from chalicelib.domain.change import Change, Found
from chalicelib.domain.facts import Decline, DeclineClass, Fact, Kind, State
from chalicelib.domain.fold import fold
from chalicelib.domain.order import CaptureMode
from chalicelib.domain.payment import JOURNAL_MAX, Payment, Status
from chalicelib.domain.tally import counts_of, difference, movements_of, stand_of
from tests.builders import NOW, attempt_id, fact, money, opened, page, payment
from tests.faults.recount import miscounted

LATER = NOW + timedelta(hours=3)
PAID = fact(Kind.CAPTURE, "cap_1", State.SUCCEEDED, 1000)
SOFT = Decline(DeclineClass.SOFT, "insufficient_funds")


def told(*facts: Fact, of: Payment | None = None, at: datetime = NOW) -> Payment:
    return amend(of or payment(), Change(facts=facts), at)


def counts(payment: Payment, number: int = 1) -> dict[str, int]:
    """An attempt's counters, as a recount of the facts has them."""
    found = counts_of(payment, fold(payment))
    return {name: value for position, name, value in found if position == number - 1}


def test_an_opened_attempt_counts_as_such() -> None:
    assert counts(told(opened())) == {"attempts": 1, "opened": 1}


def test_a_page_tells_how_long_it_took_to_open() -> None:
    change = Change(facts=(opened(),), found=(Found(attempt_id(), "s", page(), open_ms=340),))
    assert counts(amend(payment(), change, NOW))["open_ms"] == 340


def test_how_long_a_page_took_to_open_is_told_once() -> None:
    first = amend(payment(), Change(found=(Found(attempt_id(), "s", page(), open_ms=340),)), NOW)
    again = amend(first, Change(found=(Found(attempt_id(), "s", page(), open_ms=9),)), NOW)
    assert again.attempts[0].open_ms == 340


def test_money_counts_at_its_attempt() -> None:
    of = told(opened(1), replace(PAID, attempt_id=attempt_id(2)), of=payment(2))
    assert counts(of, 2) == {
        "attempts": 1,
        "opened": 1,
        "authorized": 1,
        "authorized_minor": 1000,
        "captured_minor": 1000,
    }


def test_refunds_and_disputes_count_at_their_attempt() -> None:
    refund = fact(Kind.REFUND, "ref_1", State.SUCCEEDED, 300)
    dispute = fact(Kind.DISPUTE, "dsp_1", State.OPENED, 200)
    found = counts(told(PAID, refund, dispute))
    assert (found["refunded_minor"], found["charged_back_minor"]) == (300, 200)


@pytest.mark.parametrize(
    ("state", "reason", "counter"),
    [
        (State.REFUSED, "misconfigured", "misconfigured"),
        (State.REFUSED, "rate_limited", "rate_limited"),
        (State.ABSENT, "not_sent", "not_sent"),
        (State.UNANSWERED, "", "unanswered"),
    ],
)
def test_a_call_that_opened_nothing_counts_by_what_it_came_to(state: State, reason: str, counter: str) -> None:
    opening = Fact(attempt_id(), Kind.OPEN, attempt_id(), state, reason=reason)
    assert counts(told(opening)) == {"attempts": 1, counter: 1}


@pytest.mark.parametrize("cls", DeclineClass)
def test_a_refused_opening_counts_by_its_class_of_decline(cls: DeclineClass) -> None:
    decline = Decline(cls, "declined")
    refused = Fact(attempt_id(), Kind.OPEN, attempt_id(), State.REFUSED, decline=decline, reason="declined")
    assert counts(told(refused)) == {"attempts": 1, f"declined_{cls}": 1}


def test_each_card_that_was_declined_counts() -> None:
    tries = [fact(Kind.TRY, f"try_{number}", State.DECLINED, decline=SOFT) for number in range(3)]
    assert counts(told(opened(), *tries))["declined_soft"] == 3


def test_a_refund_that_was_declined_is_no_decline_of_the_payment() -> None:
    refused = fact(Kind.REFUND, "ref_1", State.FAILED, 300, decline=SOFT)
    assert "declined_soft" not in counts(told(PAID, refused))


def test_what_differs_is_what_must_be_added() -> None:
    before = ((0, "opened", 1), (0, "unanswered", 1))
    after = ((0, "opened", 1), (0, "captured_minor", 7), (1, "opened", 1))
    assert set(difference(after, before)) == {(0, "unanswered", -1), (0, "captured_minor", 7), (1, "opened", 1)}


def test_the_first_event_counts_the_payment_where_it_stands() -> None:
    (entry,) = told(opened()).journal
    assert (entry.stood, entry.stands) == (None, (0, Status.PENDING, False))


def test_the_next_event_counts_it_there_no_more() -> None:
    entry = told(PAID, of=told(opened())).journal[-1]
    assert (entry.stood, entry.stands) == ((0, Status.PENDING, False), (0, Status.CAPTURED, True))


def test_an_event_moves_only_what_changed() -> None:
    entry = told(PAID, of=told(opened())).journal[-1]
    assert set(entry.moved) == {(0, "authorized", 1), (0, "authorized_minor", 1000), (0, "captured_minor", 1000)}


def test_of_several_events_of_one_change_the_first_tells_all() -> None:
    of = told(PAID, fact(Kind.DISPUTE, "dsp_1", State.OPENED, 1000))
    first, second = of.journal
    assert (second.type, second.stood, second.moved) == ("payment.disputed", first.stands, ())


def test_a_change_without_an_event_is_told_by_the_next_event() -> None:
    of = told(fact(Kind.TRY, "try_1", State.DECLINED, decline=SOFT), of=told(opened()))
    assert len(of.journal) == 1
    assert (0, "declined_soft", 1) in told(PAID, of=of).journal[-1].moved


def test_late_money_takes_back_that_nothing_came() -> None:
    ended = told(opened(), fact(Kind.CHECKOUT, "s", State.EXPIRED))
    entry = told(PAID, of=ended).journal[-1]
    assert (entry.stood, entry.stands) == ((0, Status.EXPIRED, False), (0, Status.CAPTURED, True))


def test_an_attempt_that_pays_is_the_current_one_although_a_newer_one_is_there() -> None:
    of = told(PAID, opened(2), of=payment(2))
    assert stand_of(of, fold(of))[0] == 0


def test_an_attempt_that_paid_is_the_current_one_although_all_went_back() -> None:
    of = told(PAID, fact(Kind.REFUND, "ref_1", State.SUCCEEDED, 1000), opened(2), of=payment(2))
    assert stand_of(of, fold(of))[0] == 0


def test_of_attempts_without_money_the_newest_is_the_current_one() -> None:
    of = told(opened(1), opened(2), of=payment(2))
    assert stand_of(of, fold(of))[0] == 1


def test_an_authorization_that_was_given_back_stays_counted() -> None:
    held = fact(Kind.AUTHORIZATION, "aut_1", State.SUCCEEDED, 1000)
    of = told(held, fact(Kind.RELEASE, "void_1", State.SUCCEEDED), of=payment(capture=CaptureMode.MANUAL))
    assert stand_of(of, fold(of)) == (0, Status.CANCELLED, True)


def test_movements_are_those_of_the_journal() -> None:
    of = told(PAID, of=told(opened()), at=LATER)
    assert [(one.at, one.stands[1]) for one in movements_of(of)] == [(NOW, Status.PENDING), (LATER, Status.CAPTURED)]


def many_disputes() -> Payment:
    """More events than a journal holds."""
    of = told(PAID)
    for number in range(JOURNAL_MAX + 5):
        of = told(fact(Kind.DISPUTE, f"dsp_{number:03d}", State.OPENED, 1), of=of, at=LATER)
    return of


def test_what_the_cut_end_of_a_journal_told_counts_when_the_payment_was_made() -> None:
    of = many_disputes()
    first = movements_of(of)[0]
    assert (first.at, first.stood, first.stands) == (of.created_at, None, (0, Status.CAPTURED, True))
    assert (0, "captured_minor", 1000) in first.moved


def test_a_cut_journal_adds_up_all_the_same() -> None:
    of = many_disputes()
    assert list(miscounted(of, fold(of))) == []


def before_statistics(payment: Payment) -> Payment:
    """As an older PaymentServer wrote it."""
    journal = tuple(replace(one, stood=None, stands=None, moved=()) for one in payment.journal)
    return replace(payment, journal=journal, counted=())


def test_a_payment_from_before_there_were_statistics_counts_when_it_was_made() -> None:
    of = before_statistics(told(PAID, at=LATER))
    (only,) = movements_of(of)
    assert (only.at, only.stands) == (of.created_at, (0, Status.CAPTURED, True))
    assert list(miscounted(of, fold(of))) == []


def test_its_next_event_adds_only_what_is_new() -> None:
    of = before_statistics(told(PAID))
    of = told(fact(Kind.REFUND, "ref_1", State.SUCCEEDED, 300), of=of, at=LATER)
    assert [entry.moved for entry in of.journal if entry.moved] == [((0, "refunded_minor", 300),)]
    assert list(miscounted(of, fold(of))) == []


def test_a_payment_without_an_event_counts_for_nothing() -> None:
    assert movements_of(payment()) == []


def test_the_smallest_amount_counts() -> None:
    of = told(opened(), replace(PAID, amount=money(1)), of=payment(2, asked=1))
    assert stand_of(of, fold(of)) == (0, Status.CAPTURED, True)
    assert counts(of)["authorized"] == 1
    gone = told(fact(Kind.REFUND, "r", State.SUCCEEDED, 1), of=of)
    assert stand_of(gone, fold(gone)) == (0, Status.REFUNDED, True)


def test_a_payment_of_which_nothing_is_known_stands_where_it_begins() -> None:
    bare = replace(payment(), facts=())
    assert counts(bare) == {"attempts": 1}
    without = replace(bare, attempts=())
    assert stand_of(without, fold(without)) == (0, Status.CREATED, False)
