"""A recording as the kit plays it: the requests that the kit's connector makes at the scenario's own time, with its ids and the
profile's settings, where the PSP answers as it did. So nothing of a recording depends on when it was made, or on whose account.
"""

from __future__ import annotations

from typing import Any

from chalicelib.contracts.conversation import HttpResponse
from tests.conformance.connectors.playing import conversation_of, told_of
from tests.conformance.connectors.profile import connector_of, profile_of, secrets_of
from tests.conformance.connectors.recordings import ATTEMPT_ID, Step, operation_of, scenarios_in
from tests.conformance.connectors.replay import answer_of, signed_by
from tests.conformance.connectors.written import SCRUBBED, Json, recorded, scrubbed


class SaysOtherwise(Exception):
    """The kit's connector does not ask what was recorded, whatever the time and the ids."""


def retold(psp: str, scenario: Json) -> Json:
    """The scenario, of one step, with the kit's requests and what they come to. Raises SaysOtherwise."""
    made = scenarios_in(psp, {"scenarios": [{**scenario, "expect": {}}]})[0]
    (step,) = made.steps
    asked: list[Json] = []
    try:
        said = _answered(psp, recorded(conversation_of(connector_of(psp), made, step), asked), step)
    except Exception as error:
        raise SaysOtherwise(f"it can not be played, {type(error).__name__}: {error}") from error
    hidden = {ATTEMPT_ID: "${attempt_id}", operation_of("a"): "${operation_id}"}
    hidden |= {profile_of(psp).psp_reference: "${psp_reference}", **dict.fromkeys(secrets_of(psp), SCRUBBED)}
    exchanges = [
        {**was, "request": scrubbed(now["request"], hidden)} for was, now in zip(_of(scenario), asked, strict=True)
    ]
    for was, now in zip(_of(scenario), exchanges, strict=True):
        _compare(was["request"], now["request"], "")
    return {**scenario, "exchanges": exchanges, "expect": scrubbed(told_of(said, []).view, hidden)}


def _of(scenario: Json) -> list[Json]:
    found: list[Json] = scenario["exchanges"]
    return found


def _answered(psp: str, conversation: Any, step: Step) -> Any:
    answers = [signed_by(psp, answer_of(one)) for one in step.exchanges]
    try:
        next(conversation)
        for answer in answers:
            lowered = {name.lower(): value for name, value in answer.headers.items()}
            conversation.send(HttpResponse(answer.status, lowered, answer.body))
    except StopIteration as stop:
        return stop.value
    raise SaysOtherwise("it asks more than was recorded")


def _compare(was: Any, now: Any, place: str) -> None:
    """Texts and numbers may differ, since ids and times are made into both; what there is may not."""
    if isinstance(was, dict) and isinstance(now, dict) and was.keys() == now.keys():
        for name in was:
            _compare(was[name], now[name], f"{place}/{name}")
    elif isinstance(was, list) and isinstance(now, list) and len(was) == len(now):
        for position, (one, other) in enumerate(zip(was, now, strict=True)):
            _compare(one, other, f"{place}/{position}")
    elif type(was) is not type(now) or isinstance(was, dict | list):
        raise SaysOtherwise(f"{place or '/'} of a request is another than the kit's")
