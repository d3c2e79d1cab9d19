"""What goes wrong with a SQLite file is told clearly, and leaves nothing half written."""

from __future__ import annotations

import errno
import fcntl
import os
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from chalicelib.contracts.store import NEW, Version
from chalicelib.domain.errors import NotFound, StorageFault, StorageFull, StorageReadOnly
from chalicelib.storage import sql_sqlite
from chalicelib.storage.sql import SqlStore
from tests.conformance.stores import NOTE, Note, fill, sqlite_url
from tests.storage.children import exit_code, fork

LARGE = "x" * 50_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqlStore]:
    store = SqlStore(sqlite_url(path), (NOTE,))
    store.migrate()
    yield store
    store.close()


def limited(path: Path, spare_pages: int) -> SqlStore:
    """A store whose database may grow by so many pages only, as on a disk that is nearly full."""
    connection = sqlite3.connect(path)
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.close()
    store = SqlStore(sqlite_url(path), (NOTE,))

    def limit(connection: Any, record: object) -> None:
        connection.execute(f"PRAGMA max_page_count = {pages + spare_pages}")

    sa.event.listen(store._database._engine, "connect", limit)  # type: ignore[attr-defined]
    return store


def is_sound(path: Path) -> bool:
    connection = sqlite3.connect(path)
    (verdict,) = connection.execute("PRAGMA integrity_check").fetchone()
    connection.close()
    return bool(verdict == "ok")


def test_a_full_disk_is_told_and_the_refused_documents_are_not_there(store: SqlStore, path: Path) -> None:
    full = limited(path, spare_pages=40)
    full.put(NOTE, Note("fits", due="1", text=LARGE), expect=NEW)
    with pytest.raises(StorageFull, match=r"store\.db .*Nothing was written\. Free space"):
        fill(full, *(Note(f"n{number}", due="2", text=LARGE) for number in range(10)))
    full.close()
    due = [item.value.id for item in store.find(NOTE, "due", "due", newest_first=False).items]
    assert due == [item.value.id for item in store.find(NOTE, "by_time", "shop", newest_first=False).items]
    with pytest.raises(NotFound):
        store.get(NOTE, "n9")
    assert is_sound(path)


def test_a_document_that_can_not_grow_keeps_its_former_state(store: SqlStore, path: Path) -> None:
    version = store.put(NOTE, Note("n", due="1"), expect=NEW)
    full = limited(path, spare_pages=2)
    with pytest.raises(StorageFull):
        full.put(NOTE, Note("n", due="2", text=LARGE), expect=version)
    full.close()
    stored = store.get(NOTE, "n")
    assert (stored.value, stored.version) == (Note("n", due="1"), version)
    assert len(store.find(NOTE, "due", "due", until="2").items) == 1


def test_a_full_disk_still_takes_what_fits(store: SqlStore, path: Path) -> None:
    full = limited(path, spare_pages=2)
    with pytest.raises(StorageFull):
        full.put(NOTE, Note("large", text=LARGE), expect=NEW)
    full.put(NOTE, Note("small"), expect=NEW)
    full.close()
    assert store.get(NOTE, "small").value == Note("small")


def test_a_read_only_database_can_be_read_and_says_that_it_takes_no_writes(store: SqlStore, path: Path) -> None:
    version = store.put(NOTE, Note("n"), expect=NEW)
    reader = SqlStore(f"sqlite:///file:{path}?mode=ro&uri=true", (NOTE,))
    assert reader.migrate() == ()
    assert reader.get(NOTE, "n").value == Note("n")
    for expect in (NEW, version):
        with pytest.raises(StorageReadOnly, match=r"store\.db .*mode=ro"):
            reader.put(NOTE, Note("n", text="changed"), expect=expect)
    with pytest.raises(StorageReadOnly):
        reader.delete(NOTE, "n", expect=version)
    reader.close()


def test_a_commit_that_the_disk_failed_claims_nothing(store: SqlStore) -> None:
    """The test stands in for a disk whose sync fails."""
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode, error.sqlite_errorname = sqlite3.SQLITE_IOERR_FSYNC, "SQLITE_IOERR_FSYNC"
    with pytest.raises(StorageFault, match="It may have been written") as told, store._database.writing():
        raise error
    assert "Nothing was written" not in told.value.detail


