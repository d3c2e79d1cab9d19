"""Azure Service Bus by AMQP 1.0: a queue or a topic, a payment's events in a session of their own.

Microsoft's client neither bounds its handshakes nor asks which address it may dial, but takes a TLS context: that is a Door
here, so that the address is checked before a byte is sent, and no handshake waits forever.
"""

from __future__ import annotations

import logging
import re
import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Self, cast

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from chalicelib.contracts.publisher import Publication, Receipt, Retry, Target
from chalicelib.contracts.validation import worded
from chalicelib.domain.errors import Pointer
from chalicelib.outbound.door import Door
from chalicelib.publishers.broker import (
    ANSWER_TIMEOUT_S,
    CONNECT_TIMEOUT_S,
    dialled_addresses,
    library_of,
    objection_to,
    tls_context,
)
from chalicelib.publishers.clients import Clients
from chalicelib.publishers.cloudevents import CONTENT_TYPE, headers_of, ordering_key_of

if TYPE_CHECKING:
    from azure.servicebus import ServiceBusSender

PORT, PLAIN_PORT = 5671, 5672
IDLE_MAX_S = 60.0  # Service Bus ends what is silent for minutes
CLOSE_TIMEOUT_S = 1.0
STALL_MAX_S = 1.0  # for a part of a message to leave
BUSY_PAUSE_S = 10.0  # what Microsoft asks for
ENTITY = worded(
    r"^[A-Za-z0-9]([A-Za-z0-9._/-]{0,258}[A-Za-z0-9_-])?$",
    "must be the name of a queue or topic: up to 260 letters, digits, dots, _ / and -, a letter or digit first",
)
_NAMESPACE = re.compile(r"([A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?)(?::([0-9]{1,5}))?")  # its host, its port
_SAID = {  # by AMQP condition
    "amqp:link:message-size-exceeded": "the message is larger than {entity} takes",
    "amqp:not-allowed": "{entity} does not take such a message: if it needs sessions, set sessions to true",
    "amqp:not-found": "the namespace has no queue or topic {entity}",
    "amqp:resource-limit-exceeded": "{entity} is full, or the namespace has too many connections",
    "amqp:unauthorized-access": "the key may not send to {entity}: its policy needs the claim Send",
    "com.microsoft:auth-failed": "Service Bus does not accept the key: check key_name, key and namespace",
    "com.microsoft:entity-disabled": "{entity} is disabled",
    "com.microsoft:server-busy": "Service Bus is busy",
}
_REFUSED_TOKEN = {401: "com.microsoft:auth-failed", 403: "amqp:unauthorized-access", 404: "amqp:not-found"}


@dataclass(frozen=True, slots=True)
class Access:
    """Where a namespace is, and the shared access key that opens it."""

    host: str
    port: int
    key_name: str
    key: str = field(repr=False)
    tls: bool


class ServiceBusTarget(BaseModel):
    model_config = ConfigDict(
        strict=True, extra="forbid", frozen=True, use_attribute_docstrings=True, hide_input_in_errors=True
    )

    entity: str = Field(pattern=ENTITY)
    """The name of the queue or topic."""
    namespace: str | None = Field(default=None, max_length=300)
    """The namespace's host, such as `shop.servicebus.windows.net`; with `key_name` and `key`."""
    key_name: str | None = Field(default=None, min_length=1, max_length=256)
    """The name of the shared access policy. It needs the claim Send and no other."""
    key: SecretStr | None = Field(default=None, min_length=1, max_length=256)
    """The policy's primary or secondary key."""
    connection_string: SecretStr | None = Field(default=None, max_length=2000)
    """Instead of `namespace`, `key_name` and `key`: the policy's connection string."""
    sessions: bool = True
    """A payment's events are one session, which keeps their order. Off, they belong to none."""
    tls: bool = True
    """Off only for targets in networks of PAYMENTSERVER_ALLOWED_TARGETS, such as the emulator."""
    ca_certificates: str | None = Field(default=None, max_length=100_000)
    """PEM certificates of the authorities to trust instead of the public ones."""

    @field_validator("ca_certificates")
    @classmethod
    def _certificates(cls, value: str | None) -> str | None:
        tls_context(value)
        return value

    @field_validator("namespace")
    @classmethod
    def _a_host(cls, value: str | None) -> str | None:
        if value is not None:
            _host_and_port(value)
        return value

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        given = [one is not None for one in (self.namespace, self.key_name, self.key)]
        if self.connection_string is None and not all(given):
            raise ValueError("needs namespace, key_name and key, or connection_string")
        if self.connection_string is not None and any(given):
            raise ValueError("takes either connection_string or namespace, key_name and key")
        self.access()
        return self

    def access(self) -> Access:
        """Raises ValueError for a connection string that can not be."""
        if self.connection_string is not None:
            return _access_of(self.connection_string.get_secret_value(), self.entity, self.tls)
        assert self.namespace is not None
        assert self.key_name is not None
        assert self.key is not None
        host, port = _host_and_port(self.namespace)
        return Access(
            host, port or (PORT if self.tls else PLAIN_PORT), self.key_name, self.key.get_secret_value(), self.tls
        )


