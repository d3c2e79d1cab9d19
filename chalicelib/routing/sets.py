"""Which values of one field a condition lets through: sets that can be intersected and compared, exactly.

The linter proves with them that a rule can never match, or that another stands in its way. What is said here is never a
guess: a set is empty only if no payment has such a value.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from chalicelib.domain.money import VALUE_MAX
from chalicelib.routing.fields import Field, Type

Spans = tuple[tuple[int, int], ...]  # rising, apart, both ends included


@dataclass(frozen=True, slots=True)
class Numbers:
    """Integers. `missing`: whether a payment without the value passes, too."""

    spans: Spans
    missing: bool

    @property
    def empty(self) -> bool:
        return not self.spans and not self.missing

    def __and__(self, other: Numbers) -> Numbers:
        return Numbers(tuple(_common(self.spans, other.spans)), self.missing and other.missing)

    def within(self, other: Numbers) -> bool:
        return (other.missing or not self.missing) and all(_covers(other.spans, span) for span in self.spans)

    @property
    def size(self) -> int:
        """How much there is to compare."""
        return len(self.spans)

    def singles(self) -> list[Numbers]:
        """Its spans and the missing value, each as a set of its own."""
        missing = [Numbers((), True)] if self.missing else []
        return [*(Numbers((span,), False) for span in self.spans), *missing]


def _common(ours: Spans, theirs: Spans) -> Iterator[tuple[int, int]]:
    """Both side by side, since lists of a thousand must not be held against each other pair by pair."""
    mine = other = 0
    while mine < len(ours) and other < len(theirs):
        (a, b), (c, d) = ours[mine], theirs[other]
        if max(a, c) <= min(b, d):
            yield max(a, c), min(b, d)
        if b < d:
            mine += 1
        else:
            other += 1


def _covers(spans: Spans, span: tuple[int, int]) -> bool:
    """The last that does not begin behind it is the only one that may."""
    place = bisect_right(spans, span[0], key=lambda one: one[0]) - 1
    return place >= 0 and span[1] <= spans[place][1]


@dataclass(frozen=True, slots=True)
class Texts:
    """Texts that are among `only` (all, where it is None), begin with all `prefixes`, and are none of `never` and begin with
    none of `barred`."""

    only: frozenset[str] | None
    missing: bool
    never: frozenset[str] = frozenset()
    prefixes: frozenset[str] = frozenset()
    barred: frozenset[str] = frozenset()

    @property
    def empty(self) -> bool:
        return not self.missing and not self._has_text

    @property
    def _has_text(self) -> bool:
        if self.only is not None:
            return bool(self.only)
        longest = max(self.prefixes, key=len, default="")
        return all(longest.startswith(one) for one in self.prefixes) and not any(
            longest.startswith(one) for one in self.barred
        )

    @property
    def size(self) -> int:
        """How much there is to compare."""
        return len(self.only or ()) + len(self.never) + len(self.prefixes) + len(self.barred)

    def has(self, text: str) -> bool:
        return (
            (self.only is None or text in self.only)
            and text not in self.never
            and all(text.startswith(one) for one in self.prefixes)
            and not any(text.startswith(one) for one in self.barred)
        )

    def __and__(self, other: Texts) -> Texts:
        both = Texts(
            None,
            self.missing and other.missing,
            self.never | other.never,
            self.prefixes | other.prefixes,
            self.barred | other.barred,
        )
        if self.only is None and other.only is None:
            return both
        known = self.only if self.only is not None else other.only
        assert known is not None, "one of them has a list"
        return Texts(frozenset(one for one in known if self.has(one) and other.has(one)), both.missing)

    def within(self, other: Texts) -> bool:
        if self.missing and not other.missing:
            return False
        if self.only is not None:
            return all(other.has(one) for one in self.only)
        if not self._has_text:
            return True
        return (
            other.only is None
            and all(not self.has(one) for one in other.never)
            and all(any(mine.startswith(one) for mine in self.prefixes) for one in other.prefixes)
            and all(self._bars(one) for one in other.barred)
        )

    def singles(self) -> list[Texts]:
        """Its values, each as a set of its own; itself without the missing value where they can not be counted."""
        missing = [Texts(frozenset(), True)] if self.missing else []
        if self.only is None:
            return [replace(self, missing=False), *missing]
        return [*(Texts(frozenset({one}), False) for one in sorted(self.only)), *missing]

    def _bars(self, prefix: str) -> bool:
        """Whether none of the texts begins with `prefix`."""
        apart = any(not (mine.startswith(prefix) or prefix.startswith(mine)) for mine in self.prefixes)
        return apart or any(prefix.startswith(one) for one in self.barred)


Values = Numbers | Texts


def all_of(field: Field) -> Values:
    """Every value that a payment may have."""
    if field.type is Type.INTEGER:
        return Numbers(((field.least, field.most),), not field.always)
    return Texts(field.known or None, not field.always)


def values_of(field: Field, op: str, value: Any) -> Values:
    """The values that pass a test."""
    if op == "exists":
        return replace(all_of(field), missing=False) if value else _nothing(field)
    return _numbers_of(field, op, value) if field.type is Type.INTEGER else _texts_of(field, op, value)


def others_of(field: Field, op: str, value: Any) -> Values:
    """The values that do not pass it."""
    opposite = _OPPOSITE.get(op)
    if opposite is not None:
        found = values_of(field, opposite, value)
        return replace(found, missing=not field.always) if op in _ORDERED else found
    if op == "exists":
        return values_of(field, "exists", not value)
    if op == "between":
        least, most = value
        spans = tuple((a, b) for a, b in ((field.least, least - 1), (most + 1, field.most)) if a <= b)
        return Numbers(spans, not field.always)
    if field.known:
        return Texts(frozenset(one for one in field.known if not one.startswith(value)), not field.always)
    return Texts(None, not field.always, barred=frozenset({value}))


_OPPOSITE: Mapping[str, str] = {
    "eq": "ne",
    "ne": "eq",
    "in": "not_in",
    "not_in": "in",
    "lt": "gte",
    "lte": "gt",
    "gt": "lte",
    "gte": "lt",
}
_ORDERED = frozenset({"lt", "lte", "gt", "gte"})


def _nothing(field: Field) -> Values:
    missing = not field.always
    return Numbers((), missing) if field.type is Type.INTEGER else Texts(frozenset(), missing)


def _numbers_of(field: Field, op: str, value: Any) -> Numbers:
    least, most = field.least, field.most
    if op in ("eq", "in"):
        wanted = sorted(set(value if op == "in" else [value]))
        return Numbers(tuple((one, one) for one in wanted if least <= one <= most), False)
    if op in ("ne", "not_in"):
        edges = [least - 1, *sorted(set(value if op == "not_in" else [value])), most + 1]
        spans = tuple((a + 1, b - 1) for a, b in pairwise(edges) if a + 1 <= b - 1)
        return Numbers(spans, not field.always)
    low, high = _BOUNDS[op](value)
    low, high = max(low, least), min(high, most)
    return Numbers(((low, high),) if low <= high else (), False)


_BOUNDS: Mapping[str, Callable[[Any], tuple[int, int]]] = {
    "lt": lambda value: (0, value - 1),
    "lte": lambda value: (0, value),
    "gt": lambda value: (value + 1, VALUE_MAX),
    "gte": lambda value: (value, VALUE_MAX),
    "between": tuple,
}


def _texts_of(field: Field, op: str, value: Any) -> Texts:
    everything, missing = field.known or None, not field.always
    if op in ("eq", "in"):
        return Texts(frozenset([value] if op == "eq" else value), False)
    if op in ("ne", "not_in"):
        unwanted = frozenset([value] if op == "ne" else value)
        if everything is not None:
            return Texts(everything - unwanted, missing)
        return Texts(None, missing, never=unwanted)
    if everything is not None:
        return Texts(frozenset(one for one in everything if one.startswith(value)), False)
    return Texts(None, False, prefixes=frozenset({value}))
