"""What a call for a capture, a cancellation or a refund proves, and when it is made again."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from chalicelib.contracts.calls import MoneyOrder, Refusal, RefusalKind, reference_of
from chalicelib.contracts.conversation import AwaitsApproval, NotSent, OutcomeUnknown, ReadFailed, Undecidable
from chalicelib.domain.amend import amend
from chalicelib.domain.change import Asked, CallOutcome, Change, Found
from chalicelib.domain.errors import NotFound, VaultFault
from chalicelib.domain.facts import Decline, DeclineClass, Fact, Kind, State
from chalicelib.domain.operation import Called, Operation, OperationKind, Origin
from chalicelib.domain.payment import Entry, Payment
from chalicelib.services.execute import decline_of, execute
from tests.builders import NOW, PAYMENT_ID, attempt_id, fact, money, opened, page, payment
from tests.psp import SimulatedConnector
from tests.services.scripted import Noting, Scripted, speaking
from tests.world import World

PAID = fact(Kind.CAPTURE, "p", State.SUCCEEDED, 1000)
REFUNDED = fact(Kind.REFUND, "r", State.SUCCEEDED, 400, operation_id="op_1")
REFUND = Operation(
    "op_1", OperationKind.REFUND, attempt_id(), money(400), Origin.API, NOW, "returned", True, asked=2, unreached=1
)
SOFT = Decline(DeclineClass.SOFT, "declined", "05")
DECLINED = Refusal(RefusalKind.DECLINED, "not today", SOFT)
MISCONFIGURED = Refusal(RefusalKind.MISCONFIGURED, "bad key")
LIMITED = Refusal(RefusalKind.RATE_LIMITED, "slow down")
DOWN = Refusal(RefusalKind.OUTAGE, "come back later")
SILENCE, NOBODY = OutcomeUnknown("timeout"), NotSent("refused")


class Executing:
    """Carries `REFUND`, or what is given, out at a PSP that says this, call by call; each word of it must be needed."""

    def __init__(self, folder: Path) -> None:
        self.driver = Noting()
        self.world = World(folder, driver=self.driver)

    def connection(self, merchant_id: str, connection_id: str) -> Any:
        """The configuration, as far as it is needed."""
        assert (merchant_id, connection_id) == ("default", "psp-1")
        if isinstance(self.fault, Exception):
            raise self.fault
        return speaking(self.world, self.connector, ("sk_live_0123456789",))

    def __call__(
        self,
        *said: Any,
        first: bool = True,
        of: Operation = REFUND,
        after_s: float = 0,
        reference: str | None = "ses_1",
        fault: Exception | None = None,
        known: Sequence[Fact] = (PAID,),
        **can: Any,
    ) -> Change:
        self.connector = Scripted(*said, capabilities=replace(SimulatedConnector.capabilities, **can))
        self.fault = fault
        found = (Found(attempt_id(), reference, page()),) if reference else ()
        self.payment: Payment = amend(payment(), Change(facts=(opened(), *known), found=found), NOW)
        self.payment = replace(self.payment, operations=(of,))
        self.world.clock.at = NOW + timedelta(seconds=after_s)
        change = execute(self.world.ports, self, self.payment, of, first=first)  # type: ignore[arg-type]
        assert self.connector.said == []
        return change


@pytest.fixture
def executing(tmp_path: Path) -> Executing:
    return Executing(tmp_path)


def told(text: str, after_s: float = 0) -> tuple[Entry, ...]:
    data = {"operation_id": "op_1", "attempt_id": attempt_id(), "connection_id": "psp-1"}
    return (Entry(NOW + timedelta(seconds=after_s), "psp_call", text, data),)


def came_to(
    called: Called,
    decline: Decline | None = None,
    text: str = "",
    *facts: Fact,
    after_s: float = 0,
    proves_after_s: float | None = None,
    undecidable: bool = False,
) -> Change:
    """The PSP answered, and this is known now; `proves_after_s` is when the same answer would prove something."""
    at = NOW + timedelta(seconds=after_s) if called is Called.ANSWERED else None
    again_at = None if proves_after_s is None else NOW + timedelta(seconds=proves_after_s)
    return Change(
        facts=facts,
        outcomes=(CallOutcome("op_1", called, decline, at, undecidable),),
        asked=(Asked("op_1", True, 3, again_at),),
        entries=told(text, after_s) if text else (),
    )


def put_off(detail: str, kind: str = "refund", after_s: float = 0, *, called: bool = True) -> Change:
    """Nothing is known: it may have been done."""
    at = NOW + timedelta(seconds=after_s) if called else None
    return Change(
        outcomes=(CallOutcome("op_1", Called.UNANSWERED, at=at),),
        asked=(Asked("op_1", False, 2),),
        entries=told(f"psp-1 gave no usable answer to the {kind} ({detail}).", after_s),
    )


NEVER_UNREACHED = replace(REFUND, unreached=0)


@pytest.mark.parametrize(
    ("kind", "verb"),
    [
        (OperationKind.REFUND, "refund"),
        (OperationKind.CAPTURE, "capture"),
        (OperationKind.CANCELLATION, "cancel"),
    ],
)
def test_the_psp_is_told_what_to_do_in_its_own_names(executing: Executing, kind: OperationKind, verb: str) -> None:
    assert executing((REFUNDED,), of=replace(REFUND, kind=kind)) == came_to(
        Called.ANSWERED, None, f"psp-1 took the {kind}.", REFUNDED
    )
    payment = executing.payment
    reference = reference_of(payment.attempts[0], payment.order, payment.facts, payment.operations)
    assert reference.facts == payment.facts != ()
    assert reference.begun == {}, "nobody knows yet when the PSP takes it"
    assert executing.connector.asked == [(verb, MoneyOrder(reference, "op_1", money(400), "returned", True))]
    assert executing.connector.bound == [{"connector": "scripted", "payment_id": PAYMENT_ID}]
    assert 19 < executing.driver.left_s[0] <= 20


@pytest.mark.parametrize("said", [NOBODY, ReadFailed("refused")])
def test_where_nothing_was_sent_it_never_happened(executing: Executing, said: Exception) -> None:
    """Also where the connector reads before it acts, and the read fails."""
    decline = Decline(DeclineClass.SOFT, "not_sent", message="The PSP could not be reached; nothing was sent.")
    text = "psp-1 could not be reached; nothing was sent (refused)."
    assert executing(said) == came_to(Called.ABSENT, decline, text)


@pytest.mark.parametrize(
    ("said", "detail"),
    [
        (SILENCE, "timeout"),
        (NotFound("no such thing"), "no such thing"),
        (VaultFault("sealed"), "sealed"),
    ],
)
def test_without_an_answer_nothing_is_known(executing: Executing, said: Exception, detail: str) -> None:
    assert executing(said, of=NEVER_UNREACHED) == put_off(detail)


def test_a_connection_that_is_gone_leaves_the_outcome_unknown(executing: Executing) -> None:
    assert executing(of=NEVER_UNREACHED, fault=NotFound("no connection")) == put_off("no connection", called=False)


def test_a_connectors_mistake_leaves_the_outcome_unknown(
    executing: Executing, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR, "paymentserver.execute"):
        assert executing(KeyError("id"), of=NEVER_UNREACHED) == put_off("KeyError")
    assert caplog.messages == ["an operation could not be carried out"]


def test_that_no_usable_answer_comes_is_told_once(executing: Executing) -> None:
    change = executing(SILENCE)
    assert change.entries == ()
    assert change.asked == (Asked("op_1", False, 3),)


@pytest.mark.parametrize("said", [NOBODY, ReadFailed("refused")])
def test_what_nobody_has_called_for_yet_is_not_unanswered(executing: Executing, said: Exception) -> None:
    planned = replace(NEVER_UNREACHED, origin=Origin.POLICY, called=Called.PLANNED)
    assert executing(said, of=planned) == replace(put_off("refused"), outcomes=())


@pytest.mark.parametrize("said", [NOBODY, ReadFailed("refused")])
def test_a_rules_operation_waits_where_nothing_was_sent(executing: Executing, said: Exception) -> None:
    """It is not given up: the PSP may be back in a minute."""
    assert executing(said, of=replace(NEVER_UNREACHED, origin=Origin.POLICY)) == put_off("refused", called=False)


@pytest.mark.parametrize("origin", [Origin.API, Origin.POLICY])
def test_the_psps_no_to_the_money_is_final_whoever_asked(executing: Executing, origin: Origin) -> None:
    assert executing(DECLINED, of=replace(REFUND, origin=origin)) == came_to(
        Called.REFUSED, SOFT, "psp-1 refused the refund: not today."
    )


@pytest.mark.parametrize(
    ("said", "cls", "code"),
    [
        (MISCONFIGURED, DeclineClass.HARD, "misconfigured"),
        (LIMITED, DeclineClass.SOFT, "rate_limited"),
        (DOWN, DeclineClass.SOFT, "outage"),
    ],
)
def test_a_no_that_is_not_about_the_money_has_a_word_of_its_own(said: Refusal, cls: DeclineClass, code: str) -> None:
    assert decline_of(said) == Decline(cls, code, message=said.detail)


@pytest.mark.parametrize("said", [MISCONFIGURED, LIMITED, DOWN])
def test_another_no_is_final_to_a_caller_and_a_reason_to_wait_to_a_rule(executing: Executing, said: Refusal) -> None:
    text = f"psp-1 refused the refund: {said.detail}."
    assert executing(said) == came_to(Called.REFUSED, decline_of(said), text)
    assert executing(said, of=replace(NEVER_UNREACHED, origin=Origin.POLICY)) == put_off(said.detail)


def test_a_credential_that_the_psp_repeats_is_nowhere(executing: Executing) -> None:
    change = executing(Refusal(RefusalKind.MISCONFIGURED, "bad key sk_live_0123456789"))
    assert "sk_live" not in repr(change)
    assert "bad key" in change.entries[0].summary


def test_a_refusals_words_are_kept_up_to_two_hundred_characters() -> None:
    assert decline_of(Refusal(RefusalKind.DECLINED, "x" * 201)).message == "x" * 200


def test_a_repeat_reads_first_and_is_not_made_where_the_psp_tells_of_it(executing: Executing) -> None:
    assert executing((REFUNDED,), first=False) == came_to(Called.ANSWERED, None, "", REFUNDED)
    known = executing.payment
    assert executing.connector.asked == [
        ("fetch", reference_of(known.attempts[0], known.order, known.facts, known.operations)),
    ]


@pytest.mark.parametrize(("called_at", "begun"), [(None, NOW), (NOW + timedelta(days=2), NOW + timedelta(days=2))])
def test_a_connector_is_told_when_the_psp_took_an_operation(called_at: datetime | None, begun: datetime) -> None:
    """Not when it was asked for: a rule's may have waited for its PSP for days."""
    known = payment(1)
    taken = Operation(
        "op_1", OperationKind.REFUND, attempt_id(), money(400), Origin.POLICY, NOW, called=Called.ANSWERED
    )
    unsure = replace(taken, id="op_2", called=Called.UNANSWERED)
    theirs = replace(taken, id="op_3", origin=Origin.PSP, movement=("refund", "re_1"))
    reference = reference_of(known.attempts[0], known.order, (), (replace(taken, called_at=called_at), unsure, theirs))
    assert reference.begun == {"op_1": begun, "re_1": NOW}
    assert reference.known_since(replace(REFUNDED, operation_id="op_1")) == begun
    assert reference.known_since(fact(Kind.REFUND, "re_1", State.PENDING)) == NOW
    assert reference.known_since(fact(Kind.REFUND, "re_2", State.PENDING, operation_id="op_2")) is None


