"""What every store promises of one document: see `contracts.store`."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chalicelib.contracts.store import DOCUMENT_BYTES_MAX, KEY_BYTES_MAX, NEW, Store, Version
from chalicelib.domain.errors import NotFound, StaleVersion, StorageFault, TooLarge, Unreadable
from tests.conformance.stores import NOTE, OTHER, RAW, STORES, Note, OpenStore, fill, listed


@pytest.fixture(params=STORES, ids=str)
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OpenStore]:
    with request.param.open_for_test(tmp_path) as opened:
        yield opened


@pytest.fixture
def store(opened: OpenStore) -> Store:
    return opened.store


# One document


def test_what_was_put_is_read_back_with_its_version(store: Store) -> None:
    note = Note("n", text="日本語 😀 \u0000 'quoted'")
    version = store.put(NOTE, note, expect=NEW)
    stored = store.get(NOTE, "n")
    assert (stored.value, stored.version) == (note, version)


def test_a_committed_document_is_there_after_reopening(opened: OpenStore) -> None:
    fill(opened.store, Note("n"))
    assert opened.reopen().get(NOTE, "n").value == Note("n")


def test_an_absent_document_is_not_found(store: Store) -> None:
    with pytest.raises(NotFound):
        store.get(NOTE, "n")


@pytest.mark.parametrize("id", ["N", "n ", "n\0", "%", "\ud800", "n" * (KEY_BYTES_MAX + 1)])
def test_only_the_exact_id_is_found(store: Store, id: str) -> None:
    fill(store, Note("n"))
    with pytest.raises(NotFound):
        store.get(NOTE, id)


def test_kinds_do_not_share_ids(store: Store) -> None:
    fill(store, Note("n"))
    with pytest.raises(NotFound):
        store.get(OTHER, "n")


def test_each_put_gives_a_higher_version(store: Store) -> None:
    first = store.put(NOTE, Note("n"), expect=NEW)
    assert store.put(NOTE, Note("n", text="2"), expect=first) > first


def test_an_insert_over_an_existing_document_is_stale(store: Store) -> None:
    fill(store, Note("n", text="first"))
    with pytest.raises(StaleVersion):
        store.put(NOTE, Note("n", text="second"), expect=NEW)
    assert store.get(NOTE, "n").value.text == "first"


def test_a_put_over_a_version_that_is_gone_is_stale(store: Store) -> None:
    first = store.put(NOTE, Note("n", text="first"), expect=NEW)
    store.put(NOTE, Note("n", text="second"), expect=first)
    with pytest.raises(StaleVersion):
        store.put(NOTE, Note("n", text="third"), expect=first)
    assert store.get(NOTE, "n").value.text == "second"


def test_a_put_that_expects_an_absent_document_is_stale(store: Store) -> None:
    with pytest.raises(StaleVersion):
        store.put(NOTE, Note("n"), expect=Version(1))


def test_a_deleted_document_is_not_found(store: Store) -> None:
    version = store.put(NOTE, Note("n"), expect=NEW)
    store.delete(NOTE, "n", expect=version)
    with pytest.raises(NotFound):
        store.get(NOTE, "n")
    assert listed(store) == []


def test_deleting_a_version_that_is_gone_is_stale(store: Store) -> None:
    first = store.put(NOTE, Note("n"), expect=NEW)
    store.put(NOTE, Note("n"), expect=first)
    with pytest.raises(StaleVersion):
        store.delete(NOTE, "n", expect=first)


@pytest.mark.parametrize("id", ["n", "\ud800"])
def test_deleting_an_absent_document_is_not_found(store: Store, id: str) -> None:
    with pytest.raises(NotFound):
        store.delete(NOTE, id, expect=Version(1))


def test_a_version_from_before_a_delete_stays_stale_when_the_id_returns(store: Store) -> None:
    first = store.put(NOTE, Note("n"), expect=NEW)
    store.delete(NOTE, "n", expect=first)
    fill(store, Note("n", text="another"))
    with pytest.raises(StaleVersion):
        store.put(NOTE, Note("n"), expect=first)


def test_a_document_that_no_longer_decodes_is_told_by_name(store: Store) -> None:
    fill(store, Note("n"))

    def refuse(document: bytes) -> Note:
        raise KeyError("field")

    with pytest.raises(StorageFault, match="'n' in payments can not be decoded"):
        store.get(replace(NOTE, decode=refuse), "n")


# Limits


def test_a_document_may_be_as_large_as_the_limit(store: Store) -> None:
    spare = DOCUMENT_BYTES_MAX - len(NOTE.encode(Note("n")))
    fill(store, Note("n", text="x" * spare))
    assert len(store.get(NOTE, "n").value.text) == spare


LONG = "é" * (KEY_BYTES_MAX // 2)


def test_a_document_that_can_not_be_compressed_may_be_as_large_under_the_longest_keys(store: Store) -> None:
    dice = random.Random(1)
    id = "i" * KEY_BYTES_MAX
    note = Note(
        id, LONG, LONG, LONG, LONG, True, text=dice.randbytes(DOCUMENT_BYTES_MAX - len(id) - 1).decode("latin-1")
    )
    assert len(RAW.encode(note)) == DOCUMENT_BYTES_MAX
    version = store.put(RAW, note, expect=NEW)
    store.put(RAW, note, expect=version)
    assert store.get(RAW, id).value.text == note.text
    assert store.find(RAW, "by_time", LONG).items[0].value.text == note.text


def test_a_list_of_the_largest_documents_is_read(store: Store) -> None:
    """More than the 16 MB that DynamoDB gives at once."""
    texts = {
        f"n{number:02}": random.Random(number).randbytes(DOCUMENT_BYTES_MAX - 4).decode("latin-1")
        for number in range(50)
    }
    for id, text in texts.items():
        store.put(RAW, Note(id, text=text), expect=NEW)
    found: dict[str, str] = {}
    after = None
    while not found or after is not None:
        page = store.find(RAW, "by_time", "shop", newest_first=False, after=after)
        found.update((one.value.id, one.value.text) for one in page.items)
        after = page.after
    assert found == texts


def test_a_larger_document_is_refused_and_not_written(store: Store) -> None:
    with pytest.raises(TooLarge):
        store.put(NOTE, Note("n", text="x" * DOCUMENT_BYTES_MAX), expect=NEW)
    with pytest.raises(NotFound):
        store.get(NOTE, "n")


@pytest.mark.parametrize("field", ["id", "at", "partition", "order", "due", "status"])
def test_keys_are_limited_by_their_bytes(store: Store, field: str) -> None:
    fits: dict[str, Any] = {"id": "n", field: LONG}
    exceeds: dict[str, Any] = {"id": "m", field: LONG + "x"}
    fill(store, Note(**fits))
    with pytest.raises(TooLarge):
        store.put(NOTE, Note(**exceeds), expect=NEW)


@pytest.mark.parametrize("text", ["a\0b", "\ud800"])
@pytest.mark.parametrize("field", ["id", "at", "partition", "status"])
def test_keys_that_are_no_text_are_refused(store: Store, field: str, text: str) -> None:
    refused: dict[str, Any] = {"id": "n", field: text}
    with pytest.raises(Unreadable):
        store.put(NOTE, Note(**refused), expect=NEW)
