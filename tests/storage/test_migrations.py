"""Schemas: from nothing, from each former one, and side by side."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.config import Config
from alembic.script import ScriptDirectory

from chalicelib.contracts.store import NEW
from chalicelib.domain.errors import StorageFault, StorageFull, StorageReadOnly, StorageTooNew
from chalicelib.services.kinds import KINDS
from chalicelib.storage.sql import SqlStore
from chalicelib.storage.sql_migrate import MIGRATIONS, steps_known
from chalicelib.storage.sql_schema import metadata_of
from tests.conformance.stores import NOTE, Note, sqlite_url
from tests.storage.children import exit_code, fork, in_children
from tests.storage.make_schema_fixture import DOCUMENTS, SCHEMAS

STEPS = tuple(f"{number} {words}" for number, words in steps_known().items())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqlStore]:
    store = SqlStore(sqlite_url(path), (NOTE,))
    yield store
    store.close()


def schema_of(path: Path) -> dict[str, Any]:
    """Columns, keys and indexes by table, whatever order they were made in."""
    engine = sa.create_engine(sqlite_url(path))
    inspector = sa.inspect(engine)
    found = {}
    for table in set(inspector.get_table_names()) - {"alembic_version"}:
        columns = {
            column["name"]: (str(column["type"]), column["nullable"], column["default"])
            for column in inspector.get_columns(table)
        }
        indexes = {
            index["name"]: (
                tuple(index["column_names"]),
                index["unique"],
                str(index["dialect_options"]["sqlite_where"]),
            )
            for index in inspector.get_indexes(table)
        }
        found[table] = (columns, inspector.get_pk_constraint(table)["constrained_columns"], indexes)
    engine.dispose()
    return found


def test_the_migrated_schema_is_what_the_kinds_declare(store: SqlStore, path: Path, tmp_path: Path) -> None:
    store.migrate()
    derived = tmp_path / "derived.db"
    engine = sa.create_engine(sqlite_url(derived))
    metadata_of(KINDS).create_all(engine)
    engine.dispose()
    assert schema_of(path) == schema_of(derived)


def test_an_empty_database_gets_every_step(store: SqlStore) -> None:
    assert store.migrate() == STEPS


def test_a_second_migration_has_nothing_to_do(store: SqlStore) -> None:
    store.migrate()
    assert store.migrate() == ()


def test_there_is_a_database_file_of_every_schema() -> None:
    assert sorted(file.stem for file in SCHEMAS.glob("*.db")) == list(steps_known())


@pytest.mark.parametrize("number", steps_known())
def test_upgrades_a_database_file_of_every_earlier_schema(store: SqlStore, path: Path, number: str) -> None:
    shutil.copy(SCHEMAS / f"{number}.db", path)
    assert store.migrate() == STEPS[list(steps_known()).index(number) + 1 :]
    newest_first = tuple(reversed(DOCUMENTS))
    assert tuple(item.value for item in store.find(NOTE, "by_time", "shop").items) == newest_first
    assert [item.value for item in store.find(NOTE, "due", "due").items] == [DOCUMENTS[1]]
    store.put(NOTE, Note("another"), expect=NEW)


@pytest.mark.parametrize("former", [None, *steps_known()])
def test_of_processes_that_start_together_one_migrates_and_all_can_write(
    store: SqlStore, path: Path, former: str | None
) -> None:
    if former is not None:
        shutil.copy(SCHEMAS / f"{former}.db", path)
    missing = [number for number in steps_known() if former is None or number > former]

    def start(number: int) -> int:
        applied = store.migrate()
        store.put(NOTE, Note(f"n{number}"), expect=NEW)
        return len(applied)

    assert sorted(in_children(6, start)) == [0] * 5 + [len(missing)]
    assert len(store.find(NOTE, "by_time", "shop").items) == 6 + (len(DOCUMENTS) if former else 0)


@pytest.mark.parametrize("statement", [1, 2, 9, 20])
def test_a_process_killed_in_the_middle_of_a_migration_leaves_it_to_the_next(
    store: SqlStore, path: Path, statement: int
) -> None:
    """`statement` counts what the migration has created when the process dies."""

    def die() -> int:
        created = 0

        def count(connection: Any, cursor: Any, sql: str, *rest: Any) -> None:
            nonlocal created
            created += sql.lstrip().startswith("CREATE")
            if created == statement:
                os.kill(os.getpid(), signal.SIGKILL)

        sa.event.listen(store._database._engine, "after_cursor_execute", count)  # type: ignore[attr-defined]
        store.migrate()
        return 0

    assert exit_code(fork(die)) == -signal.SIGKILL
    assert schema_of(path) == {}
    assert store.migrate() == STEPS
    store.put(NOTE, Note("n"), expect=NEW)


def test_a_disk_that_is_full_in_the_middle_of_a_migration_leaves_it_to_the_next(store: SqlStore, path: Path) -> None:
    def limit(connection: Any, record: object) -> None:
        connection.execute("PRAGMA max_page_count = 12")

    full = SqlStore(sqlite_url(path), (NOTE,))
    sa.event.listen(full._database._engine, "connect", limit)  # type: ignore[attr-defined]
    with pytest.raises(StorageFull, match=r"store\.db .*Nothing was written"):
        full.migrate()
    full.close()
    assert schema_of(path) == {}
    assert store.migrate() == STEPS


def test_a_failed_migration_leaves_nothing_behind(store: SqlStore, path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE routes (in_the_way TEXT)")
    connection.close()
    with pytest.raises(StorageFault, match="routes"):
        store.migrate()
    assert list(schema_of(path)) == ["routes"]


def test_a_database_of_a_newer_version_is_refused_and_left_alone(store: SqlStore, path: Path) -> None:
    store.migrate()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(StorageTooNew, match="has schema 9999; this PaymentServer knows none after"):
        store.migrate()


def test_a_read_only_database_without_a_schema_can_not_be_migrated(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE unrelated (id TEXT)")
    connection.close()
    store = SqlStore(f"sqlite:///file:{path}?mode=ro&uri=true", (NOTE,))
    with pytest.raises(StorageReadOnly):
        store.migrate()
    store.close()


def test_file_names_and_revisions_of_migrations_agree() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    scripts = ScriptDirectory.from_config(config)
    assert [script.revision for script in reversed(list(scripts.walk_revisions()))] == list(steps_known())


def test_a_start_with_nothing_to_migrate_does_not_import_alembic(store: SqlStore, path: Path) -> None:
    store.migrate()
    program = (
        "import sys; from chalicelib.storage.sql import SqlStore;"
        "store = SqlStore(sys.argv[1], ()); applied = store.migrate(); store.close();"
        "sys.exit(bool(applied) or 'alembic' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program, sqlite_url(path)], check=False).returncode == 0
