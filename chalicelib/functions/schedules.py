"""The functions of the clock, each minute: `sweep` queues what is due, `measure` rolls statistics up and watches A/B tests.

Each does as much as its time allows; what it has not come to, the next minute's does. One part's fault stops no other.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from chalicelib.domain.errors import Fault
from chalicelib.functions.invocation import Context, invocation, left_s
from chalicelib.functions.wired import wired

if TYPE_CHECKING:
    from chalicelib.services.guardrail import Guardrail
    from chalicelib.services.sweep import Sweep

log = logging.getLogger("paymentserver.functions")
FULL_WAIT_S = 1.0
MARGIN_S = 20.0  # what the step that has begun may still take


def start(handler: str) -> None:
    parts: dict[str, Callable[[], object]] = {"sweep": _sweep, "measure": _guardrail}
    assert parts[handler]() is not None
    wired().connect()


def sweep(event: Mapping[str, Any], context: Context) -> None:
    with invocation("sweep", context) as fields:
        left = left_s(context, MARGIN_S)
        fields["due"] = 0

        def queue_due() -> None:
            """Round by round: each queues a limited number, and remembers which. Where many chores wait, so does the next."""
            while left() > 0:
                queued = _sweep().round()
                fields["due"] += queued
                if not queued and not _sweep().is_full:
                    return
                if not queued:
                    time.sleep(FULL_WAIT_S)

        def settle_audit() -> None:
            from chalicelib.services.change import sweep_audit

            sweep_audit(wired().ports)

        fields["result"] = _each(queue_due, settle_audit)


def measure(event: Mapping[str, Any], context: Context) -> None:
    with invocation("measure", context) as fields:
        left = left_s(context, MARGIN_S)

        def go_on() -> bool:
            return left() > 0

        def roll_up() -> None:
            from chalicelib.services.roll_up import roll_up_all

            roll_up_all(wired().ports, go_on)

        def guard() -> None:
            _guardrail().round(go_on)

        fields["result"] = _each(roll_up, guard)


def _each(*parts: Callable[[], None]) -> str:
    """`done`, or `fault` where a part met one: Lambda is not told, since it would only try the same again. A mistake of ours
    is raised, once the other parts were done."""
    result, mistakes = "done", list[Exception]()
    for part in parts:
        try:
            part()
        except Fault as error:
            log.error("fault", extra={"fields": {"error": type(error).__name__, "detail": error.detail}})
            result = "fault"
        except Exception as error:
            mistakes.append(error)
    if mistakes:
        raise mistakes[0]
    return result


@cache
def _sweep() -> Sweep:
    """Kept between calls: it remembers for a while what it queued."""
    from chalicelib.services.sweep import OF_A_CLOUD, Sweep

    return Sweep(wired().ports, OF_A_CLOUD)


@cache
def _guardrail() -> Guardrail:
    """Kept between calls: it remembers the figures of closed hours."""
    from chalicelib.services.guardrail import Guardrail

    return Guardrail(wired().ports)
