"""When PSPs are asked: the reconciliation table of the architecture, row by row."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from chalicelib.domain.amend import amend
from chalicelib.domain.change import Change, Closing, Found
from chalicelib.domain.facts import Fact, Kind, State
from chalicelib.domain.fold import fold
from chalicelib.domain.operation import Called, Operation, OperationKind, OperationStatus, Origin
from chalicelib.domain.order import CaptureMode
from chalicelib.domain.payment import Attempt, Closure
from chalicelib.domain.watch import (
    ASK_AFTER_S,
    LOOKED_AGAIN_AFTER_S,
    MUST_SETTLE,
    Phase,
    ends_at,
    next_ask,
    next_step,
    next_try,
    operation_phase_of,
    phase_of,
)
from tests.builders import NOW, attempt, attempt_id, fact, money, opened, page, payment

MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86_400
UNANSWERED = Fact(attempt_id(), Kind.OPEN, attempt_id(), State.UNANSWERED)
ABSENT = Fact(attempt_id(), Kind.OPEN, attempt_id(), State.ABSENT)
PAID = fact(Kind.CAPTURE, "p", State.SUCCEEDED, 1000)
HELD = fact(Kind.AUTHORIZATION, "p", State.SUCCEEDED, 1000)
KNOWN = "ses_1"  # what the PSP calls the attempt


def asked_at_s(phase: Phase) -> list[int]:
    """Seconds since the phase began at which the questions are put."""
    at, times = NOW, []
    while (then := next_step(phase, len(times), at)) is not None:
        at = then
        times.append(round((at - NOW).total_seconds()))
    return times


def phase_with(
    *facts: Fact, closed: Closure | None = None, reference: str | None = KNOWN, elsewhere: bool = False
) -> Phase:
    """The phase of a payment's first attempt after those facts."""
    found = (Found(attempt_id(), reference, page()),) if reference else ()
    closings = (Closing(attempt_id(), closed),) if closed else ()
    capture = CaptureMode.MANUAL if HELD in facts else CaptureMode.AUTOMATIC
    known = amend(payment(capture=capture), Change(facts=facts, found=found, closings=closings), NOW)
    return phase_of(known.attempts[0], fold(known).standings[attempt_id()], paid_elsewhere=elsewhere)


def test_an_unanswered_call_is_asked_about_until_it_is_known() -> None:
    waits = ASK_AFTER_S[Phase.UNANSWERED]
    assert waits == (10, MINUTE_S, 5 * MINUTE_S, 30 * MINUTE_S, 2 * HOUR_S, *(DAY_S,) * 7)


def test_what_was_given_up_is_asked_about_at_once_and_then_as_an_unanswered_call() -> None:
    assert ASK_AFTER_S[Phase.CLOSED] == (0, 10, MINUTE_S, 5 * MINUTE_S, 30 * MINUTE_S, 2 * HOUR_S, *(DAY_S,) * 7)


def test_what_is_processed_is_asked_about_hourly_for_a_day_and_then_daily() -> None:
    assert ASK_AFTER_S[Phase.PROCESSING] == (*(HOUR_S,) * 24, *(DAY_S,) * 14)


def test_what_is_held_is_asked_about_after_a_week_and_then_daily_until_it_lapsed() -> None:
    assert ASK_AFTER_S[Phase.AUTHORIZED] == (7 * DAY_S, *(DAY_S,) * 23)


def test_what_a_rule_wants_is_done_at_once_and_then_asked_about_as_an_unanswered_call() -> None:
    assert ASK_AFTER_S[Phase.PLANNED] == (0, 10, MINUTE_S, 5 * MINUTE_S, 30 * MINUTE_S, 2 * HOUR_S, *(DAY_S,) * 7)


def test_nothing_settled_is_asked_about() -> None:
    assert ASK_AFTER_S[Phase.SETTLED] == ()


