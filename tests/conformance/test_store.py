"""What every store promises: see `contracts.store`."""

from __future__ import annotations

import os
import random
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chalicelib.contracts.store import DOCUMENT_BYTES_MAX, KEY_BYTES_MAX, NEW, PAGE_MAX, Store, Version
from chalicelib.domain.errors import NotFound, StaleVersion, StorageFault, TooLarge, Unreadable
from tests.conformance.stores import NOTE, OTHER, SHARED_STORES, STORES, Note, OpenStore, StoreHarness
from tests.storage.children import exit_code, fork, in_children

WRITERS = 16
AWKWARD = [
    "",
    "A",
    "Z",
    "a",
    "aa",
    "b",
    "%",
    "_",
    "'",
    '"; --',
    "é",
    "e\u0301",
    "ß",
    "ﬀ",
    "中",
    "\uffff",
    "😀",
    " ",
    "a ",
]


@pytest.fixture(params=STORES, ids=str)
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OpenStore]:
    with request.param.open_for_test(tmp_path) as opened:
        yield opened


@pytest.fixture
def store(opened: OpenStore) -> Store:
    return opened.store


@pytest.fixture(params=SHARED_STORES, ids=str)
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OpenStore]:
    harness: StoreHarness = request.param
    with harness.open_for_test(tmp_path) as opened:
        yield opened


def listed(store: Store, index: str = "by_time", partition: str = "shop", **asked: Any) -> list[str]:
    """The ids of all pages."""
    ids: list[str] = []
    after = None
    while True:
        page = store.find(NOTE, index, partition, after=after, **asked)
        ids += [item.value.id for item in page.items]
        after = page.after
        if after is None:
            return ids


def fill(store: Store, *notes: Note) -> None:
    for note in notes:
        store.put(NOTE, note, expect=NEW)


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


def test_a_larger_document_is_refused_and_not_written(store: Store) -> None:
    with pytest.raises(TooLarge):
        store.put(NOTE, Note("n", text="x" * DOCUMENT_BYTES_MAX), expect=NEW)
    with pytest.raises(NotFound):
        store.get(NOTE, "n")


