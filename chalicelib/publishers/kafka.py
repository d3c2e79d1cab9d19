"""Kafka: one message to one topic, acknowledged by all replicas in sync, with the payment id as its key.

The client is confluent-kafka. Its producer is thread-safe and costs several threads and connections, so all deliveries to a
target share one. Headers are those of the CloudEvents Kafka binding (version 1.0, 3.3), `ce_` before each attribute.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NoAnswer
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from chalicelib.contracts.publisher import DeliveryFailed, Publication, Receipt, Retry, Target
from chalicelib.contracts.validation import worded
from chalicelib.domain.errors import Pointer
from chalicelib.outbound.failures import UNRESOLVED
from chalicelib.publishers import broker
from chalicelib.publishers.cloudevents import CONTENT_TYPE, headers_of, ordering_key_of
from chalicelib.publishers.shared import Shared

if TYPE_CHECKING:
    from confluent_kafka import KafkaError, Message
    from confluent_kafka._types import HeadersType

PATIENCE_S, POLL_S = 0.5, 0.2
REPORT_LATE_S = 2.0  # librdkafka looks for messages past their time once a second
SERVERS_MAX = 10
TOPIC = worded(
    r"\A[A-Za-z0-9._-]*[A-Za-z0-9_-][A-Za-z0-9._-]*\z",
    "must be the name of a topic: letters, digits, dots, _ and -, and not dots alone",
)
_SERVER = re.compile(r"(?:\[([0-9A-Fa-f:.]+)]|([A-Za-z0-9._-]+)):([0-9]{1,5})")

# What librdkafka would write to stderr, some of it in a broker's own words. Problems are told in the delivery log, in ours.
_QUIET = logging.Logger("kafka", level=logging.CRITICAL + 1)

# By the names of librdkafka's error codes.
_DETAIL = {
    "UNKNOWN_TOPIC_OR_PART": "the topic does not exist, or the account may not see it (it needs Describe)",
    "TOPIC_AUTHORIZATION_FAILED": "the account may not write to the topic (it needs Describe and Write)",
    "CLUSTER_AUTHORIZATION_FAILED": "the account may not write idempotently (before Kafka 2.8 it needs IdempotentWrite)",
    "MSG_SIZE_TOO_LARGE": "the event is larger than the topic takes (max.message.bytes)",
    "NOT_ENOUGH_REPLICAS": "the topic has too few replicas in sync (min.insync.replicas)",
    "_AUTHENTICATION": "the broker refused the credentials, or does not offer the SASL mechanism",
    "_SSL": "the TLS handshake failed; a public authority or ca_certificates must vouch for the broker",
    "_RESOLVE": UNRESOLVED,
    "_TRANSPORT": "no broker could be reached",
    "_TIMED_OUT": "no broker answered in time",
    "_MSG_TIMED_OUT": "the brokers did not acknowledge the event in time",
}
_TIMED_OUT = frozenset({"_MSG_TIMED_OUT", "_TIMED_OUT", "_TRANSPORT"})
_CAUSES = ("_AUTHENTICATION", "_SSL", "_RESOLVE", "_TRANSPORT")  # of a time-out, the most telling first
_AFTER_FATAL = frozenset({"_FATAL", "_PURGE_QUEUE", "_PURGE_INFLIGHT"})


class KafkaTarget(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, use_attribute_docstrings=True)

    bootstrap_servers: str = Field(max_length=2048)
    """`host:port` of one or more brokers, separated by commas."""
    topic: str = Field(max_length=249, pattern=TOPIC)
    """A topic that exists; it is never created."""
    tls: bool = True
    """False only for brokers on loopback or in networks that the operator allows."""
    ca_certificates: str | None = Field(default=None, min_length=1, max_length=100_000)
    """PEM certificates of the authorities to trust instead of the public ones."""
    client_certificate: str | None = Field(default=None, min_length=1, max_length=100_000)
    """PEM certificate to show by mutual TLS."""
    client_key: SecretStr | None = None
    """PEM private key of `client_certificate`, not encrypted."""
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = None
    """How `username` and `password` are proven; left out, there is no login."""
    username: SecretStr | None = None
    """Who logs in by SASL."""
    password: SecretStr | None = None
    """The password that belongs to `username`."""

    @field_validator("bootstrap_servers")
    @classmethod
    def _addressed(cls, value: str) -> str:
        if not 1 <= len(servers_of(value)) <= SERVERS_MAX:
            raise ValueError(f"must be 1 to {SERVERS_MAX} servers")
        return value

    @field_validator("ca_certificates", "client_certificate")
    @classmethod
    def _readable(cls, value: str | None) -> str | None:
        broker.tls_context(value)
        return value

    @model_validator(mode="after")
    def _complete(self) -> Self:
        login = (self.sasl_mechanism, self.username, self.password)
        if any(login) and not all(login):
            raise ValueError("sasl_mechanism, username and password go together")
        if bool(self.client_certificate) != bool(self.client_key):
            raise ValueError("client_certificate and client_key go together")
        if not self.tls and (self.ca_certificates or self.client_certificate):
            raise ValueError("ca_certificates and client_certificate need tls")
        return self


def servers_of(text: str) -> list[tuple[str, int]]:
    """`host:port,[::1]:9092` as pairs. Raises ValueError."""
    servers = []
    for one in text.split(","):
        found = _SERVER.fullmatch(one.strip())
        if found is None or not 0 < int(found[3]) < 65536:
            raise ValueError("must be host:port, several separated by commas, without a scheme or credentials")
        servers.append((found[1] or found[2], int(found[3])))
    return servers


def security_of(settings: KafkaTarget) -> dict[str, str]:
    """librdkafka's settings for TLS and SASL, as its CONFIGURATION.md has them."""
    secrets = {
        "ssl.key.pem": settings.client_key,
        "sasl.username": settings.username,
        "sasl.password": settings.password,
    }
    given = {
        "security.protocol": ("SASL_" if settings.sasl_mechanism else "") + ("SSL" if settings.tls else "PLAINTEXT"),
        "ssl.endpoint.identification.algorithm": "https",
        "ssl.ca.pem": settings.ca_certificates,
        "ssl.certificate.pem": settings.client_certificate,
        "sasl.mechanism": settings.sasl_mechanism,
        **{name: secret.get_secret_value() for name, secret in secrets.items() if secret is not None},
    }
    return {name: value for name, value in given.items() if value is not None}


