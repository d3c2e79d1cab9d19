"""Scenarios as data: `tests/connectors/<psp>/scenarios/*.json`, and the objects they are made of, `objects.json` beside them.

A file says where its exchanges come from (`recorded`) and holds `scenarios`. A scenario has a name and steps (or is itself
its only step); `rows` make one scenario of each row. In any value ``${name}`` stands for a row's column or one of ours, and
an object with ``$like`` is that object of `objects.json` with what is beside it put over it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from chalicelib.domain.ids import attempt_id_of, operation_id_of, payment_id_of
from tests.conformance.connectors.profile import profile_of, secrets_of

CONNECTORS = Path(__file__).parents[2] / "connectors"
PAYMENT_ID = payment_id_of("default", "kit")
ATTEMPT_ID = attempt_id_of(PAYMENT_ID, 1)
_NAMED = re.compile(r"\$\{([a-z0-9_]+)\}")
_STEP = ("call", "operation", "exchanges", "webhook", "object", "expect")


@dataclass(frozen=True, slots=True)
class Step:
    """`call` is a method of the connector, or `webhook`: verified, then read. `exchanges` are what the PSP is asked and
    answers, in order. `operation`: key, amount, reason and final of a capture, cancellation or refund."""

    call: str
    expect: Mapping[str, Any]
    exchanges: tuple[Mapping[str, Any], ...] = ()
    webhook: Any = None
    operation: Mapping[str, Any] = field(default_factory=dict)
    object: str = ""


@dataclass(frozen=True, slots=True)
class Scenario:
    psp: str
    name: str
    order: Mapping[str, Any]
    steps: tuple[Step, ...]
    ends: Mapping[str, Any] | None

    @property
    def id(self) -> str:
        return f"{self.psp}: {self.name}"


def operation_of(key: str) -> str:
    return operation_id_of(PAYMENT_ID, key)


def ours(psp: str) -> dict[str, Any]:
    """What every scenario may name."""
    names = {f"operation_{key}": operation_of(key) for key in "abcd"}
    names |= {
        "attempt_id": ATTEMPT_ID,
        "operation_id": operation_of("a"),
        "psp_reference": profile_of(psp).psp_reference,
    }
    return {**names, "secret": secrets_of(psp)[0]}


@cache
def scenarios_of(psp: str) -> tuple[Scenario, ...]:
    found = [
        scenario
        for path in sorted((CONNECTORS / psp / "scenarios").glob("*.json"))
        for scenario in scenarios_in(psp, json.loads(path.read_text()))
    ]
    names = [one.name for one in found]
    assert len(set(names)) == len(names), f"{psp} has two scenarios of one name"
    return tuple(found)


def exchanges_of(psp: str) -> Iterator[tuple[Scenario, Mapping[str, Any]]]:
    for scenario in scenarios_of(psp):
        for step in scenario.steps:
            for exchange in step.exchanges:
                yield scenario, exchange


@cache
def objects_of(psp: str) -> Mapping[str, Any]:
    path = CONNECTORS / psp / "objects.json"
    return json.loads(path.read_text()) if path.exists() else {}


def object_of(psp: str, name: str) -> Any:
    """One object of `objects.json`, filled in."""
    return _filled(_like(objects_of(psp)[name], objects_of(psp)), ours(psp))


def scenarios_in(psp: str, written: Mapping[str, Any]) -> list[Scenario]:
    """Of the document of one file."""
    return [made for one in written["scenarios"] for made in _scenarios(psp, one)]


def _scenarios(psp: str, written: Mapping[str, Any]) -> Iterator[Scenario]:
    for row in written.get("rows", [{}]):
        known = {**ours(psp), **_filled(_like(row, objects_of(psp)), ours(psp))}
        filled = _filled(
            _like({name: part for name, part in written.items() if name != "rows"}, objects_of(psp)), known
        )
        steps = filled.get("steps") or [{name: filled[name] for name in _STEP if name in filled}]
        made = tuple(Step(**{**step, "exchanges": tuple(step.get("exchanges", ()))}) for step in steps)
        yield Scenario(psp, filled["name"], filled.get("order", {}), made, filled.get("ends"))


def _like(value: Any, objects: Mapping[str, Any]) -> Any:
    if isinstance(value, list):
        return [_like(one, objects) for one in value]
    if not isinstance(value, dict):
        return value
    own = {name: _like(part, objects) for name, part in value.items() if name != "$like"}
    return merged(_like(objects[value["$like"]], objects), own) if "$like" in value else own


def merged(under: Any, over: Any) -> Any:
    if isinstance(under, dict) and isinstance(over, dict):
        return {**under, **{name: merged(under.get(name), part) for name, part in over.items()}}
    return over


def _filled(value: Any, known: Mapping[str, Any]) -> Any:
    if isinstance(value, list):
        return [_filled(one, known) for one in value]
    if isinstance(value, dict):
        return {_filled(name, known): _filled(part, known) for name, part in value.items()}
    if not isinstance(value, str):
        return value
    whole = _NAMED.fullmatch(value)
    return known[whole[1]] if whole else _NAMED.sub(lambda found: str(known[found[1]]), value)
