"""The server and its people, as in tests/server, before a database that these tests have to themselves."""

from collections.abc import Callable, Iterator

import pytest

from tests.conftest import copied_database
from tests.server.conftest import (
    admin,
    clients,
    command,
    entrant,
    first_admin,
    fomo26,
    lab,
    nobody,
    person,
    served,
    session,
    sessions,
    settings,
    slug,
    team,
)
from worker.embedded.postgres import Postgres

__all__ = [
    "admin",
    "clients",
    "command",
    "entrant",
    "first_admin",
    "fomo26",
    "lab",
    "nobody",
    "person",
    "served",
    "session",
    "sessions",
    "settings",
    "slug",
    "team",
]


@pytest.fixture(scope="session")
def postgres_url(embedded_postgres: Postgres, database_template: str) -> Iterator[str]:
    yield from copied_database(embedded_postgres, database_template)


@pytest.fixture
def empty_database(embedded_postgres: Postgres) -> Iterator[Callable[[], str]]:
    """Makes databases without a table; their URLs."""
    made: list[Iterator[str]] = []

    def make() -> str:
        made.append(copied_database(embedded_postgres, "template0"))
        return next(made[-1])

    yield make
    for database in made:
        next(database, None)
