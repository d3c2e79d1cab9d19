"""SQS as moto serves it, with IAM: the shop's key may send and nothing else.

moto holds everything in memory, so it is the wire that is cut when the broker stops.
"""

from __future__ import annotations

import itertools
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest
import requests
from botocore.config import Config

from chalicelib.contracts.publisher import Publisher, Target
from chalicelib.publishers.sqs import SqsPublisher, SqsTarget
from tests.conformance.channel import LOOPBACK, Received, until, wired
from tests.conformance.wire import Wire
from tests.ports import free_port

GUNICORN = (
    "--worker-class=gthread --threads=8 --keep-alive=60 --log-level=error tests.conformance.moto_served:application"
)
REGION = "eu-central-1"
_numbers = itertools.count()


class Destination:
    def __init__(self, broker: SqsBroker, queue_url: str) -> None:
        self._broker, self._queue_url = broker, queue_url
        self._got: list[Received] = []
        self.secrets = (broker.shop["SecretAccessKey"],)
        self.target = self.at()
        self.missing = self.at(path="/123456789012/nowhere" + (".fifo" if queue_url.endswith(".fifo") else ""))
        self.wrong_credentials = self.at(secret_access_key="wrong")

    def at(self, origin: str = "", path: str = "", **other: str | None) -> Target:
        path = path or "/" + self._queue_url.split("/", 3)[3]
        given = {
            "queue_url": f"{origin or f'http://localhost:{self._broker.wire.port}'}{path}",
            "region": REGION,
            "access_key_id": self._broker.shop["AccessKeyId"],
            "secret_access_key": self._broker.shop["SecretAccessKey"],
        }
        return Target(SqsTarget.model_validate(given | other, strict=False))

    def received(self) -> list[Received]:
        sqs = self._broker.administered("sqs")
        asked = {"MessageAttributeNames": ["All"], "AttributeNames": ["All"], "MaxNumberOfMessages": 10}
        while found := sqs.receive_message(QueueUrl=self._queue_url, **asked).get("Messages"):
            for one in found:
                sqs.delete_message(QueueUrl=self._queue_url, ReceiptHandle=one["ReceiptHandle"])
                told = {name: value["StringValue"] for name, value in one["MessageAttributes"].items()}
                content_type = told.pop("content-type")
                attributes = {name.removeprefix("ce-"): value for name, value in told.items()}
                group = one["Attributes"].get("MessageGroupId")
                self._got.append(Received(one["Body"].encode(), content_type, attributes["id"], group, attributes))
        return list(self._got)

    def plain_at(self, host: str) -> Target:
        return self.at(f"http://{host}")

    @contextmanager
    def tls_at(self, port: int, ca: Path | None) -> Iterator[Target]:
        with pytest.MonkeyPatch.context() as patched:
            if ca is not None:
                patched.setenv("AWS_CA_BUNDLE", str(ca))
            yield self.at(f"https://localhost:{port}")


def policy_of(action: str) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"}]})


class SqsBroker:
    def __init__(self, suffix: str) -> None:
        self._suffix = suffix
        self.wire: Wire
        self.address = ("127.0.0.1", free_port())
        self.admin = {"AccessKeyId": "AKIAADMINADMINADMIN0", "SecretAccessKey": "admin"}
        self._server = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", *GUNICORN.split(), f"--bind=127.0.0.1:{self.address[1]}"],
            cwd=Path(__file__).parents[2],
        )

    def prepare(self) -> None:
        until(self._answers, "starting moto")
        self.admin = self.user("admin", "*")
        self.shop = self.user("shop", "sqs:SendMessage")
        url = f"http://127.0.0.1:{self.address[1]}/moto-api/reset-auth"
        assert requests.post(url, data="0", timeout=5).ok, "from now on moto checks signatures and permissions"

    def publisher(self, *, connect_timeout_s: float = 5.0, answer_timeout_s: float = 15.0) -> Publisher:
        return SqsPublisher(
            allowed_networks=LOOPBACK, connect_timeout_s=connect_timeout_s, answer_timeout_s=answer_timeout_s
        )

    def administered(self, service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=f"http://127.0.0.1:{self.address[1]}",
            region_name=REGION,
            aws_access_key_id=self.admin["AccessKeyId"],
            aws_secret_access_key=self.admin["SecretAccessKey"],
            config=Config(retries={"total_max_attempts": 1}),
        )

    def user(self, name: str, action: str) -> dict[str, str]:
        """The access key of a new user who may do that."""
        iam = self.administered("iam")
        iam.create_user(UserName=name)
        iam.put_user_policy(UserName=name, PolicyName="it", PolicyDocument=policy_of(action))
        key: dict[str, str] = iam.create_access_key(UserName=name)["AccessKey"]
        return key

    @contextmanager
    def destination(self) -> Iterator[Destination]:
        attributes = {"FifoQueue": "true"} if self._suffix else {}
        made = self.administered("sqs").create_queue(
            QueueName=f"events-{next(_numbers)}{self._suffix}", Attributes=attributes
        )
        yield Destination(self, made["QueueUrl"])

    def start(self) -> None:
        self.wire.mend()

    def stop(self) -> None:
        self.wire.cut()

    def close(self) -> None:
        self._server.terminate()
        self._server.wait()

    def _answers(self) -> bool:
        assert self._server.poll() is None, "moto ended"
        with socket.socket() as probe:
            return probe.connect_ex(self.address) == 0


@contextmanager
def _sqs(suffix: str) -> Iterator[SqsBroker]:
    broker = SqsBroker(suffix)
    try:
        broker.prepare()
        with wired(broker.address) as broker.wire:
            yield broker
    finally:
        broker.close()


@contextmanager
def sqs_standard(folder: Path) -> Iterator[SqsBroker]:
    with _sqs("") as broker:
        yield broker


@contextmanager
def sqs_fifo(folder: Path) -> Iterator[SqsBroker]:
    with _sqs(".fifo") as broker:
        yield broker
