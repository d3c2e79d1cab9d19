"""Amazon SQS, standard and FIFO queues. A FIFO queue (its name ends in `.fifo`) groups by payment and drops repeats by event.

SQS has no CloudEvents binding: the attributes are message attributes with HTTP's prefix, of which a message has ten at most.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from chalicelib.contracts.publisher import Publication, Receipt, Rejected, Retry, Target
from chalicelib.contracts.validation import worded
from chalicelib.domain.errors import Pointer
from chalicelib.outbound import aws
from chalicelib.outbound.guard import is_within
from chalicelib.publishers.broker import (
    ANSWER_TIMEOUT_S,
    CONNECT_TIMEOUT_S,
    dialled_addresses,
    objection_to,
)
from chalicelib.publishers.clients import SharedClients
from chalicelib.publishers.cloudevents import CONTENT_TYPE, headers_of, ordering_key_of

NOT_AWS = "must be an SQS endpoint of AWS, or in a network of PAYMENTSERVER_ALLOWED_TARGETS"
RENEW_BEFORE = timedelta(minutes=5)
CONNECTIONS_MAX = 16

# Error codes of SQS (AWS API reference), in words, beside those that AWS' services share.
_TOLD = {
    "AWS.SimpleQueueService.NonExistentQueue": "there is no such queue",
    "QueueDoesNotExist": "there is no such queue",
    "AccessDenied": "the credentials lack the permission sqs:SendMessage on the queue",
    "AccessDeniedException": "the credentials lack the permission sqs:SendMessage on the queue",
}
REGION = worded(r"^[a-z0-9-]{1,40}$", "must be the code of a region, such as eu-west-1")
ROLE_ARN = worded(
    r"^arn:[a-z-]+:iam::[0-9]{12}:role/[!-~]+$",
    "must be a role's ARN, such as arn:aws:iam::123456789012:role/publisher",
)
EXTERNAL_ID = worded(r"^[a-zA-Z0-9_+=,.@:/-]*$", "must be letters, digits and _ + = , . @ : / -")
ACCESS_KEY_ID = worded(
    r"^[A-Z0-9]{16,128}$", "must be the access key's id as AWS shows it: 16 to 128 upper-case letters and digits"
)
_EXPIRED = ("ExpiredToken", "ExpiredTokenException")


class SqsTarget(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, use_attribute_docstrings=True)

    queue_url: str = Field(max_length=2048)
    """The queue's URL as SQS shows it, `https://sqs.<region>.amazonaws.com/<account>/<name>`; `.fifo` ends a FIFO queue's."""
    region: str | None = Field(default=None, pattern=REGION)
    """The queue's region, where its URL does not name it."""
    role_arn: str | None = Field(default=None, max_length=700, pattern=ROLE_ARN)
    """A role to assume first, such as one of the account that owns the queue."""
    external_id: str | None = Field(default=None, min_length=2, max_length=1224, pattern=EXTERNAL_ID)
    """What the role's trust policy asks for as `sts:ExternalId`."""
    access_key_id: str | None = Field(default=None, pattern=ACCESS_KEY_ID)
    """An access key, with its secret; by default the credentials that PaymentServer itself runs with."""
    secret_access_key: SecretStr | None = Field(default=None, max_length=200)
    """The access key's secret."""

    @field_validator("queue_url")
    @classmethod
    def _queue(cls, value: str) -> str:
        parts = urlsplit(value)
        if not value.isascii() or not value.isprintable() or " " in value:
            raise ValueError("must hold printable ASCII only")
        if parts.scheme not in ("https", "http") or not parts.hostname or parts.port == 0:
            raise ValueError("must be a queue's https address")
        if parts.username is not None or parts.password is not None:
            raise ValueError("must not hold credentials; they have fields of their own")
        if not re.fullmatch(r"(/[\w.-]+)*/[\w-]{1,75}(\.fifo)?", parts.path) or parts.query or parts.fragment:
            raise ValueError("must end with the account and the name of the queue")
        if parts.scheme == "http" and aws.SQS_HOST.fullmatch(parts.hostname):
            raise ValueError("must be https")
        return value

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.access_key_id is None) != (self.secret_access_key is None):
            raise ValueError("access_key_id and secret_access_key belong together")
        if self.external_id is not None and self.role_arn is None:
            raise ValueError("external_id is for role_arn")
        if self.region is None and self.region_of_host is None:
            raise ValueError("region is needed: the queue's address does not name it")
        return self

    @property
    def region_of_host(self) -> str | None:
        return aws.region_of(urlsplit(self.queue_url).hostname or "")


@dataclass(frozen=True, slots=True)
class _Client:
    """`expires_at` is when the credentials of an assumed role end."""

    sqs: Any
    expires_at: datetime | None = None

    def is_good(self) -> bool:
        return self.expires_at is None or datetime.now(UTC) < self.expires_at - RENEW_BEFORE


