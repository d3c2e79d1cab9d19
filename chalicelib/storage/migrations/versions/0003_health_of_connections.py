"""The health of connections.

What is written here stays as it is for ever, whatever becomes of the kinds: databases out there have run it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

KEY = (
    sa.String(512)
    .with_variant(sa.String(512, collation="C"), "postgresql")
    .with_variant(sa.VARBINARY(512), "mysql", "mariadb")
)


def upgrade() -> None:
    op.create_table(
        "health",
        sa.Column("id", KEY, primary_key=True),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("by_merchant_partition", KEY, nullable=True),
        sa.Column("by_merchant_sort", KEY, nullable=True),
        sa.Column("document", sa.LargeBinary(380_000), nullable=False),
    )
    present = sa.text("by_merchant_partition IS NOT NULL")
    op.create_index(
        "ix_health_by_merchant",
        "health",
        ["by_merchant_partition", "by_merchant_sort", "id"],
        sqlite_where=present,
        postgresql_where=present,
    )