class _Refused(Exception):
    """Its one argument is the name of librdkafka's error code."""


class _Connection:
    """One producer, the thread that hands out its reports, and the errors it met."""

    def __init__(self, configuration: dict[str, Any]) -> None:
        with broker.library_of("kafka"):
            from confluent_kafka import KafkaException, Producer
        self._exception = KafkaException
        self._met: dict[str, float] = {}  # when each was met last
        self._fatal: Future[str] = Future()
        self._is_closed = False
        self.is_checked = False
        met = {"error_cb": lambda error: self._met.update({error.name(): time.monotonic()}), "logger": _QUIET}
        try:
            self._producer = Producer({**configuration, **met})
        except KafkaException:
            raise Retry("the client refuses the settings; see client_certificate and client_key") from None
        self._poller = threading.Thread(target=self._poll, name="kafka reports", daemon=True)
        self._poller.start()

    def advertised(self, topic: str, timeout_s: float) -> list[tuple[str, int]]:
        """Where the brokers say they are. Raises _Refused, as soon as it is clear, for a topic that can not be seen."""
        ends = time.monotonic() + timeout_s
        while True:
            try:
                found = self._producer.list_topics(topic, timeout=PATIENCE_S)
                break
            except self._exception as error:
                if "_ALL_BROKERS_DOWN" in self._met or time.monotonic() > ends:
                    raise _Refused(self._cause(error.args[0].name(), 0)) from None
        problem = found.topics[topic].error
        if problem is not None:
            raise _Refused(problem.name())
        return [(one.host, one.port) for one in found.brokers.values()]

    def send(self, topic: str, publication: Publication, timeout_s: float) -> tuple[int, int]:
        """Partition and offset of what all replicas in sync have. Raises _Refused."""
        report: Future[tuple[KafkaError | None, Message]] = Future()
        headers: HeadersType = {"content-type": CONTENT_TYPE, **headers_of(publication, "ce_")}
        key, began = ordering_key_of(publication), time.monotonic()
        try:
            self._producer.produce(
                topic, publication.body, key, headers=headers, on_delivery=lambda *told: report.set_result(told)
            )
            error, message = report.result(timeout_s + REPORT_LATE_S)
        except self._exception as fault:
            raise _Refused(self._cause(fault.args[0].name(), began)) from None
        except (NoAnswer, BufferError):
            raise _Refused("_MSG_TIMED_OUT") from None
        if error is not None:
            raise _Refused(self._cause(error.name(), began))
        return message.partition() or 0, message.offset() or 0

    def close(self) -> None:
        """Nothing is on its way: each sender waits for its report."""
        self._is_closed = True

    def _poll(self) -> None:
        while not self._is_closed:
            try:
                self._producer.poll(POLL_S)
            except self._exception as fatal:  # each message on its way is reported all the same
                if not self._fatal.done():
                    self._fatal.set_result(fatal.args[0].name())
        self._producer.close()

    def _cause(self, name: str, since: float) -> str:
        """What lies behind `name`, where it only says that time ran out or that something was fatal."""
        if name in _AFTER_FATAL:
            with suppress(NoAnswer):
                return self._fatal.result(REPORT_LATE_S)
        met = (cause for cause in _CAUSES if name in _TIMED_OUT and self._met.get(cause, -1) >= since)
        return next(met, name)