def test_a_repeat_needs_the_psps_own_reference(executing: Executing) -> None:
    why = "the PSP's own reference is not known yet"
    assert executing(first=False, of=NEVER_UNREACHED, reference=None) == put_off(why, called=False)


OTHERS: Sequence[Fact] = (
    replace(REFUNDED, operation_id="op_2"),
    replace(REFUNDED, operation_id=None),
    replace(REFUNDED, amount=money(401)),
)


@pytest.mark.parametrize("other", OTHERS)
def test_a_repeat_is_made_where_the_psp_tells_of_something_else(executing: Executing, other: Fact) -> None:
    assert executing((other,), (REFUNDED,), first=False) == Change(facts=(other,)) + came_to(
        Called.ANSWERED, None, "psp-1 took the refund.", REFUNDED
    )
    assert executing.connector.verbs == ["fetch", "refund"]
    reference = reference_of(
        executing.payment.attempts[0], executing.payment.order, executing.payment.facts, executing.payment.operations
    )
    repeat = MoneyOrder(reference, "op_1", money(400), "returned", True, repeats=True)
    assert executing.connector.asked[-1] == ("refund", repeat), "and is known for one"


def test_what_answers_a_repeat_proves_nothing_but_success(executing: Executing) -> None:
    """It may be the answer to the call before."""
    for said, detail in ((SILENCE, "timeout"), (MISCONFIGURED, "bad key")):
        assert executing((), said, first=False, of=NEVER_UNREACHED) == put_off(detail)


