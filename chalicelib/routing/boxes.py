"""What a condition lets through, as boxes: each says for some fields which values pass, all of them together.

A payment passes the condition exactly if it lies in one of the boxes; a condition that would make too many has none known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chalicelib.routing.fields import Field, field_of
from chalicelib.routing.sets import Values, all_of, others_of, values_of

Box = Mapping[str, Values]  # a field that is not named may be anything
BOXES_MAX = 64
SIZE_MAX = 1_000  # values that one box may name for a field


class TooMany(Exception):
    """The condition is too intricate to be looked through."""


def boxes_of(when: Mapping[str, Any], *, holds: bool = True) -> list[Box]:
    """The boxes where the condition holds, or where it does not; none at all where that can not be. Raises TooMany."""
    if "field" in when:
        field, values = known(when["field"]), values_of if holds else others_of
        box = {field.name: values(field, when["op"], when["value"])}
        return [box] if not box[field.name].empty else []
    if "not" in when:
        return boxes_of(when["not"], holds=not holds)
    parts = [boxes_of(one, holds=holds) for one in when.get("all", when.get("any"))]
    return _joint(parts) if ("all" in when) is holds else _bounded([box for part in parts for box in part])


def known(name: str) -> Field:
    field = field_of(name)
    assert field is not None, "the model of the route refuses unknown fields"
    return field


def _joint(parts: Sequence[Sequence[Box]]) -> list[Box]:
    found: list[Box] = [{}]
    for part in parts:
        joined = (_both(one, other) for one in found for other in part)
        found = _bounded([box for box in joined if box is not None])
    return found


def _both(one: Box, other: Box) -> Box | None:
    joined = dict(one)
    for name, values in other.items():
        joined[name] = joined[name] & values if name in joined else values  # type: ignore[operator]  # one field, one type
        if joined[name].empty:
            return None
        if joined[name].size > SIZE_MAX:
            raise TooMany
    return joined


def _bounded(boxes: list[Box]) -> list[Box]:
    if len(boxes) > BOXES_MAX:
        raise TooMany
    return boxes


def within(box: Box, other: Box) -> bool:
    """Whether all payments of `box` are in `other`."""
    return all(box.get(name, all_of(known(name))).within(values) for name, values in other.items())  # type: ignore[arg-type]


def size_of(box: Box) -> int:
    """How much there is to compare."""
    return 1 + sum(values.size for values in box.values())


def finer(box: Box) -> list[Box]:
    """The box in parts, one for each value of a field that has only a few: they may lie in different boxes of others."""
    parts: list[Box] = [box]
    for name, values in box.items():
        singles = values.singles()
        if len(singles) > 1 and len(parts) * len(singles) <= BOXES_MAX:
            parts = [{**part, name: one} for part in parts for one in singles]
    return parts
