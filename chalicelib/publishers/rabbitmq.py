"""RabbitMQ by AMQP 0-9-1: the event's type is the routing key, and the broker confirms each message.

A message is persistent and mandatory: one that no queue takes comes back, which is told as a fault of the configuration
instead of being lost. The attributes are headers by the AMQP binding of CloudEvents (`cloudEvents:`).

pika's blocking connection waits for a confirmation without end (a quorum queue without its majority never gives one), so the
asynchronous one is run here, in the publishing thread, until the answer is there or its time is over.
"""

from __future__ import annotations

import logging
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from copy import copy
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import SplitResult, unquote, urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from chalicelib.contracts.publisher import Publication, Receipt, Retry, Target
from chalicelib.domain.errors import Pointer
from chalicelib.publishers.broker import (
    ANSWER_TIMEOUT_S,
    CONNECT_TIMEOUT_S,
    dialled_addresses,
    library_of,
    objection_to,
    tls_context,
)
from chalicelib.publishers.clients import Clients
from chalicelib.publishers.cloudevents import CONTENT_TYPE, headers_of

if TYPE_CHECKING:
    import pika
    from pika.channel import Channel
    from pika.connection import Connection

PORTS = {"amqps": 5671, "amqp": 5672}
HEARTBEAT_S = 60
IDLE_MAX_S = 60.0  # the broker ends what is silent for two heartbeats
CLOSE_TIMEOUT_S = 1.0
ADDRESSES_MAX = 3


