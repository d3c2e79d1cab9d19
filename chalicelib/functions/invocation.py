"""One call of a function: logs set up once, the request's id on every line, and one wide line at its end."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, Protocol

from chalicelib import telemetry

log = logging.getLogger("paymentserver.functions")


class Failed(Exception):
    """A mistake of ours, which the log tells. Lambda counts it as an error of the function and prints it as it is, so it
    names the kind of the mistake and holds no value."""


class Context(Protocol):
    """What we ask of Lambda's context."""

    aws_request_id: str

    def get_remaining_time_in_millis(self) -> int: ...


@contextmanager
def invocation(
    function: str, context: Context, request_id: str | None = None, *, is_told: bool = False
) -> Iterator[dict[str, Any]]:
    """Yields the fields of the wide line, for the handler to fill in. `request_id` is Lambda's own by default. Raises Failed
    for what is raised inside. With `is_told` each message of a call has a line of its own, and the call's is written for a
    cold start and for what failed alone: lines are paid for."""
    logs()
    began = time.perf_counter()
    fields: dict[str, Any] = {"result": "done", "cold": _is_first()}
    with telemetry.bind(request_id=request_id or context.aws_request_id, function=function):
        try:
            yield fields
        except Exception as error:
            fields["result"] = "failed"
            log.exception("unexpected error of a function")
            raise Failed(type(error).__name__) from None
        finally:
            fields["duration_ms"] = round((time.perf_counter() - began) * 1000, 2)
            if not is_told or fields["cold"] or fields["result"] == "failed" or fields.get("failed"):
                log.info("invocation", extra={"fields": fields})


def left_s(context: Context, margin_s: float) -> Callable[[], float]:
    """Seconds until `margin_s` before the function is ended; below zero when they are over."""
    ends = time.monotonic() + context.get_remaining_time_in_millis() / 1000 - margin_s
    return lambda: ends - time.monotonic()


@cache
def logs() -> None:
    """In place of the runtime's own handler, which would put a time and an id before each line, JSON and all."""
    telemetry.configure_logging(os.environ.get("PAYMENTSERVER_LOG_LEVEL", "INFO"))


_calls = 0


def _is_first() -> bool:
    global _calls
    _calls += 1
    return _calls == 1