class SqsPublisher:
    """Thread-safe, as clients of botocore are; each keeps its connections."""

    channel: ClassVar[str] = "sqs"
    settings: ClassVar[type[BaseModel]] = SqsTarget
    signs: ClassVar[bool] = False

    def __init__(
        self,
        *,
        allowed_networks: tuple[str, ...] = (),
        connect_timeout_s: float = CONNECT_TIMEOUT_S,
        answer_timeout_s: float = ANSWER_TIMEOUT_S,
    ) -> None:
        self._allowed = allowed_networks
        self._timeouts_s = (connect_timeout_s, answer_timeout_s)
        self._clients: SharedClients[_Client] = SharedClients(lambda one: one.sqs.close(), _Client.is_good)

    def objection(self, settings: BaseModel) -> Pointer | None:
        assert isinstance(settings, SqsTarget)
        parts = urlsplit(settings.queue_url)
        host = parts.hostname or ""
        if aws.SQS_HOST.fullmatch(host):
            return None
        if not self._allowed:
            return Pointer("/queue_url", NOT_AWS)
        return objection_to(host, self._allowed, tls=False, at="/queue_url")

    def publish(self, publication: Publication, target: Target) -> Receipt:
        settings = target.settings
        assert isinstance(settings, SqsTarget)
        from botocore.exceptions import BotoCoreError, ClientError
        from botocore.parsers import ResponseParserError

        try:
            client = self._clients.of(settings, lambda: self._connected(settings))
            answer = client.sqs.send_message(QueueUrl=settings.queue_url, **_message_of(publication, settings))
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in _EXPIRED:
                self._clients.drop(settings)
            raise _refusal_of(error) from None
        except (BotoCoreError, ResponseParserError) as error:  # its text may hold what was sent
            fault = aws.fault_of(error)
            raise Retry(f"SQS: {fault.told} ({fault.code})") from None
        status = answer["ResponseMetadata"]["HTTPStatusCode"]
        if answer.get("MD5OfMessageBody") != hashlib.md5(publication.body, usedforsecurity=False).hexdigest():
            raise Retry(
                "SQS did not confirm the message", status
            )  # botocore takes an answer that was cut off for an empty one
        return Receipt(status, answer["MessageId"])

    def close(self) -> None:
        self._clients.close()

    def _connected(self, settings: SqsTarget) -> _Client:
        from botocore.config import Config

        connect_timeout_s, answer_timeout_s = self._timeouts_s
        secret = settings.secret_access_key
        how = {
            "region_name": settings.region or settings.region_of_host,
            "config": Config(
                connect_timeout=connect_timeout_s,
                read_timeout=answer_timeout_s,
                retries={"total_max_attempts": 1},  # the delivery schedule does that
                max_pool_connections=CONNECTIONS_MAX,
            ),
            "aws_access_key_id": settings.access_key_id,
            "aws_secret_access_key": secret.get_secret_value() if secret is not None else None,
        }
        endpoint = self._endpoint_of(settings)
        if settings.role_arn is None:
            return _Client(aws.new_client("sqs", **how, endpoint_url=endpoint))
        credentials = _assumed(settings, how)
        role = {
            "aws_access_key_id": credentials["AccessKeyId"],
            "aws_secret_access_key": credentials["SecretAccessKey"],
            "aws_session_token": credentials["SessionToken"],
        }
        return _Client(aws.new_client("sqs", **how | role, endpoint_url=endpoint), credentials["Expiration"])

    def _endpoint_of(self, settings: SqsTarget) -> str:
        """Raises Rejected for a host that is neither AWS's nor allowed. Without TLS the checked address is dialled; with it
        the certificate says who is there."""
        parts = urlsplit(settings.queue_url)
        host, tls = parts.hostname or "", parts.scheme == "https"
        if aws.SQS_HOST.fullmatch(host):
            return f"https://{host}"
        port = parts.port or (443 if tls else 80)
        addresses = dialled_addresses(host, port, self._allowed, tls=tls)
        if not all(is_within(one, self._allowed) for one in addresses):
            raise Rejected("queue_url " + NOT_AWS)
        literal = f"[{addresses[0]}]" if ":" in addresses[0] else addresses[0]
        return f"https://{parts.netloc}" if tls else f"http://{literal}:{port}"


def _message_of(publication: Publication, settings: SqsTarget) -> dict[str, Any]:
    attributes = {**headers_of(publication, "ce-"), "content-type": CONTENT_TYPE}
    message: dict[str, Any] = {
        "MessageBody": publication.body.decode(),
        "MessageAttributes": {name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()},
    }
    if settings.queue_url.endswith(".fifo"):
        message |= {
            "MessageGroupId": ordering_key_of(publication),
            "MessageDeduplicationId": publication.event_id,
        }
    return message


def _assumed(settings: SqsTarget, how: dict[str, Any]) -> dict[str, Any]:
    from botocore.exceptions import ClientError

    asked = {"RoleArn": settings.role_arn, "RoleSessionName": "PaymentServer"}
    if settings.external_id is not None:
        asked["ExternalId"] = settings.external_id
    sts = aws.new_client("sts", **how)
    try:
        credentials: dict[str, Any] = sts.assume_role(**asked)["Credentials"]
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code")
        words = "the role's trust policy must let these credentials assume it" if code == "AccessDenied" else "see STS"
        raise Retry(f"the role can not be assumed, {code}: {words}") from None
    finally:
        sts.close()
    return credentials


def _refusal_of(error: Exception) -> Retry:
    """An operator can mend what AWS refuses, so it is tried again."""
    fault = aws.fault_of(error)
    return Retry(f"SQS refuses it, {fault.code}: {_TOLD.get(fault.code, fault.told)}", fault.status)
