"""The alarms. docs/deploy.md says of each what it means and what to do; a test holds the two together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from chalicelib.contracts.queue import Topic
from chalicelib.services.kinds import KINDS
from infra.cloudformation import Json, attribute_of, ref, sub, when
from infra.grants import table_actions
from infra.log_metrics import NAMESPACE, put_off_metric
from infra.names import CONSUMER_OF, FUNCTIONS, SCHEDULED, STAGE, dead_letters_id, queue_id
from infra.stages import Stage

OLDEST_S = {Topic.INBOUND: 300, Topic.EVENTS: 300, Topic.CHORES: 1_800}  # chores are sent with up to 900 s of delay
SLOW_MS = {"api_handler": 20_000, "webhooks": 3_000}  # p99; PSPs wait 5 to 30 s for their answer
NEAR_TIMEOUT = 0.8
OPERATIONS = {"DeleteItem": "TransactWriteItems"}  # as CloudWatch calls what the store does by the right to the left
API_SLOW_MS = 25_000  # API Gateway ends at 29 s


@dataclass(frozen=True, slots=True)
class Metric:
    namespace: Any
    name: str
    dimensions: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Alarm:
    """`metrics` are added up. Rings when `periods` periods of `period_s` in a row are over `above`, or below `below`."""

    name: str
    meaning: str
    metrics: Sequence[Metric]
    statistic: str
    above: float | None = None
    below: float | None = None
    periods: int = 1
    period_s: int = 60
    missing: str = field(default="notBreaching")


def alarms(stage: Stage) -> tuple[Alarm, ...]:
    return (*_of_functions(stage), *_of_queues(), *_of_tables(), *_of_api())


def _of_functions(stage: Stage) -> list[Alarm]:
    made: list[Alarm] = []
    for name, resource in FUNCTIONS.items():
        slug = name.removesuffix("_handler")

        def metric(of: str, resource: str = resource) -> list[Metric]:
            return [Metric("AWS/Lambda", of, {"FunctionName": ref(resource)})]

        made.append(Alarm(f"{slug}-errors", f"{slug} ended with an error", metric("Errors"), "Sum", above=0))
        slow_ms = SLOW_MS.get(name, NEAR_TIMEOUT * 1000 * stage.timeout_s(name))
        statistic = "p99" if name in SLOW_MS else "Maximum"
        made.append(
            Alarm(f"{slug}-slow", f"{slug} takes long", metric("Duration"), statistic, above=slow_ms, periods=5)
        )
        if name in SCHEDULED:
            # It is called each minute and runs once at a time: no calls at all means that the schedule is off.
            calls = metric("Invocations")
            made.append(
                Alarm(f"{slug}-absent", f"{slug} does not run", calls, "Sum", below=1, periods=5, missing="breaching")
            )
        else:
            made.append(Alarm(f"{slug}-throttles", f"{slug} was not let run", metric("Throttles"), "Sum", above=0))
    url = [Metric("AWS/Lambda", "Url5xxCount", {"FunctionName": ref("Webhooks")})]
    made.append(Alarm("webhooks-refused", "a PSP or a shopper was answered 5xx", url, "Sum", above=0))
    return made


def _of_queues() -> list[Alarm]:
    made: list[Alarm] = []
    for topic in Topic:
        dead = [_of_queue(dead_letters_id(topic), "ApproximateNumberOfMessagesVisible")]
        made.append(Alarm(f"{topic}-dead-letters", f"{CONSUMER_OF[topic]} gave messages up", dead, "Maximum", above=0))
        oldest = [_of_queue(queue_id(topic), "ApproximateAgeOfOldestMessage")]
        made.append(
            Alarm(
                f"{topic}-oldest",
                f"messages wait for {CONSUMER_OF[topic]}",
                oldest,
                "Maximum",
                above=OLDEST_S[topic],
                periods=5,
            )
        )
        put_off = [Metric(NAMESPACE, put_off_metric(topic), {})]
        made.append(
            Alarm(f"{topic}-put-off", f"an outage keeps {CONSUMER_OF[topic]} from work", put_off, "Sum", 0, periods=3)
        )
    return made


def _of_queue(resource: str, name: str) -> Metric:
    return Metric("AWS/SQS", name, {"QueueName": attribute_of(resource, "QueueName")})


def _of_tables() -> list[Alarm]:
    """Of each table and all that any function does with it; an index that is throttled throttles the table's writes."""
    made: list[Alarm] = []
    for kind in KINDS:
        slug, actions = kind.name.replace("_", "-"), sorted(table_actions(kind.name))

        def metrics(of: str, kind_name: str = kind.name, actions: Sequence[str] = actions) -> list[Metric]:
            table = sub("${TablePrefix}-" + kind_name)
            operations = [OPERATIONS.get(action, action) for action in actions]
            return [Metric("AWS/DynamoDB", of, {"TableName": table, "Operation": one}) for one in operations]

        made.append(
            Alarm(f"{slug}-throttled", f"{slug} is asked too much", metrics("ThrottledRequests"), "Sum", 0, periods=2)
        )
        made.append(Alarm(f"{slug}-failing", f"{slug} fails", metrics("SystemErrors"), "Sum", above=0, periods=2))
    return made