def test_an_open_page_is_closed_in_three_more_days_at_most() -> None:
    """The second question waits for the page's own end."""
    assert ASK_AFTER_S[Phase.OPEN] == (15 * MINUTE_S, 0, HOUR_S, DAY_S, DAY_S, DAY_S)


def test_refunds_are_asked_about_after_an_hour_a_day_a_week_and_thirty_days() -> None:
    assert asked_at_s(Phase.REFUNDING) == [HOUR_S, DAY_S, 7 * DAY_S, 30 * DAY_S]
    assert asked_at_s(Phase.REFUNDED) == []
    assert LOOKED_AGAIN_AFTER_S == (HOUR_S, DAY_S, 7 * DAY_S, 30 * DAY_S)


def test_a_started_call_is_asked_about_when_its_lease_is_over() -> None:
    assert asked_at_s(Phase.STARTED) == [65]


@pytest.mark.parametrize("phase", list(Phase))
def test_every_schedule_ends(phase: Phase) -> None:
    assert next_step(phase, len(ASK_AFTER_S[phase]), NOW) is None


def test_an_open_page_is_asked_about_after_a_quarter_of_an_hour() -> None:
    assert next_ask(attempt(action=page()), Phase.OPEN, 0, NOW) == NOW + timedelta(minutes=15)


def test_an_open_page_is_asked_about_a_minute_after_its_end() -> None:
    ends = NOW + timedelta(hours=3)
    shown = attempt(action=replace(page(), expires_at=ends))
    assert next_ask(shown, Phase.OPEN, 1, NOW) == ends + timedelta(minutes=1)


def test_a_page_whose_end_is_past_is_asked_about_now() -> None:
    later = NOW + timedelta(hours=3)
    assert next_ask(attempt(action=page()), Phase.OPEN, 1, later) == later


def test_a_page_whose_psp_does_not_say_lives_for_half_an_hour() -> None:
    assert ends_at(attempt(action=page())) == NOW + timedelta(minutes=30)


@pytest.mark.parametrize(
    ("unreached", "wait_s"),
    [
        (1, MINUTE_S),
        (2, 2 * MINUTE_S),
        (3, 4 * MINUTE_S),
        (360, 4 * MINUTE_S),
        (361, HOUR_S),
        (504, HOUR_S),
    ],
)
def test_a_question_that_could_not_be_put_is_put_again_soon_and_hourly_after_a_day(unreached: int, wait_s: int) -> None:
    assert next_try(unreached, NOW) == NOW + timedelta(seconds=wait_s)


def test_after_a_week_out_of_reach_nobody_asks_any_more() -> None:
    at = NOW
    for unreached in range(1, 505):
        at = next_try(unreached, at) or NOW
    assert timedelta(days=7, minutes=-5) <= at - NOW <= timedelta(days=7)
    assert next_try(505, NOW) is None