def _access_of(connection_string: str, entity: str, tls: bool) -> Access:
    parts = dict(one.partition("=")[::2] for one in connection_string.strip().split(";") if one)
    parts = {name.strip().lower(): value.strip() for name, value in parts.items()}
    endpoint, name, key = (parts.get(one, "") for one in ("endpoint", "sharedaccesskeyname", "sharedaccesskey"))
    if not endpoint.startswith("sb://") or not name or not key:
        raise ValueError("connection_string must hold Endpoint=sb://…, SharedAccessKeyName and SharedAccessKey")
    if parts.get("entitypath", entity) != entity:
        raise ValueError("connection_string is for another entity")
    tls = tls and parts.get("usedevelopmentemulator", "").lower() != "true"
    host, port = _host_and_port(endpoint.removeprefix("sb://").removesuffix("/"))
    return Access(host, port or (PORT if tls else PLAIN_PORT), name, key, tls)


def _host_and_port(text: str) -> tuple[str, int | None]:
    found = _NAMESPACE.fullmatch(text)
    port = int(found[2]) if found and found[2] else None
    if not found or (port is not None and not 0 < port < 65536):
        raise ValueError("the namespace must be a host such as shop.servicebus.windows.net")
    return found[1], port


class _Lost(Retry):
    """A connection that had been used before no longer is one."""


class ServiceBusPublisher:
    """Thread-safe: a sender serves one thread at a time."""

    channel: ClassVar[str] = "servicebus"
    settings: ClassVar[type[BaseModel]] = ServiceBusTarget
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
        self._senders: Clients[_Sender] = Clients(_Sender.close, idle_max_s=IDLE_MAX_S)

    def objection(self, settings: BaseModel) -> Pointer | None:
        assert isinstance(settings, ServiceBusTarget)
        access = settings.access()
        at = "/namespace" if settings.namespace else "/connection_string"
        return objection_to(access.host, self._allowed, tls=access.tls, at=at)

    def publish(self, publication: Publication, target: Target) -> Receipt:
        settings = target.settings
        assert isinstance(settings, ServiceBusTarget)
        try:
            self._publish(publication, settings)
        except _Lost:
            self._senders.drop(settings)
            self._publish(publication, settings)  # what was kept may have ended unnoticed: once more, by a new one
        return Receipt(None, "accepted")

    def close(self) -> None:
        self._senders.close()

    def _publish(self, publication: Publication, settings: ServiceBusTarget) -> None:
        with self._senders.lent(settings, lambda: self._connected(settings)) as sender:
            sender.send(publication, sessions=settings.sessions)

    def _connected(self, settings: ServiceBusTarget) -> _Sender:
        with library_of(self.channel):
            import azure.servicebus  # noqa: F401
        logging.getLogger("azure.servicebus").setLevel(logging.CRITICAL)  # the delivery log says it in one line
        access = settings.access()
        addresses = dialled_addresses(access.host, access.port, self._allowed, tls=access.tls)
        tls = tls_context(settings.ca_certificates) if access.tls else None
        door = Door(access.host, tls, self._allowed, self._connect_timeout_s)
        # The client can not dial an address of IPv6, so it is given the name there; the door looks at what it found.
        dialled = next((one for one in addresses if ":" not in one), access.host)
        return _Sender(access, settings.entity, dialled, door, self._connect_timeout_s, self._answer_timeout_s)


