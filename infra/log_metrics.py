"""What only the log tells, as metrics: messages that a queue's function put off because of an outage, and not of their own.

They are sent again as new messages, so neither their age nor their number of receives shows it.
"""

from __future__ import annotations

from chalicelib.contracts.queue import Topic
from infra.cloudformation import Json, ref
from infra.names import CONSUMER_OF, FUNCTIONS, LOG_GROUPS

NAMESPACE = ref("AWS::StackName")
PUT_OFF = '{ $.message = "message" && $.result = "again" }'  # chalicelib/queues/sqs_batch.py writes it


def put_off_metric(topic: Topic) -> str:
    return f"{topic}-put-off"


def log_metrics() -> dict[str, Json]:
    made: dict[str, Json] = {}
    for topic, function in CONSUMER_OF.items():
        made[f"{FUNCTIONS[function]}PutOff"] = {
            "Type": "AWS::Logs::MetricFilter",
            "Properties": {
                "LogGroupName": ref(LOG_GROUPS[function]),
                "FilterPattern": PUT_OFF,
                "MetricTransformations": [
                    {
                        "MetricNamespace": NAMESPACE,
                        "MetricName": put_off_metric(topic),
                        "MetricValue": "1",
                        "DefaultValue": 0,
                        "Unit": "Count",
                    }
                ],
            },
        }
    return made
