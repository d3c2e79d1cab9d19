"""Why a payment went where it went, in words: each rule that was asked with the wanted value beside the actual one, and each
candidate with why it was chosen or not. Rendered from what the payment stored and the version of the route that decided.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chalicelib.domain.payment import Considered, Decision
from chalicelib.routing.engine import OTHERWISE, test_of
from chalicelib.routing.fields import Inputs
from chalicelib.routing.plan import OPEN

Json = Any
DRAFT = 0  # the version of a route that was not saved


def summary_of(decision: Decision) -> str:
    """One line for the timeline."""
    version = "a draft" if decision.version == DRAFT else f"version {decision.version}"
    by = "no rule matched" if decision.rule == OTHERWISE else f"rule {decision.rule!r}"
    arm = f", arm {decision.arm!r}" if decision.arm is not None else ""
    route = f"Route {decision.name} ({version}; {by}{arm})"
    if not decision.chain:  # of a payment that is only simulated
        return f"{route} found no connection that could take it."
    then = f", then {', '.join(decision.chain[1:])}" if len(decision.chain) > 1 else ""
    return f"{route} chose {decision.chain[0]}{then}."


def explanation_of(decision: Decision, document: Mapping[str, Json] | None) -> dict[str, Json]:
    """`document` is the version of the route that decided; None where it is not known any more, and then there are no
    rules to show."""
    return {
        "summary": summary_of(decision),
        "rules": _rules_of(decision, document) if document is not None else [],
        "candidates": [_candidate_of(one, decision) for one in decision.candidates],
    }


def _rules_of(decision: Decision, document: Mapping[str, Json]) -> list[Json]:
    """The rules up to the winner: those behind it were not asked."""
    shown: list[Json] = []
    for rule in document.get("rules", ()):
        shown.append({"rule": rule["name"], **condition_of(rule["when"], decision.inputs)})
        if rule["name"] == decision.rule:
            break
    return shown


def condition_of(when: Mapping[str, Json], seen: Inputs) -> dict[str, Json]:
    """A condition with whether it holds; a test with the value it wants and the one there is, null where there is none."""
    matched = test_of(when)(seen)
    if "field" in when:
        actual = seen.get(when["field"])
        return {"field": when["field"], "op": when["op"], "wanted": when["value"], "actual": actual, "matched": matched}
    if "not" in when:
        return {"not": condition_of(when["not"], seen), "matched": matched}
    name = "all" if "all" in when else "any"
    return {name: [condition_of(one, seen) for one in when[name]], "matched": matched}


def _candidate_of(one: Considered, decision: Decision) -> dict[str, Json]:
    return {
        "connection_id": one.connection_id,
        "chosen": decision.chain[:1] == (one.connection_id,),
        "reason": _reason_of(one, decision),
    }


def _reason_of(one: Considered, decision: Decision) -> str:
    if one.reason is not None:
        return f"It could not take this payment: {one.reason}."
    place = decision.chain.index(one.connection_id)
    moved = " Its circuit was open, so it stood behind the others." if _moved_back(one, decision) else ""
    if place == 0:
        first = next(other.connection_id for other in decision.candidates if other.reason is None)
        if first == one.connection_id:
            return "It is the first of the chain that could take this payment."
        return "It is the first of the chain that could take this payment and whose circuit was not open."
    return f"It is tried where {decision.chain[place - 1]} does not take the payment.{moved}"


def _moved_back(one: Considered, decision: Decision) -> bool:
    return one.health == OPEN and any(other.reason is None and other.health != OPEN for other in decision.candidates)
