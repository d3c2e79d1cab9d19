"""Child processes that end with the launcher, and are started again when they die by themselves."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

PR_SET_PDEATHSIG = 1
STOP_WAIT_S = 28.0
RESTARTS_MAX = 50


def _die_with_parent() -> None:
    """Runs in the child: the kernel ends it when the launcher is gone, even by kill -9 (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


@dataclass
class Child:
    """A program of ours; it stays in the launcher's process group, so that Ctrl-C reaches it."""

    name: str
    module: str
    arguments: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    inherits: Sequence[int] = ()
    process: subprocess.Popen[bytes] | None = None
    restarts: int = 0

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", self.module, *self.arguments],
            env={**os.environ, **self.environment},
            pass_fds=self.inherits,
            preexec_fn=_die_with_parent,  # the launcher has one thread
        )

    def revive(self) -> bool:
        """Starts it again if it died; False when it dies for ever."""
        assert self.process is not None
        if self.process.poll() is None:
            return True
        self.restarts += 1
        if self.restarts > RESTARTS_MAX:
            return False
        print(f"{self.name} ended with {self.process.returncode}; starting it again", flush=True)
        self.start()
        return True


def stop(children: Sequence[Child]) -> None:
    """Asks all to finish, the last one started first, and ends by force what does not."""
    ends = time.monotonic() + STOP_WAIT_S
    running = [child.process for child in reversed(children) if child.process and child.process.poll() is None]
    for process in running:
        process.terminate()
    for process in running:
        try:
            process.wait(max(ends - time.monotonic(), 0.1))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
