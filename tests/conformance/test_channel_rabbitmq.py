"""What RabbitMQ alone can answer, and what a target of its may look like."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pydantic import ValidationError

from chalicelib.contracts.publisher import Publication, Publisher, Retry
from chalicelib.publishers.rabbitmq import RabbitmqPublisher, RabbitmqTarget
from tests.conformance.channel import Broker, ChannelHarness
from tests.conformance.channel_rabbitmq import RabbitmqBroker, rabbitmq
from tests.conformance.channels import CHANNELS

pytestmark = pytest.mark.xdist_group("channel rabbitmq")
CAPTURED = Publication("evt_1", "payment.captured", "pay_1", b'{"id": "evt_1", "type": "payment.captured"}')


@pytest.fixture
def broker(broker_of: Callable[[ChannelHarness], Broker]) -> RabbitmqBroker:
    found = broker_of(next(one for one in CHANNELS if one.opened is rabbitmq))
    assert isinstance(found, RabbitmqBroker)
    return found


@pytest.fixture
def publisher(broker: RabbitmqBroker) -> Iterator[Publisher]:
    made = broker.publisher()
    yield made
    made.close()


def test_the_event_type_is_the_routing_key(broker: RabbitmqBroker, publisher: Publisher) -> None:
    with broker.destination(keys=["payment.captured"]) as destination:
        publisher.publish(CAPTURED, destination.target)
        assert len(destination.received()) == 1


def test_an_event_that_no_queue_takes_is_told_and_not_lost(broker: RabbitmqBroker, publisher: Publisher) -> None:
    with broker.destination(keys=["payment.refunded"]) as destination:
        with pytest.raises(Retry, match=r"NO_ROUTE.*bind one to the exchange 'events-\d+'.*'payment.captured'"):
            publisher.publish(CAPTURED, destination.target)
        before = broker.wire.opened
        with pytest.raises(Retry, match="NO_ROUTE"):
            publisher.publish(CAPTURED, destination.target)
        assert broker.wire.opened <= before + 1


def test_a_queue_that_is_full_is_told(broker: RabbitmqBroker, publisher: Publisher) -> None:
    full = {"x-max-length": 1, "x-overflow": "reject-publish"}
    with broker.destination(arguments=full) as destination:
        publisher.publish(CAPTURED, destination.target)
        with pytest.raises(Retry, match="nack"):
            publisher.publish(CAPTURED, destination.target)
        assert len(destination.received()) == 1


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"exchange": "nowhere"}, "404 NOT_FOUND - no exchange 'nowhere'"),
        ({"password": "wrong"}, "refuses the user name or the password"),
        ({"username": "nobody"}, "refuses the user name or the password"),
        ({"url": "amqp://localhost:{port}/elsewhere"}, "vhost"),
    ],
)
def test_what_is_wrong_is_named(broker: RabbitmqBroker, publisher: Publisher, wrong: dict[str, str], told: str) -> None:
    with broker.destination() as destination:
        target = destination.at(**{name: value.format(port=broker.wire.port) for name, value in wrong.items()})
        with pytest.raises(Retry, match=told):
            publisher.publish(CAPTURED, target)


def test_a_user_without_the_permission_to_write_is_told(broker: RabbitmqBroker, publisher: Publisher) -> None:
    broker.control("add_user", "reader", "what-only-the-reader-knows")
    broker.control("set_permissions", "reader", "", "", ".*")
    with broker.destination() as destination:
        target = destination.at(username="reader", password="what-only-the-reader-knows")
        with pytest.raises(Retry, match="403 ACCESS_REFUSED"):
            publisher.publish(CAPTURED, target)


def test_a_connection_that_the_broker_ended_meanwhile_costs_no_try(
    broker: RabbitmqBroker, publisher: Publisher
) -> None:
    with broker.destination() as destination:
        publisher.publish(CAPTURED, destination.target)
        broker.control("close_all_connections", "maintenance")
        publisher.publish(CAPTURED, destination.target)
        assert len(destination.received()) == 2


def test_where_one_address_does_not_answer_the_next_is_dialled(
    broker: RabbitmqBroker, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chalicelib.publishers.rabbitmq.dialled_addresses", lambda *_, **__: ["::1", "127.0.0.1"])
    with broker.destination() as destination:
        publisher.publish(CAPTURED, destination.target)
        assert len(destination.received()) == 1


def test_changed_settings_are_used_at_once(broker: RabbitmqBroker, publisher: Publisher) -> None:
    with broker.destination() as destination:
        publisher.publish(CAPTURED, destination.target)
        with pytest.raises(Retry, match="password"):
            publisher.publish(CAPTURED, destination.at(password="what it was before"))


GOOD: dict[str, Any] = {"url": "amqps://broker.example", "exchange": "e", "username": "u", "password": "p"}


@pytest.mark.parametrize(
    "url",
    [
        "https://broker.example",
        "amqps://",
        "amqps://user:secret@broker.example",
        "amqps://user@broker.example",
        "amqps://broker.example/a/b",
        "amqps://broker.example/?heartbeat=0",
        "amqps://broker.example/#x",
        "amqps://broker.example:0",
        "amqps://broker.example:99999",
        "amqps://broker example",
        "amqps://broker.example/\n",
    ],
)
def test_an_odd_address_is_refused(url: str) -> None:
    with pytest.raises(ValidationError):
        RabbitmqTarget.model_validate(GOOD | {"url": url})


def test_what_is_no_certificate_is_refused() -> None:
    with pytest.raises(ValidationError, match="PEM"):
        RabbitmqTarget.model_validate(GOOD | {"ca_certificates": "-----BEGIN CERTIFICATE-----\n"})


@pytest.mark.parametrize(("url", "told"), [("amqp://93.184.216.34/", "TLS"), ("amqps://127.0.0.1/", "loopback")])
def test_a_target_is_objected_to_before_it_is_dialled(url: str, told: str) -> None:
    objection = RabbitmqPublisher().objection(RabbitmqTarget.model_validate(GOOD | {"url": url}))
    assert objection is not None
    assert objection.pointer == "/url"
    assert told in objection.detail


def test_a_public_target_by_tls_is_not_objected_to() -> None:
    assert RabbitmqPublisher().objection(RabbitmqTarget.model_validate(GOOD)) is None