class RabbitmqTarget(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, use_attribute_docstrings=True)

    url: str = Field(max_length=2048)
    """`amqps://host:port/vhost` without credentials; the vhost is `/` if left out. `amqp` is without TLS."""
    exchange: str = Field(min_length=1, max_length=127)
    """The exchange to publish to. It must exist, and a queue be bound to it for each event type subscribed to."""
    username: str = Field(min_length=1, max_length=255)
    """The user, who needs the permission to write to the exchange and none besides."""
    password: SecretStr = Field(max_length=1000)
    """The user's password."""
    ca_certificates: str | None = Field(default=None, max_length=100_000)
    """PEM certificates of the authorities to trust instead of the public ones."""

    @field_validator("url")
    @classmethod
    def _broker(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in PORTS or not parts.hostname or parts.port == 0:  # .port refuses other impossible ones
            raise ValueError("must be amqps://host or amqp://host, with a port and a vhost where wanted")
        if parts.username is not None or parts.password is not None:
            raise ValueError("must not hold credentials; they have fields of their own")
        if parts.query or parts.fragment or "/" in parts.path[1:] or not value.isprintable() or " " in value:
            raise ValueError("must hold a host, a port and a vhost, and nothing else; a / in a vhost is %2F")
        return value

    @field_validator("ca_certificates")
    @classmethod
    def _certificates(cls, value: str | None) -> str | None:
        tls_context(value)
        return value

    @property
    def parts(self) -> SplitResult:
        return urlsplit(self.url)


class _Lost(Retry):
    """The connection ended. `reused` is whether it had carried messages before."""

    def __init__(self, detail: str, *, reused: bool) -> None:
        super().__init__(detail)
        self.reused = reused


class _Link:
    """A connection with one channel in confirm mode. For one thread at a time."""

    def __init__(self, parameters: pika.ConnectionParameters, timeout_s: float) -> None:
        import pika

        self._channel: Channel | None = None
        self._ended: BaseException | None = None
        self._confirmed: bool | None = None
        self._returned: str | None = None
        self._used = False
        self._connection = pika.SelectConnection(
            parameters,
            on_open_callback=self._connected,
            on_open_error_callback=self._end,
            on_close_callback=self._end,
        )
        try:
            # pika itself gives up connecting after `timeout_s`; breaking it off from outside fails an assertion of its.
            self._wait(lambda: self._channel is not None, timeout_s + CLOSE_TIMEOUT_S, "greet")
        except Retry:
            self.close()
            raise

    def publish(self, publication: Publication, exchange: str, timeout_s: float) -> None:
        """Returns when a queue has it. Raises Retry."""
        import pika
        from pika.exceptions import AMQPError

        assert self._channel is not None
        self._confirmed = self._returned = None
        properties = pika.BasicProperties(
            content_type=CONTENT_TYPE,
            delivery_mode=pika.DeliveryMode.Persistent,
            message_id=publication.event_id,
            type=publication.event_type,
            headers=dict(headers_of(publication, "cloudEvents:")),
        )
        try:
            self._channel.basic_publish(exchange, publication.event_type, publication.body, properties, mandatory=True)
        except AMQPError as error:
            self._end(self._connection, error)
        self._wait(lambda: self._confirmed is not None, timeout_s, "confirm")
        self._used = True
        if self._returned is not None:
            raise Retry(
                f"no queue takes it ({self._returned}): bind one to the exchange {exchange!r}"
                f" for the routing key {publication.event_type!r}"
            )
        if not self._confirmed:
            raise Retry("the broker refused the message (nack): a queue is full or can not store it")

    def close(self) -> None:
        """Says goodbye, and lets go of a broker that does not answer."""
        from pika.exceptions import ConnectionClosedByClient

        connection = self._connection
        if not (connection.is_closing or connection.is_closed):
            connection.close()
            self._run(lambda: connection.is_closed, CLOSE_TIMEOUT_S)
        if not connection.is_closed:
            connection._terminate_stream(ConnectionClosedByClient(0, "no answer to closing"))  # type: ignore[attr-defined]
            self._run(lambda: connection.is_closed, CLOSE_TIMEOUT_S)
        connection.ioloop.close()

    def _connected(self, connection: Connection) -> None:
        connection.channel(on_open_callback=self._opened)

    def _opened(self, channel: Channel) -> None:
        channel.add_on_close_callback(self._end)
        channel.add_on_return_callback(self._came_back)
        channel.confirm_delivery(self._answered, callback=lambda _: setattr(self, "_channel", channel))

    def _came_back(self, channel: Channel, method: Any, properties: Any, body: bytes) -> None:
        self._returned = f"{method.reply_code} {method.reply_text}"

    def _answered(self, frame: Any) -> None:
        from pika.spec import Basic

        self._confirmed = isinstance(frame.method, Basic.Ack)

    def _end(self, whose: Connection | Channel, error: BaseException) -> None:
        self._ended = self._ended or error

    def _wait(self, done: Callable[[], bool], timeout_s: float, what: str) -> None:
        """Raises Retry when the connection or the channel ends before it is done, or the time is over."""
        self._run(lambda: done() or self._ended is not None, timeout_s)
        if done():
            return
        if self._ended is not None:
            raise _failure_of(self._ended, reused=self._used)
        raise Retry(f"the broker did not {what} within {timeout_s:g} s")

    def _run(self, until: Callable[[], bool], timeout_s: float) -> None:
        """Lets pika work `until` that holds, for as long as `timeout_s`."""
        loop, ends = self._connection.ioloop, time.monotonic() + timeout_s
        alarm = loop.call_later(timeout_s, lambda: None)  # ends a wait for the network
        loop.activate_poller()
        try:
            while not until() and time.monotonic() < ends:
                loop.poll()
                loop.process_timeouts()
        finally:
            loop.deactivate_poller()
            loop.remove_timeout(alarm)


class RabbitmqPublisher:
    """Thread-safe: a connection serves one thread at a time."""

    channel: ClassVar[str] = "rabbitmq"
    settings: ClassVar[type[BaseModel]] = RabbitmqTarget
    signs: ClassVar[bool] = False

    def __init__(
        self,
        *,
        allowed_networks: tuple[str, ...] = (),
        connect_timeout_s: float = CONNECT_TIMEOUT_S,
        answer_timeout_s: float = ANSWER_TIMEOUT_S,
    ) -> None:
        self._allowed = allowed_networks
        self._connect_timeout_s, self._answer_timeout_s = connect_timeout_s, answer_timeout_s
        self._links: Clients[_Link] = Clients(_Link.close, idle_max_s=IDLE_MAX_S)

    def objection(self, settings: BaseModel) -> Pointer | None:
        assert isinstance(settings, RabbitmqTarget)
        parts = settings.parts
        return objection_to(parts.hostname or "", self._allowed, tls=parts.scheme == "amqps", at="/url")

    def publish(self, publication: Publication, target: Target) -> Receipt:
        settings = target.settings
        assert isinstance(settings, RabbitmqTarget)
        try:
            self._publish(publication, settings)
        except _Lost as lost:
            self._links.drop(settings)
            if not lost.reused:
                raise
            self._publish(publication, settings)  # what was kept may have ended unnoticed: once more, by a new one
        return Receipt(None, "confirmed")

    def close(self) -> None:
        self._links.close()

    def _publish(self, publication: Publication, settings: RabbitmqTarget) -> None:
        with self._links.lent(settings, lambda: self._connected(settings)) as link:
            link.publish(publication, settings.exchange, self._answer_timeout_s)

    def _connected(self, settings: RabbitmqTarget) -> _Link:
        """By the first of the broker's addresses that answers. Raises Retry, Rejected."""
        with library_of(self.channel):
            import pika
        logging.getLogger("pika").setLevel(logging.CRITICAL)  # the delivery log says it in one line
        parts, tls = settings.parts, settings.parts.scheme == "amqps"
        host, port = parts.hostname or "", parts.port or PORTS[parts.scheme]
        *others, last = dialled_addresses(host, port, self._allowed, tls=tls)[:ADDRESSES_MAX]
        parameters = pika.ConnectionParameters(
            host=last,
            port=port,
            virtual_host=unquote(parts.path[1:]) or "/",
            credentials=pika.PlainCredentials(settings.username, settings.password.get_secret_value()),
            heartbeat=HEARTBEAT_S,
            connection_attempts=1,
            ssl_options=pika.SSLOptions(tls_context(settings.ca_certificates), host) if tls else None,
            client_properties={"connection_name": "PaymentServer"},
        )
        left_s = self._connect_timeout_s
        for address in others:
            left_s /= 2
            with suppress(_Lost):
                return _Link(_dialling(parameters, address, left_s), left_s)
        return _Link(_dialling(parameters, last, left_s), left_s)


def _dialling(parameters: pika.ConnectionParameters, address: str, timeout_s: float) -> pika.ConnectionParameters:
    dialled = copy(parameters)
    dialled.host, dialled.socket_timeout, dialled.stack_timeout = address, timeout_s, timeout_s
    return dialled


def _failure_of(error: BaseException, *, reused: bool) -> Retry:
    from pika import exceptions
    from pika.adapters.utils.connection_workflow import AMQPConnectorStackTimeout

    error = _cause_of(error)
    if isinstance(error, exceptions.ProbableAuthenticationError | exceptions.AuthenticationError):
        return Retry("the broker refuses the user name or the password")
    if isinstance(error, exceptions.ProbableAccessDeniedError):
        return Retry("the broker has no such vhost, or refuses it to the user")
    if isinstance(error, exceptions.ChannelClosedByBroker):
        return Retry(f"the broker refuses the message: {error.reply_code} {error.reply_text[:200]}")
    if isinstance(error, exceptions.ConnectionClosedByBroker) and error.reply_code in (403, 530):
        return Retry(f"the broker refuses the connection: {error.reply_code} {error.reply_text[:200]}")
    if isinstance(error, AMQPConnectorStackTimeout):
        return Retry("the broker did not greet in time")
    if isinstance(error, ssl.SSLError):
        return Retry(f"no TLS with the broker: {getattr(error, 'verify_message', '') or error.reason}")
    return _Lost(f"no connection to the broker ({type(error).__name__})", reused=reused)


def _cause_of(error: BaseException) -> BaseException:
    """What is inside the layers that pika wraps around a failure to connect."""
    inner: Any = getattr(error, "exceptions", None) or getattr(error, "exception", None) or error.args[:1]
    if isinstance(inner, list | tuple):
        inner = inner[-1] if inner else None
    return _cause_of(inner) if isinstance(inner, BaseException) else error
