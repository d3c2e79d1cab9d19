"""What every store promises to threads and processes that use it at once: see `contracts.store`."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from chalicelib.contracts.store import NEW, PAGE_MAX, Store, Version
from chalicelib.domain.errors import StaleVersion
from tests.conformance.stores import NOTE, SHARED_STORES, STORES, Note, OpenStore, StoreHarness, fill, listed
from tests.storage.children import exit_code, fork, in_children

WRITERS = 16


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


def test_a_forked_process_reads_lists_as_its_parent_did(shared: OpenStore) -> None:
    fill(shared.store, *(Note(f"n{number}") for number in range(5)))
    assert len(listed(shared.store)) == 5
    assert in_children(2, lambda _: len(listed(shared.store))) == [5, 5]


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
