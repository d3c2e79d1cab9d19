"""Statistics: payments by their newest event, and roll-ups.

What is written here stays as it is for ever, whatever becomes of the kinds: databases out there have run it.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

KEY = (
    sa.String(512)
    .with_variant(sa.String(512, collation="C"), "postgresql")
    .with_variant(sa.VARBINARY(512), "mysql", "mariadb")
)
BATCH = 500

PAYMENTS = sa.table(
    "payments",
    sa.column("id", KEY),
    sa.column("document", sa.LargeBinary),
    sa.column("by_journal_partition", KEY),
    sa.column("by_journal_sort", KEY),
)


def upgrade() -> None:
    op.add_column("payments", sa.Column("by_journal_partition", KEY, nullable=True))
    op.add_column("payments", sa.Column("by_journal_sort", KEY, nullable=True))
    _fill(op.get_bind())
    _index("payments", "by_journal")
    op.create_table(
        "roll_ups",
        sa.Column("id", KEY, primary_key=True),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("by_hour_partition", KEY, nullable=True),
        sa.Column("by_hour_sort", KEY, nullable=True),
        sa.Column("document", sa.LargeBinary(380_000), nullable=False),
    )
    _index("roll_ups", "by_hour")


def _index(table: str, index: str) -> None:
    present = sa.text(f"{index}_partition IS NOT NULL")
    op.create_index(
        f"ix_{table}_{index}",
        table,
        [f"{index}_partition", f"{index}_sort", "id"],
        sqlite_where=present,
        postgresql_where=present,
    )


def _fill(connection: sa.Connection) -> None:
    """Gives every payment that is there its place; a put does so from now on."""
    columns = PAYMENTS.c
    page = (
        sa.select(columns.id, columns.document)
        .where(columns.id > sa.bindparam("after"))
        .order_by(columns.id)
        .limit(BATCH)
    )
    here = (
        sa.update(PAYMENTS)
        .where(columns.id == sa.bindparam("at_id"))
        .values(by_journal_partition=sa.bindparam("partition"), by_journal_sort=sa.bindparam("sort"))
    )
    after: Any = b"" if connection.dialect.name in ("mysql", "mariadb") else ""
    while rows := connection.execute(page, {"after": after}).fetchall():
        placed = [{"at_id": id, **place} for id, document in rows if (place := _place_of(json.loads(document)))]
        if placed:
            connection.execute(here, placed)
        after = rows[-1][0]


def _place_of(payment: dict[str, Any]) -> dict[str, str] | None:
    """RFC 3339 in UTC with exactly six decimals, so that the text sorts as the time does."""
    times = [datetime.fromisoformat(entry["time"]).astimezone(UTC) for entry in payment.get("journal", ())]
    if not times:
        return None
    sort = max(times).isoformat(timespec="microseconds")[:-6] + "Z"
    return {"partition": payment["merchant_id"], "sort": sort}
