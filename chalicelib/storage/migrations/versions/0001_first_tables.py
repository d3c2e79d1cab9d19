"""The first tables.

What is written here stays as it is for ever, whatever becomes of the kinds: databases out there have run it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

KEY = (
    sa.String(512)
    .with_variant(sa.String(512, collation="C"), "postgresql")
    .with_variant(sa.VARBINARY(512), "mysql", "mariadb")
)

# table: (indexes, filters)
TABLES = {
    "payments": (("by_time", "by_order", "due", "attention"), ("status", "connection_id", "currency")),
    "deliveries": (("by_time", "by_payment", "due"), ("subscription_id", "status", "payment_id")),
    "inbox": (("by_time", "due"), ("connection_id", "status")),
    "connections": (("by_merchant", "audit_due"), ()),
    "routes": (("by_merchant", "audit_due"), ()),
    "route_versions": (("by_route",), ()),
    "subscriptions": (("by_merchant", "audit_due"), ()),
    "audit": (("by_merchant",), ()),
}


def upgrade() -> None:
    for table, (indexes, filters) in TABLES.items():
        places = [f"{index}_{part}" for index in indexes for part in ("partition", "sort")]
        op.create_table(
            table,
            sa.Column("id", KEY, primary_key=True),
            sa.Column("version", sa.BigInteger, nullable=False),
            *(sa.Column(name, KEY, nullable=True) for name in (*places, *filters)),
            sa.Column("document", sa.LargeBinary(380_000), nullable=False),
        )
        for index in indexes:
            present = sa.text(f"{index}_partition IS NOT NULL")
            op.create_index(
                f"ix_{table}_{index}",
                table,
                [f"{index}_partition", f"{index}_sort", "id"],
                sqlite_where=present,
                postgresql_where=present,
            )
