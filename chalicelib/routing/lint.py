"""What is wrong, or likely meant otherwise, in a route. Errors are refused; warnings come back with what was saved.

Nothing is reported that is not so: a rule is called unreachable only if no payment can reach it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any

from chalicelib.contracts.connector import Capabilities
from chalicelib.routing.boxes import Box, TooMany, boxes_of, finer, size_of, within
from chalicelib.routing.plan import Candidate
from chalicelib.routing.sets import Numbers, Texts, Values

Document = Mapping[str, Any]
EFFORT_MAX = 3_000_000  # values held against the rules before, in a whole route: a second; what is beyond is left alone


class Severity(StrEnum):
    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """`code` is a fixed word, `pointer` the place in the route (JSON Pointer)."""

    severity: Severity
    code: str
    pointer: str
    detail: str


@dataclass(frozen=True, slots=True)
class Place:
    """A rule's outcome, or `otherwise`: where it stands, its document, and what leads there (None: anything may)."""

    pointer: str
    then: Document
    boxes: list[Box] | None


def lint(document: Document, connection: Callable[[str], Candidate]) -> list[Finding]:
    """All findings, errors first. `connection` tells of a connection that the route names."""
    boxes = [_boxes(rule["when"]) for rule in document.get("rules", ())]
    places = [
        Place(f"/rules/{number}/then", rule["then"], boxes[number])
        for number, rule in enumerate(document.get("rules", ()))
    ]
    places.append(Place("/otherwise", document["otherwise"], None))
    found = [*_conditions(document, boxes)]
    for place in places:
        found += [*_connections(place, connection), *_capable(place, connection), *_split(place)]
    return sorted(found, key=lambda one: one.severity is Severity.WARNING)


def _boxes(when: Document) -> list[Box] | None:
    try:
        return boxes_of(when)
    except TooMany:
        return None


def _conditions(document: Document, boxes: list[list[Box] | None]) -> Iterator[Finding]:
    earlier: list[tuple[str, Box]] = []
    effort = EFFORT_MAX
    for number, (rule, mine) in enumerate(zip(document.get("rules", ()), boxes, strict=True)):
        pointer = f"/rules/{number}/when"
        if mine is None:
            continue
        if not mine:
            detail = "no payment can ever match: its conditions contradict each other"
            yield Finding(Severity.ERROR, "contradiction", pointer, detail)
            continue
        parts = [part for box in mine for part in finer(box)]
        needed = sum(size_of(part) for part in parts) * len(earlier)
        if needed <= effort:
            effort -= needed
            yield from _unreachable(pointer, parts, earlier)
        if any("amount" in box and "currency" not in box for box in mine):
            detail = "it compares the amount in any currency: 1000 is 10.00 EUR and 1000 JPY; ask for the currency, too"
            yield Finding(Severity.WARNING, "amount-without-currency", pointer, detail)
        earlier += [(rule["name"], box) for box in mine]
    name = next((name for name, box in earlier if within({}, box)), None)
    if name is not None:
        detail = f"it is never reached: everything matches {name!r}"
        yield Finding(Severity.WARNING, "unreachable", "/otherwise", detail)


def _unreachable(pointer: str, parts: list[Box], earlier: list[tuple[str, Box]]) -> Iterator[Finding]:
    shadows: dict[str, None] = {}
    for part in parts:
        shadow = next((name for name, box in earlier if within(part, box)), None)
        if shadow is None:
            return
        shadows[shadow] = None
    names = ", ".join(repr(name) for name in shadows)
    detail = f"it is never reached: all that matches it matches {names} before"
    yield Finding(Severity.WARNING, "unreachable", pointer, detail)


def _chains(place: Place) -> Iterator[tuple[str, list[str]]]:
    """Each chain of an outcome and where it stands."""
    if "split" not in place.then:
        yield f"{place.pointer}/use", place.then["use"]
        return
    for number, arm in enumerate(place.then["split"]["arms"]):
        yield f"{place.pointer}/split/arms/{number}/use", arm["use"]


def _connections(place: Place, connection: Callable[[str], Candidate]) -> Iterator[Finding]:
    for pointer, use in _chains(place):
        usable = 0
        for number, name in enumerate(use):
            candidate = connection(name)
            usable += candidate.usable
            if candidate.fault is not None:
                detail = f"the connection {name!r} can not be read at present, so it was not checked"
                yield Finding(Severity.WARNING, "unreadable-connection", f"{pointer}/{number}", detail)
            elif candidate.capabilities is None:
                detail = f"there is no connection {name!r}"
                yield Finding(Severity.ERROR, "unknown-connection", f"{pointer}/{number}", detail)
            elif not candidate.usable:
                detail = f"the connection {name!r} is disabled; it is passed over until it is enabled"
                yield Finding(Severity.WARNING, "disabled-connection", f"{pointer}/{number}", detail)
        if usable <= 1:
            detail = "there is no fallback: where its only usable PSP declines or is down, no other is tried"
            yield Finding(Severity.WARNING, "no-fallback", pointer, detail)


def _capable(place: Place, connection: Callable[[str], Candidate]) -> Iterator[Finding]:
    """Connections that can take nothing of what leads to them."""
    boxes = place.boxes
    if not boxes:
        return

    @cache  # a split may name a connection in each of its arms
    def is_impossible(name: str) -> bool:
        can = connection(name).capabilities
        return can is not None and not any(_may(can, box) for box in boxes)

    for pointer, use in _chains(place):
        impossible = [(number, name) for number, name in enumerate(use) if is_impossible(name)]
        for number, name in impossible:
            none_left = len(impossible) == len(use)
            severity = Severity.ERROR if none_left else Severity.WARNING
            detail = f"{name!r} takes none of the payments that match: not their currency, payment method or amount"
            yield Finding(severity, "impossible-connection", f"{pointer}/{number}", detail)


def _may(can: Capabilities, box: Box) -> bool:
    """Whether the PSP may take any payment of the box."""
    if not _any_of(can.payment_methods, box.get("payment_method")):
        return False
    currencies = [one for one in can.currencies if _any_of({one}, box.get("currency"))]
    amounts = box.get("amount")
    return any(_fits(can.amount_limits.get(one, (None, None)), amounts) for one in currencies)


def _any_of(names: set[str] | frozenset[str], wanted: Values | None) -> bool:
    return not isinstance(wanted, Texts) or wanted.missing or any(wanted.has(one) for one in names)


def _fits(limits: tuple[int | None, int | None], amounts: Values | None) -> bool:
    least, most = limits
    if not isinstance(amounts, Numbers):
        return True
    return any((most is None or a <= most) and (least is None or b >= least) for a, b in amounts.spans)


def _split(place: Place) -> Iterator[Finding]:
    if "split" not in place.then:
        return
    split, pointer = place.then["split"], f"{place.pointer}/split"
    weights = {arm["arm"]: arm["weight"] for arm in split["arms"]}
    total = sum(weights.values())
    if total != 100:
        shares = ", ".join(f"{name} {weight / total:.1%}" for name, weight in weights.items())
        detail = f"the weights add up to {total}, not to 100: the shares are {shares}"
        yield Finding(Severity.WARNING, "weights", f"{pointer}/arms", detail)
    guardrail = split.get("guardrail")
    if guardrail is not None and not weights[guardrail["control"]]:
        detail = f"the control arm {guardrail['control']!r} has no weight, so nothing can be compared with it"
        yield Finding(Severity.WARNING, "control-without-weight", f"{pointer}/guardrail/control", detail)