@pytest.mark.parametrize(
    ("phase", "facts", "how"),
    [
        (Phase.STARTED, (), {"reference": None}),
        (Phase.UNANSWERED, (UNANSWERED,), {"reference": None}),
        (Phase.OPEN, (opened(),), {}),
        (Phase.PROCESSING, (opened(), fact(Kind.CAPTURE, "p", State.PENDING, 1000)), {}),
        (Phase.PROCESSING, (opened(), fact(Kind.CHECKOUT, "s", State.PROCESSING)), {}),
        (Phase.AUTHORIZED, (opened(), HELD), {}),
        (Phase.SETTLED, (opened(), PAID), {}),
        (Phase.SETTLED, (opened(), fact(Kind.CHECKOUT, "s", State.EXPIRED)), {}),
        (Phase.SETTLED, (UNANSWERED, ABSENT), {"reference": None}),
        (Phase.CLOSED, (UNANSWERED,), {"reference": None, "closed": Closure.SEALED}),
        (Phase.CLOSED, (opened(),), {"closed": Closure.SUPERSEDED}),
        (Phase.SETTLED, (opened(), PAID), {"closed": Closure.SEALED}),
        (Phase.SETTLED, (UNANSWERED,), {"reference": None, "closed": Closure.LAPSED}),
        (Phase.CLOSED, (UNANSWERED,), {"closed": Closure.LAPSED}),
        (Phase.SETTLED, (opened(), fact(Kind.CHECKOUT, "s", State.EXPIRED)), {"closed": Closure.LAPSED}),
        (Phase.CLOSED, (opened(),), {"elsewhere": True}),
        (Phase.PROCESSING, (opened(), fact(Kind.CAPTURE, "p", State.PENDING, 1000)), {"elsewhere": True}),
        (Phase.UNANSWERED, (opened(), PAID), {"reference": None}),
        (Phase.UNANSWERED, (opened(),), {"reference": None}),
        (Phase.UNANSWERED, (opened(), PAID), {"reference": None, "closed": Closure.SEALED}),
        (Phase.UNANSWERED, (opened(), HELD), {"reference": None, "closed": Closure.SEALED}),
        (Phase.CLOSED, (opened(),), {"reference": None, "closed": Closure.SEALED}),
    ],
)
def test_an_attempt_is_asked_about_as_it_stands(phase: Phase, facts: tuple[Fact, ...], how: dict[str, object]) -> None:
    assert phase_with(*facts, **how) is phase  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "called", "status", "phase"),
    [
        (OperationKind.REFUND, Called.PLANNED, OperationStatus.PENDING, Phase.PLANNED),
        (OperationKind.REFUND, Called.STARTED, OperationStatus.PENDING, Phase.STARTED),
        (OperationKind.REFUND, Called.UNANSWERED, OperationStatus.UNKNOWN, Phase.UNANSWERED),
        (OperationKind.REFUND, Called.ANSWERED, OperationStatus.PENDING, Phase.REFUNDING),
        (OperationKind.REFUND, Called.ANSWERED, OperationStatus.SUCCEEDED, Phase.REFUNDED),
        (OperationKind.REFUND, Called.REFUSED, OperationStatus.FAILED, Phase.SETTLED),
        (OperationKind.CAPTURE, Called.ANSWERED, OperationStatus.PENDING, Phase.PROCESSING),
        (OperationKind.CAPTURE, Called.ANSWERED, OperationStatus.SUCCEEDED, Phase.SETTLED),
        (OperationKind.CANCELLATION, Called.ANSWERED, OperationStatus.PENDING, Phase.PROCESSING),
    ],
)
def test_an_operation_is_asked_about_as_it_stands(
    kind: OperationKind, called: Called, status: OperationStatus, phase: Phase
) -> None:
    operation = Operation("op_1", kind, attempt_id(), money(), Origin.API, NOW, called=called)
    assert operation_phase_of(operation, status) is phase


def test_a_capture_or_void_of_the_psps_own_is_not_asked_about() -> None:
    theirs = Operation("op_1", OperationKind.CAPTURE, attempt_id(), money(), Origin.PSP, NOW, called=Called.ANSWERED)
    assert operation_phase_of(theirs, OperationStatus.PENDING) is Phase.SETTLED


@pytest.mark.parametrize(
    ("status", "phase"),
    [
        (OperationStatus.PENDING, Phase.REFUNDING),
        (OperationStatus.SUCCEEDED, Phase.REFUNDED),
        (OperationStatus.FAILED, Phase.SETTLED),
    ],
)
def test_a_refund_of_the_psps_own_is_asked_about_like_one_of_ours(status: OperationStatus, phase: Phase) -> None:
    theirs = Operation("op_1", OperationKind.REFUND, attempt_id(), money(), Origin.PSP, NOW, called=Called.ANSWERED)
    assert operation_phase_of(theirs, status) is phase


def test_an_answer_must_come_wherever_money_may_be_in_doubt() -> None:
    assert {"started", "unanswered", "closed", "open", "processing"} == MUST_SETTLE


def test_a_new_attempt_is_due_once_its_lease_is_over() -> None:
    started: Attempt = payment().attempts[0]
    assert started.ask_at == NOW + timedelta(seconds=65)
