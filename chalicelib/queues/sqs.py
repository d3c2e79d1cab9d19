"""Queues of Amazon SQS, with dead letters by each queue's redrive policy. At least once, in any order."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from chalicelib.contracts.queue import Message, Topic, checked_body, checked_delay
from chalicelib.domain.errors import QueueFault
from chalicelib.outbound import aws
from chalicelib.queues.sqs_form import ASKED, received, sent_form

BATCH_MAX = 10
BATCH_BYTES_MAX = 255_000  # 256 KiB, less what attributes take
LOOK_S = 20  # how long dead letters are hidden from others while they are looked at
MOVE_S = 60
_GONE = (
    "ReceiptHandleIsInvalid",
    "MessageNotInflight",
    "AWS.SimpleQueueService.MessageNotInflight",
    "InvalidParameterValue",
)
_COUNTS = tuple(f"ApproximateNumberOfMessages{part}" for part in ("", "NotVisible", "Delayed"))
_MENDS = {
    "QueueDoesNotExist": "Deploy the queues, or correct PAYMENTSERVER_QUEUE_URL.",
    "AWS.SimpleQueueService.NonExistentQueue": "Deploy the queues, or correct PAYMENTSERVER_QUEUE_URL.",
    "AccessDenied": "Let the role of this function do that.",
    "AccessDeniedException": "Let the role of this function do that.",
}


class SqsQueue:
    """Safe across threads, processes and forks. `queue_url` is that of all queues up to ``-inbound`` and so on; dead letters
    are in ``-inbound-dead`` and so on. What SQS can not do within `budget_s` is a QueueFault."""

    def __init__(
        self, queue_url: str, *, budget_s: float = aws.BUDGET_S, clock: Callable[[], float] = time.time
    ) -> None:
        parts = urlsplit(queue_url)
        if not parts.hostname or parts.path.count("/") < 2 or parts.path.endswith("/"):
            raise ValueError("The queues' URL reads https://sqs.REGION.amazonaws.com/ACCOUNT/PREFIX.")
        self._prefix, self._region = queue_url, aws.region_of(parts.hostname)
        self._budget_s, self._clock = budget_s, clock

    def send(self, topic: Topic, body: bytes, *, delay_s: float = 0) -> None:
        self._send(topic, sent_form(checked_body(body)), delay_s)

    def send_all(self, topic: Topic, bodies: Sequence[bytes], *, delay_s: float = 0) -> None:
        if len(bodies) == 1:
            return self.send(topic, bodies[0], delay_s=delay_s)
        forms = [sent_form(checked_body(body)) for body in bodies]
        seconds = _seconds(checked_delay(delay_s))
        for batch in _batches(forms, [len(body) for body in bodies]):
            self._send_batch(self._url(topic), [{**form, "DelaySeconds": seconds} for form in batch])
        return None

    def send_again(self, message: Message, *, delay_s: float = 0) -> None:
        self._send(message.topic, sent_form(message.body, self._now_ms() - message.age_ms), delay_s)

    def receive(self, topic: Topic, *, count: int = 10, lease_s: float = 60) -> Sequence[Message]:
        if count < 1 or lease_s <= 0:
            raise ValueError(f"count is {count} and lease_s {lease_s}; both must be positive")
        return self._leased(self._url(topic), topic, count, _seconds(lease_s))

    def done(self, message: Message) -> None:
        self._answered("delete_message", message)

    def release(self, message: Message, *, delay_s: float = 0) -> None:
        self._answered("change_message_visibility", message, VisibilityTimeout=_seconds(checked_delay(delay_s)))

    def extend(self, message: Message, *, lease_s: float) -> None:
        if lease_s <= 0:
            raise ValueError(f"lease_s is {lease_s}; it must be positive")
        self._answered("change_message_visibility", message, VisibilityTimeout=_seconds(lease_s))

    def dead(self, topic: Topic, *, limit: int = 50) -> Sequence[Message]:
        """They are hidden from others for as long as the look takes, or LOOK_S where it is cut off."""
        url = self._url(topic, dead=True)
        found = self._leased(url, topic, limit, LOOK_S)
        for start in range(0, len(found), BATCH_MAX):
            entries = [
                {"Id": str(number), "ReceiptHandle": one.receipt, "VisibilityTimeout": 0}
                for number, one in enumerate(found[start : start + BATCH_MAX])
            ]
            self._call("change_message_visibility_batch", url, {"Entries": entries})
        return sorted(found, key=lambda one: -one.age_ms)

    def dead_count(self, topic: Topic) -> int:
        return sum(self._counts(self._url(topic, dead=True)))

    def redrive(self, topic: Topic) -> int:
        """By SQS' own message move task, which goes on by itself; one by one where that is not to be had."""
        url = self._url(topic, dead=True)
        attributes = self._attributes(url, "QueueArn", *_COUNTS)
        count = sum(int(attributes[name]) for name in _COUNTS)
        if count == 0:
            return 0
        try:
            self._tried("start_message_move_task", {"SourceArn": attributes["QueueArn"]})
        except aws.AwsFault as fault:
            if fault.passing:
                raise self._fault("start_message_move_task", url, fault) from None
            return self._moved(url, self._url(topic))
        return count

    def depth(self, topic: Topic) -> tuple[int, int | None]:
        return sum(self._counts(self._url(topic))), None

    def ready(self, topic: Topic) -> int:
        return self._counts(self._url(topic))[0]

    def close(self) -> None:
        """Its connections are the process', which others use."""

    def _send(self, topic: Topic, form: dict[str, Any], delay_s: float) -> None:
        asked = {**form, "DelaySeconds": _seconds(checked_delay(delay_s))}
        self._call("send_message", self._url(topic), asked, has="MessageId")

    def _send_batch(self, url: str, entries: list[dict[str, Any]]) -> None:
        """Those that SQS did not take are sent again within the budget."""
        left = {str(number): entry for number, entry in enumerate(entries)}
        ends = time.monotonic() + self._budget_s
        while True:
            asked = [{"Id": id, **entry} for id, entry in left.items()]
            answer = self._call("send_message_batch", url, {"Entries": asked})
            for one in answer.get("Successful", ()):
                left.pop(one["Id"], None)
            if not left:
                return
            refused = [one for one in answer.get("Failed", ()) if one["Id"] in left]
            fault = aws.AwsFault(
                refused[0]["Code"] if refused else "IncompleteAnswer", "not all were taken", passing=True
            )
            pause_s = random.uniform(0.05, 0.3)  # noqa: S311  # jitter is no secret
            if any(one["SenderFault"] for one in refused) or time.monotonic() + pause_s > ends:
                raise self._fault("send_message_batch", url, fault)
            time.sleep(pause_s)

    def _leased(self, url: str, topic: Topic, count: int, lease_s: int) -> list[Message]:
        found: list[Message] = []
        while len(found) < count:
            wanted = min(count - len(found), BATCH_MAX)
            asked = {"MaxNumberOfMessages": wanted, "VisibilityTimeout": lease_s, "WaitTimeSeconds": 0, **ASKED}
            try:
                got = self._call("receive_message", url, asked).get("Messages", ())
            except QueueFault:
                if found:
                    return found  # they are leased, so they are to be worked on
                raise
            now_ms = self._now_ms()
            found += [received(one, topic, now_ms) for one in got]
            if len(got) < wanted:
                break
        return found

    def _answered(self, operation: str, message: Message, **asked: Any) -> None:
        """A lease that has lapsed is not an error, and neither is one that SQS lets nobody extend any more."""
        url = self._url(message.topic)
        try:
            self._tried(operation, {"QueueUrl": url, "ReceiptHandle": message.receipt, **asked})
        except aws.AwsFault as fault:
            if fault.code not in _GONE:
                raise self._fault(operation, url, fault) from None

    def _moved(self, source: str, sink: str) -> int:
        """How many messages were moved. A crash in between leaves some in both queues."""
        moved = 0
        asked = {"MaxNumberOfMessages": BATCH_MAX, "VisibilityTimeout": MOVE_S, **ASKED}
        while got := self._call("receive_message", source, asked).get("Messages"):
            form = ("Body", "MessageBody"), ("MessageAttributes", "MessageAttributes")
            self._send_batch(sink, [{to: one[of] for of, to in form if of in one} for one in got])
            handles = [{"Id": str(number), "ReceiptHandle": one["ReceiptHandle"]} for number, one in enumerate(got)]
            self._call("delete_message_batch", source, {"Entries": handles})
            moved += len(got)
        return moved

    def _counts(self, url: str) -> list[int]:
        attributes = self._attributes(url, *_COUNTS)
        return [int(attributes[name]) for name in _COUNTS]

    def _attributes(self, url: str, *names: str) -> dict[str, str]:
        answer = self._call("get_queue_attributes", url, {"AttributeNames": list(names)}, has="Attributes")
        attributes: dict[str, str] = answer["Attributes"]
        return attributes

    def _call(self, operation: str, url: str, asked: Mapping[str, Any], *, has: str | None = None) -> dict[str, Any]:
        try:
            return self._tried(operation, {"QueueUrl": url, **asked}, has)
        except aws.AwsFault as fault:
            raise self._fault(operation, url, fault) from None

    def _tried(self, operation: str, asked: Mapping[str, Any], has: str | None = None) -> dict[str, Any]:
        """Raises AwsFault."""
        return aws.call("sqs", operation, asked, region=self._region, has=has, budget_s=self._budget_s)

    def _fault(self, operation: str, url: str, fault: aws.AwsFault) -> QueueFault:
        action = "".join(part.capitalize() for part in operation.split("_"))
        mend = _MENDS.get(fault.code, "Try again." if fault.passing else "See the SQS API's errors.")
        return QueueFault(f"{action} of the queue {url.rpartition('/')[2]}: {fault.told} ({fault.code}). {mend}")

    def _url(self, topic: Topic, *, dead: bool = False) -> str:
        return f"{self._prefix}-{topic.value}{'-dead' if dead else ''}"

    def _now_ms(self) -> int:
        return int(self._clock() * 1000)


def _seconds(seconds: float) -> int:
    """SQS counts whole ones; nothing is due early."""
    return math.ceil(seconds)


def _batches(forms: Sequence[dict[str, Any]], sizes: Sequence[int]) -> Iterator[list[dict[str, Any]]]:
    """In their order, as many in each as one request takes."""
    batch: list[dict[str, Any]] = []
    taken = 0
    for form, size in zip(forms, sizes, strict=True):
        if batch and (len(batch) == BATCH_MAX or taken + size > BATCH_BYTES_MAX):
            yield batch
            batch, taken = [], 0
        batch.append(form)
        taken += size
    if batch:
        yield batch
