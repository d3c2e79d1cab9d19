"""A table's statements, each compiled once for its database.

SQLAlchemy Core writes the SQL, so that it suits every dialect; the text is then kept and handed to the driver as it is,
because building and looking up a statement again costs more than running it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from chalicelib.contracts.store import Kind
from chalicelib.storage.query import Query
from chalicelib.storage.row import Row
from chalicelib.storage.sql_schema import partition_column, sort_column


class Statement:
    """SQL in the driver's own parameter style."""

    __slots__ = ("_constants", "_names", "sql")

    def __init__(self, clause: sa.ClauseElement, dialect: sa.Dialect, **options: Any) -> None:
        compiled = clause.compile(dialect=dialect, **options)
        self.sql = str(compiled)
        positions = getattr(compiled, "positiontup", None)
        self._names: tuple[str, ...] | None = None if positions is None else tuple(positions)
        params = compiled.params or {}
        self._constants = {name: value for name, value in params.items() if value is not None}  # such as OFFSET 0

    def bind(self, values: Mapping[str, Any]) -> Any:
        """Only the parameters the statement has, as a tuple or a dictionary, whichever the driver takes."""
        if self._constants:
            values = {**self._constants, **values}
        return values if self._names is None else tuple([values[name] for name in self._names])


class Statements:
    """Parameters are named after the columns; those of conditions begin with `at_`."""

    def __init__(self, kind: Kind[Any], table: sa.Table, dialect: sa.Dialect) -> None:
        self._table = table
        self._dialect = dialect
        self._pages: dict[tuple[object, ...], Statement] = {}
        self._due: dict[tuple[str, bool], Statement] = {}
        self._index_columns = [(partition_column(index.name), sort_column(index.name)) for index in kind.indexes]
        self._filter_columns = tuple(kind.filters)
        here = table.c.id == sa.bindparam("at_id")
        unchanged = sa.and_(here, table.c.version == sa.bindparam("at_version"))
        self.get = self._compiled(sa.select(table.c.version, table.c.document).where(here))
        self.insert = self._compiled(sa.insert(table), column_keys=[column.name for column in table.c])
        self.update = self._compiled(
            sa.update(table)
            .where(unchanged)
            .values({column: sa.bindparam(f"new_{column.name}") for column in table.c if column.name != "id"})
        )
        self.delete = self._compiled(sa.delete(table).where(unchanged))

    def values_of(self, row: Row, version: int, prefix: str = "") -> dict[str, Any]:
        values: dict[str, Any] = {
            f"{prefix}id": row.id,
            f"{prefix}version": version,
            f"{prefix}document": row.document,
        }
        for (partition, sort), key in zip(self._index_columns, row.keys, strict=True):
            values[prefix + partition], values[prefix + sort] = (
                (None, None) if key is None else (key.partition, key.sort)
            )
        for name, text in zip(self._filter_columns, row.filters, strict=True):
            values[prefix + name] = text
        return values

    def page(self, query: Query) -> tuple[str, Any]:
        """SQL and parameters of a page with one row to spare, which tells whether another page follows.

        Rows are (version, document, id, sort).
        """
        lower, upper = query.lower, query.upper
        names = tuple(sorted(query.where))
        shape = (query.index, lower and lower.id is None, upper and upper.id is None, names, query.newest_first)
        statement = self._pages.get(shape)
        if statement is None:
            statement = self._pages[shape] = self._compiled(self._page_of(query, names))
        values: dict[str, Any] = {f"at_{name}": query.where[name] for name in names}
        values["at_partition"], values["at_limit"] = query.partition, query.limit + 1
        for side, bound in (("lower", lower), ("upper", upper)):
            if bound is not None:
                values[f"at_{side}"] = values[f"at_{side}_same"] = bound.sort
                values[f"at_{side}_id"] = bound.id
        return statement.sql, statement.bind(values)

    def due(self, query: Query, limit: int) -> tuple[str, Any]:
        """SQL and parameters of the first places of an index between the query's bounds. Rows are (id, sort)."""
        assert query.upper is not None, "what is due is due before some time"
        shape = (query.index, query.lower is not None)
        columns = self._table.c
        sort = columns[sort_column(query.index)]
        statement = self._due.get(shape)
        if statement is None:
            conditions = [
                columns[partition_column(query.index)] == sa.bindparam("at_partition"),
                sort < sa.bindparam("at_upper"),
            ]
            if query.lower is not None:
                conditions.append(sort >= sa.bindparam("at_lower"))
            statement = self._due[shape] = self._compiled(
                sa.select(columns.id, sort)
                .where(*conditions)
                .order_by(sort, columns.id)
                .limit(sa.bindparam("at_limit", type_=sa.Integer))
            )
        values = {"at_partition": query.partition, "at_upper": query.upper.sort, "at_limit": limit}
        if query.lower is not None:
            values["at_lower"] = query.lower.sort
        return statement.sql, statement.bind(values)

    def _page_of(self, query: Query, names: tuple[str, ...]) -> sa.Select[Any]:
        columns = self._table.c
        sort = columns[sort_column(query.index)]
        conditions: list[sa.ColumnElement[bool]] = [
            columns[partition_column(query.index)] == sa.bindparam("at_partition")
        ]
        if query.lower is not None:
            conditions.append(sort >= sa.bindparam("at_lower"))
            if query.lower.id is not None:
                beyond = sort > sa.bindparam("at_lower_same")
                conditions.append(sa.or_(beyond, columns.id > sa.bindparam("at_lower_id")))
        if query.upper is not None and query.upper.id is None:
            conditions.append(sort < sa.bindparam("at_upper"))
        elif query.upper is not None:
            beyond = sort < sa.bindparam("at_upper_same")
            conditions.append(sort <= sa.bindparam("at_upper"))
            conditions.append(sa.or_(beyond, columns.id < sa.bindparam("at_upper_id")))
        conditions += [columns[name] == sa.bindparam(f"at_{name}") for name in names]
        order = (sort.desc(), columns.id.desc()) if query.newest_first else (sort, columns.id)
        return (
            sa.select(columns.version, columns.document, columns.id, sort)
            .where(*conditions)
            .order_by(*order)
            .limit(sa.bindparam("at_limit", type_=sa.Integer))
        )

    def _compiled(self, clause: sa.ClauseElement, **options: Any) -> Statement:
        return Statement(clause, self._dialect, **options)
