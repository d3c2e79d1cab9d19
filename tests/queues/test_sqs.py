"""What SQS says no to, does in part, or offers beyond what its stand-ins do."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from chalicelib.contracts.queue import MESSAGE_BYTES_MAX, RECEIVES_MAX, Message, Topic
from chalicelib.domain.errors import QueueFault
from chalicelib.outbound import aws
from chalicelib.queues.sqs import BATCH_BYTES_MAX, SqsQueue
from chalicelib.queues.sqs_queues import attributes_of, create_queues, queue_names
from tests.servers.aws import ScriptedAws, scripted_aws

URL = "https://sqs.eu-central-1.amazonaws.com/123456789012/paymentserver-prod"
EVENTS = Topic.EVENTS
MESSAGE = Message("m", EVENTS, b"1", "a-receipt", 1, 0)
DEAD_ARN = "arn:aws:sqs:eu-central-1:123456789012:paymentserver-prod-events-dead"
COUNTS = {f"ApproximateNumberOfMessages{part}": "0" for part in ("", "NotVisible", "Delayed")}


@pytest.fixture
def scripted() -> Iterator[ScriptedAws]:
    with scripted_aws() as scripted:
        yield scripted


@pytest.fixture
def queue(scripted: ScriptedAws) -> SqsQueue:
    return SqsQueue(URL)


@pytest.fixture
def hasty(scripted: ScriptedAws) -> SqsQueue:
    """Tries once, or a few times."""
    return SqsQueue(URL, budget_s=0.2)


def test_a_message_is_sent_to_its_topics_queue_in_the_region_of_the_url(scripted: ScriptedAws, queue: SqsQueue) -> None:
    scripted.answer({"MessageId": "m"})
    queue.send(EVENTS, b"{}", delay_s=0.2)
    assert scripted.asked == [
        ("SendMessage", {"QueueUrl": f"{URL}-events", "MessageBody": "{}", "DelaySeconds": 1}),
    ]
    assert aws._clients.keys() == {("sqs", "eu-central-1")}


@pytest.mark.parametrize("url", ["", "paymentserver", "https://sqs.eu-central-1.amazonaws.com", URL + "/"])
def test_what_is_no_queues_url_is_told(url: str) -> None:
    with pytest.raises(ValueError, match="PREFIX"):
        SqsQueue(url)


@pytest.mark.parametrize(
    ("code", "query_code", "told"),
    [
        ("QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue", "Deploy the queues, or correct"),
        ("AccessDeniedException", "AccessDenied", "Let the role of this function do that"),
        ("AccessDeniedException", "", "Let the role of this function do that"),
    ],
)
def test_a_refusal_says_what_to_mend(
    scripted: ScriptedAws, queue: SqsQueue, code: str, query_code: str, told: str
) -> None:
    scripted.refuse(code, query_code=query_code)
    with pytest.raises(QueueFault, match=f"SendMessage of the queue paymentserver-prod-events: .*{told}"):
        queue.send(EVENTS, b"1")


def test_sqs_out_of_reach_is_a_fault_after_the_budget(
    scripted: ScriptedAws, hasty: SqsQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    aws.forget()
    for call in (
        lambda: hasty.send(EVENTS, b"1"),
        lambda: hasty.send_all(EVENTS, [b"1", b"2"]),
        lambda: hasty.receive(EVENTS),
        lambda: hasty.done(MESSAGE),
        lambda: hasty.redrive(EVENTS),
        lambda: hasty.depth(EVENTS),
    ):
        with pytest.raises(QueueFault, match=r"no answer came \(EndpointConnectionError\)\. Try again\."):
            call()


def test_throttling_delays_and_loses_nothing(scripted: ScriptedAws, queue: SqsQueue) -> None:
    scripted.refuse("RequestThrottled", 403)
    scripted.answer({"MessageId": "m"})
    queue.send(EVENTS, b"1")
    assert [asked["MessageBody"] for _, asked in scripted.asked] == ["1", "1"]


def test_what_a_batch_left_behind_is_sent_again_alone(scripted: ScriptedAws, queue: SqsQueue) -> None:
    failed = {"Id": "1", "SenderFault": False, "Code": "InternalError"}
    scripted.answer({"Successful": [{"Id": "0"}, {"Id": "2"}], "Failed": [failed]})
    scripted.answer({"Successful": [{"Id": "1"}]})
    queue.send_all(EVENTS, [b"0", b"1", b"2"])
    sent = [[one["MessageBody"] for one in asked["Entries"]] for _, asked in scripted.asked]
    assert sent == [["0", "1", "2"], ["1"]]


def test_what_a_batch_leaves_behind_for_good_is_a_fault(scripted: ScriptedAws, queue: SqsQueue) -> None:
    failed = {"Id": "1", "SenderFault": True, "Code": "InvalidMessageContents"}
    scripted.answer({"Successful": [{"Id": "0"}], "Failed": [failed]})
    with pytest.raises(QueueFault, match="not all were taken \\(InvalidMessageContents\\)"):
        queue.send_all(EVENTS, [b"0", b"1"])
    assert len(scripted.asked) == 1


def test_a_batch_that_is_answered_in_part_is_a_fault_after_the_budget(scripted: ScriptedAws, hasty: SqsQueue) -> None:
    for _ in range(100):
        scripted.answer({"Successful": [{"Id": "0"}]})
    with pytest.raises(QueueFault, match="IncompleteAnswer"):
        hasty.send_all(EVENTS, [b"0", b"1"])


def test_batches_hold_ten_messages_and_no_more_bytes_than_sqs_takes(scripted: ScriptedAws, queue: SqsQueue) -> None:
    bodies = [b"x" * 100_000] * 3 + [b"y" * MESSAGE_BYTES_MAX] + [b"z"] * 12
    for _ in range(5):
        scripted.answer({"Successful": [{"Id": str(number)} for number in range(10)]})
    queue.send_all(EVENTS, bodies)
    sizes = [[len(one["MessageBody"]) for one in asked["Entries"]] for _, asked in scripted.asked]
    assert sizes == [[100_000] * 2, [100_000], [MESSAGE_BYTES_MAX] + [1] * 9, [1] * 3]
    assert all(sum(one) <= BATCH_BYTES_MAX for one in sizes)


def test_one_message_costs_no_batch(scripted: ScriptedAws, queue: SqsQueue) -> None:
    scripted.answer({"MessageId": "m"})
    queue.send_all(EVENTS, [b"1"])
    assert [operation for operation, _ in scripted.asked] == ["SendMessage"]


def test_what_is_leased_is_given_out_though_more_can_not_be_had(scripted: ScriptedAws, queue: SqsQueue) -> None:
    attributes = {"SentTimestamp": "1", "ApproximateReceiveCount": "1"}
    some = [{"MessageId": str(n), "ReceiptHandle": "r", "Body": "b", "Attributes": attributes} for n in range(10)]
    scripted.answer({"Messages": some})
    scripted.refuse("AccessDeniedException")
    assert len(queue.receive(EVENTS, count=20)) == 10


@pytest.mark.parametrize(
    ("code", "query_code"),
    [
        ("ReceiptHandleIsInvalid", ""),
        ("MessageNotInflight", "AWS.SimpleQueueService.MessageNotInflight"),
        ("InvalidParameterValueException", "InvalidParameterValue"),
    ],
)
def test_an_answer_of_a_lapsed_lease_is_not_an_error(
    scripted: ScriptedAws, queue: SqsQueue, code: str, query_code: str
) -> None:
    for _ in range(3):
        scripted.refuse(code, query_code=query_code)
    queue.done(MESSAGE)
    queue.release(MESSAGE)
    queue.extend(MESSAGE, lease_s=60)
    operations = ["DeleteMessage", "ChangeMessageVisibility", "ChangeMessageVisibility"]
    assert [operation for operation, _ in scripted.asked] == operations


def test_a_lease_that_can_not_be_ended_is_told(scripted: ScriptedAws, queue: SqsQueue) -> None:
    scripted.refuse("AccessDeniedException")
    with pytest.raises(QueueFault, match="DeleteMessage"):
        queue.done(MESSAGE)


def test_leases_and_delays_are_asked_for_in_whole_seconds_and_never_too_short(
    scripted: ScriptedAws, queue: SqsQueue
) -> None:
    queue.receive(EVENTS, lease_s=1.2)
    queue.release(MESSAGE, delay_s=0.1)
    queue.extend(MESSAGE, lease_s=25)
    assert [asked["VisibilityTimeout"] for _, asked in scripted.asked] == [2, 1, 25]


def test_dead_letters_are_put_back_by_a_task_of_sqs(scripted: ScriptedAws, queue: SqsQueue) -> None:
    scripted.answer({"Attributes": {**COUNTS, "ApproximateNumberOfMessages": "7", "QueueArn": DEAD_ARN}})
    scripted.answer({"TaskHandle": "t"})
    assert queue.redrive(EVENTS) == 7
    assert scripted.asked[1] == ("StartMessageMoveTask", {"SourceArn": DEAD_ARN})


def test_while_a_task_runs_already_the_rest_is_put_back_one_by_one(scripted: ScriptedAws, queue: SqsQueue) -> None:
    attributes = {"SentTimestamp": "1", "ApproximateReceiveCount": "11"}
    born = {"born_ms": {"DataType": "Number", "StringValue": "5"}}
    one = {"MessageId": "m", "ReceiptHandle": "r", "Body": "b", "Attributes": attributes, "MessageAttributes": born}
    scripted.answer({"Attributes": {**COUNTS, "ApproximateNumberOfMessages": "1", "QueueArn": DEAD_ARN}})
    scripted.refuse("UnsupportedOperation", query_code="AWS.SimpleQueueService.UnsupportedOperation")
    scripted.answer({"Messages": [one]})
    scripted.answer({"Successful": [{"Id": "0"}]})
    scripted.answer({"Successful": [{"Id": "0"}]})
    assert queue.redrive(EVENTS) == 1
    sent, deleted = scripted.asked[3], scripted.asked[4]
    assert sent[1]["QueueUrl"] == f"{URL}-events"
    assert sent[1]["Entries"] == [{"Id": "0", "MessageBody": "b", "MessageAttributes": born}]
    assert deleted[1]["Entries"] == [{"Id": "0", "ReceiptHandle": "r"}]


def test_the_six_queues_have_names_of_the_prefix() -> None:
    names = queue_names("paymentserver-prod")
    assert names[Topic.INBOUND] == ("paymentserver-prod-inbound", "paymentserver-prod-inbound-dead")
    assert len({name for pair in names.values() for name in pair}) == 6
    assert all(re.fullmatch(r"[\w-]{1,80}", name) for pair in names.values() for name in pair)


def test_a_dead_letter_queue_has_none_of_its_own() -> None:
    assert "RedrivePolicy" not in attributes_of(None)
    assert f'"maxReceiveCount": {RECEIVES_MAX}' in attributes_of(DEAD_ARN)["RedrivePolicy"]


def test_queues_that_can_not_be_made_are_told(scripted: ScriptedAws) -> None:
    scripted.refuse("AccessDeniedException", message="not authorized to perform sqs:CreateQueue")
    with pytest.raises(QueueFault, match="The queues could not be made: not authorized to perform sqs:CreateQueue"):
        create_queues(URL)
