"""Whole lists of what belongs to one transaction. A list that is not whole is an error: what is missing might be our refund."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from chalicelib.connectors.paystack.answers import data_of
from chalicelib.connectors.paystack.reading import number_of
from chalicelib.contracts.conversation import Conversation, HttpRequest

PER_PAGE = 50  # the default, and said, so that a page with fewer is the last
PAGES_MAX = 4  # of each list: a conversation has ten calls


class TooLong(ValueError):
    """There is more than one conversation can read."""


def listed(path: str, transaction: int, headers: dict[str, str]) -> Conversation[list[dict[str, Any]]]:
    """All that `path` lists of a transaction, by its number. Other transactions' are left out, should the PSP not filter.
    Raises ValueError for what is no list, and TooLong for more than `PAGES_MAX` pages."""
    found: list[dict[str, Any]] = []
    for page in range(1, PAGES_MAX + 1):
        query = urlencode({"transaction": transaction, "perPage": PER_PAGE, "page": page})
        response = yield HttpRequest("GET", f"{path}?{query}", headers, operation="list")
        items = data_of(response)
        if not isinstance(items, list) or not all(isinstance(one, dict) for one in items):
            raise ValueError("the answer is no list of objects")
        found.extend(one for one in items if _transaction_in(one) == transaction)
        if _is_last(response.json(), len(items), page):
            return found
    raise TooLong(f"there are more than {PAGES_MAX} pages")


def _transaction_in(item: dict[str, Any]) -> int:
    """A refund has the transaction's number, a dispute the transaction."""
    said = item.get("transaction")
    return int(number_of(said.get("id") if isinstance(said, dict) else said))


def _is_last(body: dict[str, Any], items: int, page: int) -> bool:
    """By `meta`, which samples lack; then by how many there are."""
    meta = body.get("meta")
    pages = meta.get("pageCount") if isinstance(meta, dict) else None
    return page >= pages if type(pages) is int else items < PER_PAGE
