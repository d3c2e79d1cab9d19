"""Documents in a SQL database: one real table per kind, real indexed columns beside the document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from chalicelib.contracts.store import NEW, Kind, Page, Place, Stored, Version
from chalicelib.domain.errors import NotFound, StaleVersion
from chalicelib.storage.query import due_query_of, query_of
from chalicelib.storage.row import first_version, is_storable, row_of, stored_of
from chalicelib.storage.sql_database import database_of
from chalicelib.storage.sql_migrate import migrate
from chalicelib.storage.sql_schema import metadata_of
from chalicelib.storage.sql_statements import Statements

T = TypeVar("T")


class SqlStore:
    """`url` is SQLAlchemy's, for example ``sqlite:////var/lib/payments.db``; nothing is opened before the first call.

    `kinds` are those whose tables the migrations made. Raises ValueError for a URL of an unknown kind of database.
    """

    def __init__(self, url: str, kinds: Sequence[Kind[Any]]) -> None:
        self._database = database_of(url)
        tables = metadata_of(kinds).tables
        self._statements = {kind.name: Statements(kind, tables[kind.name], self._database.dialect) for kind in kinds}

    def get(self, kind: Kind[T], id: str) -> Stored[T]:
        statement = self._of(kind).get
        if is_storable(id):
            with self._database.reading() as cursor:
                cursor.execute(statement.sql, statement.bind({"at_id": id}))
                found = cursor.fetchone()
            if found is not None:
                return stored_of(kind, id, found[0], bytes(found[1]))
        raise NotFound(f"There is no {id!r} in {kind.name}.")

    def put(self, kind: Kind[T], value: T, *, expect: Version) -> Version:
        row = row_of(kind, value)
        statements = self._of(kind)
        stale = StaleVersion(f"{row.id!r} in {kind.name} was written by somebody else meanwhile: read it again.")
        if expect == NEW:
            version = first_version()
            values = statements.insert.bind(statements.values_of(row, version))
            with self._database.writing() as cursor:
                try:
                    cursor.execute(statements.insert.sql, values)
                except self._database.duplicate:
                    raise stale from None
            return version
        version = Version(expect + 1)
        values = statements.update.bind(
            {**statements.values_of(row, version, "new_"), "at_id": row.id, "at_version": expect}
        )
        with self._database.writing() as cursor:
            cursor.execute(statements.update.sql, values)
            if cursor.rowcount != 1:
                raise stale
        return version

    def delete(self, kind: Kind[T], id: str, *, expect: Version) -> None:
        statements = self._of(kind)
        absent = NotFound(f"There is no {id!r} in {kind.name}.")
        if not is_storable(id):
            raise absent
        here = {"at_id": id, "at_version": expect}
        with self._database.writing() as cursor:
            cursor.execute(statements.delete.sql, statements.delete.bind(here))
            if cursor.rowcount == 1:
                return
            cursor.execute(statements.get.sql, statements.get.bind({"at_id": id}))
            if cursor.fetchone() is None:
                raise absent
            raise StaleVersion(f"{id!r} in {kind.name} was written by somebody else meanwhile: read it again.")

    def find(
        self,
        kind: Kind[T],
        index: str,
        partition: str,
        *,
        since: str | None = None,
        until: str | None = None,
        where: Mapping[str, str] | None = None,
        newest_first: bool = True,
        after: str | None = None,
        limit: int = 50,
        lagging: bool = False,
    ) -> Page[T]:
        query = query_of(
            kind,
            index,
            partition,
            since=since,
            until=until,
            where=where,
            newest_first=newest_first,
            after=after,
            limit=limit,
        )
        sql, values = self._of(kind).page(query)
        if not query.possible:
            return Page((), None)
        with self._database.reading() as cursor:
            cursor.execute(sql, values)
            rows = cursor.fetchall()
        places = [(_text(sort), _text(id)) for _, _, id, sort in rows[:limit]]
        items = tuple(stored_of(kind, id, row[0], bytes(row[1])) for row, (_, id) in zip(rows, places, strict=False))
        return Page(items, query.cursor_at(*places[-1]) if len(rows) > limit else None)

    def due(
        self, kind: Kind[T], index: str, partition: str, *, since: str | None = None, until: str, limit: int
    ) -> Sequence[Place]:
        query = due_query_of(kind, index, partition, since=since, until=until)
        sql, values = self._of(kind).due(query, limit)
        with self._database.reading() as cursor:
            cursor.execute(sql, values)
            rows = cursor.fetchall()
        return tuple(Place(_text(id), _text(sort)) for id, sort in rows)

    def migrate(self) -> Sequence[str]:
        """Raises StorageTooNew for a database that a newer PaymentServer has written."""
        return migrate(self._database)

    def close(self) -> None:
        self._database.close()

    def _of(self, kind: Kind[Any]) -> Statements:
        if kind.name not in self._statements:
            raise ValueError(f"This store was not told of {kind.name}; it knows {', '.join(self._statements)}")
        return self._statements[kind.name]


def _text(key: str | bytes) -> str:
    """Databases that keep keys as binary text give bytes."""
    return key if isinstance(key, str) else bytes(key).decode()
