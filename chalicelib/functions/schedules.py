"""The functions of the clock, each minute: `sweep` queues what is due, `measure` rolls statistics up and watches A/B tests.

Each does as much as its time allows. What it has not come to, the next minute's does.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from chalicelib.functions.invocation import Context, invocation, left_s
from chalicelib.functions.wired import wired
from chalicelib.services.change import sweep_audit
from chalicelib.services.guardrail import Guardrail
from chalicelib.services.roll_up import roll_up_all
from chalicelib.services.sweep import Sweep

MARGIN_S = 10.0  # what one more step may take


def sweep(event: dict[str, Any], context: Context) -> None:
    with invocation("sweep", context) as fields:
        left = left_s(context, MARGIN_S)
        fields["due"] = 0
        while left() > 0 and (queued := _sweep().round()):
            fields["due"] += queued
        sweep_audit(wired().ports)


def measure(event: dict[str, Any], context: Context) -> None:
    with invocation("measure", context):
        roll_up_all(wired().ports)
        _guardrail().round()


@cache
def _sweep() -> Sweep:
    """Kept between calls: it remembers for a while what it queued."""
    return Sweep(wired().ports)


@cache
def _guardrail() -> Guardrail:
    return Guardrail(wired().ports)
