"""What goes wrong between us and the PSP, at each place of each call: time-outs before and after, too many calls, wrong
credentials, answers that are none. Only the PSP's own clear word is an outcome."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.contracts.conversation import HttpRequest
from chalicelib.outbound.driver import Driver
from tests.conformance.connectors.answering import Answer, Fault
from tests.conformance.connectors.happy import happy_steps
from tests.conformance.connectors.playing import Told, expected_of, play
from tests.conformance.connectors.profile import connector_of, profile_of
from tests.conformance.connectors.recordings import Scenario, Step
from tests.conformance.connectors.replay import Replay, answer_of, answers_of, signed_by

REFUSABLE = {"open_checkout", "recover", "complete", "capture", "cancel", "refund", "test", "create_webhook"}
NO_ANSWERS = (
    b"",
    b"{}",
    b"[]",
    b"null",
    b"17",
    b'"no"',
    b"<html>",
    b'{"id": 1',
    b"\xff\xfe",
    b'{"id": 1}',
    b"[" * 9000,
)
MOVED = ("authorization", "capture", "refund")
_PATIENT, _QUICK = Driver(call_timeout_s=5), Driver(call_timeout_s=0.25)


@pytest.fixture(params=list(Fault))
def fault(request: pytest.FixtureRequest) -> Fault:
    return Fault(request.param)


def places(psp: str) -> Iterator[tuple[Scenario, Step, int]]:
    for scenario, step in happy_steps(psp).values():
        for place in range(len(step.exchanges)):
            yield scenario, step, place


def played(psp: str, scenario: Scenario, step: Step, place: int, answer: Answer | Fault, replay: Replay) -> Told:
    """The step with another answer at one place, the recorded ones around it."""
    return played_with(psp, scenario, step, place, [answer], replay)


def played_with(
    psp: str, scenario: Scenario, step: Step, place: int, given: list[Answer | Fault], replay: Replay
) -> Told:
    """And with several in its place, where the connector asks for something before it gives up."""
    answers: list[Answer | Fault] = [answer_of(one) for one in step.exchanges]
    answers[place : place + 1] = given
    driver = _QUICK if Fault.SILENCE in given else _PATIENT
    return play(connector_of(psp), scenario, step, replay, answers, driver)


def moved_by(requests: Sequence[HttpRequest]) -> bool:
    return any(one.moves_money for one in requests)


def test_a_call_that_breaks_off_is_certain_only_where_nothing_was_sent(psp: str, fault: Fault, replay: Replay) -> None:
    for scenario, step, place in places(psp):
        if fault is Fault.SILENCE and place + 1 < len(step.exchanges):
            continue  # waiting takes time, and the other faults are at each place
        told = played(psp, scenario, step, place, fault, replay)
        requests = told.requests[: place + 1]
        sent = requests[:-1] if fault is Fault.REFUSED else requests
        certain = "NotSent" if fault is Fault.REFUSED else "ReadFailed"
        wanted = "OutcomeUnknown" if moved_by(sent) else certain
        assert told.view == {"raises": wanted}, f"{step.call}, exchange {place + 1}"


def test_calls_that_move_money_say_so(psp: str, replay: Replay) -> None:
    for call, (scenario, step) in happy_steps(psp).items():
        told = play(connector_of(psp), scenario, step, replay)
        moving = sum(one.moves_money for one in told.requests)
        wanted = call in ("open_checkout", "recover", "complete", "capture", "cancel", "refund")
        assert moving <= 1, f"{call} moves money in two calls: after the first, nothing says what the second came to"
        if wanted and not (call == "recover" and connector_of(psp).capabilities.looks_up_references):
            assert moving == 1, f"{call} moves no money"
        if not wanted:
            assert not moving, f"{call} moves money"


@pytest.mark.parametrize("body", NO_ANSWERS, ids=range(len(NO_ANSWERS)))
def test_an_answer_that_is_none_is_never_success(psp: str, body: bytes, replay: Replay) -> None:
    """A call that looks at the status alone may go on; one that moves money may not, unless the PSP answers it with no more
    than a status."""
    for scenario, step, place in places(psp):
        recorded = answer_of(step.exchanges[place])
        if not recorded.body:
            continue
        status = recorded.status
        told = played(psp, scenario, step, place, Answer(status, {}, body), replay)
        where = f"{step.call}, exchange {place + 1}"
        if told.requests[place].moves_money:
            assert told.view == {"raises": "OutcomeUnknown"}, where
        elif told.view == {"raises": "OutcomeUnknown"}:
            assert moved_by(told.requests), where
        elif step.call not in ("test", "recover"):
            assert told.view == {"raises": "ReadFailed"} or told.view == expected_of(step), where


def test_an_answer_that_was_changed_on_its_way_is_none(psp: str, replay: Replay) -> None:
    """Where the PSP signs its answers: one that it did not sign, and one with another body than it signed."""
    if profile_of(psp).sign_answer is None:
        pytest.skip(f"{psp} signs no answers")
    for scenario, step, place in places(psp):
        recorded = answer_of(step.exchanges[place])
        signed = signed_by(psp, recorded)
        for forged in (replace(recorded, signed=False), replace(signed, body=signed.body + b" ")):
            told = played(psp, scenario, step, place, forged, replay)
            wanted = "OutcomeUnknown" if moved_by(told.requests[: place + 1]) else "ReadFailed"
            assert told.view == {"raises": wanted}, f"{step.call}, exchange {place + 1}"


def test_an_answer_with_a_part_missing_says_nothing_that_the_whole_does_not(psp: str, replay: Replay) -> None:
    """Whatever is left out of an answer, no money moves by it that the whole answer does not tell of."""
    for scenario, step, place in places(psp):
        answer = answer_of(step.exchanges[place])
        whole = [one for one in step.expect.get("facts", ()) if one["kind"] in MOVED and one["state"] == "succeeded"]
        known = {(one["kind"], one["id"], *one.get("amount", ())) for one in whole}
        for path, body in _without_a_part(json.loads(answer.body or b"null")):
            told = played(psp, scenario, step, place, Answer(answer.status, answer.headers, body), replay)
            said = {
                (one["kind"], one["id"], *one.get("amount", ()))
                for one in told.view.get("facts", ())
                if one["kind"] in MOVED and one["state"] == "succeeded"
            }
            assert said <= known, f"{step.call}, exchange {place + 1}, without {path}"


def _without_a_part(document: Any, path: str = "") -> Iterator[tuple[str, bytes]]:
    """The document without each of its parts, one at a time."""

    def parts(value: Any, at: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
        if isinstance(value, dict | list):
            for name in value if isinstance(value, dict) else range(len(value)):
                yield (*at, name)
                yield from parts(value[name], (*at, name))

    for at in parts(document, ()):
        shorter = copy.deepcopy(document)
        inner = shorter
        for name in at[:-1]:
            inner = inner[name]
        del inner[at[-1]]
        yield "/".join(map(str, at)), json.dumps(shorter).encode()


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("rate_limited", {"refused": "rate_limited", "retry_after_s": 7}),
        ("wrong_credentials", {"refused": "misconfigured"}),
    ],
)
def test_a_no_that_is_not_about_the_money_is_told_apart(
    psp: str, name: str, wanted: dict[str, Any], replay: Replay
) -> None:
    """Recorded with ``Retry-After: 7``. Where there is only facts to answer with, the read failed."""
    for scenario, step, place in places(psp):
        told = played_with(psp, scenario, step, place, list(answers_of(psp, name)), replay)
        read = {"raises": "OutcomeUnknown" if moved_by(told.requests[:place]) else "ReadFailed"}
        where = f"{step.call}, exchange {place + 1}"
        if step.call in REFUSABLE and (place == 0 or told.requests[place].moves_money):
            assert told.view in (wanted, read) if not told.requests[place].moves_money else told.view == wanted, where
        else:
            assert told.view in (read, wanted), where


def test_wrong_credentials_are_told_apart_from_an_outage(psp: str, replay: Replay) -> None:
    scenario, step = happy_steps(psp)["test"]
    said = [
        played(psp, scenario, step, 0, answer, replay).view
        for answer in (
            answers_of(psp, "wrong_credentials")[0],
            Fault.DOWN,
            Fault.SILENCE,
            Fault.REFUSED,
        )
    ]
    assert said == [{"refused": "misconfigured"}, *[{"raises": "ReadFailed"}] * 2, {"raises": "NotSent"}]


def test_a_repeat_is_byte_for_byte_the_same(psp: str, replay: Replay) -> None:
    """An idempotency key is good for the same parameters alone."""
    for scenario, step in happy_steps(psp).values():
        first, second = (play(connector_of(psp), scenario, step, replay).requests for _ in range(2))
        for one, other in zip(first, second, strict=True):
            if one.moves_money:
                assert (one.url, one.body, one.headers) == (other.url, other.body, other.headers), step.call
