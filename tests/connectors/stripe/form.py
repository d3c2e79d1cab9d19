"""Stripe's form bodies as objects, written apart from the connector."""

from __future__ import annotations

import re
from typing import Any


def nested(form: list[tuple[str, str]]) -> dict[str, Any]:
    """``a[b][0]=c`` as an object; names of digits alone make a list."""
    root: dict[str, Any] = {}
    for name, text in form:
        head, *rest = re.findall(r"[^\[\]]+", name)
        inner = root
        for part, following in zip([head, *rest], [*rest, None], strict=True):
            if following is None:
                assert part not in inner, f"{name} is sent twice"
                inner[part] = text
            else:
                inner = inner.setdefault(part, {})
    listed = _listed(root)
    assert isinstance(listed, dict)
    return listed


def _listed(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    made = {name: _listed(part) for name, part in value.items()}
    if made and all(name.isdigit() for name in made):
        assert list(made) == [str(position) for position in range(len(made))]
        return list(made.values())
    return made
