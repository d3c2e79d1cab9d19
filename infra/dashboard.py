"""The dashboard: what an operator looks at first, in four rows."""

from __future__ import annotations

import json

from chalicelib.contracts.queue import Topic
from chalicelib.services.kinds import KINDS
from infra.cloudformation import Json, sub
from infra.names import FUNCTIONS, STAGE, function_name

WIDTH, HEIGHT = 8, 6  # three widgets a row of 24


def dashboard() -> dict[str, Json]:
    body = {"widgets": [_placed(number, widget) for number, widget in enumerate(_widgets())]}
    return {
        "Dashboard": {
            "Type": "AWS::CloudWatch::Dashboard",
            "Properties": {"DashboardName": sub("${AWS::StackName}"), "DashboardBody": sub(json.dumps(body))},
        }
    }


def _widgets() -> list[Json]:
    return [
        _widget("API: requests and errors", "Sum", _of_api("Count", "4XXError", "5XXError")),
        _widget("API: latency p50, p99 (ms)", "p99", [*_of_api("Latency"), [*_of_api("Latency")[0], {"stat": "p50"}]]),
        _widget("Webhooks and returns", "Sum", _of_webhooks("UrlRequestCount", "Url4xxCount", "Url5xxCount")),
        _widget("Function errors", "Sum", _of_functions("Errors")),
        _widget("Function throttles", "Sum", _of_functions("Throttles")),
        _widget("Function duration, longest (ms)", "Maximum", _of_functions("Duration")),
        _widget("Messages waiting", "Maximum", _of_queues("ApproximateNumberOfMessagesVisible")),
        _widget("Oldest message (s)", "Maximum", _of_queues("ApproximateAgeOfOldestMessage")),
        _widget("Dead letters", "Maximum", _of_queues("ApproximateNumberOfMessagesVisible", suffix="-dead")),
        _widget("Read units", "Sum", _of_tables("ConsumedReadCapacityUnits")),
        _widget("Write units", "Sum", _of_tables("ConsumedWriteCapacityUnits")),
        _widget("Functions running at a time", "Maximum", _of_functions("ConcurrentExecutions")),
    ]


def _placed(number: int, widget: Json) -> Json:
    row, column = divmod(number, 24 // WIDTH)
    return {"type": "metric", "x": column * WIDTH, "y": row * HEIGHT, "width": WIDTH, "height": HEIGHT, **widget}


def _widget(title: str, stat: str, metrics: list[list[object]]) -> Json:
    properties = {"title": title, "region": "${AWS::Region}", "stat": stat, "period": 60, "metrics": metrics}
    return {"properties": properties}


def _of_api(*names: str) -> list[list[object]]:
    return [["AWS/ApiGateway", name, "ApiName", "${AWS::StackName}", "Stage", STAGE] for name in names]


def _of_webhooks(*names: str) -> list[list[object]]:
    return [["AWS/Lambda", name, "FunctionName", function_name("webhooks")] for name in names]


def _of_functions(name: str) -> list[list[object]]:
    return [["AWS/Lambda", name, "FunctionName", function_name(function)] for function in FUNCTIONS]


def _of_queues(name: str, suffix: str = "") -> list[list[object]]:
    return [["AWS/SQS", name, "QueueName", "${AWS::StackName}-" + topic + suffix] for topic in Topic]


def _of_tables(name: str) -> list[list[object]]:
    return [["AWS/DynamoDB", name, "TableName", "${TablePrefix}-" + kind.name] for kind in KINDS]
