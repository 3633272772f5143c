"""Alembic's environment: one transaction, and a lock timeout so that a migration never stops the platform."""

import os

from alembic import context
from sqlalchemy import create_engine, text

from server.recovery.unfinished import UNFINISHED, is_restoring
from server.tables import metadata


def _run() -> None:
    engine = create_engine(os.environ["DATABASE_URL"])
    with engine.connect() as connection:
        if is_restoring(connection) and "PROCTOR_RESTORING" not in os.environ:
            raise SystemExit(UNFINISHED)
        connection.execute(text("set lock_timeout = '5s'"))
        connection.commit()
        context.configure(connection=connection, target_metadata=metadata, compare_type=True)
        with context.begin_transaction():
            context.run_migrations()
    engine.dispose()


_run()
