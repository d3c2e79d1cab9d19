"""``python -m benchmarks.planning``: CPU of one routing decision over 100 rules of five conditions each.

The floor is a bare walk over the same rules as dicts, with the same answer: what somebody would write who needs one operator
alone. Both sides take turns, payment by payment, and their medians are told with the ratio.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from chalicelib.contracts.connector import Capabilities
from chalicelib.domain.configuration import Route
from chalicelib.domain.money import EXPONENT, Money
from chalicelib.domain.order import CaptureMode, Customer, Order
from chalicelib.routing.engine import engine_of
from chalicelib.routing.fields import inputs_of
from chalicelib.routing.plan import Candidate, plan

AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
RULES, TURNS = 100, 3_000
COUNTRIES = ("NL", "BE", "DE", "FR")
CAN = Capabilities(
    operations=frozenset(),
    payment_methods=frozenset({"card", "ideal"}),
    currencies=frozenset(EXPONENT),
    capture_modes=frozenset(CaptureMode),
    partial_capture=True,
    multiple_captures=True,
    partial_refund=True,
    inert_until_visited=True,
    looks_up_references=True,
    key_lives_s={},
)


def rule(number: int) -> dict[str, Any]:
    """Four conditions that hold and a fifth that does not: the most that a rule can cost."""
    asked = {
        "currency": "EUR",
        "country": COUNTRIES[0],
        "payment_method": "card",
        "metadata.channel": "web",
        "order_reference": f"other-{number}",
    }
    tests = [{"field": name, "op": "eq", "value": value} for name, value in asked.items()]
    return {"name": f"rule {number}", "when": {"all": tests}, "then": {"use": ["psp-2"]}}


DOCUMENT: dict[str, Any] = {
    "name": "default",
    "rules": [rule(number) for number in range(RULES)],
    "otherwise": {"use": ["psp-1", "psp-2"]},
}
ORDER = Order(
    Money(1050, "EUR"),
    "order-1001",
    "https://shop.example/return",
    "https://shop.example/cancel",
    payment_method="card",
    country="NL",
    customer=Customer(id="c-17", email="shopper@example.com"),
    metadata={"channel": "web"},
)
ROUTE = Route("default", "default", DOCUMENT, 1, AT, AT)
CANDIDATES = [Candidate(name, True, CAN) for name in ("psp-1", "psp-2")]
ENGINE = engine_of("default", "default", DOCUMENT)


def planned() -> None:
    """All of it: what rules see, the winner, the plan with its candidates."""
    seen = inputs_of(ORDER, AT)
    winner = ENGINE.decide(seen, "pay_1")
    decision = plan(ORDER, ROUTE, winner, seen, CANDIDATES)
    assert decision.chain == ("psp-1", "psp-2")


SEEN = inputs_of(ORDER, AT)


def walked() -> None:
    """The floor."""
    for one in DOCUMENT["rules"]:
        for test in one["when"]["all"]:
            if SEEN[test["field"]] != test["value"]:
                break
        else:
            raise AssertionError("no rule matches")


def cpu_us(what: Callable[[], None]) -> float:
    began = time.thread_time_ns()
    what()
    return (time.thread_time_ns() - began) / 1000


def main() -> None:
    for what in (planned, walked):
        for _ in range(200):
            what()
    turns = [(cpu_us(planned), cpu_us(walked)) for _ in range(TURNS)]
    ours, floor = (statistics.median(side) for side in zip(*turns, strict=True))
    print(
        json.dumps(
            {
                "rules": RULES,
                "conditions": 5 * RULES,
                "planning_us": round(ours, 1),
                "bare_walk_us": round(floor, 1),
                "ratio": round(ours / floor, 2),
            }
        )
    )


if __name__ == "__main__":
    main()
