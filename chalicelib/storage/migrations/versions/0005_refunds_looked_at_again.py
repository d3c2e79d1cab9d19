"""Payments by the time of their newest refund, and how far the walks along them have come.

Payments that are there have no place yet: their refunds are asked about as before, and get one with their next change.

What is written here stays as it is for ever, whatever becomes of the kinds: databases out there have run it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

KEY = (
    sa.String(512)
    .with_variant(sa.String(512, collation="C"), "postgresql")
    .with_variant(sa.VARBINARY(512), "mysql", "mariadb")
)


def upgrade() -> None:
    op.add_column("payments", sa.Column("refunded_partition", KEY, nullable=True))
    op.add_column("payments", sa.Column("refunded_sort", KEY, nullable=True))
    present = sa.text("refunded_partition IS NOT NULL")
    op.create_index(
        "ix_payments_refunded",
        "payments",
        ["refunded_partition", "refunded_sort", "id"],
        sqlite_where=present,
        postgresql_where=present,
    )
    op.create_table(
        "walks",
        sa.Column("id", KEY, primary_key=True),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("document", sa.LargeBinary(380_000), nullable=False),
    )
