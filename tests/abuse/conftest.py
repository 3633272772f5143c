"""The server and its people, as in tests/server, before a database that these tests have to themselves."""

import resource
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from fastapi import FastAPI
from sqlalchemy import delete

from server.accounts.models import Tally
from server.app import create_app
from server.database import SessionFactory, unit_of_work
from server.front.lanes import Lane
from server.settings import Settings
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
    serving,
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


@dataclass(frozen=True)
class Front:
    """A server of its own before the same database, which a test may flood, and its insides."""

    url: str
    app: FastAPI

    @property
    def lanes(self) -> dict[str, Lane]:
        """What runs and waits in it."""
        lanes: dict[str, Lane] = self.app.state.front.lanes
        return lanes

    def connections(self) -> int:
        """How many database connections requests hold now."""
        pool = self.app.state.sessions.kw["bind"].pool
        return int(pool.checkedout())


@pytest.fixture(scope="session")
def front(settings: Settings) -> Iterator[Front]:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)  # both ends of hundreds of connections are open here
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    app = create_app(settings)
    with serving(app) as url:
        yield Front(url, app)


@pytest.fixture(scope="session")
def postgres_url(embedded_postgres: Postgres, database_template: str) -> Iterator[str]:
    """SQLAlchemy URL of a migrated database of these tests."""
    yield from copied_database(embedded_postgres, database_template)


@pytest.fixture(scope="session", autouse=True)
def _admin_before_all_others(first_admin: tuple[str, str, str]) -> None:
    """The setup token works while there is no admin, and some of these tests make their own."""


@pytest.fixture(scope="module", autouse=True)
def _no_wrong_log_ins_before(served: tuple[str, SessionFactory]) -> None:
    """Everybody here comes from one address, and some of these tests use up all that it may try."""
    with unit_of_work(served[1]) as session:
        session.execute(delete(Tally))
