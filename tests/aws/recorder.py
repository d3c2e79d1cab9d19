"""A front of an AWS stand-in for one function: passes its calls on, and writes down what right each of them needs."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

# The service by what its calls' target begins with.
SERVICES = {"DynamoDB": "dynamodb", "AmazonSQS": "sqs", "TrentService": "kms"}
ACTION_OF = {"SendMessageBatch": "SendMessage", "TransactWriteItems": "DeleteItem"}  # where rights have another name

Used = tuple[str, str]  # an action such as "dynamodb:Query", and a table, a table's index, a queue, or a key's use


class Recorder(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, function: str, behind: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.function, self.behind = function, behind
        self.used: set[Used] = set()
        self.refused: list[str] = []
        self.down: set[str] = set()  # services that are out of reach, such as "dynamodb"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


@contextmanager
def recording(function: str, behind: int) -> Iterator[Recorder]:
    """`behind` is the stand-in's port."""
    recorder = Recorder(function, behind)
    threading.Thread(target=recorder.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield recorder
    finally:
        recorder.shutdown()
        recorder.server_close()


def used_in(target: str, body: Any) -> set[Used]:
    """What a call needs. `target` is its X-Amz-Target, such as ``DynamoDB_20120810.GetItem``."""
    named, _, operation = target.partition(".")
    service = SERVICES[named.partition("_")[0]]
    action = f"{service}:{ACTION_OF.get(operation, operation)}"
    return {(action, resource) for resource in _resources(service, body)}


def _resources(service: str, body: Any) -> list[str]:
    if service == "sqs":
        return [body["QueueUrl"].rpartition("/")[2]]
    if service == "kms":  # Decrypt names no key, but what it is for
        return [body["EncryptionContext"]["use"] if "EncryptionContext" in body else "links"]
    if "RequestItems" in body:
        return list(body["RequestItems"])
    if "TransactItems" in body:
        return [one["Delete"]["TableName"] for one in body["TransactItems"]]
    table: str = body["TableName"]
    return [f"{table}/index/{body['IndexName']}" if "IndexName" in body else table]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Recorder

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        needed = used_in(self.headers["X-Amz-Target"], json.loads(body))
        if {action.partition(":")[0] for action, _ in needed} & self.server.down:
            self.close_connection = True  # no answer at all
            return
        self.server.used |= needed
        behind = http.client.HTTPConnection("127.0.0.1", self.server.behind, timeout=60)
        try:
            behind.putrequest("POST", self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():  # Host too: it is signed
                behind.putheader(name, value)
            behind.endheaders(body)
            answer = behind.getresponse()
            content = answer.read()
        finally:
            behind.close()
        with suppress(ConnectionError):  # the function did not wait
            self._pass_on(answer, content)

    def _pass_on(self, answer: http.client.HTTPResponse, content: bytes) -> None:
        if answer.status in (400, 403) and b"AccessDenied" in content:
            self.server.refused.append(f"{self.server.function}: {content.decode(errors='replace')[:500]}")
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("transfer-encoding", "content-length", "connection", "date", "server"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None: ...
