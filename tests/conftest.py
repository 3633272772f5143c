"""Real services for every test, an embedded PostgreSQL and Redis per process; and how processes share the tests."""

import gc
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

from worker.embedded.data import CHECKOUT
from worker.embedded.migrations import migrate
from worker.embedded.postgres import Postgres
from worker.embedded.redis import Redis

for _size in ("COLUMNS", "LINES"):  # a readline library puts them into what processes inherit
    os.environ.pop(_size, None)

ENGINE = ("chaos", "e2e", "sandbox")
"""Folders whose tests mostly wait for containers, and whose files share an installation or a loaded image."""


def _area(nodeid: str) -> str:
    return nodeid.removeprefix("tests/").partition("/")[0]


class Shares(LoadFileScheduling):
    """Tests of the engine stay in one process, one after another; all others are shared out file by file."""

    def _split_scope(self, nodeid: str) -> str:
        return "engine" if _area(nodeid) in ENGINE else super()._split_scope(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Shares:
    config.option.loadscopereorder = False  # by the number of tests, which says little of their time
    return Shares(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest as a whole comes first, so that all processes end together."""
    items.sort(key=lambda item: _area(item.nodeid) not in ENGINE)


def pytest_collection_finish() -> None:
    """What is loaded by now stays to the end: the garbage collector looks at it no more."""
    gc.collect()
    gc.freeze()


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Bytes name no test: packed ones hold the time, and all processes have to give a test the same name."""
    return argname if isinstance(val, bytes) else None


@pytest.fixture(scope="session")
def services_directory() -> Iterator[Path]:
    """A directory below /tmp that the database user may pass through, unlike pytest's own."""
    directory = Path(tempfile.mkdtemp(prefix="proctor-tests-"))
    directory.chmod(0o711)
    yield directory
    shutil.rmtree(directory)


@pytest.fixture(scope="session")
def embedded_postgres(services_directory: Path) -> Iterator[Postgres]:
    """A running cluster of this test session, quick because it would not survive a power cut."""
    server = Postgres(services_directory / "data", durable=False)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def database_template(embedded_postgres: Postgres) -> str:
    """The name of a migrated, empty database; it has no connections, so databases are copied from it."""
    name = "template_migrated"
    with embedded_postgres.connect() as connection:
        connection.execute(f"CREATE DATABASE {name}")
    if (CHECKOUT / "alembic.ini").exists():
        migrate(embedded_postgres.url(name))
    return name


@pytest.fixture(scope="session")
def postgres_url(embedded_postgres: Postgres, database_template: str) -> Iterator[str]:
    """SQLAlchemy URL of a migrated database that the whole test session shares."""
    yield from copied_database(embedded_postgres, database_template)


@pytest.fixture
def fresh_postgres_url(embedded_postgres: Postgres, database_template: str) -> Iterator[str]:
    """SQLAlchemy URL of a migrated database of this test's own, for tests that commit (about 40 ms)."""
    yield from copied_database(embedded_postgres, database_template)


@pytest.fixture(scope="session")
def redis_url(services_directory: Path) -> Iterator[str]:
    """URL, with password, of a Redis of this test session."""
    server = Redis(services_directory / "data")
    server.start()
    yield server.url
    server.stop()


def copied_database(server: Postgres, template: str) -> Iterator[str]:
    """SQLAlchemy URL of a copy of the database `template`, dropped in the end."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    with server.connect() as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    yield server.url(name)
    with server.connect() as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
