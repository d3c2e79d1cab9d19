"""Writes tests/storage/schemas/<number>.db with the newest schema and some documents.

Run once when a migration is added (``python -m tests.storage.make_schema_fixture``), and never again for that number:
the file stands for the databases that people have.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from tempfile import TemporaryDirectory

from chalicelib.contracts.store import NEW
from chalicelib.storage.sql import SqlStore
from chalicelib.storage.sql_migrate import steps_known
from tests.conformance.stores import NOTE, Note, sqlite_url

SCHEMAS = Path(__file__).parent / "schemas"
DOCUMENTS = tuple(
    Note(f"payment {number}", f"2026-01-0{number}", due="2026-02-01" if number == 2 else None, text="é 😀")
    for number in range(1, 4)
)


def make(target: Path) -> None:
    if target.exists():
        raise SystemExit(f"{target} exists and must not change; add a migration first")
    with TemporaryDirectory() as folder:
        path = Path(folder) / "store.db"
        with sqlite3.connect(path) as connection:
            connection.execute("PRAGMA page_size = 512")  # small, for the repository's sake
            connection.execute("VACUUM")
        connection.close()
        store = SqlStore(sqlite_url(path), (NOTE,))
        store.migrate()
        for note in DOCUMENTS:
            store.put(NOTE, note, expect=NEW)
        store.close()
        connection = sqlite3.connect(path)
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.close()
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(path.read_bytes())


if __name__ == "__main__":
    make(SCHEMAS / f"{list(steps_known())[-1]}.db")
