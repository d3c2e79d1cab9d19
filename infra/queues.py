"""The SQS queues, one for each topic, and the dead letters of each."""

from __future__ import annotations

from chalicelib.contracts.queue import RECEIVES_MAX, Topic
from infra.cloudformation import Json, arn_of, sub
from infra.names import CONSUMER_OF, dead_letters_id, queue_id
from infra.stages import Stage

DAY_S = 86_400
KEPT_S = 14 * DAY_S  # SQS' longest: time to mend what killed a message
VISIBLE_AFTER_TIMEOUTS = 6  # what Lambda asks for, so that a throttled batch is not given out twice


def queues(stage: Stage) -> dict[str, Json]:
    made: dict[str, Json] = {}
    for topic in Topic:
        made[dead_letters_id(topic)] = _queue(f"{topic}-dead", {"MessageRetentionPeriod": KEPT_S})
        redrive = {"deadLetterTargetArn": arn_of(dead_letters_id(topic)), "maxReceiveCount": RECEIVES_MAX}
        visible_s = VISIBLE_AFTER_TIMEOUTS * stage.timeout_s(CONSUMER_OF[topic])
        made[queue_id(topic)] = _queue(
            topic, {"MessageRetentionPeriod": KEPT_S, "VisibilityTimeout": visible_s, "RedrivePolicy": redrive}
        )
    return made


def _queue(name: str, properties: Json) -> Json:
    """A queue of a stack that never came up goes with it; any other stays, with the messages in it."""
    return {
        "Type": "AWS::SQS::Queue",
        "DeletionPolicy": "RetainExceptOnCreate",
        "UpdateReplacePolicy": "Retain",
        "Properties": {
            "QueueName": sub("${AWS::StackName}-" + name),
            "SqsManagedSseEnabled": True,
            **properties,
        },
    }
