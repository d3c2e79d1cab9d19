"""Structured logs: one JSON object a line, one wide line a request or attempt, and nothing personal or secret in it.

A line is built from what is allowed in, never by taking out what is not:

* fields are those named in ALLOWED, of simple types, masked and cut; others are only counted (`withheld`)
* a message of ours is a constant, its arguments are fields; of other people's messages only the template is shown, for
  theirs may hold anything, and one without arguments may be filled in already: it is named by its place in the source
* an exception shows its type, our own detail and its frames, never a value
"""

from __future__ import annotations

import json
import logging
import math
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import PurePath
from traceback import walk_tb
from typing import Any, TextIO

from chalicelib.domain.errors import PaymentServerError
from chalicelib.telemetry.masks import PROSE_LIMIT, masked

OURS = "paymentserver"  # the name of every logger of ours, or what it begins with
# fmt: off
ALLOWED = frozenset({
    "arm", "attempt", "attempt_id", "bytes_in", "bytes_out", "certainty", "channel", "code", "cold", "connection_id",
    "connector", "count", "delay_s", "delivery_id", "depth", "detail", "due", "duration_ms", "error", "event_id",
    "event_type", "failed", "function", "http_status", "kind", "merchant_id", "message_id", "method", "operation",
    "operation_id", "outcome", "payment_id", "pid", "port", "psp_status", "queue", "reason", "receives", "request_id",
    "result", "route", "sequence", "signal", "status", "subscription_id", "topic", "tried", "trips", "version",
    "workers",
})
# fmt: on
_PROSE = frozenset({"detail", "reason"})
_INT_LIMIT = 10**12  # an amount's limit; longer numbers may be a card's
_CHAIN_LIMIT = 4
_FRAMES_LIMIT = 20

_scopes: ContextVar[tuple[dict[str, Any], ...]] = ContextVar("paymentserver_log_fields", default=())


@contextmanager
def bind(**fields: Any) -> Iterator[None]:
    """Adds fields to every line logged inside, in this thread or task; another thread begins without any."""
    token = _scopes.set((*_scopes.get(), dict(fields)))
    try:
        yield
    finally:
        _scopes.reset(token)


def note(**fields: Any) -> None:
    """Adds fields to the outermost `bind`, so that the line that ends a request can tell what was learned within."""
    scopes = _scopes.get()
    if scopes:
        scopes[0].update(fields)


def bound() -> dict[str, Any]:
    """What is bound here; inner names win."""
    return {name: value for scope in _scopes.get() for name, value in scope.items()}


def configure_logging(level: str = "INFO", stream: TextIO | None = None) -> None:
    """Makes JSON lines on `stream` (standard error) the process's only log. May be called again."""
    handler = _Handler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)


class _Handler(logging.StreamHandler[TextIO]):
    def handleError(self, record: logging.LogRecord) -> None:
        """The standard library would print the record's values; a line that can not be written is lost."""


class JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")[:-6] + "Z",
            "level": record.levelname,
            "logger": record.name,
            "message": _message_of(record),
        }
        given = bound()
        extra = getattr(record, "fields", None)
        if isinstance(extra, Mapping):
            given.update(extra)
        withheld = 0
        for name, value in given.items():
            allowed = name in ALLOWED
            shown = _shown(name, value) if allowed else None
            if allowed and (shown is not None or value is None):
                line[name] = shown
            else:
                withheld += 1
        if withheld:
            line["withheld"] = withheld
        numbers = _numbers_of(record)
        if numbers:
            line["numbers"] = numbers
        if record.exc_info and record.exc_info[1] is not None:
            line["exceptions"] = _exceptions_of(record.exc_info[1])
        return json.dumps(line, separators=(",", ":"), allow_nan=False)


def _is_ours(record: logging.LogRecord) -> bool:
    return record.name == OURS or record.name.startswith(OURS + ".")


def _message_of(record: logging.LogRecord) -> str:
    if isinstance(record.msg, str) and (record.args or _is_ours(record)):
        return masked(record.msg, PROSE_LIMIT)
    return f"see {_place(record.pathname, record.lineno, record.funcName)}"


def _numbers_of(record: logging.LogRecord) -> list[int]:
    """Small integers among a foreign message's arguments: process ids, ports, exit codes."""
    if _is_ours(record) or not isinstance(record.args, tuple):
        return []
    return [one for one in record.args if isinstance(one, int) and abs(one) <= 10**7]


def _shown(name: str, value: Any) -> Any:
    """The value as it may be logged; None where it may not."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        if name == "request_id":
            return value[:64]  # checked where it comes in; a hexadecimal one would look opaque
        return masked(str(value), PROSE_LIMIT) if name in _PROSE else masked(str(value))
    if isinstance(value, int):
        return int(value) if abs(value) <= _INT_LIMIT else None
    if isinstance(value, float):
        return round(value, 6) if math.isfinite(value) and abs(value) <= _INT_LIMIT else None
    return None


def _exceptions_of(error: BaseException) -> list[dict[str, Any]]:
    """The exception and what it came from, newest first."""
    told: list[dict[str, Any]] = []
    current: BaseException | None = error
    while current is not None and len(told) < _CHAIN_LIMIT:
        kind = type(current)
        one: dict[str, Any] = {"type": f"{kind.__module__}.{kind.__qualname__}"}
        if isinstance(current, PaymentServerError):
            one["detail"] = masked(current.detail, PROSE_LIMIT)
        frames = [
            _place(frame.f_code.co_filename, number, frame.f_code.co_name)
            for frame, number in walk_tb(current.__traceback__)
        ]
        one["frames"] = frames[-_FRAMES_LIMIT:]
        told.append(one)
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
    return told


def _place(file: str, line: int, function: str | None) -> str:
    return f"{'/'.join(PurePath(file).parts[-3:])}:{line}:{function}"
