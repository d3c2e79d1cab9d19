"""Ports of loopback for servers that tests start, and for those that nobody is to answer at."""

from __future__ import annotations

import contextlib
import os
import random
import socket
from collections.abc import Sequence

# Below those that the system gives to outgoing connections: nothing takes one while a server is down, and nobody who dials
# it again and again ends up talking to himself. Each process that runs tests has a slice of its own, so that no two are
# given the same one between the choice and the start of what listens there.
FIRST, SLICES, EACH = 10_000, 16, 1_250
_slice = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % SLICES
_next = random.randrange(EACH)


def free_port(hosts: Sequence[str] = ("127.0.0.1",), count: int = 1) -> int:
    """The first of `count` consecutive ports that nobody uses at any of `hosts`, and that was not given before."""
    global _next
    for _ in range(EACH):
        if _next + count > EACH:
            _next = 0
        first = FIRST + _slice * EACH + _next
        _next += count
        if all(_is_free(host, port) for host in hosts for port in range(first, first + count)):
            return first
    raise AssertionError("no port is free")


def _is_free(host: str, port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_server((host, port)):
        return True
    return False
