"""The embedded PostgreSQL: ours alone, durable, and never left behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import create_engine, text

from worker.embedded.account import SetupError
from worker.embedded.data import CHECKOUT
from worker.embedded.postgres import Postgres

START_AND_WAIT = """
import sys, time
from pathlib import Path
from worker.embedded.postgres import Postgres
server = Postgres(Path(sys.argv[1]), durable=False)
server.start()
print("ready", flush=True)
time.sleep(60)
"""


@pytest.fixture(scope="module")
def cluster(services_directory: Path) -> Iterator[Postgres]:
    """A cluster, not running, that the tests of this file start and kill in turn."""
    server = Postgres(services_directory / "own", durable=False)
    server.start()
    server.stop()
    yield server
    server.stop()


def modes(root: Path) -> dict[Path, int]:
    return {path: path.stat().st_mode for path in [root, *root.parents]}


def postmaster(server: Postgres) -> int:
    return int((server.cluster / "postmaster.pid").read_text().splitlines()[0])


def ends(pid: int, seconds: float = 15) -> bool:
    deadline = time.monotonic() + seconds
    while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    return not Path(f"/proc/{pid}").exists()


def test_the_session_fixture_answers_with_postgresql_18_over_a_socket(postgres_url: str) -> None:
    engine = create_engine(postgres_url)
    with engine.connect() as connection:
        assert connection.execute(text("SHOW server_version")).scalar_one().startswith("18")
        assert connection.execute(text("SHOW listen_addresses")).scalar_one() == ""
        assert connection.execute(text("SHOW server_encoding")).scalar_one() == "UTF8"
    engine.dispose()


def test_a_fresh_database_is_not_the_shared_one(fresh_postgres_url: str, postgres_url: str) -> None:
    assert fresh_postgres_url != postgres_url


def test_a_wrong_password_is_refused(embedded_postgres: Postgres) -> None:
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(
            host=str(embedded_postgres.socket_directory), user="proctor", password="guess", dbname="postgres"
        )


def test_socket_and_secrets_are_closed_to_others(embedded_postgres: Postgres) -> None:
    assert embedded_postgres.socket_directory.stat().st_mode & 0o077 == 0
    assert (embedded_postgres.data / "secrets").stat().st_mode & 0o077 == 0
    assert (embedded_postgres.data / "secrets" / "postgres_password").stat().st_mode & 0o777 == 0o600


def test_the_password_is_in_no_command_line(embedded_postgres: Postgres) -> None:
    password = (embedded_postgres.data / "secrets" / "postgres_password").read_text().strip()
    assert password.encode() not in Path(f"/proc/{postmaster(embedded_postgres)}/cmdline").read_bytes()


def test_a_second_supervisor_on_the_same_directory_is_turned_away(embedded_postgres: Postgres) -> None:
    with pytest.raises(SetupError, match="already runs"):
        Postgres(embedded_postgres.data, durable=False).start()
    assert embedded_postgres.alive()


def test_data_survives_a_stop_and_no_existing_mode_changes(services_directory: Path) -> None:
    given = services_directory / "given"
    given.mkdir()
    given.chmod(0o751)
    (given / "secrets").mkdir(mode=0o750)
    before = modes(given / "secrets")
    server = Postgres(given, durable=True)
    server.start()
    with server.connect("proctor") as connection:
        assert connection.execute("SHOW fsync").fetchone() == ("on",)
        connection.execute("CREATE TABLE kept (x int)")
    server.stop()
    assert not server.alive()
    server.start()
    with server.connect("proctor") as connection:
        assert connection.execute("SELECT count(*) FROM kept").fetchone() == (0,)
    server.stop()
    assert modes(given / "secrets") == before


def test_a_killed_supervisor_takes_postgres_with_it_and_the_next_start_works(cluster: Postgres) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", START_AND_WAIT, str(cluster.data)], stdout=subprocess.PIPE, cwd=CHECKOUT
    )
    assert child.stdout is not None
    assert child.stdout.readline() == b"ready\n"
    pid = postmaster(cluster)
    child.kill()
    child.wait()
    child.stdout.close()
    assert ends(pid)
    cluster.start()
    cluster.stop()


def test_a_stale_pid_file_does_not_stop_the_next_start(cluster: Postgres) -> None:
    cluster.start()
    os.kill(postmaster(cluster), signal.SIGKILL)
    deadline = time.monotonic() + 10
    while cluster.alive() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert (cluster.cluster / "postmaster.pid").exists()
    cluster.stop()
    cluster.start()
    cluster.stop()


def test_a_pid_that_now_belongs_to_someone_else_is_left_alone(cluster: Postgres) -> None:
    cluster.start()
    pid_file = cluster.cluster / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    cluster.stop()
    pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")
    cluster.start()
    assert postmaster(cluster) != os.getpid()
    cluster.stop()


def test_a_cluster_of_another_major_version_is_refused(cluster: Postgres) -> None:
    version = cluster.cluster / "PG_VERSION"
    version.write_text("17\n")
    with pytest.raises(SetupError, match="made by PostgreSQL 17"):
        cluster.start()
    version.write_text("18\n")


def test_a_parent_closed_to_the_database_user_is_named(services_directory: Path) -> None:
    """Without root PostgreSQL runs as ourselves, and our own closed directory is no obstacle."""
    closed = services_directory / "closed"
    closed.mkdir(mode=0o700)
    server = Postgres(closed / "data", durable=False)
    other_user = os.geteuid() == 0
    with pytest.raises(SetupError, match="PROCTOR_DATA") if other_user else nullcontext() as refusal:
        server.start()
    assert refusal is None or f"cannot enter {closed}, " in str(refusal.value)
    assert closed.stat().st_mode & 0o777 == 0o700
    server.stop()
