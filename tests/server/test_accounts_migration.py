"""An installation from before names were compared by their looks, and before invitations had a maker."""

from uuid import uuid4

import psycopg

from server.names import skeleton
from tests.server.test_dataset_migration import alembic
from worker.embedded.postgres import Postgres

NAMES = ["Blue Lab", "Βlue Lab", "Blue\u115f Lab", "Red Lab"]  # the second has a Greek letter


def test_of_teams_that_look_alike_the_oldest_keeps_the_look_and_all_keep_their_names(
    embedded_postgres: Postgres,
) -> None:
    name = f"before_{uuid4().hex[:8]}"
    url = embedded_postgres.url(name)
    with embedded_postgres.connect() as connection:
        connection.execute(f"CREATE DATABASE {name}")
    alembic(url, "upgrade", "0010")
    challenge, other = str(uuid4()), str(uuid4())
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        for id_ in (challenge, other):
            connection.execute("INSERT INTO challenges (id, slug) VALUES (%s, %s)", [id_, id_])
        for day, (where, called) in enumerate([(other, NAMES[1]), *((challenge, one) for one in NAMES)], 1):
            connection.execute(
                "INSERT INTO teams (id, challenge_id, name, name_key, created_at)"
                " VALUES (%s, %s, %s, %s, make_timestamptz(2026, 1, %s, 0, 0, 0))",
                [str(uuid4()), where, called, called.casefold(), day],
            )
        connection.execute("INSERT INTO log_in_attempts (email_hash, count) VALUES ('0123456789abcdef', 11)")
    alembic(url, "upgrade", "head")
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        rows = connection.execute("SELECT name, skeleton FROM teams ORDER BY created_at").fetchall()
        over = connection.execute("SELECT ends <= now() FROM log_in_attempts").fetchall()
    blue, red = skeleton("Blue Lab"), skeleton("Red Lab")
    assert rows == [(NAMES[1], blue), (NAMES[0], blue), (NAMES[1], None), (NAMES[2], None), (NAMES[3], red)]
    assert over == [(True,)]
    alembic(url, "downgrade", "0010")
    with embedded_postgres.connect() as connection:
        connection.execute(f"DROP DATABASE {name}")
