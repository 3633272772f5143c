"""The database goes away and comes back; and who waits for a client's bytes keeps no connection from others."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import httpx
import pytest
from fastapi import FastAPI
from psycopg.errors import DeadlockDetected
from sqlalchemy import make_url, text
from sqlalchemy.exc import OperationalError

from server import app as application
from server import problems
from server.app import create_app
from server.database import SessionFactory, unit_of_work
from server.images.models import Image
from server.naming import naming
from server.settings import Settings
from tests.abuse.conftest import Front
from tests.abuse.wire import Wire
from tests.facts import image_facts
from tests.server.conftest import Person, Tus, serving
from tests.server.lab import Entrant, Lab
from worker.embedded.postgres import Postgres


def test_health_says_that_the_database_is_gone_and_that_it_is_back(
    settings: Settings, fresh_postgres_url: str, embedded_postgres: Postgres
) -> None:
    app = create_app(settings.model_copy(update={"database_url": fresh_postgres_url}))
    with serving(app) as url, httpx.Client(base_url=url) as http:
        assert http.get("/healthz").json() == {"status": "ok"}
        with _away(embedded_postgres, fresh_postgres_url):
            _until(lambda: http.get("/healthz").status_code == 503)
            for path in ("/api/v1/challenges", "/"):
                answer = http.get(path)
                assert answer.status_code == 503, answer.text
                assert int(answer.headers["Retry-After"]) > 0
        _until(lambda: http.get("/healthz").status_code == 200)
        assert http.get("/api/v1/challenges").status_code == 200


def test_an_upload_that_waits_for_bytes_holds_no_connection(
    front: Front, tus: Tus, slug: str, captain: Person
) -> None:
    wires = []
    for _ in range(5):
        wires.append(wire := Wire(front.url))
        wire.ask(
            f"PATCH {urlsplit(tus.begin(slug, b'x' * 1000)).path}",
            f"Authorization: Bearer {captain.token}",
            "Content-Type: application/offset+octet-stream",
            "Upload-Offset: 0",
            "Content-Length: 1000",
        )
        wire.send(b"x")
    _until(lambda: front.lanes["uploads"].running == 5)
    _until(lambda: front.connections() == 0)
    assert front.lanes["uploads"].running == 5
    for wire in wires:
        wire.socket.close()
    _until(lambda: front.lanes["uploads"].running == 0)


def test_an_output_that_waits_for_bytes_holds_no_connection(front: Front, lab: Lab, team: Entrant) -> None:
    team.submit()
    worker = lab.worker()
    lease = worker.take()
    with Wire(front.url) as wire:
        wire.ask(
            f"PUT /api/v1/worker/leases/{lease['case_run']}/output?claim_no={lease['claim_no']}",
            f"Authorization: {worker.http.headers['Authorization']}",
            "Content-Length: 4",
            "Connection: close",
        )
        wire.send(b"0")
        time.sleep(0.5)  # so that the claim was looked at
        _until(lambda: front.connections() == 0)
        wire.send(b".5\n")
        assert b" 201 " in wire.answer()[:20]


def test_an_upload_counts_for_its_sender_alone(front: Front, tus: Tus, slug: str, captain: Person) -> None:
    """One sender's streams that wait for bytes leave places for everybody else's."""
    location = urlsplit(tus.begin(slug, b"x" * 1000)).path
    headers = [
        f"Authorization: Bearer {captain.token}",
        "Content-Type: application/offset+octet-stream",
        "Upload-Offset: 0",
        "Content-Length: 1000",
    ]
    assert httpx.get(f"{front.url}/api/v1/me", headers={"Authorization": headers[0][15:]}).status_code == 200
    wires = [Wire(front.url) for _ in range(20)]
    for wire in wires:
        wire.ask(f"PATCH {location}", *headers)
    _until(lambda: front.lanes["uploads"].admitted > 0)
    other = httpx.patch(
        f"{front.url}/api/v1/uploads/{uuid4()}",
        content=b"x",
        headers={"Content-Type": "application/offset+octet-stream", "Upload-Offset": "0"},
    )
    assert other.status_code == 401
    for wire in wires:
        wire.socket.close()
    _until(lambda: front.lanes["uploads"].running == front.lanes["uploads"].waiting == 0)


def test_a_request_does_not_wait_for_ever_for_a_lock(
    settings: Settings,
    sessions: SessionFactory,
    captain: Person,
    team_id: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(application, "_LOCK_SECONDS", 0.3)
    app = create_app(settings)
    with serving(app) as url, sessions() as session:
        session.execute(text("SELECT id FROM teams WHERE id = :id FOR UPDATE"), {"id": team_id})
        answer = httpx.post(
            f"{url}/api/v1/teams/{team_id}/invitations",
            headers={"Authorization": f"Bearer {captain.token}"},
            timeout=60,
        )
        session.rollback()
    assert (answer.status_code, answer.json()["code"]) == (503, "busy"), answer.text


def test_of_two_who_wait_for_each_other_one_is_told_to_come_again() -> None:
    app = FastAPI()
    problems.install(app)

    @app.post("/")
    def deadlock() -> None:
        raise OperationalError("UPDATE", {}, DeadlockDetected())

    with serving(app) as url:
        answer = httpx.post(url, timeout=60)
    assert (answer.status_code, answer.json()["code"]) == (503, "busy"), answer.text


def test_an_image_that_was_removed_is_removed_though_its_blobs_have_to_stay_for_now(
    settings: Settings, lab: Lab, team: Entrant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(application, "_LOCK_SECONDS", 0.3)
    digest = settings.blobs.put(uuid4().bytes)
    with unit_of_work(lab.sessions) as session:
        facts = image_facts(digest, [digest], sizes=16)
        session.add(Image(team_id=UUID(team.team), digest=digest, facts=facts, size=16))
    path = f"teams/{team.team}/images/{digest}"
    with serving(create_app(settings)) as url, lab.sessions() as session:
        naming(session)  # as whoever settles a case does, for a moment
        token = team.http.headers["Authorization"]
        answer = httpx.delete(f"{url}/api/v1/{path}", headers={"Authorization": token}, timeout=60)
        session.rollback()
    assert answer.status_code == 204, answer.text
    assert settings.blobs.has(digest), "a sweep takes it"


@contextmanager
def _away(postgres: Postgres, url: str) -> Iterator[None]:
    """Nobody gets a connection to this database."""
    name = str(make_url(url).database)
    with postgres.connect() as connection:
        connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')  # type: ignore[arg-type]
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
        )
        yield
        connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')  # type: ignore[arg-type]


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline, "it never held"
        time.sleep(0.05)
