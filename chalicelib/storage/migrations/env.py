"""Alembic runs this for each upgrade. The connection is handed in, its transaction already begun and locked."""

from __future__ import annotations

from alembic import context

context.configure(connection=context.config.attributes["connection"])
with context.begin_transaction():
    context.run_migrations()
