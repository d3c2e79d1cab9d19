"""What `SqlStore` needs of one kind of SQL database; a new one is a file with such a class and a line in DATABASES."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol

import sqlalchemy as sa

from chalicelib.storage.sql_sqlite import SqliteDatabase


class Cursor(Protocol):
    """The part of a DB-API cursor (PEP 249) that is used."""

    @property
    def rowcount(self) -> int: ...

    def execute(self, sql: str, parameters: Any = ..., /) -> Any: ...

    def fetchone(self) -> Any: ...

    def fetchall(self) -> list[Any]: ...


class Database(Protocol):
    """Every context manager turns the driver's errors into StorageFull, StorageReadOnly or StorageFault."""

    @property
    def place(self) -> str:
        """Where the database is, for messages; without passwords."""

    @property
    def dialect(self) -> sa.Dialect: ...

    @property
    def duplicate(self) -> type[Exception]:
        """What the driver raises when an id is taken."""

    def reading(self) -> AbstractContextManager[Cursor]:
        """Sees what is committed."""

    def writing(self) -> AbstractContextManager[Cursor]:
        """One transaction, durable when it ends without an exception, and undone otherwise."""

    def inspecting(self) -> AbstractContextManager[sa.Connection]: ...

    def migrating(self) -> AbstractContextManager[sa.Connection]:
        """One transaction that keeps every other process' `migrating` waiting."""

    def close(self) -> None: ...


DATABASES: Mapping[str, Callable[[sa.URL], Database]] = {"sqlite": SqliteDatabase}


def database_of(url: str) -> Database:
    """Raises ValueError for a URL that names no database we know."""
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError:
        raise ValueError("The database URL can not be read; it looks like sqlite:////var/lib/payments.db") from None
    kind = parsed.get_backend_name()
    if kind not in DATABASES:
        raise ValueError(f"There is no support for {kind} databases; known are {', '.join(DATABASES)}")
    return DATABASES[kind](parsed)
