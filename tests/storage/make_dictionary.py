"""Writes chalicelib/storage/dictionary_<number>.txt: what documents of ours have in common, for the codec of DynamoDB's items.

Run once for a number (``python -m tests.storage.make_dictionary 2``), and never again: what was packed with a dictionary
can be read with that one alone. A new one is worth it when documents have come to look different.

It is made of documents that lives leave behind, with what differs between them taken out: what most payments say is whole
and last, where deflate finds it at the least cost; of everything before, only what is not in that already.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import requests

from benchmarks.cloud import Cloud, Refused, cloud
from benchmarks.life import live
from chalicelib.api.models_checkout import CHECKOUT_EXAMPLE
from chalicelib.contracts.store import Kind
from chalicelib.services.kinds import DELIVERY, INBOX, PAYMENT
from chalicelib.storage.memory import MemoryStore

FOLDER = Path(__file__).parents[2] / "chalicelib" / "storage"
BYTES_MAX = 16_384  # deflate looks back 32 kB; more costs time with each document and gives little
PIECE_MIN = 12
_OWN = (  # what differs between payments, or names somebody
    (re.compile(r"\b([a-z]{2,4}_)(?=[A-Za-z0-9_]*[0-9])[A-Za-z0-9_]{8,}"), r"\1"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"), "2026-01-01T00:00:00Z"),
    (re.compile(r"https?://[^\"\\]+"), "https://"),
    (re.compile(r"sandbox-[abc]"), "psp"),
    (re.compile(r"(\\?\")sandbox\1"), r"\1\1"),
    (re.compile(r"\b[0-9a-f]{16,}\b"), ""),
    (re.compile(r"(_of_day|_of_week|open_ms|latency_ms)(\\?\":)\d+"), r"\g<1>\g<2>1"),
)
_PARTS = re.compile(r"(?<=[,{\[])")
OUTCOMES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("declined", {}),
    ("paid", {"metadata": {"sandbox-a": "decline_soft"}}),
    ("paid", {"metadata": {"sandbox-a": "timeout_after"}}),
    ("authorized", {"capture": "manual"}),
    ("abandoned", {}),
)


class Keeping(MemoryStore):
    """Keeps every document that was ever put, the newest last."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[tuple[str, bytes]] = []

    def put(self, kind: Kind[Any], value: Any, *, expect: Any) -> Any:
        version = super().put(kind, value, expect=expect)
        self.kept.append((kind.name, kind.encode(value)))
        return version


def made() -> bytes:
    store = Keeping()
    with tempfile.TemporaryDirectory() as folder, cloud(Path(folder), store) as running:
        for outcome, more in OUTCOMES:
            _other(running, outcome, more)
        rare = len(store.kept)
        live(running, order=lambda number: CHECKOUT_EXAMPLE)
    texts = [(kind, _plain(document)) for kind, document in store.kept]
    usual = [text for kind, text in texts[rare:] if kind in (PAYMENT.name, DELIVERY.name)]
    odd = [text for kind, text in texts[:rare] if kind in (PAYMENT.name, DELIVERY.name, INBOX.name)]
    known = max(usual, key=len)
    for text in usual[::-1] + odd[::-1]:
        known = "".join(_unknown(text, known)) + known
    return known.encode()[-BYTES_MAX:]


def _other(running: Cloud, outcome: str, more: dict[str, Any]) -> None:
    with suppress(Refused):  # what it is answered with is in the document too
        payment = running.call("/v1/checkouts", {**CHECKOUT_EXAMPLE, **more})
        requests.post(payment["next_action"]["url"], data={"outcome": outcome}, allow_redirects=False, timeout=10)
        with suppress(Exception):
            while True:
                running.take_webhook(within_s=1)
    running.work()
    for seconds in (60, 3_600, 86_400):
        running.pass_time(seconds)


def _plain(document: bytes) -> str:
    """The document without what no other one has."""
    text = document.decode()
    for own in _texts_of(CHECKOUT_EXAMPLE):
        text = text.replace(own, "")
    for own_pattern, instead in _OWN:
        text = own_pattern.sub(instead, text)
    return text


def _texts_of(document: Any) -> Iterator[str]:
    """What a shop or its shopper wrote, the longest first."""
    kept = {"default", "card", "automatic", "EUR", "web"}
    found = re.findall(r': "([^"]{3,})"', json.dumps(document))
    return iter(sorted(set(found) - kept, key=len, reverse=True))


def _unknown(text: str, known: str) -> Iterator[str]:
    """Its parts that `known` does not have, runs of them together."""
    for part in _PARTS.split(text):
        if len(part) >= PIECE_MIN and part not in known:
            yield part


def main(number: int) -> None:
    target = FOLDER / f"dictionary_{number}.txt"
    if target.exists():
        raise SystemExit(f"{target} exists and must not change")
    target.write_bytes(made())


if __name__ == "__main__":
    main(int(sys.argv[1]))
