"""Lambda's Runtime API on loopback, and a function run against it by Lambda's own runtime client, from a folder as packaged.

with running("app.webhooks", folder, environment, tmp_path / "webhooks.log") as function:
    function.init_ms
    answer = function.invoke(event)
"""

from __future__ import annotations

import json
import os
import queue
import secrets
import subprocess
import sys
import sysconfig
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

CLIENT = ("awslambdaric", "simplejson", "snapshot_restore_py.py", "runtime_client.*.so")  # below site-packages
STARTS_WITHIN_S = 30.0
_VERSION = "/2018-06-01/runtime/"
_ARN = "arn:aws:lambda:eu-west-1:000000000000:function:"


class FunctionFailed(Exception):
    """The function raised, or did not start; what Lambda would be told."""


@dataclass
class _Invocation:
    """`done` is set once the answer or the error is there."""

    event: Any
    deadline_ms: int
    id: str = field(default_factory=lambda: secrets.token_hex(16))
    answer: Any = None
    error: Any = None
    done: threading.Event = field(default_factory=threading.Event)


class RuntimeApi(ThreadingHTTPServer):
    """Serves one function's process, which takes one invocation after another."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.waiting: queue.Queue[_Invocation | None] = queue.Queue()  # None once the function has ended
        self.taken: dict[str, _Invocation] = {}
        self.process_id = 0
        self.asked_at_s: float | None = None  # when the function first asked for an event: it has started
        self.ran_ms = 0.0  # how long it had a processor until then
        self.started = threading.Event()
        self.init_error: Any = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_port}"

    def starts_now(self) -> None:
        """The function asks for an event."""
        if self.asked_at_s is None:
            self.asked_at_s = time.perf_counter()
            self.ran_ms = _ran_ms(self.process_id)
            self.started.set()

    def handle_error(self, request: object, client_address: object) -> None:
        """A function that is ended closes its connection in the middle of a call."""
        if not isinstance(sys.exception(), ConnectionError):
            raise

    def told(self, path: str, document: Any) -> None:
        """An answer or an error, by the path that it is posted to."""
        if path == _VERSION + "init/error":
            self.init_error = document
            self.started.set()
            return
        _, invocation_id, kind = path.removeprefix(_VERSION).split("/")
        invocation = self.taken.pop(invocation_id)
        if kind == "response":
            invocation.answer = document
        else:
            invocation.error = document
        invocation.done.set()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: RuntimeApi

    def do_GET(self) -> None:
        self.server.starts_now()
        invocation = self.server.waiting.get()
        if invocation is None:
            return
        self.server.taken[invocation.id] = invocation
        headers = {
            "Lambda-Runtime-Aws-Request-Id": invocation.id,
            "Lambda-Runtime-Deadline-Ms": str(invocation.deadline_ms),
            "Lambda-Runtime-Invoked-Function-Arn": _ARN + "function",
        }
        self._answer(200, json.dumps(invocation.event).encode(), headers)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.told(self.path, json.loads(body) if body else None)
        self._answer(202, b'{"status":"OK"}', {})

    def _answer(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Type": "application/json", "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None: ...


@dataclass
class Function:
    """A function that has started. `init_ms` is from the process's start until it asked for its first event, and
    `init_cpu_ms` how long it had a processor in that time."""

    api: RuntimeApi
    init_ms: float
    init_cpu_ms: float
    log: Path
    timeout_s: float

    def invoke(self, event: Any) -> Any:
        """Its answer. Raises FunctionFailed for what it raised, and for one that does not answer in its time."""
        ends_ms = int((time.time() + self.timeout_s) * 1000)
        invocation = _Invocation(event, ends_ms)
        self.api.waiting.put(invocation)
        if not invocation.done.wait(self.timeout_s):
            raise FunctionFailed(f"no answer within {self.timeout_s} s")
        if invocation.error is not None:
            raise FunctionFailed(json.dumps(invocation.error))
        return invocation.answer

    def lines(self) -> list[dict[str, Any]]:
        """What it has logged, each line as JSON. Raises ValueError where one is not."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]


@contextmanager
def running(
    handler: str, folder: Path, environment: Mapping[str, str], log: Path, *, timeout_s: float = 30.0
) -> Iterator[Function]:
    """Runs `handler` ("app.webhooks") from `folder`, where nothing but what is there can be imported. Raises FunctionFailed
    where it does not start."""
    api = RuntimeApi()
    serving = threading.Thread(target=api.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    serving.start()
    with log.open("ab") as written:
        began_s = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-S", "-s", "-m", "awslambdaric", handler],
            cwd=folder,
            env=_environment(api.address, handler, folder, log, environment),
            stdout=written,
            stderr=written,
        )
        api.process_id = process.pid
    try:
        while not api.started.wait(0.05):
            if process.poll() is not None or time.perf_counter() - began_s > STARTS_WITHIN_S:
                raise FunctionFailed(f"{handler} did not start: {log.read_text()[-2000:]}")
        if api.init_error is not None or api.asked_at_s is None:
            raise FunctionFailed(json.dumps(api.init_error))
        yield Function(api, (api.asked_at_s - began_s) * 1000, api.ran_ms, log, timeout_s)
    finally:
        process.kill()
        process.wait()
        api.waiting.put(None)
        api.shutdown()
        api.server_close()


def _environment(address: str, handler: str, folder: Path, log: Path, given: Mapping[str, str]) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "LANG": "C.UTF-8",
        "PYTHONPATH": os.pathsep.join((str(folder), str(_client(log.parent / "runtime-client")))),
        "PYTHONDONTWRITEBYTECODE": "1",
        "AWS_LAMBDA_RUNTIME_API": address,
        "AWS_LAMBDA_FUNCTION_NAME": handler.partition(".")[2],
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1024",
        "LAMBDA_TASK_ROOT": str(folder),
        "AWS_REGION": "eu-west-1",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",  # stand-ins take any
        **given,
    }


def _ran_ms(process_id: int) -> float:
    """All threads' time on a processor; Linux counts it in nanoseconds."""
    tasks = Path(f"/proc/{process_id}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks) / 1e6


def _client(folder: Path) -> Path:
    """A folder with the runtime client alone, as Lambda has it beside a function's own packages."""
    installed = Path(sysconfig.get_path("purelib"))
    folder.mkdir(exist_ok=True)
    for pattern in CLIENT:
        for part in installed.glob(pattern):
            link = folder / part.name
            if not link.is_symlink():
                link.symlink_to(part)
    return folder
