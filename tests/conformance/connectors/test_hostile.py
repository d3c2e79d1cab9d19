"""Ids and addresses that somebody else chose: they lead to no other place of the PSP's, and a shopper nowhere unsafe."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.contracts.conversation import Conversation, ReadFailed
from chalicelib.domain.ids import attempt_id_of
from tests.conformance.connectors.answering import Answer
from tests.conformance.connectors.happy import BAD, happy_steps, steps_of
from tests.conformance.connectors.playing import play, play_in_memory, reference_of
from tests.conformance.connectors.profile import connector_of
from tests.conformance.connectors.recordings import PAYMENT_ID, scenarios_of
from tests.conformance.connectors.replay import Replay, answer_of

NO_IDS = ("..", ".", "../../v1/balance", "a/b", "a?x=1", "a#b", "a b", "a%2fb", "a\r\nX-Other: 1", "ü", "", "\ud800")
UNSAFE = ("http://", "javascript://", "//", "data://")
ODD = (  # as JSON has them: a browser is led elsewhere than it seems, or nowhere
    "https:///", "https://somebody@", "https://somebody:else@", "https://elsewhere.example\\\\@", "https:// ",
    "https://\\r\\n", "https://\\u0000", "https://\\u00e9", "https://\\ud83d\\ude00", "https://[", "https://a b.example/", "https://:1@",
)  # fmt: skip


def asks_nothing(begin: Callable[[], Conversation[Any]]) -> None:
    """It raises, or comes to an end, before its first request that names what it was given; or there is no such call."""
    try:
        request = next(begin())
    except (StopIteration, ValueError, NotImplementedError, ReadFailed):
        return
    raise AssertionError(f"asked for {request.url}")


@pytest.mark.parametrize("id", NO_IDS, ids=range(len(NO_IDS)))
def test_what_is_no_id_of_the_psps_is_asked_for_nowhere(psp: str, id: str) -> None:
    connector, reference = connector_of(psp), replace(reference_of(scenarios_of(psp)[0]), psp_reference=id)
    asks_nothing(lambda: connector.look_up(id))
    asks_nothing(lambda: connector.fetch(reference))
    asks_nothing(lambda: connector.expire(reference))


@pytest.mark.parametrize("another", [attempt_id_of(PAYMENT_ID, 2), attempt_id_of(f"pay_{'a' * 24}", 1)])
def test_what_is_read_of_another_attempt_is_no_answer(psp: str, another: str) -> None:
    """An operator may name the wrong one, and what it came to must not count twice. Captures and refunds are of no attempt but
    that which was read before."""
    played = 0
    for scenario, step in steps_of(psp):
        if step.call not in ("fetch", "expire", "complete") or BAD & step.expect.keys():
            continue
        if answer_of(step.exchanges[-1]).status == 404:
            continue  # what is not there names nobody
        reference = reference_of(scenario)
        reference = replace(reference, checkout=replace(reference.checkout, attempt_id=another))
        conversation = getattr(connector_of(psp), step.call)(reference)
        told = play_in_memory(connector_of(psp), scenario, step, conversation)
        assert told.get("raises") in ("ReadFailed", "OutcomeUnknown"), (scenario.name, told)
        played += 1
    assert played


@pytest.mark.parametrize("beginning", [*UNSAFE, *ODD])
def test_a_shopper_is_sent_to_no_page_but_over_https(psp: str, beginning: str, replay: Replay) -> None:
    scenario, step = happy_steps(psp)["open_checkout"]
    answers = [answer_of(one) for one in step.exchanges]
    pages = [text for text in _texts(json.loads(answers[-1].body)) if text.startswith("https://")]
    if not pages:
        pytest.skip(f"{psp}'s pages are on this machine")
    body = answers[-1].body.replace(b"https://", beginning.encode())
    given: list[Any] = [*answers[:-1], Answer(answers[-1].status, answers[-1].headers, body)]
    told = play(connector_of(psp), scenario, step, replay, answers=given)
    assert told.view == {"raises": "OutcomeUnknown"}


def _texts(said: Any) -> list[str]:
    inner = said.values() if isinstance(said, dict) else said if isinstance(said, list) else ()
    return [said] if isinstance(said, str) else [text for one in inner for text in _texts(one)]
