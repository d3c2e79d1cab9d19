"""Writers that queue share a commit; nobody's failure is another's, and nobody returns before what he saw is durable."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from chalicelib.storage.shared_commit import SharedCommit

SOON_S = 10


class File:
    """A database of one table, and what was done to it."""

    def __init__(self, path: Path) -> None:
        self.path, self.statements, self.drops = path, list[str](), 0
        self._connection: sqlite3.Connection | None = None
        self.shared = SharedCommit(self.connection, self.drop)
        self.connection().execute("CREATE TABLE t (id TEXT PRIMARY KEY)")

    def connection(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.set_trace_callback(self._traced)
        return self._connection

    def drop(self) -> None:
        self.drops += 1
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _traced(self, statement: str) -> None:
        self.statements.append(statement)

    def commits(self) -> int:
        return self.statements.count("COMMIT")

    def put(self, id: str) -> None:
        with self.shared.writing() as cursor:
            cursor.execute("INSERT INTO t VALUES (?)", (id,))

    def committed(self) -> set[str]:
        """As another process sees it."""
        other = sqlite3.connect(self.path)
        try:
            return {id for (id,) in other.execute("SELECT id FROM t")}
        finally:
            other.close()


@pytest.fixture
def file(tmp_path: Path) -> Iterator[File]:
    made = File(tmp_path / "t.db")
    yield made
    made.drop()


class Held:
    """Somebody who writes and stands still before the end, so that others queue behind."""

    def __init__(self, file: File) -> None:
        self._file, self._inside, self._go = file, threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        with self._file.shared.writing() as cursor:
            cursor.execute("INSERT INTO t VALUES ('held')")
            self._inside.set()
            assert self._go.wait(SOON_S)

    def __enter__(self) -> None:
        self._thread.start()
        assert self._inside.wait(SOON_S)

    def __exit__(self, *_: object) -> None:
        self._go.set()
        self._thread.join(SOON_S)


def queued(file: File, count: int) -> None:
    """Returns once so many wait for their turn."""
    ends = threading.Event()
    while file.shared._waiting < count:
        ends.wait(0.001)


def test_a_writer_alone_commits_what_he_wrote(file: File) -> None:
    file.put("a")
    assert (file.committed(), file.commits()) == ({"a"}, 1)


def test_those_who_queue_share_a_commit(file: File) -> None:
    with ThreadPoolExecutor(8) as pool:
        with Held(file):
            done = [pool.submit(file.put, str(number)) for number in range(8)]
            queued(file, 8)
        for one in done:
            one.result(SOON_S)
    assert file.committed() == {"held", *map(str, range(8))}
    assert file.commits() == 1


def test_what_returned_is_durable(file: File) -> None:
    """Whoever looks from outside after a write returned, sees it."""

    def write(number: int) -> None:
        for step in range(20):
            file.put(f"{number}-{step}")
            assert f"{number}-{step}" in file.committed()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    assert len(file.committed()) == 160


def test_one_that_fails_takes_nobody_with_him(file: File) -> None:
    with ThreadPoolExecutor(4) as pool:
        with Held(file):
            done = [pool.submit(file.put, id) for id in ("a", "held", "b")]
            queued(file, 3)
        failed = [one.exception(SOON_S) for one in done]
    assert [type(one) for one in failed] == [type(None), sqlite3.IntegrityError, type(None)]
    assert file.committed() == {"held", "a", "b"}


def test_who_lost_a_race_learns_of_it_once_the_winner_is_durable(file: File) -> None:
    seen: list[set[str]] = []

    def lose() -> None:
        with pytest.raises(sqlite3.IntegrityError):
            file.put("held")
        seen.append(file.committed())

    with ThreadPoolExecutor(2) as pool:
        with Held(file):
            losing = pool.submit(lose)
            more = pool.submit(file.put, "more")
            queued(file, 2)
        losing.result(SOON_S)
        more.result(SOON_S)
    assert "held" in seen[0]


def test_who_lost_a_race_is_not_told_of_a_winner_whose_commit_fails(file: File) -> None:
    file.connection().execute("PRAGMA foreign_keys = ON")
    file.connection().execute("CREATE TABLE c (of TEXT REFERENCES t (id) DEFERRABLE INITIALLY DEFERRED)")
    inside, go = threading.Event(), threading.Event()

    def win() -> None:
        with file.shared.writing() as cursor:
            cursor.execute("INSERT INTO t VALUES ('won')")
            cursor.execute("INSERT INTO c VALUES ('nobody')")  # which only the commit finds out
            inside.set()
            assert go.wait(SOON_S)

    def lose() -> None:
        with file.shared.writing() as cursor:
            try:
                cursor.execute("INSERT INTO t VALUES ('won')")
            except sqlite3.IntegrityError:
                raise KeyError("won") from None

    with ThreadPoolExecutor(2) as pool:
        winning = pool.submit(win)
        assert inside.wait(SOON_S)
        losing = pool.submit(lose)
        queued(file, 1)
        go.set()
        failed = [type(one.exception(SOON_S)) for one in (winning, losing)]
    assert (failed, file.committed()) == ([sqlite3.IntegrityError] * 2, set())


def test_a_failed_write_alone_leaves_nothing(file: File) -> None:
    def fail() -> None:
        with file.shared.writing() as cursor:
            cursor.execute("INSERT INTO t VALUES ('a')")
            raise KeyError("b")

    with pytest.raises(KeyError):
        fail()
    assert (file.committed(), file.commits()) == (set(), 0)
    file.put("c")
    assert file.committed() == {"c"}


def test_a_full_disk_is_told_to_whom_it_cost_his_write(file: File) -> None:
    file.connection().execute("PRAGMA max_page_count = 3")
    with ThreadPoolExecutor(4) as pool:
        big = [pool.submit(file.put, letter * 3000) for letter in "abcdefgh"]
        failed = [one.exception(SOON_S) for one in big]
    assert any(isinstance(one, sqlite3.OperationalError) for one in failed)
    kept = {letter * 3000 for letter, one in zip("abcdefgh", failed, strict=True) if one is None}
    assert file.committed() == kept
    file.put("z")
    assert "z" in file.committed()


def test_nobody_writes_while_somebody_is_alone(file: File) -> None:
    with ThreadPoolExecutor(1) as pool:
        with file.shared.alone():
            waiting = pool.submit(file.put, "a")
            queued(file, 1)
            assert not waiting.done()
        waiting.result(SOON_S)
    assert file.committed() == {"a"}


def test_another_process_that_holds_the_lock_costs_only_whoever_met_it(file: File) -> None:
    file.connection().execute("PRAGMA busy_timeout = 10")
    other = sqlite3.connect(file.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        file.put("a")
    other.execute("ROLLBACK")
    other.close()
    file.put("b")
    assert (file.committed(), file.drops) == ({"b"}, 1)
