"""The Kafka channel with brokers that fail, stop, refuse and move; see also the conformance suite."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from chalicelib.contracts.publisher import Publication, Retry, Target
from chalicelib.publishers.kafka import KafkaPublisher, KafkaTarget
from tests.conformance import kafka_mock as mock
from tests.conformance.certificates import authority_in, server_context
from tests.conformance.channel import LOOPBACK, until
from tests.conformance.kafka_front import Front
from tests.conformance.kafka_mock import MockCluster, mock_cluster
from tests.conformance.tansu import Tansu, received
from tests.conformance.wire import Wire

pytestmark = pytest.mark.xdist_group("kafka brokers")
USERNAME, PASSWORD = "shop-events", "password-of-the-shop"
LOGIN = {"sasl_mechanism": "PLAIN", "username": USERNAME, "password": PASSWORD}


@pytest.fixture(scope="module")
def cluster() -> Iterator[MockCluster]:
    with mock_cluster() as made:
        yield made


@pytest.fixture
def topic(cluster: MockCluster, request: pytest.FixtureRequest) -> str:
    name = f"t{abs(hash(request.node.name))}"
    cluster.create(name, 4)
    return name


@pytest.fixture(scope="module")
def tansu() -> Iterator[Tansu]:
    broker = Tansu()
    broker.create("payments")
    yield broker
    broker.stop()


@pytest.fixture
def front(tansu: Tansu) -> Iterator[Front]:
    made = Front(tansu.address, USERNAME, PASSWORD)
    made.advertised = made.address
    yield made
    made.shutdown()
    made.server_close()


@pytest.fixture
def publisher() -> Iterator[KafkaPublisher]:
    made = KafkaPublisher(allowed_networks=LOOPBACK, connect_timeout_s=20, answer_timeout_s=4)
    yield made
    made.close()


def target(servers: str, topic: str = "payments", **settings: Any) -> Target:
    return Target(KafkaTarget.model_validate({"bootstrap_servers": servers, "topic": topic, "tls": False, **settings}))


def event(number: int, payment_id: str = "pay_1") -> Publication:
    body = f'{{"specversion":"1.0","id":"evt_{number}","type":"payment.captured","sequence":{number}}}'
    return Publication(f"evt_{number}", "payment.captured", payment_id, body.encode())


def detail_of(publisher: KafkaPublisher, target: Target) -> str:
    with pytest.raises(Retry) as failed:
        publisher.publish(event(1), target)
    return failed.value.detail


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (mock.TOPIC_AUTHORIZATION_FAILED, "may not write to the topic"),
        (mock.MSG_SIZE_TOO_LARGE, "larger than the topic takes"),
        (87, "refused the event (INVALID_RECORD)"),
    ],
)
def test_what_the_broker_refuses_is_told_in_words(
    cluster: MockCluster, topic: str, publisher: KafkaPublisher, error: int, told: str
) -> None:
    cluster.fail_next(mock.PRODUCE, error)
    assert told in detail_of(publisher, target(cluster.servers, topic))


def test_an_event_that_was_refused_once_is_taken_the_next_time(
    cluster: MockCluster, topic: str, publisher: KafkaPublisher
) -> None:
    cluster.fail_next(mock.PRODUCE, mock.TOPIC_AUTHORIZATION_FAILED)
    detail_of(publisher, target(cluster.servers, topic))
    publisher.publish(event(1), target(cluster.servers, topic))
    assert [one.message_id for one in received(cluster.servers, topic)] == ["evt_1"]


def test_an_account_that_may_not_write_idempotently_is_told_so(
    cluster: MockCluster, topic: str, publisher: KafkaPublisher
) -> None:
    cluster.fail_next(mock.INIT_PRODUCER_ID, *[mock.CLUSTER_AUTHORIZATION_FAILED] * 10)
    try:
        assert "IdempotentWrite" in detail_of(publisher, target(cluster.servers, topic))
    finally:
        cluster.forget_failures(mock.INIT_PRODUCER_ID)


def test_a_topic_that_the_account_may_not_see_is_told_before_anything_is_sent(
    cluster: MockCluster, topic: str, publisher: KafkaPublisher
) -> None:
    cluster.set_topic_error(topic, mock.TOPIC_AUTHORIZATION_FAILED)
    assert "may not write to the topic" in detail_of(publisher, target(cluster.servers, topic))


def test_too_few_replicas_for_a_moment_are_waited_for(
    cluster: MockCluster, topic: str, publisher: KafkaPublisher
) -> None:
    cluster.fail_next(mock.PRODUCE, mock.NOT_ENOUGH_REPLICAS, mock.NOT_ENOUGH_REPLICAS)
    publisher.publish(event(1), target(cluster.servers, topic))
    assert [one.message_id for one in received(cluster.servers, topic)] == ["evt_1"]


def test_a_broker_that_forgot_the_producer_gets_the_event_all_the_same(
    cluster: MockCluster, topic: str, publisher: KafkaPublisher
) -> None:
    publisher.publish(event(1), target(cluster.servers, topic))
    cluster.fail_next(mock.PRODUCE, mock.UNKNOWN_PRODUCER_ID)
    publisher.publish(event(2), target(cluster.servers, topic))
    assert [one.message_id for one in received(cluster.servers, topic)] == ["evt_1", "evt_2"]


def test_brokers_that_stop_and_start_lose_nothing_and_mix_nothing_up(
    cluster: MockCluster, topic: str, publisher: KafkaPublisher
) -> None:
    half, pause = threading.Event(), threading.Event()

    def publish() -> None:
        for number in range(60):
            while True:
                try:
                    publisher.publish(event(number), target(cluster.servers, topic))
                    break
                except Retry:
                    pause.wait(0.05)
            if number == 30:
                half.set()

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(publish)
        assert half.wait(30)
        cluster.stop()
        assert not running.done()
        cluster.start()
        running.result(60)
    ids = [one.message_id for one in received(cluster.servers, topic)]
    assert list(dict.fromkeys(ids)) == [f"evt_{number}" for number in range(60)]


@pytest.mark.parametrize(("key", "murmur2"), [("21", -973932308), ("foobar", -790332482), ("abc", 479470107)])
def test_a_payment_is_in_the_partition_where_java_would_put_it(
    cluster: MockCluster, topic: str, publisher: KafkaPublisher, key: str, murmur2: int
) -> None:  # the hashes are those of Kafka's own UtilsTest
    receipt = publisher.publish(event(1, key), target(cluster.servers, topic))
    assert receipt.answer == f"partition {(murmur2 & 0x7FFFFFFF) % 4}, offset 0"


def test_all_threads_share_one_producer(cluster: MockCluster, topic: str, publisher: KafkaPublisher) -> None:
    with ThreadPoolExecutor(8) as pool:
        for published in [
            pool.submit(publisher.publish, event(number), target(cluster.servers, topic)) for number in range(64)
        ]:
            published.result(10)
    until(lambda: [one.name for one in threading.enumerate()].count("kafka reports") == 1, "closing the surplus")


def test_a_topic_is_never_created(tansu: Tansu, publisher: KafkaPublisher) -> None:
    for _ in range(2):  # the second time it would be there
        assert "does not exist" in detail_of(publisher, target(tansu.servers, "nobody"))


def test_a_broker_that_started_anew_and_empty_gets_the_next_try(publisher: KafkaPublisher) -> None:
    broker = Tansu()
    try:
        broker.create("payments")
        publisher.publish(event(1), target(broker.servers))
        broker.stop()
        broker.start()
        broker.create("payments")
        assert "acknowledge" in detail_of(publisher, target(broker.servers)), "it knows neither producer nor past"
        publisher.publish(event(2), target(broker.servers))
        assert [one.message_id for one in broker.received("payments")] == ["evt_2"]
    finally:
        broker.stop()


def test_a_broker_that_is_down_is_given_up_at_once_and_quietly(
    publisher: KafkaPublisher, capfd: pytest.CaptureFixture[str]
) -> None:
    began = time.monotonic()
    assert detail_of(publisher, target("127.0.0.1:9")) == "no broker could be reached"
    assert time.monotonic() - began < 15
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_each_mechanism_logs_in(front: Front, publisher: KafkaPublisher, mechanism: str) -> None:
    publisher.publish(event(1), target(front.servers, **{**LOGIN, "sasl_mechanism": mechanism}))
    assert set(front.logins) == {mechanism}


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_a_wrong_password_is_told_without_the_words_of_the_broker(
    front: Front, publisher: KafkaPublisher, mechanism: str
) -> None:
    wrong = {**LOGIN, "sasl_mechanism": mechanism, "password": "wrong"}
    detail = detail_of(publisher, target(front.servers, **wrong))
    assert detail == "the broker refused the credentials, or does not offer the SASL mechanism"


def test_a_broker_that_asks_for_no_login_is_told_apart(front: Front, publisher: KafkaPublisher) -> None:
    assert detail_of(publisher, target(front.servers)) == "no broker could be reached"


def test_a_listener_that_may_not_be_dialled_gets_no_event(
    front: Front, tansu: Tansu, publisher: KafkaPublisher
) -> None:
    before = len(tansu.received("payments"))
    front.advertised = ("10.0.0.1", 9092)
    detail = detail_of(publisher, target(front.servers, **LOGIN))
    assert "advertised listener" in detail
    assert "PAYMENTSERVER_ALLOWED_TARGETS" in detail
    assert len(tansu.received("payments")) == before


def test_one_server_whose_name_has_an_address_is_enough(
    cluster: MockCluster, topic: str, publisher: KafkaPublisher
) -> None:
    for servers in (f"nobody.invalid:9092,{cluster.servers}", f"{cluster.servers},nobody.invalid:9092"):
        publisher.publish(event(1), target(servers, topic))
    assert len(received(cluster.servers, topic)) == 2


def test_names_without_addresses_are_told(publisher: KafkaPublisher) -> None:
    assert "no address" in detail_of(publisher, target("nobody.invalid:9092,none.invalid:9092"))


def test_mutual_tls_shows_the_certificate_of_the_target(
    front: Front, publisher: KafkaPublisher, tmp_path: Path
) -> None:
    ca, certificate, key = authority_in(tmp_path)
    context = server_context(certificate, key)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(ca)
    wire = Wire(front.address, context)
    front.advertised = ("localhost", wire.port)
    shown = {"client_certificate": certificate.read_text(), "client_key": key.read_text()}
    given = {**LOGIN, "tls": True, "ca_certificates": ca.read_text()}
    try:
        assert detail_of(publisher, target(f"localhost:{wire.port}", **given))
        publisher.publish(event(1), target(f"localhost:{wire.port}", **given, **shown))
    finally:
        wire.close()


def test_a_key_that_is_none_is_a_problem_of_the_settings(publisher: KafkaPublisher, tmp_path: Path) -> None:
    _, certificate, _ = authority_in(tmp_path)
    shown = {"client_certificate": certificate.read_text(), "client_key": "no key"}
    assert "client_key" in detail_of(publisher, target("127.0.0.1:9", **{"tls": True, **shown}))
