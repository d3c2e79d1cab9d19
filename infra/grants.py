"""The functions' policies, read and checked. They are written by hand, one file per function: `infra/policies/api.json`.

JSON has no comments, so `infra/reasons.json` says why a statement has a wildcard; one without a reason does not pass.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "policies"
REASONS = Path(__file__).parent / "reasons.json"
Statement = dict[str, Any]


def statements_of(function: str) -> list[Statement]:
    """With what only some deployments grant, as if it were granted."""
    document = json.loads((FOLDER / f"{function.removesuffix('_handler')}.json").read_text())
    return [one["Fn::If"][1] if "Fn::If" in one else one for one in document["Statement"]]


def functions() -> list[str]:
    return sorted(path.stem for path in FOLDER.glob("*.json"))


def table_actions(kind: str) -> set[str]:
    """What any function may do with a kind's table and its indexes, in DynamoDB's own words such as ``PutItem``."""
    found: set[str] = set()
    for function in functions():
        for statement in statements_of(function):
            if any(_is_of(kind, resource) for resource in texts_in(statement["Resource"])):
                found |= {action.removeprefix("dynamodb:") for action in statement["Action"]}
    return found


def _is_of(kind: str, resource: str) -> bool:
    return resource.partition("/index/")[0].endswith(f":table/${{TablePrefix}}-{kind}")


def texts_in(value: Any) -> Iterator[str]:
    """Every text in a JSON value, for example a resource inside ``Fn::Sub``."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from texts_in(part)
    elif isinstance(value, list):
        for part in value:
            yield from texts_in(part)


def wildcards_in(document: Any) -> Iterator[tuple[str, str]]:
    """Statement (its Sid) and text of each wildcard in actions, resources and principals of a policy document."""
    for statement in document["Statement"]:
        statement = statement["Fn::If"][1] if "Fn::If" in statement else statement
        for part in ("Action", "NotAction", "Resource", "NotResource", "Principal"):
            for text in texts_in(statement.get(part, [])):
                if "*" in text or "?" in text:
                    yield statement["Sid"], text