ANSWERS_NOTHING = [DECLINED, Undecidable("not today")]


@pytest.mark.parametrize("said", ANSWERS_NOTHING)
@pytest.mark.parametrize(("names", "after_s", "proves_after_s"), [(True, 0, 43_200 + 900), (False, 899, 900)])
def test_an_answer_that_can_not_tell_is_an_answer_and_the_psp_is_left_alone_until_it_would(
    executing: Executing, said: Any, names: bool, after_s: float, proves_after_s: float
) -> None:
    """It is no later call either: by this one the PSP did nothing."""
    change = executing((PAID,), said, first=False, after_s=after_s, names_operations=names)
    assert change == came_to(Called.UNANSWERED, None, "", PAID, after_s=after_s, proves_after_s=proves_after_s)


CAN_NOT_TELL = "psp-1 can not tell what came of the refund ({}); an operator has to find out."


@pytest.mark.parametrize("said", ANSWERS_NOTHING)
def test_what_the_psp_can_not_tell_after_15_minutes_is_an_operators_and_is_told_once(
    executing: Executing, said: Any
) -> None:
    text = CAN_NOT_TELL.format("not today")
    for of, told_of in ((REFUND, text), (replace(REFUND, undecidable=True), "")):
        change = executing((), said, first=False, of=of, after_s=900, names_operations=False)
        assert change == came_to(Called.UNANSWERED, None, told_of, after_s=900, undecidable=True)


