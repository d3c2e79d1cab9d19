"""A PSP's words and what they mean: its statuses, event types, error and decline codes, each field a table.

The conformance kit reads these tables: it fails on an entry that no scenario shows, and on a table without a scenario of a
word that is not in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")
UNHEARD_OF = "unheard of: "


@dataclass(frozen=True)
class Words(Generic[T]):
    """`field` is what the PSP calls it. `otherwise` is what a word means that is not in the table: nothing yet, pending, a
    soft decline; never success."""

    field: str
    meanings: Mapping[str, T]
    otherwise: T

    def of(self, word: object) -> T:
        return self.meanings.get(str(word), self.otherwise)

    def telling(self) -> tuple[str, ...]:
        """The words that mean something else than one nobody has heard of: of event types, those to subscribe to."""
        return tuple(word for word, meaning in self.meanings.items() if meaning != self.otherwise)

    def note(self, word: object) -> str:
        """A fact's `reason`: empty for a known word, so that one nobody has heard of can be seen on the payment."""
        return "" if str(word) in self.meanings else f"{UNHEARD_OF}{self.field} {str(word)[:40]}"
