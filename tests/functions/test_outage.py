"""A database outage loses no webhook: the functions on SQS and DynamoDB, with the wire to DynamoDB cut and mended."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from chalicelib.contracts.clock import SystemClock
from chalicelib.contracts.queue import Topic
from chalicelib.domain.payment import Status
from chalicelib.functions import invocation, queues, webhooks
from chalicelib.functions.wired import wired
from chalicelib.outbound import aws
from chalicelib.queues.sqs_queues import create_queues
from chalicelib.services.kinds import PAYMENT
from chalicelib.settings import PREFIX, Settings
from tests.aws.events import Context, called
from tests.conformance.dynamodb import endpoint_of
from tests.conformance.vaults import kms_keys
from tests.conformance.wire import Wire
from tests.psp import SimulatedConnector
from tests.servers.aws import in_aws
from tests.servers.ministack import ministack
from tests.world import World

pytestmark = pytest.mark.xdist_group("ministack")
ADDRESS = "/webhooks/default/psp-1"
UNREACHABLE_AFTER_S = 0.5


class Cloud:
    """Functions on stand-ins for AWS, and a payment that the shopper has paid and nobody was told of."""

    def __init__(self, folder: Path, database: Wire, queue_url: str) -> None:
        self.database, self._queue_url = database, queue_url
        made = wired()
        made.store.migrate()
        made.__dict__["connectors"] = {"simulated": SimulatedConnector}
        self.world = World(folder, made.store, queue=made.queue, clock=SystemClock())  # type: ignore[arg-type]
        payment = self.world.open().payment
        self.payment_id, self.attempt_id = payment.id, payment.attempts[0].id
        self.world.psps["psp-1"].pay(self.attempt_id)
        made._dynamo._calls._budget_s = UNREACHABLE_AFTER_S  # type: ignore[union-attr]

    @property
    def status(self) -> Status:
        return self.world.store.get(PAYMENT, self.payment_id).value.status  # type: ignore[no-any-return]

    def tell(self) -> int:
        """The PSP's webhook; the status of its answer."""
        event = called("POST", ADDRESS, body=self.attempt_id.encode())
        return int(webhooks.handle(event, Context())["statusCode"])

    def apply_next(self) -> dict[str, Any]:
        """What Lambda does with the inbound queue: hand a message to the function, and delete it unless it failed."""
        client = aws.client("sqs")
        url = f"{self._queue_url}-inbound"
        ends = time.monotonic() + 20
        asked: dict[str, Any] = {"MessageAttributeNames": ["All"], "AttributeNames": ["All"], "WaitTimeSeconds": 1}
        while not (found := client.receive_message(QueueUrl=url, **asked).get("Messages")):
            assert time.monotonic() < ends, "no message came"
        answer = queues.apply({"Records": [_record_of(found[0])]}, Context())
        if not answer["batchItemFailures"]:
            client.delete_message(QueueUrl=url, ReceiptHandle=found[0]["ReceiptHandle"])
        return answer


def _record_of(message: dict[str, Any]) -> dict[str, Any]:
    """A received message, as Lambda hands it over."""
    attributes = message.get("MessageAttributes", {})
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message["Attributes"],
        "messageAttributes": {
            name: {"dataType": one["DataType"], "stringValue": one["StringValue"]} for name, one in attributes.items()
        },
        "eventSource": "aws:sqs",
    }


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    endpoint = endpoint_of(ministack)
    there = urlsplit(endpoint)
    assert there.hostname is not None
    assert there.port is not None
    wire = Wire((there.hostname, there.port))
    with in_aws(endpoint):
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", f"http://127.0.0.1:{wire.port}")
        name = f"outage-{secrets.token_hex(4)}"  # the stand-in serves other tests too
        queue_url = f"{endpoint}/000000000000/{name}"
        create_queues(queue_url)
        for setting in Settings.model_fields:
            monkeypatch.delenv(PREFIX + setting.upper(), raising=False)
        keys = dict(zip(("VAULT_KEY", "WEBHOOK_VAULT_KEY", "LINK_KEY"), kms_keys(), strict=True))
        settings = {"DATABASE_URL": f"dynamodb:{name}", "CREATE_TABLES": "true", "QUEUE_URL": queue_url, **keys}
        for setting, value in settings.items():
            monkeypatch.setenv(PREFIX + setting, value)
        monkeypatch.setattr(invocation, "logs", lambda: None)
        monkeypatch.setattr("chalicelib.queues.sqs_batch.AGAIN_S", (0.0, 0.0))
        wired.cache_clear()
        yield Cloud(tmp_path, wire, queue_url)
        wired().notify.close()
        wired().store.close()
        wired.cache_clear()
    wire.close()


def test_webhooks_are_taken_without_a_database_and_applied_after_its_recovery(cloud: Cloud) -> None:
    cloud.database.cut()
    assert cloud.tell() == 200
    for _ in range(12):  # more often than a message is received before it is a dead letter
        assert cloud.apply_next() == {"batchItemFailures": []}
    cloud.database.mend()
    assert cloud.status is Status.PENDING
    assert cloud.apply_next() == {"batchItemFailures": []}
    assert cloud.status is Status.CAPTURED
    assert wired().queue.dead(Topic.INBOUND) == []


def test_only_the_first_webhook_waits_for_a_database_that_is_down(cloud: Cloud) -> None:
    cloud.database.cut()
    took_s = []
    for _ in range(3):
        began_s = time.monotonic()
        assert cloud.tell() == 200
        took_s.append(time.monotonic() - began_s)
    assert took_s[0] > max(took_s[1:])


def test_a_known_connection_is_verified_while_the_database_is_down(cloud: Cloud) -> None:
    assert cloud.tell() == 200
    cloud.database.cut()
    assert cloud.tell() == 200
    states = [b'"state":"verified"' in one.body for one in wired().queue.receive(Topic.INBOUND)]
    assert states == [True] * len(states)
    assert states
