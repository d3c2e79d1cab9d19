"""What the Service Bus channel sends, and what it says of what an operator can mend."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from chalicelib.contracts.publisher import Publication, Receipt, Retry, Target
from chalicelib.domain.errors import Pointer
from chalicelib.outbound.dial import ADDRESS_REFUSED, PLAIN_REFUSED
from chalicelib.publishers.servicebus import Access, ServiceBusPublisher, ServiceBusTarget
from tests.conformance.certificates import authority_in, server_context
from tests.conformance.channel import LOOPBACK
from tests.conformance.channel_servicebus import ServiceBus, servicebus, target_of
from tests.conformance.wire import Wire
from tests.servers.servicebus.process import LISTENER, LISTENER_KEY, SENDER, SENDER_KEY

BODY = b'{"id": "evt_1",  "source": "/paymentserver/default", "type": "payment.captured", "subject": "pay_1", "sequence": 4}'
PUBLICATION = Publication("evt_1", "payment.captured", "pay_1", BODY)
NAMESPACE = "shop.servicebus.windows.net"
OPENED = f"Endpoint=sb://{NAMESPACE}/;SharedAccessKeyName=send;SharedAccessKey=a2V5=="


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceBus]:
    with servicebus(tmp_path_factory.mktemp("servicebus")) as running:
        yield running


@pytest.fixture
def publisher() -> Iterator[ServiceBusPublisher]:
    made = ServiceBusPublisher(allowed_networks=LOOPBACK, answer_timeout_s=3.0)
    yield made
    made.close()


def at(broker: ServiceBus, entity: str, **more: Any) -> Target:
    return target_of(f"127.0.0.1:{broker.wire.port}", entity, **more)


def settings_of(**given: Any) -> ServiceBusTarget:
    return ServiceBusTarget.model_validate_json(json.dumps({"entity": "payments", **given}))


def failure(publisher: ServiceBusPublisher, target: Target) -> Retry:
    with pytest.raises(Retry) as failed:
        publisher.publish(PUBLICATION, target)
    return failed.value


def test_a_message_is_the_event_with_its_attributes_beside_it(
    broker: ServiceBus, publisher: ServiceBusPublisher
) -> None:
    assert publisher.publish(PUBLICATION, at(broker, "session-1")) == Receipt(None, "accepted")
    assert broker.process.kept("session-1") == [
        {
            "entity": "session-1",
            "body": BODY,
            "content_type": "application/cloudevents+json; charset=utf-8",
            "message_id": "evt_1",
            "session_id": "pay_1",
            "subject": "payment.captured",
            "properties": {
                "cloudEvents:id": "evt_1",
                "cloudEvents:source": "/paymentserver/default",
                "cloudEvents:type": "payment.captured",
                "cloudEvents:subject": "pay_1",
                "cloudEvents:sequence": "4",
            },
        }
    ]


def test_without_sessions_a_message_belongs_to_none(broker: ServiceBus, publisher: ServiceBusPublisher) -> None:
    publisher.publish(PUBLICATION, at(broker, "queue-1", sessions=False))
    assert [one["session_id"] for one in broker.process.kept("queue-1")] == [None]


@pytest.mark.parametrize(
    ("entity", "more", "said", "after_s"),
    [
        ("nobody-made-it", {}, "the namespace has no queue or topic 'nobody-made-it'", None),
        (
            "queue-2",
            {"key_name": LISTENER, "key": LISTENER_KEY},
            "the key may not send to 'queue-2': its policy needs the claim Send",
            None,
        ),
        (
            "queue-2",
            {"key": "d3Jvbmc="},
            "Service Bus does not accept the key: check key_name, key and namespace",
            None,
        ),
        (
            "queue-2",
            {"key_name": "nobody"},
            "Service Bus does not accept the key: check key_name, key and namespace",
            None,
        ),
        (
            "session-2",
            {"sessions": False},
            "'session-2' does not take such a message: if it needs sessions, set sessions to true",
            None,
        ),
        ("queue-full", {}, "'queue-full' is full, or the namespace has too many connections", None),
        ("queue-disabled", {}, "'queue-disabled' is disabled", None),
        ("queue-busy", {}, "Service Bus is busy", 10.0),
        ("queue-terse", {}, "Service Bus did not answer in time", None),
        ("queue-odd", {}, "no acknowledgement from Service Bus (com.example:odd)", None),
    ],
)
def test_what_keeps_a_message_from_being_taken_is_said(
    broker: ServiceBus,
    publisher: ServiceBusPublisher,
    entity: str,
    more: dict[str, Any],
    said: str,
    after_s: float | None,
) -> None:
    failed = failure(publisher, at(broker, entity, **more))
    assert (failed.detail, failed.after_s) == (said, after_s)
    assert broker.process.kept(entity) == []


def test_an_entity_may_be_missing_already_at_the_access_token(tmp_path: Path, publisher: ServiceBusPublisher) -> None:
    with servicebus(tmp_path, "--missing-by-token") as broker:
        failed = failure(publisher, at(broker, "nobody-made-it"))
    assert failed.detail == "the namespace has no queue or topic 'nobody-made-it'"


def test_a_connection_that_ended_while_it_was_idle_costs_no_try(
    broker: ServiceBus, publisher: ServiceBusPublisher
) -> None:
    target = at(broker, "session-3")
    publisher.publish(PUBLICATION, target)
    broker.stop()
    broker.start()
    publisher.publish(PUBLICATION, target)
    assert len(broker.process.kept("session-3")) == 2


def test_a_certificate_that_is_not_trusted_is_said(
    broker: ServiceBus, publisher: ServiceBusPublisher, tmp_path: Path
) -> None:
    _, certificate, key = authority_in(tmp_path)
    wire = Wire(broker.address, server_context(certificate, key))
    try:
        failed = failure(publisher, target_of(f"localhost:{wire.port}", "queue-1", tls=True))
    finally:
        wire.close()
    assert failed.detail == "no TLS with Service Bus: unable to get local issuer certificate"


def test_a_namespace_that_is_not_reached_is_said(broker: ServiceBus, publisher: ServiceBusPublisher) -> None:
    broker.wire.cut()
    try:
        failed = failure(publisher, at(broker, "queue-1"))
    finally:
        broker.wire.mend()
    assert failed.detail == "no connection to Service Bus (amqp:socket-error)"


def test_a_connection_string_opens_the_emulator(broker: ServiceBus, publisher: ServiceBusPublisher) -> None:
    string = (
        f"Endpoint=sb://localhost:{broker.wire.port};SharedAccessKeyName={SENDER};SharedAccessKey={SENDER_KEY};"
        "UseDevelopmentEmulator=true;"
    )
    publisher.publish(PUBLICATION, Target(settings_of(entity="session-4", connection_string=string)))
    assert len(broker.process.kept("session-4")) == 1


@pytest.mark.parametrize(
    ("given", "access"),
    [
        ({"connection_string": OPENED}, Access(NAMESPACE, 5671, "send", "a2V5==", True)),
        ({"connection_string": OPENED + ";EntityPath=payments"}, Access(NAMESPACE, 5671, "send", "a2V5==", True)),
        (
            {"connection_string": OPENED + ";UseDevelopmentEmulator=true"},
            Access(NAMESPACE, 5672, "send", "a2V5==", False),
        ),
        ({"connection_string": OPENED, "tls": False}, Access(NAMESPACE, 5672, "send", "a2V5==", False)),
        ({"namespace": NAMESPACE, "key_name": "send", "key": "k"}, Access(NAMESPACE, 5671, "send", "k", True)),
        ({"namespace": "127.0.0.1:9", "key_name": "send", "key": "k"}, Access("127.0.0.1", 9, "send", "k", True)),
    ],
)
def test_a_namespace_is_opened_by_a_key_or_by_a_connection_string(given: dict[str, Any], access: Access) -> None:
    assert settings_of(**given).access() == access


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "needs namespace, key_name and key, or connection_string"),
        ({"namespace": NAMESPACE, "key_name": "send"}, "needs namespace, key_name and key, or connection_string"),
        ({"connection_string": OPENED, "key": "k"}, "takes either connection_string or"),
        ({"connection_string": ""}, "must hold Endpoint"),
        ({"connection_string": f"Endpoint=sb://{NAMESPACE}/;SharedAccessSignature=x"}, "must hold Endpoint"),
        ({"connection_string": OPENED.replace("sb:", "https:")}, "must hold Endpoint"),
        ({"connection_string": OPENED + ";EntityPath=other"}, "is for another entity"),
        ({"connection_string": OPENED.replace(NAMESPACE, "a b")}, "must be a host"),
        ({"namespace": "https://shop", "key_name": "send", "key": "k"}, "must be a host"),
        ({"namespace": "shop/queue", "key_name": "send", "key": "k"}, "must be a host"),
        ({"namespace": "me@shop", "key_name": "send", "key": "k"}, "must be a host"),
        ({"namespace": "[::1]:9", "key_name": "send", "key": "k"}, "must be a host"),
        ({"namespace": "shop:0", "key_name": "send", "key": "k"}, "must be a host"),
        ({"namespace": "shop:65536", "key_name": "send", "key": "k"}, "must be a host"),
        ({"connection_string": OPENED, "entity": "../x"}, "String should match pattern"),
        ({"connection_string": OPENED, "ca_certificates": "none"}, "certificates in PEM"),
    ],
)
def test_a_target_that_can_not_be_is_refused_without_its_secret(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as refused:
        settings_of(**given)
    (problem,) = refused.value.errors()
    assert said in problem["msg"]
    assert "a2V5" not in str(refused.value)


@pytest.mark.parametrize(
    ("given", "allowed", "objection"),
    [
        ({"namespace": NAMESPACE}, (), None),
        ({"namespace": "10.0.0.1"}, (), Pointer("/namespace", ADDRESS_REFUSED)),
        ({"namespace": "127.0.0.1", "tls": False}, (), Pointer("/namespace", ADDRESS_REFUSED)),
        ({"namespace": "127.0.0.1", "tls": False}, LOOPBACK, None),
        ({"namespace": NAMESPACE, "tls": False}, (), Pointer("/namespace", PLAIN_REFUSED)),
    ],
)
def test_what_speaks_against_a_target_is_said_when_it_is_made(
    given: dict[str, Any], allowed: tuple[str, ...], objection: Pointer | None
) -> None:
    settings = settings_of(key_name="send", key="k", **given)
    assert ServiceBusPublisher(allowed_networks=allowed).objection(settings) == objection


def test_an_emulators_connection_string_is_for_allowed_networks_alone() -> None:
    settings = settings_of(connection_string=OPENED + ";UseDevelopmentEmulator=true")
    assert ServiceBusPublisher().objection(settings) == Pointer("/connection_string", PLAIN_REFUSED)
