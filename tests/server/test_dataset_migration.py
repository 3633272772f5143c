"""An installation from before versions had states: what was in force stays so."""

import warnings
from uuid import uuid4

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import main
from alembic.migration import MigrationContext
from sqlalchemy import create_engine

import server.tables  # noqa: F401 - every table is known
from server.database import Base
from worker.embedded.data import CHECKOUT
from worker.embedded.postgres import Postgres


def alembic(url: str, *words: str) -> None:
    """What `python -m alembic` does, in this process: starting one takes longer than most migrations."""
    with pytest.MonkeyPatch.context() as process, warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # a migration is not edited
        process.chdir(CHECKOUT)
        process.setenv("DATABASE_URL", url)
        main(words)


def import_before(connection: psycopg.Connection, challenge: str, phase: str, day: int) -> str:
    """A dataset as it was imported before."""
    name = uuid4().hex
    connection.execute(
        "INSERT INTO datasets (id, challenge_id, phase, task, digest, folder, created_at)"
        " VALUES (%s, %s, %s, 'task1', %s, 'x', make_timestamptz(2026, 1, %s, 0, 0, 0))",
        [str(uuid4()), challenge, phase, name, day],
    )
    return name


def test_the_newest_of_each_place_is_in_force_and_the_way_back_is_open(embedded_postgres: Postgres) -> None:
    name = f"before_{uuid4().hex[:8]}"
    url = embedded_postgres.url(name)
    with embedded_postgres.connect() as connection:
        connection.execute(f"CREATE DATABASE {name}")
    alembic(url, "upgrade", "0002")
    challenge = str(uuid4())
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        connection.execute("INSERT INTO challenges (id, slug) VALUES (%s, 'old')", [challenge])
        old, new = (import_before(connection, challenge, "validation", day) for day in (1, 2))
        other = import_before(connection, challenge, "test", 1)
    alembic(url, "upgrade", "0003")
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        states = dict(connection.execute("SELECT digest, state FROM datasets").fetchall())
    assert states == {old: "superseded", new: "active", other: "active"}
    alembic(url, "downgrade", "0002")
    alembic(url, "upgrade", "head")
    with embedded_postgres.connect() as connection:
        connection.execute(f"DROP DATABASE {name}")


def test_models_and_migrations_agree(fresh_postgres_url: str) -> None:
    engine = create_engine(fresh_postgres_url)
    with engine.connect() as connection:
        found = compare_metadata(MigrationContext.configure(connection), Base.metadata)
    engine.dispose()
    assert found == []
