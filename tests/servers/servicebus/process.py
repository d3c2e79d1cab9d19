"""The broker as a process that can be killed and started again, at the same port and with the same journal.

It needs Qpid Proton: Debian's python3-qpid-proton, or python-qpid-proton of PyPI, which a C compiler must build.
"""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any

from tests.ports import free_port

SENDER, SENDER_KEY = "paymentserver", "c2VuZGVyLWtleS1vZi10aGUtdGVzdHM="
LISTENER, LISTENER_KEY = "listener", "bGlzdGVuZXIta2V5LW9mLXRoZS10ZXN0cw=="


@lru_cache(1)
def python_with_proton() -> str | None:
    """The interpreter that has it, if any."""
    for python in (sys.executable, "/usr/bin/python3"):
        if subprocess.run([python, "-c", "import proton"], capture_output=True).returncode == 0:
            return python
    return None


class BrokerProcess:
    def __init__(self, folder: Path, *arguments: str) -> None:
        self._journal = folder / "journal"
        self._arguments = arguments
        self.port = free_port()
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        python = python_with_proton()
        assert python is not None
        command = [
            *(python, str(Path(__file__).with_name("broker.py"))),
            *("--port", str(self.port), "--journal", str(self._journal)),
            *("--sender", f"{SENDER}={SENDER_KEY}", "--listener", f"{LISTENER}={LISTENER_KEY}"),
            *self._arguments,
        ]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "listening\n"

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def kept(self, entity: str) -> list[dict[str, Any]]:
        """The messages of an entity in the order in which they were accepted; `body` as bytes."""
        if not self._journal.exists():
            return []
        found = [json.loads(line) for line in self._journal.read_text().splitlines()]
        return [{**one, "body": base64.b64decode(one["body"])} for one in found if one["entity"] == entity]
