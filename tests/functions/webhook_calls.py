"""Calls of the webhook function in process, and what a PSP would send."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from chalicelib.functions import webhooks
from dev.sandbox.outbox import signature
from tests.aws.events import Context, called

ADDRESS = "/webhooks/default/sandbox-a"
EVENT = json.dumps({"id": "evt_1", "type": "session.expired", "version": 1, "data": {"reference": "é"}}).encode()


def signed(body: bytes, secret: str) -> dict[str, str]:
    return {"Content-Type": "application/json", "Sandbox-Signature": signature(body, [secret], int(time.time()))}


def call(
    method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes = b"", **how: Any
) -> dict[str, Any]:
    answer = webhooks.handle(called(method, path, headers=headers, body=body, **how), Context())
    json.dumps(answer)  # Lambda takes nothing else
    return answer


def problem_in(answer: Mapping[str, Any], status: int, slug: str) -> dict[str, Any]:
    """The document, once it is proven to be a good one."""
    assert answer["statusCode"] == status, answer
    assert answer["headers"]["Content-Type"] == "application/problem+json"
    document: dict[str, Any] = json.loads(answer["body"])
    assert document["type"] == f"https://pay.example/problems/{slug}"
    assert document["status"] == status
    assert document["request_id"] == answer["headers"]["X-Request-Id"]
    assert document["detail"]
    return document