class _Sender:
    """A connection with a link to one entity. For one thread at a time."""

    def __init__(
        self, access: Access, entity: str, dialled: str, door: Door, connect_timeout_s: float, timeout_s: float
    ) -> None:
        from azure.core.credentials import AzureNamedKeyCredential
        from azure.servicebus import ServiceBusSender, TransportType

        self._entity, self._door, self._timeout_s = entity, door, timeout_s
        self._link: Any = None
        self._used = False
        self._sender: ServiceBusSender = ServiceBusSender(
            access.host,
            AzureNamedKeyCredential(access.key_name, access.key),
            queue_name=entity,  # a topic is sent to in the same way
            transport_type=TransportType.Amqp,
            custom_endpoint_address=f"sb://{dialled}:{access.port}",
            ssl_context=cast(ssl.SSLContext, door),
            socket_timeout=min(STALL_MAX_S, timeout_s),
            retry_total=0,  # the delivery schedule has its own
            keep_alive=0,  # which would be a thread for each
        )
        door.open_for(connect_timeout_s)
        try:
            self._sender.__enter__()
        except Exception as error:  # closing what broke may break too
            self.close()
            raise self._failure_of(error) from None

    def send(self, publication: Publication, *, sessions: bool) -> None:
        """Returns when the entity has it. Raises Retry."""
        from azure.servicebus import ServiceBusMessage

        properties: dict[str | bytes, Any] = dict(headers_of(publication, "cloudEvents:").items())
        message = ServiceBusMessage(
            publication.body,
            application_properties=properties,
            content_type=CONTENT_TYPE,
            message_id=publication.event_id,
            session_id=ordering_key_of(publication) if sessions else None,
            subject=publication.event_type,
        )
        self._link = getattr(getattr(self._sender, "_handler", None), "_link", None)
        self._door.open_for(self._timeout_s)  # a rejection without details makes the client wait without end
        try:
            self._sender.send_messages(message, timeout=self._timeout_s)
        except Exception as error:
            raise self._failure_of(error) from None
        self._used = True

    def close(self) -> None:
        self._door.open_for(CLOSE_TIMEOUT_S)
        try:
            self._sender.close()
        finally:
            self._door.close()  # the client leaves it open where it failed to connect

    def _failure_of(self, error: Exception) -> Retry:
        cause: Any = getattr(error, "inner_exception", None)
        reason = getattr(cause, "inner_error", None)
        if isinstance(reason, ssl.SSLError):
            return Retry(f"no TLS with Service Bus: {getattr(reason, 'verify_message', '') or reason.reason}")
        condition = self._condition_of(cause)
        if condition in _SAID:
            after_s = BUSY_PAUSE_S if condition == "com.microsoft:server-busy" else None
            return Retry(_SAID[condition].format(entity=repr(self._entity)), after_s=after_s)
        if self._door.is_over():
            return Retry("Service Bus did not answer in time")
        lacking = "connection to" if self._link is None else "acknowledgement from"
        detail = f"no {lacking} Service Bus ({condition or type(error).__name__})"
        return _Lost(detail) if self._used else Retry(detail)

    def _condition_of(self, cause: Any) -> str:
        """Why, by the answer to the access token, by what ended the link, or by what became of the message.

        The client forgets what ended the link where that happens during a send, which is how a missing permission comes.
        """
        status = getattr(cause, "status_code", None)
        if isinstance(status, int) and status in _REFUSED_TOKEN:
            return _REFUSED_TOKEN[status]
        for one in (getattr(self._link, "_error", None), cause):
            condition = getattr(one, "condition", None)
            if isinstance(condition, bytes):
                return bytes(condition).decode("ascii", "replace")
        return ""
