"""Events in the shape that AWS sends them: API Gateway's proxy, a function URL, SQS, a schedule."""

from __future__ import annotations

import base64
import hashlib
import itertools
import time
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs

_numbers = itertools.count(1)


class Context:
    """What a handler asks of Lambda's context."""

    def __init__(self, left_s: float = 30.0) -> None:
        self.aws_request_id = f"5f2c1ab0-3d0e-4b6a-9c55-{next(_numbers):012x}"
        self._ends = time.monotonic() + left_s

    def get_remaining_time_in_millis(self) -> int:
        return max(int((self._ends - time.monotonic()) * 1000), 0)


def proxied(
    method: str,
    resource: str,
    *,
    path: str | None = None,
    params: Mapping[str, str] | None = None,
    headers: Mapping[str, str | Sequence[str]] | None = None,
    query: str = "",
    body: bytes | None = None,
) -> dict[str, Any]:
    """A REST API's proxy event (version 1). `path` is the resource with its parameters filled in by default."""
    path = path or resource.format(**(params or {}))
    every = {name: [value] if isinstance(value, str) else list(value) for name, value in (headers or {}).items()}
    every |= {"Host": ["abc123.execute-api.eu-west-1.amazonaws.com"], "X-Forwarded-For": ["203.0.113.7"]}
    found = parse_qs(query, keep_blank_values=True) or None
    return {
        "resource": resource,
        "path": path,
        "httpMethod": method,
        "headers": {name: values[-1] for name, values in every.items()},
        "multiValueHeaders": every,
        "queryStringParameters": found and {name: values[-1] for name, values in found.items()},
        "multiValueQueryStringParameters": found,
        "pathParameters": dict(params) if params else None,
        "stageVariables": None,
        "requestContext": {
            "resourceId": "r1",
            "resourcePath": resource,
            "httpMethod": method,
            "path": f"/api{path}",
            "accountId": "123456789012",
            "protocol": "HTTP/1.1",
            "stage": "api",
            "requestId": f"req-{next(_numbers)}",
            "identity": {"sourceIp": "203.0.113.7", "userAgent": "shop/1.0"},
            "apiId": "abc123",
        },
        "body": body.decode() if body else None,
        "isBase64Encoded": False,
    }


def called(
    method: str,
    path: str,
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    as_text: bool = False,
) -> dict[str, Any]:
    """A function URL's event (payload format 2.0). AWS sends a body as text only where its type says that it is."""
    raw, _, query = path.partition("?")
    domain = "abcdefghijklmnopqrstuvwxyz234567.lambda-url.eu-west-1.on.aws"
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": raw,
        "rawQueryString": query,
        "headers": {
            "host": domain,
            "content-length": str(len(body)),
            "x-amzn-tls-version": "TLSv1.3",
            "x-amzn-trace-id": "Root=1-67891233-abcdef012345678912345678",
            "x-forwarded-for": "203.0.113.9",
            "x-forwarded-port": "443",
            "x-forwarded-proto": "https",
            **{name.lower(): value for name, value in (headers or {}).items()},
        },
        "requestContext": {
            "accountId": "anonymous",
            "apiId": domain.partition(".")[0],
            "domainName": domain,
            "domainPrefix": domain.partition(".")[0],
            "http": {
                "method": method,
                "path": raw,
                "protocol": "HTTP/1.1",
                "sourceIp": "203.0.113.9",
                "userAgent": "psp/1.0",
            },
            "requestId": f"req-{next(_numbers)}",
            "routeKey": "$default",
            "stage": "$default",
            "time": "26/Nov/2026:12:00:00 +0000",
            "timeEpoch": 1795694400000,
        },
        "isBase64Encoded": not as_text,
    }
    if body:
        event["body"] = body.decode() if as_text else base64.b64encode(body).decode()
    return event


def queued(topic: str, *bodies: str, receives: int = 1, attributes: Mapping[str, str] | None = None) -> dict[str, Any]:
    """An SQS event source's batch of messages; each body is what stands in the queue, as text."""
    now_ms = str(int(time.time() * 1000))
    return {
        "Records": [
            {
                "messageId": f"{number:08x}-1111-4222-8333-444455556666",
                "receiptHandle": f"handle-{number}",
                "body": body,
                "attributes": {
                    "ApproximateReceiveCount": str(receives),
                    "SentTimestamp": now_ms,
                    "SenderId": "AROAEXAMPLE:webhooks",
                    "ApproximateFirstReceiveTimestamp": now_ms,
                },
                "messageAttributes": {
                    name: {"stringValue": value, "dataType": "String", "stringListValues": [], "binaryListValues": []}
                    for name, value in (attributes or {}).items()
                },
                "md5OfBody": hashlib.md5(body.encode()).hexdigest(),
                "eventSource": "aws:sqs",
                "eventSourceARN": f"arn:aws:sqs:eu-west-1:123456789012:paymentserver-{topic}",
                "awsRegion": "eu-west-1",
            }
            for number, body in ((next(_numbers), body) for body in bodies)
        ]
    }


def scheduled(rule: str) -> dict[str, Any]:
    """An EventBridge schedule's event."""
    return {
        "version": "0",
        "id": "53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa",
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": "123456789012",
        "time": "2026-11-26T12:00:00Z",
        "region": "eu-west-1",
        "resources": [f"arn:aws:events:eu-west-1:123456789012:rule/paymentserver-{rule}"],
        "detail": {},
    }