@pytest.mark.parametrize("first", [True, False])
def test_a_first_call_that_the_connector_can_not_tell_of_is_unanswered(executing: Executing, first: bool) -> None:
    """It is nobody's to decide yet, and never one that was not made."""
    change = executing(*([] if first else [()]), Undecidable("not today"), first=first, of=NEVER_UNREACHED)
    assert [(one.called, one.undecidable) for one in change.outcomes] == [(Called.UNANSWERED, False)]


@pytest.mark.parametrize("first", [True, False])
def test_what_somebody_may_still_approve_is_an_operators_at_once_and_is_told_once(
    executing: Executing, first: bool
) -> None:
    text = CAN_NOT_TELL.format("not today")
    for of, told_of in ((REFUND, text), (replace(REFUND, undecidable=True), "")):
        change = executing(*([] if first else [()]), AwaitsApproval("not today"), first=first, of=of)
        assert change == came_to(Called.UNANSWERED, None, told_of, undecidable=True)


def test_what_somebody_may_still_approve_is_never_taken_for_what_never_happened(executing: Executing) -> None:
    change = executing((), first=False, of=replace(REFUND, undecidable=True), after_s=86_400, key_lives_s={})
    assert change == came_to(Called.UNANSWERED, after_s=86_400, undecidable=True)


@pytest.mark.parametrize("said", [NOBODY, ReadFailed("refused")])
def test_a_repeat_that_was_not_sent_is_no_later_call(executing: Executing, said: Exception) -> None:
    """The day on which silence proves something stays where it is."""
    assert executing((), said, first=False, of=NEVER_UNREACHED) == put_off("refused", called=False)


@pytest.mark.parametrize(
    ("lives_s", "after_s", "repeats"),
    [
        ({"refund": 120}, 59, True),
        ({"refund": 120}, 60, False),
        ({"refund": 1}, 0, True),
        ({"capture": 86_400, "cancel": 86_400}, 0, False),
    ],
)
def test_it_is_repeated_only_while_the_key_surely_lives(
    executing: Executing, lives_s: dict[str, int], after_s: float, repeats: bool
) -> None:
    said = ((), (REFUNDED,)) if repeats else ((),)
    change = executing(*said, first=False, after_s=after_s, key_lives_s=lives_s)
    assert [one.called for one in change.outcomes] == [Called.ANSWERED if repeats else Called.UNANSWERED]
    (asked,) = change.asked
    assert replace(asked, again_at=None) == Asked("op_1", True, 3), "the PSP was read"


