"""Lists: one page at a time, the newest first."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, Field

from chalicelib.api.operation import Answer
from chalicelib.api.patterns import CURSOR
from chalicelib.contracts.store import Page
from chalicelib.domain.payment import Json

T = TypeVar("T")


class PageQuery(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    limit: int = Field(50, ge=1, le=200)
    """How many items a page may hold."""
    cursor: str | None = Field(None, max_length=1024, json_schema_extra={"pattern": CURSOR})
    """The `next_cursor` of the page before."""


def list_answer(page: Page[T], view: Callable[[T], dict[str, Json]]) -> Answer:
    return Answer(200, {"items": [view(stored.value) for stored in page.items], "next_cursor": page.after})
