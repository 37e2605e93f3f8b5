"""Run by alembic: migrate over the connection that `upgrade` opened."""

from alembic import context

from core.tables import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
