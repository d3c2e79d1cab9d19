"""Public documents that webhooks are verified by.

What is written here stays as it is for ever, whatever becomes of the kinds: databases out there have run it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

KEY = (
    sa.String(512)
    .with_variant(sa.String(512, collation="C"), "postgresql")
    .with_variant(sa.VARBINARY(512), "mysql", "mariadb")
)


def upgrade() -> None:
    op.create_table(
        "public_documents",
        sa.Column("id", KEY, primary_key=True),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("document", sa.LargeBinary(380_000), nullable=False),
    )