@pytest.mark.parametrize(
    ("called_after_s", "after_s", "names", "absent", "proves_after_s"),
    [
        (None, 899, True, False, 900),
        (None, 900, True, True, None),
        (None, 899, False, False, 900),
        (None, 900, False, False, None),
        (100, 999, True, False, 1000),
        (100, 1000, True, True, None),
        (100, 999, False, False, 1000),
        (100, 1000, False, False, None),
    ],
)
def test_what_the_psp_does_not_know_long_after_the_last_call_never_happened(
    executing: Executing,
    called_after_s: float | None,
    after_s: float,
    names: bool,
    absent: bool,
    proves_after_s: float | None,
) -> None:
    """Before, it is known when that will be. Where the PSP does not name operations it proves nothing, then or ever."""
    called_at = None if called_after_s is None else NOW + timedelta(seconds=called_after_s)
    change = executing(
        (PAID,),
        first=False,
        of=replace(REFUND, called_at=called_at),
        after_s=after_s,
        names_operations=names,
        key_lives_s={},
    )
    never = proves_after_s is None and not absent
    text = CAN_NOT_TELL.format("what it shows does not name our operations") if never else ""
    text = "psp-1 knows nothing of the refund: it never happened." if absent else text
    called = Called.ABSENT if absent else Called.UNANSWERED
    assert change == came_to(
        called, None, text, PAID, after_s=after_s, proves_after_s=proves_after_s, undecidable=never
    )


@pytest.mark.parametrize(("after_s", "absent"), [(60 + 899, False), (60 + 900, True)])
def test_a_repeat_that_a_crash_cut_off_counts_as_the_last_call(
    executing: Executing, after_s: float, absent: bool
) -> None:
    """It leaves no trace, so it may have been made as long as the key lived."""
    change = executing(
        (PAID,), first=False, of=replace(REFUND, called_at=None), after_s=after_s, key_lives_s={"refund": 120}
    )
    assert change.outcomes == (CallOutcome("op_1", Called.ABSENT if absent else Called.UNANSWERED),)


def test_a_question_that_fails_puts_off_no_proof_of_absence(executing: Executing) -> None:
    change = executing(ReadFailed("status 503"), first=False, of=NEVER_UNREACHED, key_lives_s={})
    assert change == put_off("status 503", called=False)


HELD = fact(Kind.AUTHORIZATION, "a", State.SUCCEEDED, 1000)
LAST = replace(REFUND, kind=OperationKind.CAPTURE, final=True)
TAKEN = fact(Kind.CAPTURE, "c", State.SUCCEEDED, 400, operation_id="op_1")


def test_what_a_last_capture_leaves_is_released_again_where_the_psp_is_told_apart(executing: Executing) -> None:
    """The PSP has the capture, and nobody knows whether it was told to release the rest."""
    taken = replace(LAST, called=Called.ANSWERED)
    found = executing((TAKEN,), None, first=False, of=taken, known=(HELD,), releases_rest=True)
    assert found == came_to(Called.ANSWERED, None, "", TAKEN)
    order = executing.connector.asked[-1][1]
    assert isinstance(order, MoneyOrder)
    assert executing.connector.verbs == ["fetch", "release_rest"]
    assert (order.operation_id, order.final, TAKEN in order.attempt.facts) == ("op_1", True, True)
    assert order.attempt.begun == {"op_1": NOW}


def test_a_release_that_fails_is_told_and_tried_again_and_what_was_read_counts(executing: Executing) -> None:
    found = executing((TAKEN,), SILENCE, first=False, of=replace(LAST, unreached=0), known=(HELD,), releases_rest=True)
    assert found == Change(facts=(TAKEN,)) + put_off("release of the rest: timeout", "capture", called=False)


@pytest.mark.parametrize(
    ("of", "read", "can"),
    [
        (LAST, TAKEN, {"releases_rest": False}),
        (replace(LAST, amount=money(1000)), replace(TAKEN, amount=money(1000)), {"releases_rest": True}),
        (LAST, replace(TAKEN, state=State.FAILED), {"releases_rest": True}),
        (replace(LAST, final=False), TAKEN, {"releases_rest": True}),
        (replace(REFUND, final=True), REFUNDED, {"releases_rest": True}),
    ],
    ids=["the PSP does it itself", "nothing is left", "it failed", "not the last", "no capture"],
)
def test_nothing_else_is_released(executing: Executing, of: Operation, read: Fact, can: dict[str, bool]) -> None:
    executing((read,), first=False, of=of, known=(HELD,), **can)
    assert executing.connector.verbs == ["fetch"]
