"""What `make record` keeps of a conversation is a scenario that plays, and holds no secret."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.outbound.driver import Deadline, Driver
from tests.conformance.connectors.happy import happy_steps
from tests.conformance.connectors.playing import expected_of, play
from tests.conformance.connectors.profile import connector_of, secrets_of
from tests.conformance.connectors.record import Recorder, document_of, scrubbed
from tests.conformance.connectors.recordings import ATTEMPT_ID, operation_of, scenarios_in
from tests.conformance.connectors.replay import Answer, Replay, answer_of, readdressed
from tests.conformance.connectors.test_scenarios import check_requests


def talking(psp: str, replay: Replay, recorder: list[Recorder], calls: list[str]) -> Any:
    """A PSP that answers each call in turn with what is recorded of it, in the recorder's ids."""

    def talk(conversation: Any) -> Any:
        _, step = happy_steps(psp)[calls.pop(0)]
        hidden = recorder[0]._hidden
        names = {ATTEMPT_ID: "${attempt_id}", operation_of("a"): "${operation_id}"}
        fresh = {text: next(one for one, name in hidden.items() if name == names[text]) for text in names}
        answers = [answer_of(one) for one in step.exchanges]
        for text, other in fresh.items():
            answers = [
                Answer(one.status, one.headers, one.body.replace(text.encode(), other.encode())) for one in answers
            ]
        replay.answers = list(answers)
        return Driver(call_timeout_s=5).converse(readdressed(conversation, [replay.url], []), Deadline(20))

    return talk


@pytest.mark.parametrize("name", ["stripe", "sandbox"])
def test_a_recording_plays_and_holds_no_secret(name: str, replay: Replay) -> None:
    made: list[Recorder] = []
    calls = ["test", "open_checkout", "fetch", "fetch", "refund", "fetch", "expire"]
    made.append(Recorder(name, connector_of(name), secrets_of(name), talking(name, replay, made, calls)))
    recorder = made[0]
    assert recorder.without_a_shopper().startswith("http")
    recorder.after_the_shopper()
    recorder.ended()
    text = document_of(recorder, "a test environment")
    assert not [secret for secret in secrets_of(name) if secret in text]
    written = json.loads(text)
    assert written["recorded"].startswith("live on ")
    scenarios = scenarios_in(name, written)
    assert [one.steps[0].call for one in scenarios] == [
        "test",
        "open_checkout",
        "fetch",
        "fetch",
        "refund",
        "fetch",
        "expire",
    ]
    for scenario in scenarios:
        told = play(connector_of(name), scenario, scenario.steps[0], replay)
        assert told.view == expected_of(scenario.steps[0])
        check_requests(scenario.steps[0], told.requests)


def test_tokens_are_scrubbed_wherever_they_stand() -> None:
    said = {"client_secret": "pi_secret", "list": [{"access_token": "t"}, "Bearer key-1"], "secret": None}
    assert scrubbed(said, {"key-1": "scrubbed"}) == {
        "client_secret": "scrubbed",
        "list": [{"access_token": "scrubbed"}, "Bearer scrubbed"],
        "secret": None,
    }
