"""Finds the route of a raw path, as API Gateway would: literal segments before parameters, a method last."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote

from chalicelib.domain.errors import Unreadable

_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Match:
    """`params` are still percent-encoded, so that a slash inside a value (``%2F``) stays inside."""

    pattern: str
    methods: frozenset[str]
    params: Mapping[str, str]


@dataclass(slots=True)
class _Node:
    literal: dict[str, _Node] = field(default_factory=dict)
    parameter: _Node | None = None
    names: tuple[str, ...] = ()
    pattern: str | None = None
    methods: frozenset[str] = frozenset()


class RouteTable:
    """Compiled once: a dictionary for the paths without parameters, a tree of segments for the others."""

    def __init__(self, routes: Mapping[str, Iterable[str]]) -> None:
        """`routes` maps a pattern such as ``/v1/payments/{id}`` to its methods."""
        self._static: dict[str, Match] = {}
        self._root = _Node()
        for pattern, methods in routes.items():
            if "{" not in pattern:
                self._static[pattern] = Match(pattern, frozenset(methods), {})
            self._add(pattern, frozenset(methods))

    def _add(self, pattern: str, methods: frozenset[str]) -> None:
        node, names = self._root, []
        for segment in pattern.split("/")[1:]:
            if segment.startswith("{"):
                names.append(segment.strip("{}"))
                node.parameter = node.parameter or _Node()
                node = node.parameter
            else:
                node = node.literal.setdefault(segment, _Node())
        node.pattern, node.methods, node.names = pattern, methods, tuple(names)

    def match(self, raw_path: str) -> Match | None:
        """`raw_path` is percent-encoded; one slash at its end is ignored. Raises Unreadable for a broken escape."""
        path = raw_path[:-1] if raw_path.endswith("/") and len(raw_path) > 1 else raw_path
        found = self._static.get(path)
        if found is not None:
            return found
        if not path.startswith("/"):
            return None
        if "%" in path:
            _check_escapes(path)
        values: list[str] = []
        node = _descend(self._root, path.split("/"), 1, values)
        if node is None or node.pattern is None:
            return None
        return Match(node.pattern, node.methods, dict(zip(node.names, values, strict=True)))


def _descend(node: _Node, segments: list[str], at: int, values: list[str]) -> _Node | None:
    if at == len(segments):
        return node if node.pattern is not None else None
    segment = segments[at]
    literal = node.literal.get(unquote(segment) if "%" in segment else segment)
    if literal is not None:
        found = _descend(literal, segments, at + 1, values)
        if found is not None:
            return found
    if node.parameter is None or not segment:
        return None
    values.append(segment)
    found = _descend(node.parameter, segments, at + 1, values)
    if found is None:
        values.pop()
    return found


def _check_escapes(path: str) -> None:
    try:
        broken = bool(_BROKEN_ESCAPE.search(path)) or bool(_CONTROL.search(unquote(path, errors="strict")))
    except UnicodeDecodeError:
        broken = True
    if broken:
        raise Unreadable("The path has a percent-encoding that is not UTF-8 text.")
