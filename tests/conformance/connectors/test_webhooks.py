"""A webhook is the PSP's only with its own fresh signature. Whatever else comes is invalid, and nothing worse."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chalicelib.contracts.connector import Conversation, Delivery
from chalicelib.domain.errors import SignatureInvalid, Unreadable
from chalicelib.services.secrets import secret_fields
from tests.conformance.connectors.profile import Signs, connector_class, connector_of, profile_of
from tests.conformance.connectors.recordings import scenarios_of

HOSTILE = (
    "", "v1", "t=1,v1=", "v1,%%%", "v1,a,b", "t=x,v1=y", "t=99999999999999999999,v1=a", "é", "t=1,t=2,v1=a", "," * 3000,
    "=\x00", "t=1,v1=" + "a" * 64, "AAAA", "t=-1,v1=a", "t=\uff11,v1=a", "{}", "null", "\ud800",
)  # fmt: skip
SENSELESS = (
    b"", b"{}", b"[]", b"null", b"17", b"\xff", b'"text"', b'{"data": 1}', b'{"type": 1, "data": {"object": 1}}',
    b'{"data": {"object": []}}', b"[" * 50_000, b'{"id": "\\ud800"}',
)  # fmt: skip


def run(conversation: Conversation[Any]) -> Any:
    """A conversation that asks the PSP nothing."""
    try:
        next(conversation)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("verifying offline asks nobody")


@pytest.fixture
def body(psp: str) -> bytes:
    """The first webhook that says something about a payment."""
    for scenario in scenarios_of(psp):
        for step in scenario.steps:
            if step.call == "webhook" and {"facts", "asks", "looks_up"} & step.expect.keys():
                text = step.webhook if isinstance(step.webhook, str) else json.dumps(step.webhook)
                return text.encode()
    raise AssertionError(f"{psp} has no scenario with a webhook")


@pytest.fixture
def signed(psp: str) -> None:
    if profile_of(psp).signs is Signs.NOTHING:
        pytest.skip(f"{psp} signs no webhooks")
    if not connector_class(psp).verifies_offline:
        pytest.skip(f"{psp} is asked about each webhook")


def now() -> datetime:
    return datetime.now(UTC)


def refused(psp: str, delivery: Delivery) -> None:
    with pytest.raises(SignatureInvalid):
        run(connector_of(psp).verify(delivery))


def test_its_own_webhook_is_valid_however_often_it_comes(psp: str, body: bytes, signed: None) -> None:
    profile, connector = profile_of(psp), connector_of(psp)
    delivery = profile.sign(body, profile.secret, now())
    said = []
    for _ in range(2):
        run(connector.verify(delivery))
        said.append(tuple(connector.read(delivery)))
    assert said[0] == said[1], "a replayed webhook says the same again, which changes nothing"


def test_both_live_secrets_are_good(psp: str, body: bytes, signed: None) -> None:
    profile = profile_of(psp)
    if profile.previous_secret is None:
        pytest.skip(f"{psp} has one secret at a time")
    run(connector_of(psp).verify(profile.sign(body, profile.previous_secret, now())))


def test_another_secret_is_a_forgery(psp: str, body: bytes, signed: None) -> None:
    profile = profile_of(psp)
    for secret in (profile.secret[:-1] + "0", profile.secret[::-1], "0" * len(profile.secret)):
        if secret != profile.secret:
            refused(psp, profile.sign(body, secret, now()))


def test_a_changed_body_is_a_forgery(psp: str, body: bytes, signed: None) -> None:
    profile = profile_of(psp)
    delivery = profile.sign(body, profile.secret, now())
    for changed in _changed(psp, delivery.body):
        refused(psp, replace(delivery, body=changed))


def _changed(psp: str, body: bytes) -> Iterator[bytes]:
    if profile_of(psp).signs is Signs.BODY:
        for place in range(0, len(body), 7):
            yield body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :]
        yield body + b" "
        yield b""
        return
    for pointer in profile_of(psp).signed_fields:
        document = json.loads(body)
        *way, last = pointer.strip("/").split("/")
        inner = document
        for name in way:
            inner = inner[int(name)] if isinstance(inner, list) else inner[name]
        value = inner.get(last)
        inner[last] = value + 1 if type(value) is int else f"{value or ''}x"
        yield json.dumps(document).encode()


@pytest.mark.parametrize("direction", [1, -1])
def test_a_stale_signature_is_invalid(psp: str, body: bytes, direction: int, signed: None) -> None:
    profile = profile_of(psp)
    if profile.tolerance_s is None:
        pytest.skip(f"{psp} signs no time")
    inside, outside = (timedelta(seconds=direction * (profile.tolerance_s + more)) for more in (-5, 5))
    run(connector_of(psp).verify(replace(profile.sign(body, profile.secret, now() - inside), received_at=now())))
    refused(psp, replace(profile.sign(body, profile.secret, now() - outside), received_at=now()))


@pytest.mark.parametrize("value", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_header_is_only_ever_invalid(psp: str, body: bytes, value: str, signed: None) -> None:
    profile = profile_of(psp)
    delivery = profile.sign(body, profile.secret, now())
    if profile.signs is not Signs.BODY:
        pytest.skip(f"{psp} signs in the body")
    refused(psp, replace(delivery, headers=dict.fromkeys(delivery.headers, value)))


def test_no_header_at_all_is_invalid(psp: str, body: bytes, signed: None) -> None:
    profile = profile_of(psp)
    if profile.signs is not Signs.BODY:
        pytest.skip(f"{psp} signs in the body")
    refused(psp, Delivery({}, body, now()))


@pytest.mark.parametrize("body", SENSELESS, ids=range(len(SENSELESS)))
def test_a_body_that_makes_no_sense_is_never_worse_than_refused(psp: str, body: bytes) -> None:
    """`verify` calls it invalid where the signature is in the body; `read` calls it unreadable, or finds nothing in it."""
    delivery, connector = Delivery({}, body, now()), connector_of(psp)
    if connector_class(psp).verifies_offline and profile_of(psp).signs is not Signs.NOTHING:
        refused(psp, delivery)
    try:
        said = connector.read(delivery)
    except Unreadable:
        return
    assert not said


def test_an_unsigned_webhook_may_only_say_look(psp: str) -> None:
    if profile_of(psp).signs is not Signs.NOTHING:
        pytest.skip(f"{psp} signs its webhooks")
    for scenario in scenarios_of(psp):
        for step in scenario.steps:
            if step.call == "webhook":
                assert not step.expect.get("facts"), scenario.name


def test_webhooks_are_verified_and_read_without_the_other_secrets(psp: str, body: bytes, signed: None) -> None:
    """The webhook function has `webhook_fields` alone."""
    profile, made = profile_of(psp), connector_class(psp)
    fields = made.settings.webhook_fields  # type: ignore[attr-defined]  # the contract asks for it
    assert fields <= secret_fields(made.settings)
    hidden = {name: "x" * 40 for name in secret_fields(made.settings) - fields if name in profile.settings}
    delivery = profile.sign(body, profile.secret, now())
    connector = connector_of(psp, **hidden)
    run(connector.verify(delivery))
    assert connector.read(delivery) == connector_of(psp).read(delivery)
