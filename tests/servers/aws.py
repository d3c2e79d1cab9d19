"""AWS as a test wants it: the process' session at a stand-in, and a server that answers what a test says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from chalicelib.outbound import aws
from tests.outbound.keeping import Keeping, keeping
from tests.servers.ministack import CREDENTIALS


@contextmanager
def in_aws(endpoint: str) -> Iterator[str]:
    """The process' AWS is the server at `endpoint`."""
    with pytest.MonkeyPatch.context() as patched:
        for name, value in {**CREDENTIALS, "AWS_ENDPOINT_URL": endpoint}.items():
            patched.setenv(name, value)
        aws.forget()
        yield endpoint
    aws.forget()


class ScriptedAws:
    """Gives its answers one after the other, in the JSON protocol of SQS and KMS."""

    def __init__(self, server: Keeping) -> None:
        self._server = server

    def answer(self, document: Any = None) -> None:
        self._server.answers.append((200, {}, json.dumps(document or {}).encode()))

    def refuse(self, code: str, status: int = 400, message: str = "", query_code: str = "") -> None:
        headers = {"x-amzn-query-error": f"{query_code};Sender"} if query_code else {}
        told = json.dumps({"__type": f"com.amazonaws#{code}", "message": message}).encode()
        self._server.answers.append((status, headers, told))

    def say(self, status: int, body: bytes) -> None:
        """Something that is not of the protocol; a negative status hangs up."""
        self._server.answers.append((status, {}, body))

    @property
    def asked(self) -> list[tuple[str, dict[str, Any]]]:
        """(operation, parameters) of each request."""
        return [_asked_in(request) for request in self._server.requests]


def _asked_in(request: str) -> tuple[str, dict[str, Any]]:
    head, _, body = request.partition("\r\n\r\n")
    target = next(line for line in head.splitlines() if line.lower().startswith("x-amz-target:"))
    return target.rpartition(".")[2], json.loads(body)


@contextmanager
def scripted_aws() -> Iterator[ScriptedAws]:
    with keeping() as server, in_aws(server.url):
        yield ScriptedAws(server)
