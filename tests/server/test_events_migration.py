"""An installation from before events had columns: what they said is parsed, and the way back is open."""

from typing import LiteralString
from uuid import uuid4

import psycopg
from psycopg import sql

from tests.server.test_dataset_migration import alembic
from worker.embedded.postgres import Postgres

# subject, what, why, actor → old, new, code, claim_no, what, why, actor
EVENTS = [
    (
        ("case_run", "waiting → running (claim 3)", None, "worker:a"),
        ("waiting", "running", None, 3, None, None),
    ),
    (
        ("case_run", "running → done (claim 3)", "valid", "worker:a"),
        ("running", "done", "valid", 3, None, None),
    ),
    (
        ("case_run", "running → done (claim 1)", "output_invalid:shape", "worker:a"),
        ("running", "done", "output_invalid:shape", 1, None, None),
    ),
    (
        ("case_run", "running → parked (claim 1)", "worker_lost", "system"),
        ("running", "parked", "worker_lost", 1, None, None),
    ),
    (
        ("case_run", "parked → waiting (claim 1)", "its pause is over", "system"),
        ("parked", "waiting", None, 1, None, "its pause is over"),
    ),
    (("evaluation", "queued → running", None, "worker:a"), ("queued", "running", None, None, None, None)),
    (
        ("evaluation", "running → rejected (all_failed)", "Every case failed.", "worker:a"),
        ("running", "rejected", "all_failed", None, None, "Every case failed."),
    ),
    (("evaluation", "scoring → scored", None, "score worker"), ("scoring", "scored", None, None, None, None)),
    (
        ("evaluation", "7 case runs dropped", None, "system"),
        (None, None, None, None, "7 case runs dropped", None),
    ),
    (("evaluation", "priority 0 → 2", None, "x"), (None, None, None, None, "priority 0 → 2", None)),
    (
        ("dataset", "staged → active", "2 leave the board", "x"),
        ("staged", "active", None, None, None, "2 leave the board"),
    ),
    (("dataset", "imported", "sha256:0", "x"), (None, None, None, None, "imported", "sha256:0")),
    (("upload", "receiving", None, "user:1"), (None, "receiving", None, None, None, None)),
    (("upload", "checking", None, "user:1"), ("receiving", "checking", None, None, None, None)),
    (("upload", "ready", "sha256:1", "platform"), ("checking", "ready", None, None, None, "sha256:1")),
    (
        ("upload", "rejected", "not_a_tar", "platform"),
        ("checking", "rejected", "not_a_tar", None, None, None),
    ),
    (
        ("upload", "rejected", "upload_expired", "platform"),
        ("receiving", "rejected", "upload_expired", None, None, None),
    ),
    (("upload", "terminated", None, "user:1"), (None, None, None, None, "terminated", None)),
    (("team", "created → named", "x", "user:1"), (None, None, None, None, "created → named", "x")),
]


def test_what_events_said_is_parsed_and_what_says_nothing_of_a_status_stays(
    embedded_postgres: Postgres,
) -> None:
    name = f"before_{uuid4().hex[:8]}"
    url = embedded_postgres.url(name)
    with embedded_postgres.connect() as connection:
        connection.execute(f"CREATE DATABASE {name}")
    alembic(url, "upgrade", "0011")
    plain = url.replace("+psycopg", "")
    ids = [str(uuid4()) for _ in EVENTS]
    with psycopg.connect(plain) as connection:
        for id_, ((subject, what, why, actor), _) in zip(ids, EVENTS, strict=True):
            connection.execute(
                "INSERT INTO events (id, subject, subject_id, what, why, actor) VALUES (%s, %s, %s, %s, %s, %s)",
                [id_, subject, str(uuid4()), what, why, actor],
            )
        before = events(connection, "what, why", ids)
    alembic(url, "upgrade", "head")
    with psycopg.connect(plain) as connection:
        assert events(connection, "old, new, code, claim_no, what, why", ids) == [row for _, row in EVENTS]
        actors = [
            actor if actor not in ("system", "score worker") else "platform" for (*_, actor), _ in EVENTS
        ]
        assert [actor for (actor,) in events(connection, "actor", ids)] == actors
    alembic(url, "downgrade", "0011")
    with psycopg.connect(plain) as connection:
        assert events(connection, "what, why", ids) == before
    alembic(url, "upgrade", "head")
    with embedded_postgres.connect() as connection:
        connection.execute(f"DROP DATABASE {name}")


def events(
    connection: psycopg.Connection, columns: LiteralString, ids: list[str]
) -> list[tuple[object, ...]]:
    query = sql.SQL("SELECT id, {} FROM events").format(sql.SQL(columns))
    rows = {str(id_): tuple(values) for id_, *values in connection.execute(query).fetchall()}
    return [rows[id_] for id_ in ids]


def test_a_check_that_waited_waits_on_and_one_under_way_keeps_its_lease(embedded_postgres: Postgres) -> None:
    name = f"before_{uuid4().hex[:8]}"
    url = embedded_postgres.url(name)
    with embedded_postgres.connect() as connection:
        connection.execute(f"CREATE DATABASE {name}")
    alembic(url, "upgrade", "0011")
    plain = url.replace("+psycopg", "")
    with psycopg.connect(plain) as connection:
        challenge, team = str(uuid4()), str(uuid4())
        connection.execute("INSERT INTO challenges (id, slug) VALUES (%s, 'old')", [challenge])
        connection.execute(
            "INSERT INTO teams (id, challenge_id, name, name_key) VALUES (%s, %s, 'a', 'a')",
            [team, challenge],
        )
        for tries, began in ((2, None), (2, "2026-01-01")):
            connection.execute(
                "INSERT INTO uploads (id, team_id, sha256, length, status, expires_at, check_no, check_began_at,"
                " check_expires_at) VALUES (%s, %s, 'x', 1, 'checking', now(), %s, %s, '2026-01-02')",
                [str(uuid4()), team, tries, began],
            )
    alembic(url, "upgrade", "head")
    with psycopg.connect(plain) as connection:
        rows = connection.execute(
            "SELECT check_claim_no, check_faults, check_lease_until IS NULL, check_not_before IS NULL"
            " FROM uploads ORDER BY check_began_at NULLS FIRST"
        ).fetchall()
    assert rows == [(2, 2, True, False), (2, 1, False, True)]
    alembic(url, "downgrade", "0011")
    with psycopg.connect(plain) as connection:
        rows = connection.execute("SELECT check_no, check_expires_at IS NULL FROM uploads").fetchall()
    assert rows == [(2, False), (2, False)]
    with embedded_postgres.connect() as connection:
        connection.execute(f"DROP DATABASE {name}")
