"""`make run`'s launcher: Ctrl-C, kill -9, a second start, and ports that somebody else has."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.ports import free_port
from tests.server.shop import wait_for
from tests.stack.running import READY_WITHIN_S, ROOT, STOPS_WITHIN_S, Stack, wait_until_ready

GREETING = "PaymentServer is ready"
REFUSES_WITHIN_S = 10


def launcher(port: int, var: Path, log: Path) -> subprocess.Popen[bytes]:
    """Leads a process group of its own, as it would in a terminal."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PAYMENTSERVER_")}
    environment |= {"PORT": str(port), "PAYMENTSERVER_VAR": str(var)}
    with log.open("wb") as out:
        command = [sys.executable, "-m", "dev.launcher"]
        return subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=out, stderr=subprocess.STDOUT, start_new_session=True
        )


@contextmanager
def started(port: int, folder: Path) -> Iterator[Stack]:
    stack = Stack(port, folder / "var", launcher(port, folder / "var", folder / "log"))
    try:
        wait_until_ready(stack, folder / "log")
        wait_for(lambda: GREETING in (folder / "log").read_text(), READY_WITHIN_S)  # a former gateway may have answered
        yield stack
    finally:
        if stack.process.poll() is None:
            os.killpg(stack.process.pid, signal.SIGTERM)
            stack.process.wait(STOPS_WITHIN_S)


def ports_in_use(port: int) -> list[int]:
    found = []
    for one in range(port, port + 4):
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex(("127.0.0.1", one)) == 0:
                found.append(one)
    return found


def test_ctrl_c_stops_every_part_and_the_next_start_finds_everything(tmp_path: Path) -> None:
    port, key = free_port(count=4), str(uuid.uuid4())
    with started(port, tmp_path) as stack:
        first = stack.checkout(key)
        os.killpg(stack.process.pid, signal.SIGINT)
        assert stack.process.wait(STOPS_WITHIN_S) == 0
        assert ports_in_use(port) == []
    with started(port, tmp_path) as stack:
        repeat = stack.checkout(key)
        assert (repeat.status_code, repeat.content) == (201, first.content)
        assert repeat.headers["Idempotency-Replayed"] == "true"


def test_a_killed_launcher_takes_its_parts_along_and_may_be_started_at_once(tmp_path: Path) -> None:
    port = free_port(count=4)
    with started(port, tmp_path) as killed:
        killed.process.kill()
        killed.process.wait()
        with started(port, tmp_path) as again:
            assert again.checkout(str(uuid.uuid4())).status_code == 201
    assert ports_in_use(port) == []


@pytest.mark.parametrize("offset", range(4))
def test_a_port_that_somebody_has_is_named_at_once(tmp_path: Path, offset: int) -> None:
    port = free_port(count=4)
    with socket.create_server(("127.0.0.1", port + offset)):
        refused = launcher(port, tmp_path / "var", tmp_path / "log")
        assert refused.wait(REFUSES_WITHIN_S) == 1
    assert f"Port {port + offset} is taken" in (tmp_path / "log").read_text()
    assert ports_in_use(port) == []


def test_a_second_launcher_in_the_same_folder_gives_up_at_once(tmp_path: Path) -> None:
    with started(free_port(count=4), tmp_path) as stack:
        second = launcher(free_port(count=4), stack.var, tmp_path / "second.log")
        assert second.wait(REFUSES_WITHIN_S) == 1
        assert "runs in" in (tmp_path / "second.log").read_text()
        assert stack.checkout(str(uuid.uuid4())).status_code == 201