class KafkaPublisher:
    """Thread-safe: deliveries to one target share its producer."""

    channel: ClassVar[str] = "kafka"
    settings: ClassVar[type[BaseModel]] = KafkaTarget
    signs: ClassVar[bool] = False

    def __init__(
        self,
        *,
        allowed_networks: tuple[str, ...] = (),
        connect_timeout_s: float = broker.CONNECT_TIMEOUT_S,
        answer_timeout_s: float = broker.ANSWER_TIMEOUT_S,
    ) -> None:
        self._allowed = allowed_networks
        self._connect_timeout_s, self._answer_timeout_s = connect_timeout_s, answer_timeout_s
        self._connections = Shared(_Connection.close)

    def objection(self, settings: BaseModel) -> Pointer | None:
        """What is wrong with a target before it is ever dialled."""
        assert isinstance(settings, KafkaTarget)
        servers = servers_of(settings.bootstrap_servers)
        found = (
            broker.objection_to(host, self._allowed, tls=settings.tls, at="/bootstrap_servers") for host, _ in servers
        )
        return next((one for one in found if one is not None), None)

    def publish(self, publication: Publication, target: Target) -> Receipt:
        settings = target.settings
        assert isinstance(settings, KafkaTarget)
        try:
            with self._connections.used(settings, lambda: _Connection(self._configuration(settings))) as connection:
                if not connection.is_checked:
                    self._check(connection, settings)
                partition, offset = connection.send(settings.topic, publication, self._answer_timeout_s)
        except _Refused as refused:
            raise Retry(_DETAIL.get(refused.args[0], f"the broker refused the event ({refused.args[0]})")) from None
        return Receipt(None, f"partition {partition}, offset {offset}")

    def close(self) -> None:
        self._connections.close()

    def _check(self, connection: _Connection, settings: KafkaTarget) -> None:
        """That the topic is there, and that the brokers say they are where one may go.

        librdkafka looks names up by itself, so this is a check of what it dials and no guard; TLS proves whom it reached.
        Raises _Refused, Retry.
        """
        for host, port in connection.advertised(settings.topic, self._connect_timeout_s):
            try:
                broker.dialled_addresses(host, port, self._allowed, tls=settings.tls)
            except DeliveryFailed as error:
                raise Retry(f"an advertised listener of the cluster can not be used: {error.detail}") from None
        connection.is_checked = True

    def _servers(self, settings: KafkaTarget) -> str:
        """Names, which TLS checks the certificate against; without TLS the very addresses that were found allowed."""
        dialled: list[tuple[str, int]] = []
        for host, port in (servers := servers_of(settings.bootstrap_servers)):
            try:
                addresses = broker.dialled_addresses(host, port, self._allowed, tls=settings.tls)
            except Retry:
                if not dialled and (host, port) == servers[-1]:  # one that has an address is enough
                    raise
                continue
            dialled += [(host, port)] if settings.tls else [(address, port) for address in addresses]
        return ",".join(f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in dialled)

    def _configuration(self, settings: KafkaTarget) -> dict[str, Any]:
        """librdkafka's settings, as its CONFIGURATION.md has them. Raises Retry, Rejected."""
        answer_ms = int(self._answer_timeout_s * 1000)
        return {
            "bootstrap.servers": self._servers(settings),
            "client.id": "paymentserver",
            "acks": "all",
            "enable.idempotence": True,
            "allow.auto.create.topics": False,
            "partitioner": "murmur2_random",  # Java's: its producers put the same key into the same partition
            "linger.ms": 0,
            "socket.connection.setup.timeout.ms": max(int(self._connect_timeout_s * 1000), 1000),
            "request.timeout.ms": answer_ms,
            "message.timeout.ms": answer_ms,
            **security_of(settings),
        }
