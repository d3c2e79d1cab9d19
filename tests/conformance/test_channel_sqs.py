"""What SQS alone does: FIFO queues, roles, regions; and what a target of its may look like."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from chalicelib.contracts.publisher import Publication, Publisher, Rejected, Retry
from chalicelib.outbound import aws
from chalicelib.publishers.sqs import SqsPublisher, SqsTarget, _Client
from tests.conformance.channel import Broker, ChannelHarness
from tests.conformance.channel_sqs import SqsBroker, policy_of, sqs_fifo
from tests.conformance.channels import CHANNELS

pytestmark = pytest.mark.xdist_group("channel sqs-fifo")
CAPTURED = Publication("evt_1", "payment.captured", "pay_1", b'{"id": "evt_1", "type": "payment.captured"}')
ROLE = "arn:aws:iam::123456789012:role/"


@pytest.fixture
def broker(broker_of: Callable[[ChannelHarness], Broker]) -> SqsBroker:
    found = broker_of(next(one for one in CHANNELS if one.opened is sqs_fifo))
    assert isinstance(found, SqsBroker)
    return found


@pytest.fixture
def publisher(broker: SqsBroker, monkeypatch: pytest.MonkeyPatch) -> Iterator[Publisher]:
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", f"http://127.0.0.1:{broker.address[1]}")
    made = broker.publisher()
    yield made
    made.close()


def keys(of: dict[str, str], role: str | None = None) -> dict[str, str | None]:
    arn = None if role is None else ROLE + role
    return {
        "access_key_id": of["AccessKeyId"],
        "secret_access_key": of["SecretAccessKey"],
        "role_arn": arn,
        "external_id": None if role is None else "shop-7",
    }


def test_a_fifo_queue_drops_what_comes_twice(broker: SqsBroker, publisher: Publisher) -> None:
    with broker.destination() as destination:
        for _ in range(3):
            publisher.publish(CAPTURED, destination.target)
        assert len(destination.received()) == 1


def test_the_message_id_of_sqs_is_kept_as_the_answer(broker: SqsBroker, publisher: Publisher) -> None:
    with broker.destination() as destination:
        receipt = publisher.publish(CAPTURED, destination.target)
    assert receipt.status == 200
    assert len(receipt.answer) == 36


def test_a_missing_permission_is_named(broker: SqsBroker, publisher: Publisher) -> None:
    reader = broker.user("reader", "sqs:ReceiveMessage")
    with (
        broker.destination() as destination,
        pytest.raises(Retry, match=r"AccessDenied.*the permission sqs:SendMessage") as failed,
    ):
        publisher.publish(CAPTURED, destination.at(**keys(reader)))
    assert failed.value.status == 403


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"path": "/123456789012/nowhere.fifo"}, "no such queue"),
        ({"secret_access_key": "wrong"}, "the secret access key is wrong"),
        ({"access_key_id": "AKIANOBODYNOBODY0000"}, "AWS does not know the access key"),
    ],
)
def test_what_is_wrong_is_named(broker: SqsBroker, publisher: Publisher, wrong: dict[str, Any], told: str) -> None:
    with broker.destination() as destination, pytest.raises(Retry, match=told):
        publisher.publish(CAPTURED, destination.at(**wrong))


def test_a_role_is_assumed_and_its_credentials_are_never_seen(
    broker: SqsBroker, publisher: Publisher, caplog: pytest.LogCaptureFixture
) -> None:
    assumer = broker.user("assumer", "sts:AssumeRole")
    iam = broker.administered("iam")
    iam.create_role(RoleName="sender", AssumeRolePolicyDocument=policy_of("sts:AssumeRole"))
    iam.put_role_policy(RoleName="sender", PolicyName="it", PolicyDocument=policy_of("sqs:SendMessage"))
    with broker.destination() as destination, caplog.at_level(logging.DEBUG):
        target = destination.at(**keys(assumer, "sender"))
        for number in range(3):
            publisher.publish(Publication(f"evt_{number}", "test", "pay_1", CAPTURED.body), target)
        assert len(destination.received()) == 3
    said = caplog.text
    assert said.count("SecretAccessKey") == said.count("SessionToken") == 0
    assert assumer["SecretAccessKey"] not in said


def test_a_role_that_may_not_be_assumed_is_named(broker: SqsBroker, publisher: Publisher) -> None:
    nobody = broker.user("nobody", "sqs:SendMessage")
    with broker.destination() as destination, pytest.raises(Retry, match="the role can not be assumed, AccessDenied"):
        publisher.publish(CAPTURED, destination.at(**keys(nobody, "sender")))


def test_no_credentials_at_all_are_told(
    broker: SqsBroker, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    aws.forget()
    with broker.destination() as destination, pytest.raises(Retry, match="there are no AWS credentials"):
        publisher.publish(CAPTURED, destination.at(access_key_id=None, secret_access_key=None))


@pytest.mark.parametrize(("minutes", "good"), [(None, True), (60, True), (6, True), (4, False), (-1, False)])
def test_credentials_of_a_role_are_renewed_before_they_end(minutes: int | None, good: bool) -> None:
    ends = None if minutes is None else datetime.now(UTC) + timedelta(minutes=minutes)
    assert _Client(None, ends).is_good() == good


QUEUE = "https://sqs.eu-central-1.amazonaws.com/123456789012/events.fifo"


@pytest.mark.parametrize(
    ("url", "region"),
    [
        (QUEUE, "eu-central-1"),
        ("https://sqs-fips.us-east-1.amazonaws.com/123456789012/events", "us-east-1"),
        ("https://sqs.cn-north-1.amazonaws.com.cn/123456789012/events", "cn-north-1"),
        ("https://sqs.us-west-2.api.aws/123456789012/events", "us-west-2"),
        ("https://vpce-1a2b-x.sqs.us-east-1.vpce.amazonaws.com/123456789012/events", "us-east-1"),
    ],
)
def test_the_region_is_in_the_address_of_aws(url: str, region: str) -> None:
    target = SqsTarget.model_validate({"queue_url": url})
    assert target.region_of_host == region
    assert SqsPublisher().objection(target) is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"queue_url": "https://user:secret@sqs.eu-central-1.amazonaws.com/1/q"},
        {"queue_url": "http://sqs.eu-central-1.amazonaws.com/123456789012/q"},
        {"queue_url": "https://sqs.eu-central-1.amazonaws.com/"},
        {"queue_url": QUEUE + "?Action=DeleteQueue"},
        {"queue_url": QUEUE + "#x"},
        {"queue_url": "https://sqs.eu-central-1.amazonaws.com/123456789012/q\n"},
        {"queue_url": "sqs.eu-central-1.amazonaws.com/123456789012/q"},
        {"queue_url": "https://queue.example/123456789012/q"},
        {"access_key_id": "AKIANOBODYNOBODY0000"},
        {"secret_access_key": "x"},
        {"external_id": "shop-7"},
        {"role_arn": "arn:aws:iam::1:role/x"},
        {"role_arn": "arn:aws:iam::123456789012:user/x"},
        {"region": "EU central"},
    ],
)
def test_an_odd_target_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        SqsTarget.model_validate({"queue_url": QUEUE} | wrong)


@pytest.mark.parametrize(
    "host",
    [
        "queue.example",
        "sqs.eu-central-1.amazonaws.com.example",
        "sqs-eu.elb.amazonaws.com",
        "internal-sqs.eu-central-1.elb.amazonaws.com",
        "sqs.eu-central-1.elb.amazonaws.com",
        "93.184.216.34",
    ],
)
def test_a_host_that_is_not_the_sqs_of_aws_is_objected_to_and_never_called(host: str) -> None:
    target = SqsTarget.model_validate({"queue_url": f"https://{host}/123456789012/q", "region": "eu-central-1"})
    objection = SqsPublisher().objection(target)
    assert objection is not None
    assert objection.pointer == "/queue_url"


def test_a_host_that_is_neither_of_aws_nor_allowed_gets_no_signature(broker: SqsBroker, publisher: Publisher) -> None:
    with broker.destination() as destination, pytest.raises(Rejected, match="an SQS endpoint of AWS"):
        publisher.publish(CAPTURED, destination.at("https://93.184.216.34"))
