"""What goes wrong with the embedded queue's file is told clearly."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from chalicelib.contracts.queue import Topic
from chalicelib.domain.errors import QueueFault
from chalicelib.queues.embedded import EmbeddedQueue


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "queue.db"


@pytest.fixture
def queue(path: Path) -> Iterator[EmbeddedQueue]:
    queue = EmbeddedQueue(str(path))
    yield queue
    queue.close()


def test_a_missing_directory_is_told(tmp_path: Path) -> None:
    with pytest.raises(QueueFault, match="Create its directory"):
        EmbeddedQueue(str(tmp_path / "absent" / "queue.db")).send(Topic.EVENTS, b"1")


def test_a_file_that_is_no_queue_is_told(queue: EmbeddedQueue, path: Path) -> None:
    path.write_bytes(b"something else entirely, and long enough to be looked at" * 100)
    with pytest.raises(QueueFault, match="no SQLite file"):
        queue.send(Topic.EVENTS, b"1")


def test_a_queue_of_a_newer_version_is_refused(queue: EmbeddedQueue, path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(QueueFault, match="format 99"):
        queue.send(Topic.EVENTS, b"1")


def test_a_full_disk_is_told_and_the_message_is_not_sent(queue: EmbeddedQueue) -> None:
    queue.send(Topic.EVENTS, b"1")
    with queue._file.transaction() as connection:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(QueueFault, match="Free space"):
        queue.send(Topic.EVENTS, b"x" * 100_000)
    assert [message.body for message in queue.receive(Topic.EVENTS)] == [b"1"]


def test_every_commit_is_synced_to_the_write_ahead_log(queue: EmbeddedQueue) -> None:
    with queue._file.transaction() as connection:
        found = [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")]
    assert found == ["wal", 2]
