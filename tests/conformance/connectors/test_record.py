"""What `make record` keeps of a conversation is a scenario that plays, whenever it was made, and holds no secret."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from chalicelib.contracts.conversation import Conversation, HttpRequest
from chalicelib.outbound.driver import Deadline, Driver
from tests.conformance.connectors.answering import Answer
from tests.conformance.connectors.happy import happy_steps
from tests.conformance.connectors.playing import expected_of, play
from tests.conformance.connectors.profile import connector_class, connector_of, profile_of, secrets_of
from tests.conformance.connectors.record import Recorder, account_of, document_of, settings_in
from tests.conformance.connectors.recordings import ATTEMPT_ID, Scenario, operation_of, scenarios_in
from tests.conformance.connectors.replay import Replay, answer_of, readdressed, signed_by
from tests.conformance.connectors.test_scenarios import check_requests
from tests.conformance.connectors.written import scrubbed

CALLS = ["test", "open_checkout", "fetch", "fetch", "refund", "fetch", "expire"]


def talking(psp: str, replay: Replay, recorder: list[Recorder], asked: list[str]) -> Any:
    """A PSP that answers each call with what is recorded of it, in the recorder's ids."""

    def talk(conversation: Any) -> Any:
        began: list[HttpRequest] = []
        _, step = happy_steps(psp)[asked.pop(0)]
        hidden = recorder[0]._hidden
        names = {ATTEMPT_ID: "${attempt_id}", operation_of("a"): "${operation_id}"}
        fresh = {text: next(one for one, name in hidden.items() if name == names[text]) for text in names}
        fresh |= {
            text.replace("_", "-"): other.replace("_", "-") for text, other in fresh.items()
        }  # for who takes no "_"
        answers = [answer_of(one) for one in step.exchanges]
        for text, other in fresh.items():
            answers = [
                Answer(one.status, one.headers, one.body.replace(text.encode(), other.encode())) for one in answers
            ]
        replay.answers = [signed_by(psp, one) for one in answers]
        return Driver(call_timeout_s=5).converse(readdressed(conversation, [replay.url], began), Deadline(20))

    return talk


def made_of(psp: str, replay: Replay) -> Recorder:
    made: list[Recorder] = []
    ends = "expire" in connector_class(psp).capabilities.operations
    asked = [*CALLS[:-1], *(["expire"] if ends else [])]
    made.append(Recorder(psp, connector_of(psp), secrets_of(psp), talking(psp, replay, made, asked)))
    assert made[0].without_a_shopper().startswith("http")
    made[0].after_the_shopper()
    made[0].ended()
    return made[0]


def plays(psp: str, scenario: Scenario, replay: Replay) -> None:
    told = play(connector_of(psp), scenario, scenario.steps[0], replay)
    assert told.view == expected_of(scenario.steps[0])
    check_requests(scenario.steps[0], told.requests)


def test_a_recording_plays_and_holds_no_secret(psp: str, replay: Replay) -> None:
    recorder = made_of(psp, replay)
    text = document_of(recorder, "a test environment")
    assert not [secret for secret in secrets_of(psp) if secret in text]
    written = json.loads(text)
    assert written["recorded"].startswith("live on ")
    scenarios = scenarios_in(psp, written)
    not_recorded = [one.partition(":")[0] for one in recorder.odd]
    assert not_recorded == (["a refund of a part"] if psp == "adyen" else []), "its reference comes by webhook alone"
    assert [one.steps[0].call for one in scenarios] == [
        call
        for call in CALLS
        if (call != "refund" or not not_recorded)
        and (call != "expire" or "expire" in connector_class(psp).capabilities.operations)
    ]
    for scenario in scenarios:
        plays(psp, scenario, replay)


def test_two_recordings_are_the_same_whenever_they_are_made(psp: str, replay: Replay) -> None:
    first, second = made_of(psp, replay), made_of(psp, replay)
    assert first.scenarios == second.scenarios


def test_the_account_that_it_was_recorded_with_is_the_profiles_in_it(replay: Replay) -> None:
    theirs, kits = "AShopOfSomebody", str(profile_of("adyen").settings["merchant_account"])
    connector: Any = connector_of("adyen", merchant_account=theirs)
    _, step = happy_steps("adyen")["open_checkout"]
    made = Recorder("adyen", connector, (), lambda one: None, account=account_of("adyen", connector._settings))
    answer = answer_of(step.exchanges[0])
    body = answer.body.replace(kits.encode(), theirs.encode())
    body = body.replace(ATTEMPT_ID.encode(), made._attempt_id.encode())
    replay.answers = [Answer(answer.status, answer.headers, body)]
    made._talk = lambda one: Driver(call_timeout_s=5).converse(readdressed(one, [replay.url], []), Deadline(5))
    made.say("a page", "open_checkout", connector.open_checkout(made._attempt.checkout))
    assert made.odd == []
    assert theirs not in json.dumps(made.scenarios)
    plays("adyen", scenarios_in("adyen", {"scenarios": made.scenarios})[0], replay)


class Otherwise:
    """A connector that asks for more than the kit's does, as one with other settings may."""

    def __init__(self, psp: str) -> None:
        self._real: Any = connector_of(psp)
        self.capabilities = self._real.capabilities

    def test(self) -> Conversation[Any]:
        yield HttpRequest("GET", "https://psp.example/something?else=1")
        return None


def test_what_the_kit_would_ask_otherwise_is_told_and_kept_as_it_was(replay: Replay) -> None:
    replay.answers = [Answer(200, {}, b"{}")]
    recorder = Recorder(
        "stripe",
        Otherwise("stripe"),  # type: ignore[arg-type]  # as much of one as is asked
        (),
        lambda one: Driver(call_timeout_s=5).converse(readdressed(one, [replay.url], []), Deadline(5)),
    )
    recorder.say("something else", "test", Otherwise("stripe").test())
    assert recorder.scenarios[0]["exchanges"][0]["request"]["query"] == {"else": "1"}
    assert recorder.odd == ["recorded: something else: /query of a request is another than the kit's"]


def test_tokens_are_scrubbed_wherever_they_stand() -> None:
    said = {"client_secret": "pi_secret", "list": [{"access_token": "t"}, "Bearer key-1"], "secret": None}
    assert scrubbed(said, {"key-1": "scrubbed"}) == {
        "client_secret": "scrubbed",
        "list": [{"access_token": "scrubbed"}, "Bearer scrubbed"],
        "secret": None,
    }


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (None, "No such file"),
        ("{", "it is no JSON"),
        ('{"api_key": "sk_test_kit0of0nobody", "colour": 1}', "colour: Extra inputs"),
    ],
)
def test_settings_that_do_not_fit_are_told_in_a_line_and_without_a_secret(
    text: str | None, told: str, tmp_path: Path
) -> None:
    path = tmp_path / "keys.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(SystemExit) as refused:
        settings_in(path, connector_class("stripe").settings)
    assert told in str(refused.value)
    assert "sk_test_kit0of0nobody" not in str(refused.value)
