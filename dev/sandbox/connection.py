"""Misbehaving on the wire: never answering, and dropping the connection. Works under gunicorn and werkzeug's server."""

from __future__ import annotations

import select
import socket
import threading
import time
from collections.abc import Mapping
from typing import Any

LOOK_EVERY_S = 0.1


def hold(environ: Mapping[str, Any], hold_s: float, stopping: threading.Event) -> None:
    """Waits `hold_s`, or until the caller hangs up or the sandbox stops, so that no thread is held for nothing."""
    ends = time.monotonic() + hold_s
    while time.monotonic() < ends and not stopping.is_set() and not _hung_up(environ):
        stopping.wait(LOOK_EVERY_S)


def drop(environ: Mapping[str, Any]) -> None:
    """Closes the connection; what the view answers afterwards reaches nobody."""
    connection = _socket(environ)
    if connection is not None:
        try:
            connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # the caller was faster


def _hung_up(environ: Mapping[str, Any]) -> bool:
    connection = _socket(environ)
    if connection is None:
        return False
    try:
        readable = bool(select.select([connection], [], [], 0)[0])
        return readable and connection.recv(1, socket.MSG_PEEK) == b""
    except (OSError, ValueError):
        return True


def _socket(environ: Mapping[str, Any]) -> socket.socket | None:
    found: socket.socket | None = environ.get("gunicorn.socket") or environ.get("werkzeug.socket")
    return found
