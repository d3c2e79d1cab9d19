"""The six queues: their names, what they are made with, and making them on a developer's machine."""

from __future__ import annotations

import json
from urllib.parse import urlsplit

from chalicelib.contracts.queue import RECEIVES_MAX, Topic
from chalicelib.domain.errors import QueueFault
from chalicelib.outbound import aws

KEPT_S = 14 * 86_400  # the longest that SQS keeps a message


def queue_names(prefix: str) -> dict[Topic, tuple[str, str]]:
    """The name of each topic's queue, and that of its dead letters."""
    return {topic: (f"{prefix}-{topic.value}", f"{prefix}-{topic.value}-dead") for topic in Topic}


def attributes_of(dead_arn: str | None) -> dict[str, str]:
    """What CreateQueue takes; `dead_arn` is the queue of the dead letters, None for that one itself.

    SQS counts a dead letter's days from when it was first sent, so both kinds of queue keep as long as they can.
    """
    kept = {"MessageRetentionPeriod": str(KEPT_S)}
    if dead_arn is None:
        return kept
    policy = {"deadLetterTargetArn": dead_arn, "maxReceiveCount": RECEIVES_MAX}
    return {**kept, "RedrivePolicy": json.dumps(policy)}


def create_queues(queue_url: str) -> None:
    """Makes those that are missing, with their redrive policies. For development: a deployment's are in its template.

    Raises QueueFault."""
    parts = urlsplit(queue_url)
    region = aws.region_of(parts.hostname or "")
    try:
        for name, dead_name in queue_names(parts.path.rpartition("/")[2]).values():
            dead_url = _created(dead_name, None, region)
            asked = {"QueueUrl": dead_url, "AttributeNames": ["QueueArn"]}
            arn = aws.call("sqs", "get_queue_attributes", asked, region=region, has="Attributes")["Attributes"][
                "QueueArn"
            ]
            _created(name, arn, region)
    except aws.AwsFault as fault:
        raise QueueFault(f"The queues could not be made: {fault.told} ({fault.code}).") from None


def _created(name: str, dead_arn: str | None, region: str | None) -> str:
    """The queue's URL; one that was there with other attributes gets these."""
    attributes = attributes_of(dead_arn)
    try:
        asked = {"QueueName": name, "Attributes": attributes}
        return str(aws.call("sqs", "create_queue", asked, region=region, has="QueueUrl")["QueueUrl"])
    except aws.AwsFault as fault:
        if fault.code not in ("QueueNameExists", "QueueAlreadyExists"):
            raise
    url = str(aws.call("sqs", "get_queue_url", {"QueueName": name}, region=region, has="QueueUrl")["QueueUrl"])
    aws.call("sqs", "set_queue_attributes", {"QueueUrl": url, "Attributes": attributes}, region=region)
    return url
