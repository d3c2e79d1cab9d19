"""Ports of loopback for servers that tests start, and for those that nobody is to answer at."""

from __future__ import annotations

import contextlib
import fcntl
import os
import random
import socket
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

# Below those that the system gives to outgoing connections: nothing takes one while a server is down, and nobody who dials
# it again and again ends up talking to himself.
PORTS = range(10_000, 32_000)
_given: set[int] = set()


def free_port(hosts: Sequence[str] = ("127.0.0.1",), count: int = 1) -> int:
    """The first of `count` consecutive ports that nobody uses at any of `hosts`. They are this process' until it ends: no other
    that runs tests is given one of them, also between now and the start of what listens there."""
    for first in random.sample(PORTS[:-count], 1000):
        wanted = range(first, first + count)
        if all(_is_ours(port) and all(_is_free(host, port) for host in hosts) for port in wanted):
            _given.update(wanted)
            return first
    raise AssertionError("no port is free")


@cache
def _locks() -> int:
    """A file of which each process locks the bytes that have its ports' numbers."""
    return os.open(
        Path(tempfile.gettempdir()) / f"paymentserver-test-ports-{os.getuid()}", os.O_RDWR | os.O_CREAT, 0o600
    )


def _is_ours(port: int) -> bool:
    if port in _given:
        return False
    with contextlib.suppress(OSError):
        fcntl.lockf(_locks(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
        return True
    return False


def _is_free(host: str, port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_server((host, port)):
        return True
    return False