def _of_api() -> list[Alarm]:
    def metric(name: str) -> list[Metric]:
        return [Metric("AWS/ApiGateway", name, {"ApiName": ref("AWS::StackName"), "Stage": STAGE})]

    return [
        Alarm("gateway-5xx", "merchants were answered 5xx", metric("5XXError"), "Sum", above=0),
        Alarm("gateway-slow", "answers take long", metric("Latency"), "p99", above=API_SLOW_MS, periods=5),
    ]


def resources(stage: Stage) -> dict[str, Json]:
    return {_logical_id(alarm.name): _resource(alarm) for alarm in alarms(stage)}


def _logical_id(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("-")) + "Alarm"


def _resource(alarm: Alarm) -> Json:
    over = alarm.above is not None
    topic = when("HasAlarmTopic", [ref("AlarmTopicArn")])
    properties: Json = {
        "AlarmName": sub("${AWS::StackName}-" + alarm.name),
        "AlarmDescription": f"{alarm.meaning}; docs/deploy.md says what to do",
        "EvaluationPeriods": alarm.periods,
        "Threshold": alarm.above if over else alarm.below,
        "ComparisonOperator": "GreaterThanThreshold" if over else "LessThanThreshold",
        "TreatMissingData": alarm.missing,
        "AlarmActions": topic,
        "OKActions": topic,
        **(_one(alarm) if len(alarm.metrics) == 1 else _sum(alarm)),
    }
    return {"Type": "AWS::CloudWatch::Alarm", "Properties": properties}


def _one(alarm: Alarm) -> Json:
    (metric,) = alarm.metrics
    percentile = alarm.statistic.startswith("p")
    return {
        "Namespace": metric.namespace,
        "MetricName": metric.name,
        "Dimensions": _dimensions(metric),
        "ExtendedStatistic" if percentile else "Statistic": alarm.statistic,
        "Period": alarm.period_s,
    }


def _sum(alarm: Alarm) -> Json:
    """No data of one of them, as when an operation was not called, counts as nothing."""
    parts = [
        {
            "Id": f"m{number}",
            "ReturnData": False,
            "MetricStat": {
                "Metric": {
                    "Namespace": metric.namespace,
                    "MetricName": metric.name,
                    "Dimensions": _dimensions(metric),
                },
                "Period": alarm.period_s,
                "Stat": alarm.statistic,
            },
        }
        for number, metric in enumerate(alarm.metrics)
    ]
    added = "+".join(f"FILL({part['Id']},0)" for part in parts)
    return {"Metrics": [*parts, {"Id": "total", "Expression": added, "Label": alarm.name, "ReturnData": True}]}


def _dimensions(metric: Metric) -> list[Json]:
    return [{"Name": name, "Value": value} for name, value in metric.dimensions.items()]
