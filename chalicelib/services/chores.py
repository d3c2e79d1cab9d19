"""Chores: messages that say what is to be done and the id of what it is about."""

from __future__ import annotations

import json
from typing import Any


def chore(do: str, id: str) -> bytes:
    """`do` names it as `Work` knows it."""
    return json.dumps({"do": do, "id": id}, separators=(",", ":")).encode()


def is_chore(document: dict[str, Any]) -> bool:
    """Whether a message of the inbound queue is one; the others are webhooks."""
    return "do" in document
