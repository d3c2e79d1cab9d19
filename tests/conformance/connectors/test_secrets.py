"""No secret is in a log, an error or anything that shows itself, whatever goes wrong."""

from __future__ import annotations

import logging
import traceback
from typing import Any

import pytest
from pydantic import ValidationError

from chalicelib.contracts.calls import Refusal
from chalicelib.contracts.conversation import CallFailed
from chalicelib.domain.errors import PaymentServerError
from chalicelib.outbound.driver import Deadline, Driver
from chalicelib.services.secrets import concealed, secret_fields
from tests.conformance.connectors.answering import Answer, Fault
from tests.conformance.connectors.happy import happy_steps
from tests.conformance.connectors.playing import conversation_of
from tests.conformance.connectors.profile import connector_class, connector_of, profile_of, secrets_of
from tests.conformance.connectors.recordings import Scenario, Step
from tests.conformance.connectors.replay import Replay, answer_of, answers_of, readdressed, signed_by

WRONG: tuple[Any, ...] = (None, Fault.RESET, Fault.DOWN, "wrong_credentials", "rate_limited", b"<html>")


def answers(psp: str, step: Step, wrong: Any) -> list[Answer | Fault]:
    given: list[Answer | Fault] = [answer_of(one) for one in step.exchanges]
    if isinstance(wrong, str) and not isinstance(wrong, Fault):
        return [*answers_of(psp, wrong), *given[1:]]
    if isinstance(wrong, bytes):
        wrong = Answer(200, {}, wrong)
    return given if wrong is None else [wrong, *given[1:]]


def test_no_secret_is_shown(psp: str, replay: Replay, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    shown = [repr(connector_of(psp)), str(vars(connector_of(psp)).get("_settings", ""))]
    settings = connector_class(psp).settings.model_validate(dict(profile_of(psp).settings), strict=False)
    shown += [repr(settings), str(settings), settings.model_dump_json()]
    for scenario, step in happy_steps(psp).values():
        for wrong in WRONG:
            shown += said(psp, scenario, step, replay, answers(psp, step, wrong))
    shown += [caplog.text, *(str(vars(record)) for record in caplog.records)]
    for secret in secrets_of(psp):
        found = [text for text in shown if secret in text]
        assert not found, found[0][:300].replace(secret, "<THE SECRET>")


def said(psp: str, scenario: Scenario, step: Step, replay: Replay, given: list[Answer | Fault]) -> list[str]:
    """What a call came to, as a log or an error page would have it, and the requests that it made."""
    replay.answers = [one if isinstance(one, Fault) else signed_by(psp, one) for one in given]
    seen: list[Any] = []
    conversation = readdressed(conversation_of(connector_of(psp), scenario, step), [replay.url], seen)
    try:
        result = Driver(call_timeout_s=1).converse(conversation, Deadline(5))
    except (CallFailed, PaymentServerError) as error:
        return [str(error), repr(error), "".join(traceback.format_exception(error)), repr(seen)]
    shown = concealed(result, secrets_of(psp)) if isinstance(result, Refusal) else result
    return [repr(shown), repr(seen)]


def test_a_validation_error_of_the_settings_hides_them(psp: str) -> None:
    made = connector_class(psp).settings
    wrong = {**profile_of(psp).settings, "no_such_setting": 1}
    with pytest.raises(ValidationError) as told:
        made.model_validate(wrong, strict=False)
    text = str(told.value.errors(include_input=False))
    assert not any(secret in text for secret in secrets_of(psp))


@pytest.mark.parametrize("more", ["\n", "\r\nX-Other: 1", " ", "\u200b", "\u00e9", "\0"], ids=ascii)
def test_a_secret_with_something_pasted_along_is_refused_in_words(psp: str, more: str) -> None:
    """It could not be sent, which would look like an outage of the PSP's, and no webhook would fit it."""
    made, profile = connector_class(psp).settings, profile_of(psp)
    for field in sorted(secret_fields(made)):
        good = str(profile.settings.get(field) or profile.secret)
        with pytest.raises(ValidationError) as told:
            made.model_validate({**profile.settings, field: good + more}, strict=False)
        (wrong,) = told.value.errors(include_input=False)
        assert wrong["loc"] == (field,)
        assert "must be" in wrong["msg"]
        assert good not in wrong["msg"]
