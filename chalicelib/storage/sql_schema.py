"""The tables that kinds ask for. Migrations write the same down by hand, frozen; a test holds the two together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from chalicelib.contracts.store import DOCUMENT_BYTES_MAX, KEY_BYTES_MAX, Kind

# Keys are compared by their UTF-8 bytes everywhere: SQLite does by default, PostgreSQL by the collation "C", MariaDB
# and MySQL for binary text (which also keeps trailing spaces apart, and three columns within InnoDB's index limit).
KEY = (
    sa.String(KEY_BYTES_MAX)
    .with_variant(sa.String(KEY_BYTES_MAX, collation="C"), "postgresql")
    .with_variant(sa.VARBINARY(KEY_BYTES_MAX), "mysql", "mariadb")
)
RESERVED = frozenset({"id", "version", "document"})


def partition_column(index: str) -> str:
    return f"{index}_partition"


def sort_column(index: str) -> str:
    return f"{index}_sort"


def table_of(kind: Kind[Any], metadata: sa.MetaData) -> sa.Table:
    """id, version, two columns per index, one per filter, and the document last: filters are then read without it."""
    places = [name for index in kind.indexes for name in (partition_column(index.name), sort_column(index.name))]
    names = [*places, *kind.filters]
    clash = sorted(name for name in set(names) if name in RESERVED or names.count(name) > 1)
    if clash:
        raise ValueError(f"{kind.name} uses the column name {', '.join(clash)} twice; rename an index or a filter")
    table = sa.Table(
        kind.name,
        metadata,
        sa.Column("id", KEY, primary_key=True),
        sa.Column("version", sa.BigInteger, nullable=False),
        *(sa.Column(name, KEY, nullable=True) for name in names),
        sa.Column("document", sa.LargeBinary(DOCUMENT_BYTES_MAX), nullable=False),
    )
    for index in kind.indexes:
        partition = table.c[partition_column(index.name)]
        present = partition.is_not(None)  # a sparse index costs nothing for documents that are not in it
        sa.Index(
            f"ix_{kind.name}_{index.name}",
            partition,
            table.c[sort_column(index.name)],
            table.c.id,
            sqlite_where=present,
            postgresql_where=present,
        )
    return table


def metadata_of(kinds: Sequence[Kind[Any]]) -> sa.MetaData:
    metadata = sa.MetaData()
    for kind in kinds:
        table_of(kind, metadata)
    return metadata
