"""What differs between two versions of a route, rule by rule."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Json = Any


@dataclass(frozen=True, slots=True)
class Difference:
    """`rule` is None for what belongs to no rule. `pointer` is a JSON Pointer inside the rule, or inside the route; an added
    rule has no `before`, a removed one no `after`."""

    rule: str | None
    pointer: str
    before: Json
    after: Json


def differences(before: Mapping[str, Json], after: Mapping[str, Json]) -> list[Difference]:
    """Rules are the same rule where they have the same name."""
    old, new = _rules(before), _rules(after)
    found = [Difference(name, "", rule, None) for name, rule in old.items() if name not in new]
    found += [Difference(name, "", None, rule) for name, rule in new.items() if name not in old]
    for name in old.keys() & new.keys():
        found += [Difference(name, *one) for one in _within(old[name], new[name], "")]
    found.sort(key=lambda one: (_place(one.rule, new, old), one.pointer))
    if [name for name in old if name in new] != [name for name in new if name in old]:
        found.append(Difference(None, "/rules", list(old), list(new)))
    return found + [Difference(None, *one) for one in _within(_rest(before), _rest(after), "")]


def _rest(document: Mapping[str, Json]) -> dict[str, Json]:
    return {name: value for name, value in document.items() if name != "rules"}


def _rules(document: Mapping[str, Json]) -> dict[str, Json]:
    return {rule["name"]: rule for rule in document.get("rules", ())}


def _place(name: str | None, new: Mapping[str, Json], old: Mapping[str, Json]) -> int:
    names: list[str | None] = [*new, *(one for one in old if one not in new)]
    return names.index(name)


def _within(before: Json, after: Json, pointer: str) -> Iterator[tuple[str, Json, Json]]:
    """(pointer, before, after) of the innermost parts that differ."""
    if isinstance(before, dict) and isinstance(after, dict):
        for name in dict.fromkeys([*before, *after]):
            yield from _within(before.get(name), after.get(name), f"{pointer}/{name}")
    elif before != after:
        yield pointer, before, after
