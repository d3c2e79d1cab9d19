"""A webhook is the PSP's only with its own fresh signature. Whatever else comes is invalid, and nothing worse."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.contracts.query import check_query
from chalicelib.contracts.webhooks import Delivery
from chalicelib.domain.errors import SignatureInvalid, Unreadable
from chalicelib.services.secrets import secret_fields
from tests.conformance.connectors.hostile import BODIES, HEADERS, QUERIES, UNREADABLE_QUERIES, changed_queries
from tests.conformance.connectors.profile import Signs, connector_class, connector_of, profile_of, verified
from tests.conformance.connectors.recordings import scenarios_of


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
        verified(psp, connector_of(psp), delivery)


def test_its_own_webhook_is_valid_however_often_it_comes(psp: str, body: bytes, signed: None) -> None:
    profile, connector = profile_of(psp), connector_of(psp)
    delivery = profile.sign(body, profile.secret, now())
    said = []
    for _ in range(2):
        verified(psp, connector, delivery)
        said.append(tuple(connector.read(delivery)))
    assert said[0] == said[1], "a replayed webhook says the same again, which changes nothing"


def test_both_live_secrets_are_good(psp: str, body: bytes, signed: None) -> None:
    profile = profile_of(psp)
    if profile.previous_secret is None:
        pytest.skip(f"{psp} has one secret at a time")
    verified(psp, connector_of(psp), profile.sign(body, profile.previous_secret, now()))


def test_another_secret_is_a_forgery(psp: str, body: bytes, signed: None) -> None:
    profile = profile_of(psp)
    for secret in (profile.secret[:-1] + "0", profile.secret[::-1], "0" * len(profile.secret)):
        if secret != profile.secret:
            refused(psp, profile.sign(body, secret, now()))


def test_what_is_changed_is_a_forgery(psp: str, body: bytes, signed: None) -> None:
    profile = profile_of(psp)
    delivery = profile.sign(body, profile.secret, now())
    if profile.signs is Signs.QUERY:
        for query in changed_queries(delivery.query):
            refused(psp, replace(delivery, query=query))
        return
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
    verified(psp, connector_of(psp), replace(profile.sign(body, profile.secret, now() - inside), received_at=now()))
    refused(psp, replace(profile.sign(body, profile.secret, now() - outside), received_at=now()))


def test_its_webhooks_come_by_a_method_that_it_names_and_with_a_query_that_is_taken(psp: str, body: bytes) -> None:
    profile = profile_of(psp)
    delivery = profile.sign(body, profile.secret, now())
    assert delivery.method in connector_class(psp).capabilities.webhook_methods <= {"GET", "POST"}
    check_query(delivery.query)


def test_a_hostile_query_is_only_ever_invalid(psp: str, body: bytes) -> None:
    """Where the query says or signs something. Where it does not, it changes nothing."""
    profile, connector = profile_of(psp), connector_of(psp)
    delivery = profile.sign(body, profile.secret, now())
    for query in (*QUERIES, *UNREADABLE_QUERIES):
        hostile = replace(delivery, query=query)
        if delivery.query and query != delivery.query and connector.verifies_offline:
            refused(psp, hostile)
        try:
            said = connector.read(hostile)
        except Unreadable:
            continue
        assert not said or said == connector.read(delivery)


@pytest.mark.parametrize("value", HEADERS, ids=range(len(HEADERS)))
def test_a_hostile_header_is_only_ever_invalid(psp: str, body: bytes, value: str, signed: None) -> None:
    profile = profile_of(psp)
    delivery = profile.sign(body, profile.secret, now())
    if profile.signs is not Signs.BODY:
        pytest.skip(f"{psp} signs elsewhere")
    refused(psp, replace(delivery, headers=dict.fromkeys(delivery.headers, value)))


def test_no_header_at_all_is_invalid(psp: str, body: bytes, signed: None) -> None:
    profile = profile_of(psp)
    if profile.signs is not Signs.BODY:
        pytest.skip(f"{psp} signs elsewhere")
    refused(psp, Delivery({}, body, now()))


@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
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
    verified(psp, connector, delivery)
    assert connector.read(delivery) == connector_of(psp).read(delivery)