def test_a_missing_directory_is_told(tmp_path: Path) -> None:
    store = SqlStore(sqlite_url(tmp_path / "absent" / "store.db"), (NOTE,))
    with pytest.raises(StorageFault, match="Create its directory"):
        store.migrate()
    store.close()


def test_a_file_that_is_no_database_is_told(path: Path) -> None:
    path.write_bytes(b"something else entirely, and long enough to be looked at" * 100)
    store = SqlStore(sqlite_url(path), (NOTE,))
    for use in (store.migrate, lambda: store.get(NOTE, "n")):
        with pytest.raises(StorageFault, match="no SQLite file"):
            use()
    store.close()


def test_a_damaged_database_is_told(store: SqlStore, path: Path) -> None:
    for number in range(50):
        store.put(NOTE, Note(f"n{number}", text="x" * 2000), expect=NEW)
    store.close()
    content = path.read_bytes()
    path.write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))
    with pytest.raises(StorageFault, match="restore the newest backup"):
        store.find(NOTE, "by_time", "shop")


def test_a_database_without_tables_is_told(path: Path) -> None:
    store = SqlStore(sqlite_url(path), (NOTE,))
    with pytest.raises(StorageFault, match=r"no such table.*migrations"):
        store.get(NOTE, "n")
    store.close()


def test_a_lock_that_is_never_given_back_is_told(store: SqlStore, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql_sqlite, "BUSY_S", 0.05)
    hasty = SqlStore(sqlite_url(path), (NOTE,))
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StorageFault, match="keeps the write lock"):
        hasty.put(NOTE, Note("n"), expect=NEW)
    other.close()
    hasty.put(NOTE, Note("n"), expect=NEW)
    hasty.close()


def test_readers_are_not_kept_waiting_by_a_writer(store: SqlStore, path: Path) -> None:
    store.put(NOTE, Note("n"), expect=NEW)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert store.get(NOTE, "n").value == Note("n")
    other.close()


def test_every_connection_syncs_its_commits_to_the_write_ahead_log(store: SqlStore) -> None:
    with store._database.reading() as cursor:
        found = [cursor.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")]
    assert found == ["wal", 2]


def test_a_forked_child_holds_the_locks_that_sqlite_thinks_it_holds(store: SqlStore, path: Path) -> None:
    store.put(NOTE, Note("n"), expect=NEW)
    ready, said_ready = os.pipe()
    wait, go = os.pipe()

    def read_and_stay() -> int:
        os.close(go)
        store.get(NOTE, "n")
        os.write(said_ready, b"!")
        os.read(wait, 1)
        return 0

    pid = fork(read_and_stay)  # has closed our own connection, or the lock looked for below would be ours
    os.read(ready, 1)
    with open(f"{path}-shm", "r+b") as shared_memory, pytest.raises(OSError) as refused:
        fcntl.lockf(shared_memory, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, 128)  # the byte every user of the file holds
    for each in (ready, said_ready, wait, go):
        os.close(each)
    assert exit_code(pid) == 0
    assert refused.value.errno in (errno.EAGAIN, errno.EACCES)


def test_threads_that_fork_at_once_take_turns(store: SqlStore) -> None:
    store.put(NOTE, Note("n"), expect=NEW)
    codes: list[int] = []
    threads = [
        threading.Thread(target=lambda: codes.append(exit_code(fork(lambda: len(store.get(NOTE, "n").value.id)))))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes == [1] * 4


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "oracle://host/db", "nonsense"])
def test_a_url_that_can_not_serve_is_a_mistake(url: str) -> None:
    with pytest.raises(ValueError):
        SqlStore(url, (NOTE,))


def test_a_kind_that_the_store_was_not_told_of_is_a_mistake(path: Path) -> None:
    with pytest.raises(ValueError, match="was not told of payments"):
        SqlStore(sqlite_url(path), ()).put(NOTE, Note("n"), expect=Version(1))
