"""What every channel promises: see `contracts.publisher`."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydantic import BaseModel

from chalicelib.contracts.publisher import DeliveryFailed, Publication, Publisher, Rejected, Retry, Target
from chalicelib.publishers.cloudevents import ATTRIBUTES
from chalicelib.publishers.registry import publishers
from chalicelib.services.secrets import secret_fields
from tests.conformance.certificates import authority_in, server_context
from tests.conformance.channel import LOOPBACK, PUBLIC, Broker, ChannelHarness, Destination, Received, until
from tests.conformance.channels import CHANNELS
from tests.conformance.wire import Wire

SHORT_S = 1.5  # for what is waited out
BUSY_S = 6  # what a busy machine may take besides; a time-out of a library's own is longer
BROKERS = [pytest.param(one, id=str(one), marks=pytest.mark.xdist_group(f"channel {one}")) for one in CHANNELS]


@pytest.fixture(scope="module", params=BROKERS)
def harness(request: pytest.FixtureRequest) -> ChannelHarness:
    found: ChannelHarness = request.param
    return found


@pytest.fixture
def broker(harness: ChannelHarness, broker_of: Callable[[ChannelHarness], Broker]) -> Broker:
    return broker_of(harness)


@pytest.fixture
def destination(broker: Broker) -> Iterator[Destination]:
    with broker.destination() as made:
        yield made


@pytest.fixture
def publisher(broker: Broker) -> Iterator[Publisher]:
    made = broker.publisher()
    yield made
    made.close()


@pytest.fixture
def hasty(broker: Broker) -> Iterator[Publisher]:
    """Waits a short time only."""
    made = broker.publisher(connect_timeout_s=SHORT_S, answer_timeout_s=SHORT_S)
    yield made
    made.close()


def event(payment: str = "pay_1", sequence: int = 1, size: int = 0) -> Publication:
    """Its bytes are such as no serializer would make again."""
    event_id = f"evt_{payment}_{sequence}"
    body = (
        f'{{"specversion": "1.0",  "id": "{event_id}", "source": "/paymentserver/default", "type": "payment.captured",\n'
        f' "subject": "{payment}", "time": "2026-03-01T12:00:00.000000Z", "datacontenttype": "application/json",'
        f' "sequence": {sequence}, "data": {{"payment": {{"text": "\\u00e4 ä €", "value": 1e3}}, "x": "{"x" * size}"}}}}'
    )
    return Publication(event_id, "payment.captured", payment, body.encode())


def about_no_payment() -> Publication:
    body = b'{"specversion":"1.0","id":"evt_t","source":"/paymentserver/default","type":"test","time":"2026-03-01T12:00:00Z"}'
    return Publication("evt_t", "test", None, body)


def failure_of(publisher: Publisher, target: Target, publication: Publication | None = None) -> DeliveryFailed:
    with pytest.raises(DeliveryFailed) as failed:
        publisher.publish(publication or event(), target)
    return failed.value


def persistently(publisher: Publisher, publications: list[Publication], target: Target) -> None:
    """Publishes in order, each again until it is taken, as the delivery schedule does."""
    pause = threading.Event()
    for publication in publications:
        while True:
            try:
                publisher.publish(publication, target)
                break
            except Retry:
                pause.wait(0.05)


def first_seen(messages: list[Received], payment: str) -> list[int]:
    """The sequences of one payment, repeats dropped as subscribers drop them."""
    events = [json.loads(one.body) for one in messages]
    return list(dict.fromkeys(one["sequence"] for one in events if one["subject"] == payment))


def test_every_channel_has_a_harness() -> None:
    assert {one.channel for one in CHANNELS} == set(publishers(allowed_networks=()))


def test_no_client_library_is_imported_before_it_is_used() -> None:
    code = (
        "import sys; from chalicelib.publishers.registry import publishers; list(publishers(allowed_networks=()).values());"
        "print(*sorted({name.split('.')[0] for name in sys.modules} & set(sys.argv)))"
    )
    libraries = ["pika", "boto3", "botocore", "confluent_kafka", "azure", "uamqp", "google"]
    found = subprocess.run([sys.executable, "-c", code, *libraries], capture_output=True, text=True, check=True)
    assert found.stdout.split() == []


def test_a_message_is_the_event_byte_for_byte(destination: Destination, publisher: Publisher) -> None:
    publisher.publish(event(), destination.target)
    (message,) = destination.received()
    assert message.body == event().body
    assert message.content_type == "application/cloudevents+json; charset=utf-8"


def test_a_large_event_arrives_whole(destination: Destination, publisher: Publisher) -> None:
    publisher.publish(event(size=200_000), destination.target)
    assert [one.body for one in destination.received()] == [event(size=200_000).body]


def test_a_message_is_known_by_its_event(destination: Destination, publisher: Publisher) -> None:
    publisher.publish(event(), destination.target)
    assert [one.message_id for one in destination.received()] == ["evt_pay_1_1"]


def test_a_message_is_ordered_by_its_payment(destination: Destination, publisher: Publisher) -> None:
    publisher.publish(event("pay_7"), destination.target)
    assert [one.ordering_key for one in destination.received()] in (["pay_7"], [None])


def test_the_attributes_are_beside_the_body_as_the_binding_says(destination: Destination, publisher: Publisher) -> None:
    publisher.publish(event(sequence=3), destination.target)
    (message,) = destination.received()
    told = json.loads(event(sequence=3).body)
    assert dict(message.attributes) == {name: str(told[name]) for name in ATTRIBUTES}


def test_an_event_without_a_payment_arrives_too(destination: Destination, publisher: Publisher) -> None:
    publisher.publish(about_no_payment(), destination.target)
    (message,) = destination.received()
    assert message.body == about_no_payment().body
    assert message.ordering_key in ("test", None)
    assert "subject" not in message.attributes


def test_a_hundred_events_of_a_payment_keep_their_order(
    harness: ChannelHarness, destination: Destination, publisher: Publisher
) -> None:
    for sequence in range(100):
        publisher.publish(event(sequence=sequence), destination.target)
    found = first_seen(destination.received(), "pay_1")
    assert (found if harness.ordered else sorted(found)) == list(range(100))


def test_many_threads_may_publish_at_once(destination: Destination, publisher: Publisher) -> None:
    publications = [event(f"pay_{number}") for number in range(40)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda one: publisher.publish(one, destination.target), publications))
    assert {one.body for one in destination.received()} == {one.body for one in publications}


def test_nothing_counts_before_the_broker_has_acknowledged_it(
    broker: Broker, destination: Destination, hasty: Publisher
) -> None:
    hasty.publish(event(sequence=1), destination.target)
    with broker.wire.silenced():
        began = time.monotonic()
        failed = failure_of(hasty, destination.target, event(sequence=2))
        took_s = time.monotonic() - began
    assert isinstance(failed, Retry)
    assert took_s < 3 * SHORT_S + BUSY_S


def test_a_broker_that_never_greets_is_given_up_in_time(
    broker: Broker, destination: Destination, hasty: Publisher
) -> None:
    with broker.wire.silenced():
        began = time.monotonic()
        failed = failure_of(hasty, destination.target)
        took_s = time.monotonic() - began
    assert isinstance(failed, Retry)
    assert took_s < 3 * SHORT_S + BUSY_S


def test_an_unreachable_broker_is_tried_again(broker: Broker, destination: Destination, publisher: Publisher) -> None:
    broker.wire.cut()
    try:
        failed = failure_of(publisher, destination.target)
    finally:
        broker.wire.mend()
    assert isinstance(failed, Retry)
    assert failed.detail
    publisher.publish(event(), destination.target)
    assert [one.body for one in destination.received()] == [event().body]


@pytest.mark.parametrize("wrong", ["missing", "wrong_credentials"])
def test_what_an_operator_can_mend_is_told_and_tried_again(
    destination: Destination, publisher: Publisher, wrong: str
) -> None:
    began = time.monotonic()
    failed = failure_of(publisher, getattr(destination, wrong))
    assert isinstance(failed, Retry), "nothing is lost meanwhile"
    assert len(failed.detail) > 20, "it says what is wrong"
    assert time.monotonic() - began < 20
    assert destination.received() == []


def test_a_wrong_target_spoils_nothing_for_the_right_one(destination: Destination, publisher: Publisher) -> None:
    for target in (destination.missing, destination.wrong_credentials):
        failure_of(publisher, target)
        publisher.publish(event(), destination.target)
    assert {one.body for one in destination.received()} == {event().body}


def test_secrets_are_never_seen(
    broker: Broker, destination: Destination, hasty: Publisher, caplog: pytest.LogCaptureFixture
) -> None:
    seen = [repr(destination.target), str(destination.target.settings), repr(hasty)]
    with caplog.at_level(logging.DEBUG):
        hasty.publish(event(), destination.target)
        broker.wire.cut()
        try:
            failures = [failure_of(hasty, destination.target)]
        finally:
            broker.wire.mend()
        failures += [failure_of(hasty, one) for one in (destination.missing, destination.wrong_credentials)]
        failures.append(failure_of(hasty, destination.plain_at(PUBLIC)))
    seen += ["".join(traceback.format_exception(one)) + repr(one) + one.detail + one.answer for one in failures]
    seen += [caplog.text, *(str(record.args) for record in caplog.records)]
    for secret in destination.secrets:
        assert secret not in "\n".join(seen)


def test_a_connection_is_used_again(broker: Broker, destination: Destination, publisher: Publisher) -> None:
    publisher.publish(event(sequence=0), destination.target)
    before = broker.wire.opened
    for sequence in range(1, 21):
        publisher.publish(event(sequence=sequence), destination.target)
    assert broker.wire.opened == before


def test_a_lost_connection_is_made_again(broker: Broker, destination: Destination, publisher: Publisher) -> None:
    publisher.publish(event(sequence=1), destination.target)
    broker.wire.cut()
    broker.wire.mend()
    persistently(publisher, [event(sequence=2)], destination.target)
    assert set(first_seen(destination.received(), "pay_1")) == {1, 2}


def test_a_broker_that_stops_and_starts_loses_nothing_and_mixes_nothing_up(
    harness: ChannelHarness, broker: Broker, destination: Destination, publisher: Publisher
) -> None:
    payments = {f"pay_{number}": [event(f"pay_{number}", sequence) for sequence in range(100)] for number in range(3)}
    count = threading.Semaphore(0)

    def publish(publications: list[Publication]) -> None:
        for publication in publications:
            persistently(publisher, [publication], destination.target)
            count.release()

    with ThreadPoolExecutor(3) as pool:
        running = [pool.submit(publish, one) for one in payments.values()]
        for _ in range(100):
            assert count.acquire(timeout=60)
        broker.stop()
        try:
            assert not all(one.done() for one in running), "it stopped in the midst"
        finally:
            broker.start()
        for one in running:
            one.result(timeout=120)
    messages = destination.received()
    for payment in payments:
        found = first_seen(messages, payment)
        assert (found if harness.ordered else sorted(found)) == list(range(100))


def test_a_closed_publisher_has_let_its_connections_go(
    broker: Broker, destination: Destination, publisher: Publisher
) -> None:
    publisher.publish(event(), destination.target)
    publisher.close()
    until(lambda: broker.wire.open_now == 0, "closing")


def test_tls_is_demanded_beyond_the_networks_that_are_allowed(destination: Destination, publisher: Publisher) -> None:
    failed = failure_of(publisher, destination.plain_at(PUBLIC))
    assert isinstance(failed, Rejected)
    assert "TLS" in failed.detail or "https" in failed.detail


def test_a_private_address_is_not_dialled_unless_allowed(broker: Broker, destination: Destination) -> None:
    strict = publishers(allowed_networks=())[type(broker.publisher()).channel]
    before = broker.wire.opened
    failed = failure_of(strict, destination.target)
    assert isinstance(failed, Rejected)
    assert broker.wire.opened == before


def test_tls_reaches_a_broker_whose_certificate_is_trusted(
    broker: Broker, destination: Destination, publisher: Publisher, tmp_path: Path
) -> None:
    ca, certificate, key = authority_in(tmp_path)
    wire = Wire(broker.address, server_context(certificate, key))
    try:
        with destination.tls_at(wire.port, ca) as target:
            publisher.publish(event(), target)
    finally:
        wire.close()
    assert [one.body for one in destination.received()] == [event().body]


def test_a_certificate_that_nobody_vouches_for_is_refused(
    broker: Broker, destination: Destination, hasty: Publisher, tmp_path: Path
) -> None:
    _, certificate, key = authority_in(tmp_path)
    wire = Wire(broker.address, server_context(certificate, key))
    try:
        with destination.tls_at(wire.port, None) as target:
            failed = failure_of(hasty, target)
    finally:
        wire.close()
    assert isinstance(failed, Retry)
    assert destination.received() == []


def _documented(model: type[BaseModel]) -> None:
    for name, field in model.model_json_schema()["properties"].items():
        assert len(field.get("description", "")) > 10, f"{model.__name__}.{name}"


@pytest.mark.parametrize("channel", sorted({one.channel for one in CHANNELS}))
def test_the_schema_of_a_target_says_what_each_field_is(channel: str) -> None:
    publisher = publishers(allowed_networks=LOOPBACK)[channel]
    _documented(publisher.settings)
    secret_fields(publisher.settings)  # each can be sealed
    assert publisher.settings.model_config["extra"] == "forbid"