LONG = "é" * (KEY_BYTES_MAX // 2)


@pytest.mark.parametrize("field", ["id", "at", "partition", "order", "due", "status"])
def test_keys_are_limited_by_their_bytes(store: Store, field: str) -> None:
    note = Note("n")
    fill(store, replace(note, **{field: LONG}))
    with pytest.raises(TooLarge):
        store.put(NOTE, replace(note, id="m", **{field: LONG + "x"}) if field != "id" else Note(LONG + "x"), expect=NEW)


@pytest.mark.parametrize("text", ["a\0b", "\ud800"])
@pytest.mark.parametrize("field", ["id", "at", "partition", "status"])
def test_keys_that_are_no_text_are_refused(store: Store, field: str, text: str) -> None:
    with pytest.raises(Unreadable):
        store.put(NOTE, replace(Note("n"), **{field: text}), expect=NEW)


# Lists


def test_a_list_is_in_the_order_of_sort_and_id(store: Store) -> None:
    fill(store, Note("b", "2"), Note("c", "1"), Note("a", "2"), Note("d", "3"), Note("other", "2", partition="market"))
    assert listed(store, newest_first=False) == ["c", "a", "b", "d"]
    assert listed(store, newest_first=True) == ["d", "b", "a", "c"]


def test_sort_keys_are_compared_by_their_bytes(store: Store) -> None:
    fill(store, *(Note(f"n{number}", at) for number, at in enumerate(AWKWARD)))
    ids = sorted(range(len(AWKWARD)), key=lambda number: AWKWARD[number].encode())
    assert listed(store, newest_first=False, limit=4) == [f"n{number}" for number in ids]


def test_ids_are_compared_by_their_bytes(store: Store) -> None:
    names = [name for name in AWKWARD if name]
    fill(store, *(Note(name) for name in names))
    assert listed(store, newest_first=False, limit=4) == sorted(names, key=str.encode)


@pytest.mark.parametrize("partition", AWKWARD)
def test_a_partition_is_matched_exactly(store: Store, partition: str) -> None:
    fill(store, *(Note(f"n{number}", partition=text) for number, text in enumerate(AWKWARD)))
    assert listed(store, partition=partition) == [f"n{AWKWARD.index(partition)}"]


@pytest.mark.parametrize("partition", ["\ud800", "\0", "x" * (KEY_BYTES_MAX + 1)])
def test_a_partition_that_can_not_be_is_empty(store: Store, partition: str) -> None:
    assert store.find(NOTE, "by_time", partition).items == ()


@pytest.mark.parametrize("newest_first", [True, False])
def test_since_is_included_and_until_is_not(store: Store, newest_first: bool) -> None:
    fill(store, *(Note(at, at) for at in ("1", "2", "3", "4")))
    asked = {"newest_first": newest_first, "limit": 1}
    assert sorted(listed(store, since="2", until="4", **asked)) == ["2", "3"]
    assert sorted(listed(store, since="3", **asked)) == ["3", "4"]
    assert sorted(listed(store, until="3", **asked)) == ["1", "2"]
    assert listed(store, since="3", until="3", **asked) == []


def test_a_borderline_may_move_while_paging(store: Store) -> None:
    fill(store, *(Note(at, at) for at in ("1", "2", "3", "4", "5")))
    after = store.find(NOTE, "by_time", "shop", limit=1, newest_first=True).after
    assert [item.value.id for item in store.find(NOTE, "by_time", "shop", after=after, until="3").items][0] == "2"
    after = store.find(NOTE, "by_time", "shop", limit=1, newest_first=False).after
    page = store.find(NOTE, "by_time", "shop", after=after, since="4", newest_first=False)
    assert [item.value.id for item in page.items] == ["4", "5"]


def test_pages_end_with_no_cursor(store: Store) -> None:
    fill(store, *(Note(f"{number}") for number in range(4)))
    first = store.find(NOTE, "by_time", "shop", limit=2)
    second = store.find(NOTE, "by_time", "shop", limit=2, after=first.after)
    assert [len(first.items), len(second.items), second.after] == [2, 2, None]


@pytest.mark.parametrize("newest_first", [True, False])
def test_rows_added_while_paging_neither_repeat_nor_hide_others(store: Store, newest_first: bool) -> None:
    dice = random.Random(7)
    before = [Note(f"b{number:03}", f"{dice.randrange(30):02}") for number in range(60)]
    fill(store, *before)
    seen: list[str] = []
    after = None
    added = 0
    while True:
        page = store.find(NOTE, "by_time", "shop", newest_first=newest_first, after=after, limit=7)
        seen += [item.value.id for item in page.items]
        after = page.after
        if after is None:
            break
        for _ in range(3):
            fill(store, Note(f"{dice.choice('ac')}{added:03}", f"{dice.randrange(30):02}"))
            added += 1
    assert len(seen) == len(set(seen))
    expected = sorted(((note.at, note.id) for note in before), reverse=newest_first)
    assert [id for id in seen if id.startswith("b")] == [id for _, id in expected]


def test_a_document_enters_and_leaves_a_sparse_index(store: Store) -> None:
    version = store.put(NOTE, Note("n"), expect=NEW)
    assert listed(store, "due", "due") == []
    version = store.put(NOTE, Note("n", due="5"), expect=version)
    assert listed(store, "due", "due", until="6") == ["n"]
    version = store.put(NOTE, Note("n", due="7"), expect=version)
    assert listed(store, "due", "due", until="6") == []
    store.put(NOTE, Note("n", due=None), expect=version)
    assert listed(store, "due", "due") == []


def test_a_refused_put_leaves_the_indexes_alone(store: Store) -> None:
    version = store.put(NOTE, Note("n"), expect=NEW)
    store.put(NOTE, Note("n"), expect=version)
    with pytest.raises(StaleVersion):
        store.put(NOTE, Note("n", due="5"), expect=version)
    assert listed(store, "due", "due") == []


def test_a_list_can_be_filtered(store: Store) -> None:
    for number in range(12):
        status = ("captured", "failed", None)[number % 3]
        fill(store, Note(f"{number:02}", status=status, currency=("EUR", "USD")[number % 2]))
    assert listed(store, where={"status": "failed"}, limit=2) == ["10", "07", "04", "01"]
    assert listed(store, where={"status": "failed", "currency": "USD"}, limit=1) == ["07", "01"]
    assert listed(store, where={"status": "Failed"}) == []
    assert listed(store, where={"status": "\ud800"}) == []


def test_a_filter_follows_the_document(store: Store) -> None:
    version = store.put(NOTE, Note("n", status="created"), expect=NEW)
    store.put(NOTE, Note("n", status="captured"), expect=version)
    assert listed(store, where={"status": "created"}) == []
    assert listed(store, where={"status": "captured"}) == ["n"]


# Questions that can not be answered


@pytest.mark.parametrize("limit", [0, -1, PAGE_MAX + 1])
def test_a_limit_outside_its_range_is_a_mistake(store: Store, limit: int) -> None:
    with pytest.raises(ValueError, match="limit"):
        store.find(NOTE, "by_time", "shop", limit=limit)


def test_an_undeclared_index_is_a_mistake(store: Store) -> None:
    with pytest.raises(ValueError, match="no index"):
        store.find(NOTE, "by_colour", "shop")


def test_an_undeclared_filter_is_a_mistake(store: Store) -> None:
    with pytest.raises(ValueError, match="filtered"):
        store.find(NOTE, "by_time", "shop", where={"text": "x"})


@pytest.mark.parametrize("cursor", ["", "x", "é", "AAAA", "====", "\ud800", "A" * 5000])
def test_an_invented_cursor_is_unreadable(store: Store, cursor: str) -> None:
    with pytest.raises(Unreadable):
        store.find(NOTE, "by_time", "shop", after=cursor)


@pytest.mark.parametrize(
    "asked",
    [("by_order", "shop", True), ("by_time", "market", True), ("by_time", "shop", False)],
    ids=["index", "partition", "direction"],
)
def test_a_cursor_of_another_list_is_unreadable(store: Store, asked: tuple[str, str, bool]) -> None:
    fill(store, Note("a"), Note("b"))
    after = store.find(NOTE, "by_time", "shop", limit=1).after
    index, partition, newest_first = asked
    with pytest.raises(Unreadable):
        store.find(NOTE, index, partition, newest_first=newest_first, after=after)


def test_a_changed_cursor_is_unreadable(store: Store) -> None:
    fill(store, Note("a"), Note("b"))
    after = store.find(NOTE, "by_time", "shop", limit=1).after
    assert after is not None
    for place in range(len(after)):
        with pytest.raises(Unreadable):
            store.find(NOTE, "by_time", "shop", after=after[:place] + ("A" if after[place] != "A" else "B"))


# Side by side


def test_of_threads_that_write_one_version_exactly_one_wins(store: Store) -> None:
    start = threading.Barrier(WRITERS)

    def write(number: int, id: str, version: Version) -> bool:
        start.wait()
        try:
            store.put(NOTE, Note(id, text=f"writer {number}"), expect=version)
        except StaleVersion:
            return False
        return True

    with ThreadPoolExecutor(WRITERS) as pool:
        for id in ("inserted", "updated"):
            version = store.put(NOTE, Note(id), expect=NEW) if id == "updated" else NEW
            wins = list(pool.map(write, range(WRITERS), [id] * WRITERS, [version] * WRITERS))
            assert wins.count(True) == 1
            assert store.get(NOTE, id).value.text == f"writer {wins.index(True)}"


def test_of_processes_that_write_one_version_exactly_one_wins_each_round(shared: OpenStore) -> None:
    rounds = range(5)
    seen = {number: shared.store.put(NOTE, Note(f"n{number}"), expect=NEW) for number in rounds}

    def write(writer: int) -> int:
        won = 0
        for number in rounds:
            try:
                shared.store.put(NOTE, Note(f"n{number}", text=f"writer {writer}"), expect=seen[number])
                won |= 1 << number
            except StaleVersion:
                pass
        return won

    wins = in_children(WRITERS, write)
    for number in rounds:
        winners = [writer for writer, won in enumerate(wins) if won >> number & 1]
        assert [f"writer {writer}" for writer in winners] == [shared.store.get(NOTE, f"n{number}").value.text]


def test_counting_in_one_document_from_many_processes_misses_nothing(shared: OpenStore) -> None:
    fill(shared.store, Note("n", text="0"))

    def count(_: int) -> int:
        done = 0
        while done < 10:
            stored = shared.store.get(NOTE, "n")
            try:
                shared.store.put(NOTE, Note("n", text=str(int(stored.value.text) + 1)), expect=stored.version)
                done += 1
            except StaleVersion:
                pass
        return 0

    in_children(4, count)
    assert shared.store.get(NOTE, "n").value.text == "40"


def test_forking_while_threads_write_harms_neither_side(shared: OpenStore) -> None:
    enough = threading.Event()

    def write(thread: int) -> int:
        number = 0
        while not enough.is_set():
            fill(shared.store, Note(f"thread {thread} {number}"))
            number += 1
        return number

    def write_in_child(number: int) -> int:
        fill(shared.store, Note(f"child {number}"))
        return 0

    with ThreadPoolExecutor(2) as pool:
        threads = [pool.submit(write, thread) for thread in range(2)]
        try:
            for number in range(8):
                pid = fork(lambda number=number: write_in_child(number))  # type: ignore[misc]
                assert exit_code(pid) == 0
        finally:
            enough.set()
        written = sum(thread.result() for thread in threads)
    assert len(listed(shared.store, limit=PAGE_MAX)) == written + 8


def test_a_killed_writer_loses_nothing_that_was_acknowledged(shared: OpenStore) -> None:
    for round in range(6):
        reading, writing = os.pipe()

        def write(round: int = round, writing: int = writing) -> int:
            number = 0
            while True:
                version = shared.store.put(NOTE, Note(f"{round}-{number}", "old", text="x" * 3000), expect=NEW)
                shared.store.put(NOTE, Note(f"{round}-{number}", "new", due="1", text="x" * 3000), expect=version)
                os.write(writing, f"{number}\n".encode())
                number += 1

        pid = fork(write)
        os.close(writing)
        with os.fdopen(reading) as acknowledged:
            first = acknowledged.readline()
            for _ in range(round * 3):
                acknowledged.readline()
            os.kill(pid, signal.SIGKILL)
            last = ([first, *acknowledged.read().split()])[-1]
        assert exit_code(pid) == -signal.SIGKILL
        for number in range(int(last) + 1):
            assert shared.store.get(NOTE, f"{round}-{number}").value.at == "new"
        due = set(listed(shared.store, "due", "due", limit=PAGE_MAX))
        new = set(listed(shared.store, since="new", until="newer", limit=PAGE_MAX))
        assert due == new
