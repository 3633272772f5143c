"""The server and its people, as in tests/server, before a database that these tests have to themselves."""

from collections.abc import Iterator

import pytest

from tests.conftest import copied_database
from tests.server.conftest import (
    admin,
    captain,
    clients,
    command,
    entrant,
    first_admin,
    fomo26,
    imported,
    lab,
    nobody,
    person,
    served,
    session,
    sessions,
    settings,
    slug,
    stranger,
    team,
    team_id,
    tus,
)
from worker.embedded.postgres import Postgres

__all__ = [
    "admin",
    "captain",
    "clients",
    "command",
    "entrant",
    "first_admin",
    "fomo26",
    "imported",
    "lab",
    "nobody",
    "person",
    "served",
    "session",
    "sessions",
    "settings",
    "slug",
    "stranger",
    "team",
    "team_id",
    "tus",
]


@pytest.fixture(scope="session")
def postgres_url(embedded_postgres: Postgres, database_template: str) -> Iterator[str]:
    """SQLAlchemy URL of a migrated database of these tests."""
    yield from copied_database(embedded_postgres, database_template)
