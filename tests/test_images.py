"""The server's and the run worker's images, built on a local base without a package index."""

import json
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.images import ensure_base
from worker.embedded.postgres import Postgres

pytestmark = pytest.mark.long

ROOT = Path(__file__).resolve().parents[1]
ASK = (
    "import urllib.request as r; print(r.urlopen('http://127.0.0.1:8426/healthz', timeout=4).read().decode())"
)


def docker(*words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["docker", *words], capture_output=True, text=True, check=check)


@pytest.fixture(scope="module")
def tags() -> Iterator[dict[str, str]]:
    """Both images under tags of this run, removed afterwards."""
    base = ensure_base()
    subprocess.run([ROOT / "scripts" / "wheels"], check=True, capture_output=True)
    run = uuid.uuid4().hex[:8]
    built = {name: f"proctor-test/{name}:{run}" for name in ("server", "worker")}
    for name, tag in built.items():
        recipe = str(ROOT / "docker" / f"{name}.Dockerfile")
        docker("build", "--file", recipe, "--build-arg", f"PYTHON_IMAGE={base}", "--tag", tag, str(ROOT))
    yield built
    docker("image", "rm", *built.values())


@pytest.fixture
def server(tags: dict[str, str], embedded_postgres: Postgres, fresh_postgres_url: str) -> Iterator[str]:
    """A running server container without any network: its database comes in as a socket."""
    name = f"proctor-test-{uuid.uuid4().hex[:8]}"
    sockets = str(embedded_postgres.socket_directory)
    owner = embedded_postgres.socket_directory.stat()
    environment = {
        "DATABASE_URL": fresh_postgres_url,
        "PROCTOR_SECRET_KEY": "k" * 32,
        "PROCTOR_SETUP_TOKEN": "once",
    }
    docker(
        *("run", "--detach", "--name", name, "--network", "none", "--volume", f"{sockets}:{sockets}"),
        *(
            "--user",
            f"{owner.st_uid}:{owner.st_gid}",
            "--read-only",
            "--tmpfs",
            "/tmp",
            "--tmpfs",
            "/data:mode=777",
        ),
        *(word for key, value in environment.items() for word in ("--env", f"{key}={value}")),
        tags["server"],
    )
    yield name
    docker("rm", "--force", "--volumes", name)


def test_the_server_image_answers_healthz(server: str) -> None:
    deadline = time.monotonic() + 60
    answer = docker("exec", server, "python3", "-c", ASK, check=False)
    while answer.returncode != 0 and time.monotonic() < deadline:
        time.sleep(0.5)
        answer = docker("exec", server, "python3", "-c", ASK, check=False)
    assert answer.returncode == 0, docker("logs", server).stderr[-2000:]
    assert json.loads(answer.stdout)["status"] == "ok"


def test_the_server_image_carries_migrations_beat_and_score_worker(tags: dict[str, str]) -> None:
    run = ("run", "--rm", "--network", "none", tags["server"], "python3", "-m")
    assert "head" in docker(*run, "alembic", "heads").stdout
    assert "--schedule" in docker(*run, "celery", "-A", "worker.app", "beat", "--help").stdout
    assert "--name" in docker(*run, "worker.score", "--help").stdout


def test_the_server_image_does_not_run_as_root(tags: dict[str, str]) -> None:
    assert docker("run", "--rm", "--network", "none", tags["server"], "id", "-un").stdout.strip() == "proctor"


def test_the_worker_image_says_what_it_needs(tags: dict[str, str]) -> None:
    outcome = docker("run", "--rm", "--network", "none", tags["worker"], check=False)
    assert outcome.returncode == 2
    assert "PROCTOR_WORKER_TOKEN" in outcome.stdout + outcome.stderr


@pytest.mark.parametrize("module", ["server", "sqlalchemy", "psycopg", "fastapi"])
def test_the_worker_image_holds_no_server_and_no_database_driver(tags: dict[str, str], module: str) -> None:
    look = f"import importlib.util, sys; sys.exit(importlib.util.find_spec('{module}') is not None)"
    docker("run", "--rm", "--network", "none", tags["worker"], "python3", "-c", look)
