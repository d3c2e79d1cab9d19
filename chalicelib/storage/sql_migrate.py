"""Brings a SQL database to the newest schema, once, however many processes start together.

Alembic does the work, but takes longer to import than everything else a start does: one row tells whether it is needed.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from chalicelib.domain.errors import StorageTooNew

if TYPE_CHECKING:
    from chalicelib.storage.sql_database import Database

MIGRATIONS = Path(__file__).parent / "migrations"
_ALEMBIC = threading.Lock()  # Alembic keeps the running migration in a global


def migrate(database: Database) -> tuple[str, ...]:
    """The steps applied, oldest first, such as ``0001 first tables``; empty when there was nothing to do.

    Raises StorageTooNew for a schema that is not known here.
    """
    steps = steps_known()
    newest = list(steps)[-1]
    with database.inspecting() as connection:
        if revision_of(connection) == newest:
            return ()
    with database.migrating() as connection, _ALEMBIC:
        present = revision_of(connection)  # again: another process may have been faster
        if present is not None and present not in steps:
            raise StorageTooNew(
                f"The database {database.place} has schema {present}; this PaymentServer knows none after {newest}. "
                "Start the version that wrote it, or restore the backup made before the update. Nothing was changed."
            )
        _upgrade(connection)
    return tuple(f"{number} {words}" for number, words in steps.items() if present is None or number > present)


def steps_known() -> dict[str, str]:
    """Numbers and words of all migrations, in order, from their file names: ``0001_first_tables.py``."""
    names = sorted(path.stem for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))
    return {name[:4]: name[5:].replace("_", " ") for name in names}


def revision_of(connection: sa.Connection) -> str | None:
    """None for a database without a schema."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    row = connection.exec_driver_sql("SELECT version_num FROM alembic_version").fetchone()
    return None if row is None else str(row[0])


def _upgrade(connection: sa.Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
