"""A server that tests start: it ends with the process that started it, however that ends."""

from __future__ import annotations

import ctypes
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

PR_SET_PDEATHSIG = 1
START_S = 60.0


@contextmanager
def serving(command: Sequence[str], port: int, log: Path, environment: Mapping[str, str]) -> Iterator[None]:
    """Runs `command` until the block ends; the block begins once somebody listens at `port` of loopback."""
    with log.open("wb") as told:
        process = subprocess.Popen(
            command,
            env=environment,
            stdout=told,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            preexec_fn=_end_with_parent,
        )
        try:
            _wait_for(port, process, log)
            yield
        finally:
            process.kill()
            process.wait(10)


def _end_with_parent() -> None:
    """Runs in the child, on Linux."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    ends = time.monotonic() + START_S
    while time.monotonic() < ends:
        assert process.poll() is None, f"the server ended: {log.read_text()[-2000:]}"
        with socket.socket() as tried:
            if tried.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError(f"no server at port {port} after {START_S:.0f} s: {log.read_text()[-2000:]}")
