"""Routing as simply as it can be said, to hold the engine against: no compiling, no tables, no sets."""

from __future__ import annotations

from typing import Any

from chalicelib.routing.split import choose, key_of


def holds(when: dict[str, Any], seen: dict[str, Any]) -> bool:
    if "all" in when:
        return all(holds(one, seen) for one in when["all"])
    if "any" in when:
        return any(holds(one, seen) for one in when["any"])
    if "not" in when:
        return not holds(when["not"], seen)
    has, actual, wanted, op = when["field"] in seen, seen.get(when["field"]), when["value"], when["op"]
    if op in ("ne", "not_in", "exists"):
        return has == wanted if op == "exists" else actual not in (wanted if op == "not_in" else [wanted])
    if not has:
        return False
    return bool(
        (op == "eq" and actual == wanted)
        or (op == "in" and actual in wanted)
        or (op == "lt" and actual < wanted)
        or (op == "lte" and actual <= wanted)
        or (op == "gt" and actual > wanted)
        or (op == "gte" and actual >= wanted)
        or (op == "between" and wanted[0] <= actual <= wanted[1])
        or (op == "starts_with" and str(actual).startswith(wanted))
    )


def winner(document: dict[str, Any], seen: dict[str, Any], payment_id: str) -> tuple[str, str | None, list[str]]:
    """The winning rule's name, the arm, and its chain."""
    rules = [(rule["name"], rule["then"]) for rule in document["rules"] if holds(rule["when"], seen)]
    name, then = (*rules, ("otherwise", document["otherwise"]))[0]
    if "use" in then:
        return name, None, then["use"]
    unit = seen.get("customer.id", payment_id) if then["split"]["by"] == "customer" else payment_id
    weights = [(arm["arm"], arm["weight"]) for arm in then["split"]["arms"]]
    arm = choose(key_of("default", document["name"], name, then["split"].get("salt")), unit, weights)
    return name, arm, next(one["use"] for one in then["split"]["arms"] if one["arm"] == arm)
